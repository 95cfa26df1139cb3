"""The summary: order, pairing, gaps, two kinds of device, what was planned."""

from __future__ import annotations

import dataclasses

import pytest

from bench.analyse.pairing import pairing_rule
from bench.analyse.quantity import one_image
from bench.analyse.summary import summarise
from bench.study.model import Arm, Factor, Study
from bench.study.specs import BaseSpec

TOP1 = "test_top1_pct"


def study_of(levels_by_name, *, baseline, seeds):
    config = BaseSpec.model_validate(
        {
            "data": {"name": "digits"},
            "model": {"name": "cifar_resnet", "depth": 20},
            "train": {"epochs": 1, "optimizer": {"lr": 0.1}},
        }
    )
    arms = tuple(
        Arm(name, name, levels, config, is_baseline=name == baseline)
        for name, levels in levels_by_name.items()
    )
    keys = {key for levels in levels_by_name.values() for key in levels}
    factors = tuple(Factor(k, tuple(dict.fromkeys(a.levels[k] for a in arms))) for k in sorted(keys))
    return Study("fake", "Why?", TOP1, seeds, factors, arms, "grid", {}, None, "fake")


def test_arms_come_baseline_first_in_the_order_of_lines(fakes):
    summary = summarise(fakes.depth_study(), TOP1)
    assert [arm.label for arm in summary.arms][:3] == [
        "depth=20, residual=true",
        "depth=8, residual=true",
        "depth=8, residual=false",
    ]
    assert [arm.is_baseline for arm in summary.arms] == [True] + [False] * 7
    assert summary.baseline == "model.depth=20,model.residual=true"


def test_estimates_keep_every_seed(fakes):
    summary = summarise(fakes.runs_of([({"model.depth": 20}, (97.0, 98.0, 99.0))]), TOP1)
    (arm,) = summary.arms
    assert [(p.seed, p.value) for p in arm.points] == [(0, 97.0), (1, 98.0), (2, 99.0)]
    assert (arm.estimate.mean, arm.estimate.sd, arm.n_done, arm.n_runs) == (98.0, 1.0, 3, 3)
    assert arm.difference is None


@pytest.mark.parametrize(
    ("levels", "rule"),
    [
        ({"train.optimizer.lr": 0.2}, "paired"),
        ({"execution.amp": "bf16"}, "paired"),
        ({"data.augment": "flip"}, "paired"),
        ({"data.train_size": 100}, "paired"),
        ({"model.depth": 56}, "welch"),
        ({"model.residual": False}, "welch"),
        ({"data.name": "mnist"}, "welch"),
        ({"data.classes": [0, 1]}, "welch"),
        ({"data.channels": 3}, "welch"),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value)),
)
def test_pairing_needs_the_same_network_and_images(fakes, levels, rule):
    base = fakes.run({"arm": "base"}, 0, 98.0)
    arm = fakes.run({"arm": "other"}, 0, 98.0, config=fakes.config(levels))
    assert pairing_rule(arm, base) == rule


def test_a_recipe_study_is_paired_and_a_depth_study_is_not(fakes):
    recipe = fakes.runs_of([({"train.lr": 0.1}, (97.0, 98.0, 99.0)), ({"train.lr": 0.2}, (96.5, 98.0, 98.0))])
    assert summarise(recipe, TOP1).arms[1].difference.rule == "paired"
    rules = {arm.difference.rule for arm in summarise(fakes.depth_study(), TOP1).arms[1:]}
    assert rules == {"welch"}


def test_diverged_and_failed_runs_are_counted_with_their_reason(fakes):
    levels = {"train.lr": 1.0}
    records = [
        fakes.run(levels, 0, 90.0),
        fakes.stopped(levels, 1, "diverged", "loss not finite at step 120"),
        fakes.stopped(levels, 2, "oom", "CUDA out of memory"),
        fakes.stopped(levels, 3, "diverged", "loss not finite at step 120"),
    ]
    (arm,) = summarise(records, TOP1).arms
    assert (arm.n_done, arm.n_runs, arm.estimate.mean) == (1, 4, 90.0)
    assert [gap.text for gap in arm.gaps] == [
        "seeds 1, 3 diverged: loss not finite at step 120",
        "seed 2: CUDA out of memory",
    ]


def test_a_diverged_run_with_numbers_does_not_enter_the_mean(fakes):
    """A diverged run may carry the test score of its last finite weights."""
    levels = {"train.lr": 1.0}
    records = [
        fakes.run(levels, 0, 90.0),
        fakes.stopped(levels, 1, "diverged", "at step 3", metrics={TOP1: 11.0}),
    ]
    assert summarise(records, TOP1).arms[0].estimate.mean == 90.0


def test_a_seed_that_another_arm_has_is_missed(fakes):
    records = fakes.runs_of([({"train.lr": 0.1}, (97.0, 98.0, 99.0)), ({"train.lr": 0.2}, (96.5, 98.0))])
    (gap,) = summarise(records, TOP1).arms[1].gaps
    assert gap.text == "seed 2 not run"


def test_with_the_plan_what_never_ran_is_counted(fakes):
    a, b = {"train.lr": 0.1}, {"train.lr": 0.2}
    study = study_of({"train.lr=0.2": b, "train.lr=0.1": a}, baseline="train.lr=0.1", seeds=(0, 1, 2))
    summary = summarise([fakes.run(a, 0, 97.0)], TOP1, study=study)
    first, second = summary.arms
    assert (first.name, first.is_baseline, first.n_done, first.n_runs) == ("train.lr=0.1", True, 1, 3)
    assert (second.name, second.n_done, second.n_runs) == ("train.lr=0.2", 0, 3)
    assert [gap.text for gap in second.gaps] == ["seeds 0, 1, 2 not run"]
    assert second.estimate.note == "no finished run"


def test_a_study_without_a_baseline_compares_nothing(fakes):
    a, b = {"train.lr": 0.1}, {"train.lr": 0.2}
    study = study_of({"train.lr=0.1": a, "train.lr=0.2": b}, baseline=None, seeds=(0, 1, 2))
    records = fakes.runs_of([(a, (97.0, 98.0, 99.0)), (b, (96.5, 98.0, 98.0))])
    summary = summarise(records, TOP1, study=study)
    assert summary.baseline is None
    assert [arm.difference for arm in summary.arms] == [None, None]


def test_two_kinds_of_device_are_never_pooled(fakes):
    a = {"train.lr": 0.1}
    records = [
        *fakes.runs_of([(a, (97.0, 98.0, 99.0))]),
        *fakes.runs_of([(a, (87.0, 88.0, 89.0))], device_kind="cuda", environment={"device": "Example GPU"}),
    ]
    cpu, cuda = summarise(records, TOP1).blocks
    assert (cpu.device_kind, cpu.arms[0].estimate.mean, cpu.arms[0].n_runs) == ("cpu", 98.0, 3)
    assert (cuda.device_kind, cuda.arms[0].estimate.mean) == ("cuda", 88.0)
    assert (cpu.devices, cuda.devices) == (("Example CPU 9000",), ("Example GPU",))


def test_a_baseline_without_a_result_on_a_device_is_told(fakes):
    a, b = {"train.lr": 0.1}, {"train.lr": 0.2}
    records = [fakes.stopped(a, 0, "failed", "worker died"), fakes.run(b, 0, 97.0)]
    (block,) = summarise(records, TOP1).blocks
    assert block.baseline is None
    assert block.arms[1].difference.delta is None


def test_speed_is_the_probes_median_and_quartiles(fakes):
    levels = {"model.depth": 8}
    records = [fakes.run(levels, 0, 98.0), fakes.probe(levels, (100.0, 104.0, 102.0, 106.0, 108.0))]
    speed = summarise(records, TOP1).arms[0].speed
    assert (speed.median_img_s, speed.q1_img_s, speed.q3_img_s, speed.n_windows) == (104.0, 102.0, 106.0, 5)


def test_one_image_weighs_what_the_metric_says(fakes):
    run = fakes.run({"model.depth": 8}, 0, 98.0, confusion=((9, 1), (2, 28)))
    assert one_image(run, TOP1) == 0.25
    assert one_image(run, "test_mean_class_pct") == 5.0
    assert one_image(run, "test_loss") is None
    assert one_image(run, "train_error_pct") == pytest.approx(100 / 1257)


def test_a_metric_that_a_finished_run_lacks_is_a_gap(fakes):
    """Top-5 accuracy does not exist below six classes."""
    (arm,) = summarise([fakes.run({"model.depth": 8}, 0, 98.0)], "test_top5_pct").arms
    assert (arm.n_done, [gap.status for gap in arm.gaps]) == (0, ["no value"])


def test_how_the_epoch_was_selected_is_told(fakes):
    config = fakes.config({})
    config["train"]["select"] = "best_val"
    records = [fakes.run({"arm": "a"}, 0, 98.0), fakes.run({"arm": "b"}, 0, 98.0, config=config)]
    assert summarise(records, TOP1).selections == ("last", "best_val")


def test_the_summary_is_frozen(fakes):
    summary = summarise(fakes.depth_study(), TOP1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        summary.metric = "test_loss"


def test_runs_trained_for_their_weights_are_no_arm_and_no_baseline(fakes):
    """They stand first in the records, where the baseline is looked for without a plan."""
    records = fakes.transfer_study(3)
    assert records[0].role == "source"
    summary = summarise(records, TOP1)
    assert len(summary.arms) == 21
    assert summary.arms[0].label == "base"
    assert summary.arms[0].is_baseline
    assert summary.origins.n_source_runs == 3


def test_a_factor_that_only_the_baseline_lacks_is_absent(fakes):
    assert summarise(fakes.transfer_study(1), TOP1).absent == {"weights.through"}
    arms = [{"a.x": x, "a.y": y} for x in (None, 1) for y in (1, 2)]
    assert summarise([fakes.run(levels, 0, 98.0) for levels in arms], TOP1).absent == frozenset()


def test_arms_that_start_from_runs_pair_only_with_their_source(fakes):
    """A run that starts from another run draws under a key of its own, so nothing else is shared."""
    summary = summarise(fakes.transfer_study(3), TOP1)
    rules = {arm.levels["treatment"]: arm.difference.rule for arm in summary.arms[1:]}
    assert rules == {"AnB": "welch", "AnB+": "welch", "BnB": "paired", "BnB+": "paired", "random": "paired"}


def test_arms_that_start_from_a_file_keep_the_draws_of_their_seed(fakes):
    summary = summarise(fakes.transfer_study(3, sources=False, weights="w/net.pth"), TOP1)
    assert {arm.difference.rule for arm in summary.arms[1:]} == {"paired"}
    assert (summary.origins.files, summary.origins.from_runs) == (("net.pth",), False)


def test_trainable_parameters_are_those_of_the_arm(fakes):
    arms = {arm.label: arm for arm in summarise(fakes.transfer_study(1), TOP1).arms}
    frozen = arms["AnB, through=layer3"]
    assert (frozen.n_params, frozen.n_trainable_params) == (77_754, 650)
