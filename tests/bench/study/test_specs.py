"""Every rule of the specs: a value that it takes, one that it refuses, and with which words."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from bench.study.specs import BaseSpec, DataSpec, ExecutionSpec, OptimizerSpec, ScheduleSpec, Spec, TrainSpec

SGD = {"lr": 0.1}

RULES: list[tuple[type[Spec], dict[str, Any], dict[str, Any], str]] = [
    (DataSpec, {"name": "digits"}, {}, "Field required"),
    (DataSpec, {"name": "parquet", "path": "p"}, {"name": "parquet"}, "parquet needs `path`"),
    (DataSpec, {"name": "folder", "path": "p"}, {"name": "folder"}, "folder needs `path`"),
    (DataSpec, {"name": "digits"}, {"name": "digits", "path": "p"}, "`path` is for parquet and folder sets"),
    (DataSpec, {"name": "d", "image_size": 8}, {"name": "d", "image_size": 0}, "greater than 0"),
    (DataSpec, {"name": "d", "resize": 8}, {"name": "d", "resize": -1}, "greater than 0"),
    (DataSpec, {"name": "d", "channels": 1}, {"name": "d", "channels": 2}, "1 or 3"),
    (DataSpec, {"name": "d", "classes": [0, "a"]}, {"name": "d", "classes": ["a"]}, "at least 2 items"),
    (DataSpec, {"name": "d", "train_size": 1}, {"name": "d", "train_size": 0}, "greater than 0"),
    (DataSpec, {"name": "d", "normalize": "per_pixel"}, {"name": "d", "normalize": "x"}, "per_pixel"),
    (
        DataSpec,
        {"name": "d", "normalize": {"mean": [0.5], "std": [0.5]}},
        {"name": "d", "normalize": {"mean": [0.5], "std": [0.0]}},
        "greater than 0",
    ),
    (DataSpec, {"name": "d", "augment": ["crop"]}, {"name": "d", "augment": ["crip"]}, "did you mean 'crop'"),
    (
        DataSpec,
        {"name": "d", "augment": ["crop", "flip"]},
        {"name": "d", "augment": ["crop", "resized_crop"]},
        "crop and resized_crop exclude each other",
    ),
    (
        DataSpec,
        {"name": "d", "augment": ["my.module:f"]},
        {"name": "d", "augment": ["flip", "flip"]},
        "an augmentation stands twice",
    ),
    (DataSpec, {"name": "d", "val": 0}, {"name": "d", "val": 1}, "less than 1"),
    (DataSpec, {"name": "d", "val": 0.5}, {"name": "d", "val": -0.1}, "greater than or equal to 0"),
    (DataSpec, {"name": "d", "split_seed": 0}, {"name": "d", "split_seed": -1}, "greater than or equal to 0"),
    (OptimizerSpec, SGD, {}, "Field required"),
    (OptimizerSpec, SGD, {"lr": 0}, "greater than 0"),
    (OptimizerSpec, {**SGD, "name": "adamw"}, {**SGD, "name": "adamx"}, "is no optimizer; did you mean"),
    (
        OptimizerSpec,
        {**SGD, "name": "m:f", "options": {"a": 1}},
        {**SGD, "options": {"a": 1}},
        "options is no option of sgd; it takes momentum, nesterov",
    ),
    (
        OptimizerSpec,
        {**SGD, "momentum": 0.9},
        {**SGD, "name": "adam", "momentum": 0.9},
        "momentum is no option of adam; it takes betas, eps",
    ),
    (OptimizerSpec, {**SGD, "momentum": 0}, {**SGD, "momentum": 1}, "less than 1"),
    (
        OptimizerSpec,
        {**SGD, "momentum": 0.9, "nesterov": True},
        {**SGD, "nesterov": True},
        "nesterov needs momentum above 0",
    ),
    (
        OptimizerSpec,
        {**SGD, "name": "adam", "betas": [0.9, 0.99]},
        {**SGD, "name": "adam", "betas": [0.9, 1.0]},
        r"betas lie in \[0, 1\)",
    ),
    (
        OptimizerSpec,
        {**SGD, "name": "adam", "eps": 1e-8},
        {**SGD, "name": "adam", "eps": 0},
        "greater than 0",
    ),
    (OptimizerSpec, {**SGD, "weight_decay": 0}, {**SGD, "weight_decay": -1}, "greater than or equal to 0"),
    (OptimizerSpec, {**SGD, "decay": "weights"}, {**SGD, "decay": "some"}, "'all' or 'weights'"),
    (ScheduleSpec, {"name": "cosine"}, {"name": "cos"}, "'cosine'"),
    (
        ScheduleSpec,
        {"name": "cosine", "min_lr": 0.1},
        {"name": "step", "every": 3, "min_lr": 0.1},
        "min_lr is no option of step; it takes every, gamma",
    ),
    (ScheduleSpec, {}, {"gamma": 0.1}, "gamma is no option of constant; it takes no options but warm-up"),
    (ScheduleSpec, {"name": "step", "every": 3}, {"name": "step"}, "step needs `every`"),
    (
        ScheduleSpec,
        {"name": "multistep", "milestones": [1, 2]},
        {"name": "multistep"},
        "multistep needs `milestones`",
    ),
    (
        ScheduleSpec,
        {"name": "multistep", "milestones": [1]},
        {"name": "multistep", "milestones": [2, 2]},
        r"milestones \[2, 2\] do not ascend",
    ),
    (
        ScheduleSpec,
        {"warmup_steps": 1},
        {"warmup_steps": 1, "warmup_epochs": 1},
        "warmup_steps and warmup_epochs exclude each other",
    ),
    (
        ScheduleSpec,
        {"name": "onecycle", "pct_start": 0.3},
        {"name": "onecycle", "warmup_steps": 1},
        "onecycle warms up by itself",
    ),
    (
        ScheduleSpec,
        {"warmup_lr": 0.1, "warmup_epochs": 1},
        {"warmup_lr": 0.1},
        "warmup_lr and warmup_shape need warmup_steps or warmup_epochs",
    ),
    (
        ScheduleSpec,
        {"name": "step", "every": 1, "gamma": 0.5},
        {"name": "step", "every": 1, "gamma": 1},
        "less",
    ),
    (ScheduleSpec, {"name": "onecycle", "pct_start": 0.5}, {"name": "onecycle", "pct_start": 0}, "greater"),
    (
        ScheduleSpec,
        {"name": "plateau", "patience_epochs": 0},
        {"name": "plateau", "patience_epochs": -1},
        "or equal",
    ),
    (TrainSpec, {"epochs": 0, "optimizer": SGD}, {"optimizer": SGD}, "as epochs or as steps, one of them"),
    (
        TrainSpec,
        {"steps": 1, "optimizer": SGD},
        {"steps": 1, "epochs": 1, "optimizer": SGD},
        "as epochs or as steps, one of them",
    ),
    (
        TrainSpec,
        {"epochs": 3, "optimizer": SGD, "schedule": {"name": "multistep", "milestones": [2]}},
        {"epochs": 3, "optimizer": SGD, "schedule": {"name": "multistep", "milestones": [3]}},
        "milestone 3 lies not before the end of 3 epochs",
    ),
    (
        TrainSpec,
        {
            "epochs": 3,
            "optimizer": {**SGD, "momentum": 0.9},
            "schedule": {"name": "onecycle", "cycle_momentum": True},
        },
        {"epochs": 3, "optimizer": SGD, "schedule": {"name": "onecycle", "cycle_momentum": True}},
        "cycle_momentum needs sgd with momentum",
    ),
    (
        TrainSpec,
        {"epochs": 1, "optimizer": SGD, "batch_size": 1},
        {"epochs": 1, "optimizer": SGD, "batch_size": 0},
        "greater than 0",
    ),
    (
        TrainSpec,
        {"epochs": 1, "optimizer": SGD, "label_smoothing": 0.1},
        {"epochs": 1, "optimizer": SGD, "label_smoothing": 1},
        "less than 1",
    ),
    (
        TrainSpec,
        {"epochs": 1, "optimizer": SGD, "clip_grad_norm": 1},
        {"epochs": 1, "optimizer": SGD, "clip_grad_norm": 0},
        "greater than 0",
    ),
    (
        TrainSpec,
        {"epochs": 1, "optimizer": SGD, "early_stopping": {"patience_epochs": 1}},
        {"epochs": 1, "optimizer": SGD, "early_stopping": {"patience_epochs": 0}},
        "greater than 0",
    ),
    (
        TrainSpec,
        {"epochs": 1, "optimizer": SGD, "select": "best_val"},
        {"epochs": 1, "optimizer": SGD, "select": "best"},
        "'last' or 'best_val'",
    ),
    (ExecutionSpec, {"amp": "bf16"}, {"amp": "half"}, "'none', 'bf16', 'fp16' or 'auto'"),
    (ExecutionSpec, {"fp32_precision": "tf32"}, {"fp32_precision": "fp19"}, "'ieee' or 'tf32'"),
    (ExecutionSpec, {"channels_last": True}, {"channels_last": 1}, "valid boolean"),
    (ExecutionSpec, {"compile": "default"}, {"compile": True}, "'none', 'default'"),
    (ExecutionSpec, {"auto": True}, {"auto": "true"}, "valid boolean"),
    (
        ExecutionSpec,
        {"graph": True, "compile": "max-autotune-no-cudagraphs"},
        {"graph": True, "compile": "max-autotune"},
        "graph excludes compile: max-autotune, which captures graphs of its own",
    ),
    (
        ExecutionSpec,
        {"graph": True, "compile": "default"},
        {"graph": True, "compile": "reduce-overhead"},
        "graph excludes compile: reduce-overhead",
    ),
    (
        ExecutionSpec,
        {"graph": True, "amp": "fp16"},
        {"graph": True, "amp": "fp16", "fused": False},
        "graph needs fused: true",
    ),
    (ExecutionSpec, {"threads": 1}, {"threads": 0}, "greater than 0"),
    (ExecutionSpec, {"threads": 1}, {"threads": "1"}, "valid integer"),
    (ExecutionSpec, {"threads": 1}, {"threads": True}, "valid integer"),
    (ExecutionSpec, {}, {"thread": 1}, "Extra inputs are not permitted"),
]


@pytest.mark.parametrize(
    ("spec", "right", "wrong", "message"), RULES, ids=[f"{rule[0].__name__}-{rule[3]}" for rule in RULES]
)
def test_a_rule_takes_the_right_and_refuses_the_wrong(
    spec: type[Spec], right: dict[str, Any], wrong: dict[str, Any], message: str
) -> None:
    spec.model_validate(right)
    with pytest.raises(ValidationError, match=message):
        spec.model_validate(wrong)


def base(val: float, **train: Any) -> dict[str, Any]:
    return {
        "data": {"name": "digits", "val": val},
        "model": {"name": "cifar_resnet", "depth": 8},
        "train": {"epochs": 1, "optimizer": SGD, **train},
    }


@pytest.mark.parametrize(
    "train",
    [
        {"select": "best_val"},
        {"early_stopping": {"patience_epochs": 1}},
        {"schedule": {"name": "plateau"}},
    ],
    ids=["best_val", "early stopping", "plateau"],
)
def test_what_needs_validation_is_refused_without_it(train: dict[str, Any]) -> None:
    assert BaseSpec.model_validate(base(0.1, **train)).train.uses_validation
    assert not BaseSpec.model_validate(base(0)).train.uses_validation
    with pytest.raises(ValidationError, match="val is 0 but select: best_val, early_stopping or plateau"):
        BaseSpec.model_validate(base(0, **train))


def test_augmentations_are_put_in_the_order_in_which_they_are_applied() -> None:
    spec = DataSpec.model_validate({"name": "d", "augment": ["my.own:f", "flip", "crop"]})
    assert spec.augment == ("crop", "flip", "my.own:f")
    assert DataSpec.model_validate({"name": "d", "augment": "none"}).augment == ()
    assert DataSpec.model_validate({"name": "d", "augment": "flip"}).augment == ("flip",)


def test_specs_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        DataSpec(name="d").name = "e"  # type: ignore[misc] # that is what the test is about


@pytest.mark.parametrize(
    ("train", "message"),
    [
        pytest.param(
            {
                "optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.9},
                "schedule": {"name": "onecycle", "cycle_momentum": True},
            },
            "graph excludes cycle_momentum",
            id="cycled momentum",
        ),
        pytest.param(
            {"optimizer": {"name": "mine:lion", "lr": 0.1}},
            "graph excludes optimizer mine:lion; only sgd, adam and adamw are captured",
            id="own optimizer",
        ),
    ],
)
def test_a_graph_excludes_what_it_cannot_hold(train: dict[str, Any], message: str) -> None:
    fields = {**base(0.1), "execution": {"graph": True}}
    fields["train"] = {**fields["train"], **train}
    with pytest.raises(ValidationError, match=message):
        BaseSpec.model_validate(fields)
    BaseSpec.model_validate({**fields, "execution": {"graph": False}})
