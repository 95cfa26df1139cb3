"""What a study may say: every field with its type, default, meaning and check.

A study file is turned into these frozen models and no dict travels further. Checks that need more
than one section (does the network accept this image size?) live in `bench.study.check`; what decides
identity lives in `bench.study.identity`. A default never changes without a new `SCHEMA`, because
fields at their default are left out of a run's identity.
"""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, field_validator, model_validator

from bench.study.spec import (
    CALLABLE,
    NAME,
    SCHEMA,
    Spec,
    is_callable_name,
    nothing_said,
)
from bench.study.spec_data import (
    AUGMENTATIONS,
    Augment,
    DataSpec,
    ErasingSpec,
    NormalizeSpec,
    TrivialAugmentSpec,
)
from bench.study.spec_execution import (
    CAPTURING_COMPILE_MODES,
    CompileMode,
    ExecutionSpec,
)
from bench.study.spec_train import (
    OPTIMIZER_KEYS,
    SCHEDULE_KEYS,
    TRANSFERRED,
    EarlyStoppingSpec,
    EmaSpec,
    FreezeSpec,
    OptimizerSpec,
    ScheduleSpec,
    TrainSpec,
)
from bench.study.spec_weights import (
    WEIGHTS,
    WEIGHTS_SUFFIXES,
    WEIGHTS_WORDS,
    WeightsSpec,
)

__all__ = [
    "AUGMENTATIONS",
    "CALLABLE",
    "CAPTURING_COMPILE_MODES",
    "NAME",
    "OPTIMIZER_KEYS",
    "SCHEDULE_KEYS",
    "SCHEMA",
    "TRANSFERRED",
    "WEIGHTS",
    "WEIGHTS_SUFFIXES",
    "WEIGHTS_WORDS",
    "Augment",
    "BaseSpec",
    "CompileMode",
    "DataSpec",
    "EarlyStoppingSpec",
    "EmaSpec",
    "ErasingSpec",
    "ExecutionSpec",
    "FreezeSpec",
    "Metric",
    "ModelSpec",
    "NormalizeSpec",
    "OptimizerSpec",
    "PretrainSpec",
    "ScheduleSpec",
    "Spec",
    "TrainSpec",
    "TrivialAugmentSpec",
    "WeightsSpec",
    "is_callable_name",
    "nothing_said",
]


class ModelSpec(BaseModel):
    """A network by name; every other key is an option of its family (`architectures.specs`)."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True, use_attribute_docstrings=True)

    name: str
    """A family or builder of `architectures`."""

    @property
    def options(self) -> dict[str, Any]:
        """The family's options as written in the study."""
        return dict(self.model_extra or {})


class PretrainSpec(Spec):
    """A source that the study trains first; a section that is absent is the arm's own (without freezing)."""

    data: DataSpec | None = None
    """The source's images."""
    model: ModelSpec | None = None
    """The source's network."""
    train: TrainSpec | None = None
    """The source's recipe."""


class BaseSpec(Spec):
    """One run's whole configuration but for its seed: what the arms vary."""

    data: DataSpec
    """The images."""
    model: ModelSpec
    """The network."""
    train: TrainSpec
    """The recipe."""
    execution: ExecutionSpec = ExecutionSpec()
    """Precision, layout, compilation, threads."""
    weights: WeightsSpec | None = None
    """Initial weights; absent: drawn by the run's seed."""
    pretrain: PretrainSpec | None = None
    """The source of `weights: pretrain`; arms that do not use it do not train it."""

    @field_validator("weights", mode="before")
    @classmethod
    def _a_word_is_a_source(cls, value: Any) -> Any:
        if nothing_said(value):
            return None
        return {"from": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _a_graph_holds_the_step(self) -> Self:
        optimizer, schedule = self.train.optimizer.name, self.train.schedule
        if self.execution.graph and schedule.cycle_momentum:
            raise ValueError("graph excludes cycle_momentum: in a captured step the momentum stands still")
        if self.execution.graph and is_callable_name(optimizer):
            raise ValueError(f"graph excludes optimizer {optimizer}; only sgd, adam and adamw are captured")
        return self

    @model_validator(mode="after")
    def _validation_exists_where_it_decides(self) -> Self:
        if self.data.val == 0 and self.train.uses_validation:
            raise ValueError(
                "val is 0 but select: best_val, early_stopping or plateau needs validation; raise data.val"
            )
        return self


Metric = Literal["test_top1_pct", "test_top5_pct", "test_mean_class_pct", "test_loss"]
"""What a study may declare as its primary metric."""
