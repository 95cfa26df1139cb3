"""Learning curves: whose mean, and up to where."""

from __future__ import annotations

import pytest

from bench.analyse.convergence import arm_curves
from bench.record.schema import EpochRow


def rows(losses, vals):
    return tuple(
        EpochRow(
            epoch=i,
            train_loss=loss,
            train_top1_pct=50.0,
            val_loss=None,
            val_top1_pct=val,
            lr=0.1,
            epoch_time_s=1.0,
        )
        for i, (loss, val) in enumerate(zip(losses, vals, strict=True), start=1)
    )


def test_the_mean_is_over_finished_runs_and_the_epochs_they_share(fakes):
    levels = {"train.lr": 0.1}
    records = [
        fakes.run(levels, 0, 98.0, epochs=rows((2.0, 1.0, 0.5), (None,) * 3)),
        fakes.run(levels, 1, 98.0, epochs=rows((1.0, 0.5), (None,) * 2)),
        fakes.stopped(levels, 2, "diverged", "at step 3", epochs=rows((9.0,), (None,))),
    ]
    curves = arm_curves(records, "train_loss", "cpu")["train.lr=0.1"]
    assert curves.mean_epochs == (1, 2)
    assert curves.mean_values == pytest.approx((1.5, 0.75))
    assert [(c.seed, c.status, len(c.epochs)) for c in curves.seeds] == [
        (0, "done", 3),
        (1, "done", 2),
        (2, "diverged", 1),
    ]
    assert curves.last_epoch == 3


def test_epochs_without_an_evaluation_are_left_out(fakes):
    run = fakes.run({"train.lr": 0.1}, 0, 98.0, epochs=rows((2.0, 1.0, 0.5, 0.4), (None, 50.0, None, 70.0)))
    curves = arm_curves([run], "val_top1_pct", "cpu")["train.lr=0.1"]
    assert (curves.mean_epochs, curves.mean_values) == ((2, 4), (50.0, 70.0))


def test_a_study_without_validation_has_no_validation_curves(fakes):
    run = fakes.run({"train.lr": 0.1}, 0, 98.0, epochs=rows((2.0,), (None,)))
    assert arm_curves([run], "val_top1_pct", "cpu") == {}


def test_another_kind_of_device_is_left_out(fakes):
    run = fakes.run({"train.lr": 0.1}, 0, 98.0, epochs=rows((2.0,), (None,)), device_kind="cuda")
    assert arm_curves([run], "train_loss", "cpu") == {}
