"""What a throughput study may say: the sections of a training study, less the budget, and how to measure.

A cell is one arm of such a study: a network, a batch, a precision, a layout, some work and its input. It
trains to no end, so what decides length, validation or initial weights has no part in it and is refused.
"""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, field_validator, model_validator

from bench.study.specs import BaseSpec, ExecutionSpec, OptimizerSpec, Spec, TrainSpec

THROUGHPUT = "throughput"
"""`kind` of a study whose arms are cells."""

CELL_METRIC = "img_s"
"""What a throughput study measures."""

Work = Literal["train", "infer"]
Input = Literal["synthetic", "cached", "end_to_end"]

NO_BUDGET = (
    "epochs",
    "steps",
    "schedule",
    "early_stopping",
    "select",
    "eval_every_epochs",
)
"""Keys of a recipe that decide how long it trains and what is kept of it."""


class CellTrainSpec(TrainSpec):
    """The step that is measured: its batch, its optimiser, what is frozen."""

    optimizer: OptimizerSpec = OptimizerSpec(name="sgd", lr=0.1, momentum=0.9)
    """The optimiser and its options; the measured rate is 0, since speed must not depend on stability."""

    @field_validator(*NO_BUDGET)
    @classmethod
    def _no_budget(cls, _value: Any) -> Any:
        raise ValueError("has no part in a throughput study, which has no budget; leave it out")

    @model_validator(mode="after")
    def _one_budget(self) -> Self:
        """Stands in the place of the rule that a training run has a budget."""
        return self


class CellExecutionSpec(ExecutionSpec):
    """How the measured arithmetic is carried out; what is measured is written out, never calibrated."""

    deterministic: bool = False
    """Deterministic algorithms only; cudnn.benchmark is the opposite."""

    @field_validator("auto", "amp")
    @classmethod
    def _written_out(cls, value: Any) -> Any:
        if value is True or value == "auto":
            raise ValueError("a throughput study says itself what it measures; vary the key as a factor")
        return value


class MeasureSpec(Spec):
    """What a cell times, and how long."""

    work: Work = "train"
    """`train`: the whole training step; `infer`: the forward pass in eval mode, without gradients."""
    input: Input = "synthetic"
    """`synthetic` (random images in memory), `cached` (the set on the device, with order and augmentation, as
    in training) or `end_to_end` (encoded images read and decoded for every batch, then as cached)."""
    n_windows: PositiveInt = 20
    """Timed windows."""
    window_s: PositiveFloat = 0.1
    """Shortest time of a window; it holds whole steps."""
    warmup_s: PositiveFloat = 1.0
    """Shortest warm-up after compiling."""
    max_warmup_s: PositiveFloat = 10.0
    """Longest warm-up: a cell whose windows do not agree by then is flagged."""
    settled_pct: PositiveFloat = 2.0
    """Warm-up ends when three windows in a row agree within this share."""
    cold_repeats: NonNegativeInt = 1
    """Repeats, from the first, that time compiling with an empty cache on disk; the others find it filled."""
    aa: bool = Field(default=False)
    """An A/A twin: the cell that differs in nothing else once more. The two must come out equal."""

    @model_validator(mode="after")
    def _warm_up_has_room(self) -> Self:
        if self.max_warmup_s < self.warmup_s:
            raise ValueError(f"max_warmup_s {self.max_warmup_s:g} is below warmup_s {self.warmup_s:g}")
        return self


class CellSpec(BaseSpec):
    """One cell's whole configuration but for its repeat."""

    train: CellTrainSpec = CellTrainSpec()
    """The step."""
    execution: CellExecutionSpec = CellExecutionSpec()
    """Precision, layout, compilation, threads."""
    measure: MeasureSpec = MeasureSpec()
    """What is timed, and how long."""

    @field_validator("weights", "pretrain")
    @classmethod
    def _no_weights(cls, value: Any) -> Any:
        if value is not None:
            raise ValueError("has no part in a throughput study: weights change no speed; leave it out")
        return value

    @model_validator(mode="after")
    def _work_and_input_can_be_measured(self) -> Self:
        measure, execution = self.measure, self.execution
        if self.data.name == "synthetic" and needs_images(self):
            raise ValueError(f"data.name synthetic has no images for measure.input: {measure.input}")
        if execution.graph and measure.work == "infer":
            raise ValueError("execution.graph holds a training step; with measure.work: infer leave it out")
        if execution.graph and measure.input == "end_to_end":
            raise ValueError("execution.graph needs images on the device; measure.input: end_to_end decodes")
        if measure.work == "infer" and self.train.freeze is not None:
            raise ValueError("train.freeze has no effect with measure.work: infer; leave it out")
        return self


def needs_images(config: BaseSpec) -> bool:
    """Whether the set's images have to be there: random ones take its shapes alone."""
    return not isinstance(config, CellSpec) or config.measure.input != "synthetic"


def base_spec(kind: Any) -> type[BaseSpec]:
    """The spec of `base` in a study of a kind; anything but `throughput` is a training study."""
    return CellSpec if kind == THROUGHPUT else BaseSpec
