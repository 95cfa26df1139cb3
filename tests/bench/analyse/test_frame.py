"""The frames behind records.csv and epochs.csv."""

from __future__ import annotations

import csv
import io

import numpy as np
import pandas as pd

from bench.analyse.frame import csv_text, epochs_frame, runs_frame

COLUMNS = (
    "run_id,arm,seed,status,model.depth,model.residual,n_train,n_val,n_test,n_params,n_trainable_params,gmacs,"
    "epochs,steps,best_epoch,train_top1_pct,val_top1_pct,test_top1_pct,test_top5_pct,test_mean_class_pct,"
    "test_loss,train_time_s,compile_time_s,run_train_img_s,n_concurrent,probe_train_img_s,peak_memory_bytes,"
    "device,torch,commit"
)


def test_records_csv_has_the_columns_of_the_design_in_their_order(fakes):
    text = csv_text(runs_frame(fakes.depth_study()))
    assert text.splitlines()[0] == COLUMNS
    assert len(text.splitlines()) == 1 + 24


def test_epochs_csv_has_the_columns_of_the_design_and_a_row_an_epoch(fakes):
    frame = epochs_frame(fakes.depth_study())
    header = "run_id,arm,seed,epoch,train_loss,train_top1_pct,val_loss,val_top1_pct,lr,epoch_time_s"
    assert csv_text(frame).splitlines()[0] == header
    assert len(frame) == 24 * 10
    assert frame["epoch"].tolist()[:11] == [*range(1, 11), 1]
    assert frame["seed"].tolist()[9:11] == [0, 1]


def test_the_order_of_rows_is_the_order_of_lines(fakes):
    records = fakes.depth_study()
    assert runs_frame(records)["run_id"].tolist() == [r.run_id for r in records if r.kind == "run"]


def test_counts_stay_whole_where_others_are_missing(fakes):
    levels = {"train.lr": 0.1}
    failed = fakes.stopped(levels, 1, "failed", "worker died", metrics={"n_params": None, "n_train": None})
    text = csv_text(runs_frame([fakes.run(levels, 0, 98.0), failed]))
    back = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    assert back["n_params"].tolist() == ["269722", ""]
    assert back["n_train"].tolist() == ["1257", ""]
    assert back["test_top1_pct"].tolist() == ["98.0", ""]
    assert back["peak_memory_bytes"].tolist() == ["", ""]


def test_a_probe_is_joined_by_arm_and_kind_of_device(fakes):
    levels = {"model.depth": 8}
    records = [
        fakes.run(levels, 0, 98.0),
        fakes.run(levels, 0, 98.5, device_kind="cuda"),
        fakes.run({"model.depth": 20}, 0, 97.0),
        fakes.probe(levels, (100.0, 110.0, 105.0)),
        fakes.probe(levels, (9000.0, 9100.0), kind="cuda"),
    ]
    speeds = runs_frame(records)["probe_train_img_s"].tolist()
    assert speeds[:2] == [105.0, 9050.0]
    assert np.isnan(speeds[2])


def test_levels_are_written_as_the_study_writes_them(fakes):
    records = [fakes.run({"model.residual": level}, 0, 98.0) for level in (True, False, None)]
    text = csv_text(runs_frame(records))
    assert [line.split(",")[4] for line in text.splitlines()[1:]] == ["true", "false", ""]


def test_named_arms_get_no_second_arm_column(fakes):
    frame = runs_frame([fakes.run({"arm": "plain"}, 0, 98.0)])
    assert list(frame.columns)[:5] == ["run_id", "arm", "seed", "status", "n_train"]


def test_numbers_survive_the_csv_to_the_last_bit(fakes):
    value = 98.05555555555556
    text = csv_text(runs_frame([fakes.run({"model.depth": 8}, 0, value)]))
    (row,) = csv.DictReader(io.StringIO(text))
    assert float(row["test_top1_pct"]) == value


def test_a_study_without_records_has_the_fixed_columns(fakes):
    assert csv_text(runs_frame([])).startswith("run_id,arm,seed,status,n_train,")
    assert csv_text(epochs_frame([])).startswith("run_id,arm,seed,epoch,")
