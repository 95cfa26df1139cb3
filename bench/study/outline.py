"""The outline of a study file: what stands at its top level, and the shapes of a design.

The sections of `base` are specs of their own (`bench.study.specs`); levels are checked where they are put
into an arm.
"""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, ValidationInfo, field_validator

from bench.study.cells import CELL_METRIC, THROUGHPUT, base_spec
from bench.study.comparisons import ComparisonsSpec
from bench.study.faults import show
from bench.study.seeds import SeedsRule
from bench.study.specs import NAME, BaseSpec, Metric, Spec

REPLICATES = ("seeds", "repeats")
"""Keys that say how often an arm is run: in a training study, in a throughput study."""

Levels = Annotated[list[Any], Field(min_length=1)]
"""Levels of a factor: scalars, or `{label: …, value: …}`, or a mapping with a `label` beside its keys."""


class DesignSpec(Spec):
    """How factors become arms: exactly one kind of design."""

    grid: Annotated[dict[str, Levels], Field(min_length=1)] | None = None
    """Every combination of the levels; factors by dotted key, without `base.`."""
    zip: Annotated[dict[str, Levels], Field(min_length=1)] | None = None
    """First levels together, second levels together, …: lists of equal length."""
    arms: Annotated[dict[str, dict[str, Any] | None], Field(min_length=1)] | None = None
    """Arms written out: a name each, and the dotted keys that it sets."""
    one_at_a_time: Annotated[dict[str, Levels], Field(min_length=1)] | None = None
    """The baseline, and every other level of each factor alone."""
    leave_one_out: Annotated[dict[str, Any], Field(min_length=1)] | None = None
    """The full recipe, and each of its components left out once: `NAME: {without: {dotted.key: value}}`, or
    `{with: …}` for what `base` lacks."""
    path: Annotated[dict[str, Any], Field(min_length=2)] | None = None
    """From the bare recipe to the full one: each step adds the component (`NAME: {with: {…}}`) that does best
    on validation."""
    factorial: Annotated[dict[str, Any], Field(min_length=2)] | None = None
    """Two-level factors (two levels each, or a component) in all combinations, or in a fraction of them."""
    generators: (
        Annotated[dict[str, Annotated[list[str], Field(min_length=2)]], Field(min_length=1)] | None
    ) = None
    """factorial: run the fraction in which each of these factors is the product of those it names."""
    resolution: Annotated[int, Field(ge=3)] | None = None
    """factorial: run the smallest fraction of at least this resolution; 5 keeps pairs of factors apart."""
    exclude: Annotated[list[dict[str, Any]], Field(min_length=1)] | None = None
    """Combinations left out: each entry names levels of some factors."""


class TargetSpec(Spec):
    """What training is to reach on validation: how many runs did, and when, is told of every arm."""

    val_top1_pct: Annotated[float, Field(gt=0, le=100)]
    """Validation accuracy in percent that counts as reached at the first evaluation that has it."""


class StudyFile(Spec):
    """A study file: one question, what stays the same, what is varied, and against what it is compared."""

    name: str
    """Name of the study and of its folder of results."""
    kind: Literal["training", "throughput"] = "training"
    """`training` trains and tests every arm; `throughput` times every arm's step, alone on the machine."""
    question: str = ""
    """What the study asks."""
    metric: Metric | Literal["img_s"] = "test_top1_pct"
    """The primary metric, declared before the first run; of a throughput study `img_s`, which goes unsaid."""
    seeds: PositiveInt | Annotated[list[NonNegativeInt], Field(min_length=1)] | SeedsRule = 3
    """Replicates: a number n for seeds 0 … n-1, a list, or `{min, max, until: decided}`."""
    repeats: PositiveInt = 3
    """Throughput studies only, in the place of seeds: fresh processes that measure each cell."""
    base: dict[str, Any]
    """What every arm shares."""
    design: DesignSpec | None = None
    """What is varied; absent: one arm."""
    baseline: dict[str, Any] | str | None = None
    """The arm that the others are compared with: its levels, or its name for `arms`. It always runs."""
    comparisons: ComparisonsSpec | None = None
    """What is compared, declared before the first run; absent: every arm with the baseline, by Holm."""
    target: TargetSpec | None = None
    """What training is to reach on validation, declared before the first run; absent: nothing is timed."""

    @field_validator("name")
    @classmethod
    def _name_is_a_folder(cls, value: str) -> str:
        if NAME.fullmatch(value) is None:
            raise ValueError(
                f"{show(value)} is no name for a study; use at most 64 letters, digits, '.', '_' and '-', "
                "the first a letter or digit"
            )
        return value

    @field_validator("seeds")
    @classmethod
    def _seeds_are_distinct(cls, value: int | list[int] | SeedsRule) -> int | list[int] | SeedsRule:
        seeds = value if isinstance(value, list) else []
        twice = [seed for seed, count in Counter(seeds).items() if count > 1]
        if twice:
            raise ValueError(f"seed {twice[0]} stands twice")
        return value

    @field_validator("metric")
    @classmethod
    def _metric_is_measured(cls, value: str, info: ValidationInfo) -> str:
        if (value == CELL_METRIC) != (info.data.get("kind") == THROUGHPUT):
            kind, own = info.data.get("kind"), "img_s" if value != CELL_METRIC else "test_top1_pct"
            raise ValueError(f"{value} is not measured by a {kind} study; did you mean '{own}'?")
        return value

    @field_validator("seeds", "repeats")
    @classmethod
    def _replicates_of_its_kind(cls, value: Any, info: ValidationInfo) -> Any:
        kind = info.data.get("kind", "training")
        theirs = REPLICATES[kind == THROUGHPUT]
        if info.field_name != theirs:
            raise ValueError(f"is no key of a {kind} study, which has {theirs}")
        return value

    @field_validator("target")
    @classmethod
    def _target_is_trained_for(cls, value: Any, info: ValidationInfo) -> Any:
        if value is not None and info.data.get("kind") == THROUGHPUT:
            raise ValueError("is no key of a throughput study, which trains to no end; leave it out")
        return value

    @property
    def is_throughput(self) -> bool:
        """Whether arms are cells."""
        return self.kind == THROUGHPUT

    @property
    def replicates_key(self) -> str:
        """Where the number of replicates stands."""
        return REPLICATES[self.is_throughput]

    @property
    def base_spec(self) -> type[BaseSpec]:
        """What `base` may say."""
        return base_spec(self.kind)

    @property
    def primary_metric(self) -> Metric | Literal["img_s"]:
        """The metric with the default of the study's kind."""
        return "img_s" if self.is_throughput else self.metric

    @property
    def replicates(self) -> tuple[int, ...]:
        """Seeds, or repeats counted from 0."""
        if self.is_throughput:
            return tuple(range(self.repeats))
        if isinstance(self.seeds, SeedsRule):
            return tuple(range(self.seeds.min))
        return tuple(range(self.seeds)) if isinstance(self.seeds, int) else tuple(self.seeds)

    @property
    def n_seeds(self) -> int:
        """Number of replicates, at most."""
        if self.is_throughput:
            return self.repeats
        if isinstance(self.seeds, SeedsRule):
            return self.seeds.max
        return self.seeds if isinstance(self.seeds, int) else len(self.seeds)
