"""Files that stand beside timm's own: their names and columns letter by letter."""

from __future__ import annotations

import csv
import io

import pytest

from bench.report.timm_csv import device_name, file_name, timm_files
from tests.bench.analyse.cell_fakes import CPU, CUDA, cell, cells, out_of_memory, throughput_study


@pytest.mark.parametrize(
    ("settings", "environment", "name"),
    [
        (
            {"execution.amp": "fp16"},
            {"torch": "1.12", "cuda": "11.3", "device": "NVIDIA GeForce RTX 3090"},
            "benchmark-train-amp-nhwc-pt112-cu113-rtx3090.csv",
        ),
        (
            {"measure.work": "infer", "execution.compile": "default", "execution.channels_last": False},
            {"torch": "2.9.1+cu130", "cuda": "13.0", "device": "NVIDIA GeForce RTX 5090"},
            "benchmark-infer-amp_bf16-nchw-pt291-cu130-rtx5090-dynamo.csv",
        ),
        (
            {"execution.amp": "none", "execution.fp32_precision": "tf32"},
            CUDA,
            "benchmark-train-tf32-nhwc-pt2150-cu132-h200.csv",
        ),
        (
            {"execution.compile": "max-autotune"},
            CUDA,
            "benchmark-train-amp_bf16-nhwc-pt2150-cu132-h200-dynamo_max_autotune.csv",
        ),
        ({"execution.graph": True}, CUDA, "benchmark-train-amp_bf16-nhwc-pt2150-cu132-h200-graph.csv"),
        (
            {"execution.graph": True, "execution.compile": "default"},
            CUDA,
            "benchmark-train-amp_bf16-nhwc-pt2150-cu132-h200-dynamo-graph.csv",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_is_named_as_timm_names_it(settings, environment, name):
    assert file_name(cell("a", {}, 0, settings=settings, environment=environment)) == name


def test_a_file_from_a_cpu_says_so():
    """As timm's benchmark-infer-fp32-nchw-pt240-cpu-i9_10940x-dynamo.csv."""
    environment = {**CPU, "torch": "2.4.0", "device": "Intel(R) Core(TM) i9-10940X CPU @ 3.30GHz"}
    settings = {
        "measure.work": "infer",
        "execution.amp": "none",
        "execution.channels_last": False,
        "execution.compile": "default",
    }
    one = cell("a", {}, 0, settings=settings, environment=environment, device_kind="cpu")
    assert file_name(one) == "benchmark-infer-fp32-nchw-pt240-cpu-i9_10940x-dynamo.csv"


@pytest.mark.parametrize(
    ("device", "name"),
    [
        ("NVIDIA GeForce RTX 4090", "rtx4090"),
        ("NVIDIA H100 80GB HBM3", "h100_80gb_hbm3"),
        ("AMD EPYC 9B14 96-Core Processor", "epyc_9b14"),
        ("", "unknown"),
    ],
)
def test_a_device_is_one_word(device, name):
    assert device_name(device) == name


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_training_rows_have_timms_columns_and_rounding():
    windows = [1218.0123] * 20
    files = timm_files(cells("a", {}, windows_img_s=windows))
    (text,) = files.values()
    assert text == (
        "model,train_samples_per_sec,train_step_time,train_batch_size,train_img_size,param_count\n"
        "resnet50,1218.01,105.089,128,224,25.56\n"
    )


def test_inference_rows_have_timms_columns():
    windows = [3676.0] * 20
    (text,) = timm_files(cells("a", {"measure.work": "infer"}, windows_img_s=windows)).values()
    assert text == (
        "model,infer_img_size,infer_samples_per_sec,infer_step_time,infer_batch_size,param_count,"
        "infer_gmacs,infer_macts\n"
        "resnet50,224,3676.0,34.82,128,25.56,4.09,11.11\n"
    )


def test_the_fastest_row_comes_first_and_repeats_give_their_median():
    records = [
        *[
            cell("a", {"model.name": "resnet50"}, i, windows_img_s=[s] * 20)
            for i, s in enumerate((90.0, 100.0, 400.0))
        ],
        *cells("b", {"model.name": "resnet18"}, windows_img_s=[300.0] * 20),
    ]
    (text,) = timm_files(records).values()
    told = [(row["model"], row["train_samples_per_sec"]) for row in rows_of(text)]
    assert told == [("resnet18", "300.0"), ("resnet50", "100.0")]


def test_equal_cells_are_one_row():
    records = [*cells("a", {"measure.aa": False}), *cells("twin", {"measure.aa": True})]
    (text,) = timm_files(records).values()
    assert len(rows_of(text)) == 1


def test_only_synthetic_cells_with_a_result_are_told():
    records = [
        *cells("a", {"measure.input": "cached"}),
        *cells("b", {"measure.input": "end_to_end"}),
        *out_of_memory("c", {"train.batch_size": 4096}),
    ]
    assert timm_files(records) == {}


def test_the_library_is_named_only_beside_the_same_network_of_ours():
    alone = timm_files(cells("a", {"model.name": "timm:resnet50"}))
    assert [row["model"] for text in alone.values() for row in rows_of(text)] == ["resnet50"]
    (both,) = timm_files([*cells("a", {}), *cells("b", {"model.name": "timm:resnet50"})]).values()
    assert sorted(row["model"] for row in rows_of(both)) == ["resnet50", "timm:resnet50"]


def test_every_file_of_a_study_has_the_columns_of_its_work():
    for name, text in timm_files(throughput_study()).items():
        work = name.split("-")[1]
        assert all(f"{work}_samples_per_sec" in row and row["model"] for row in rows_of(text))
