"""The outline of a study file: what stands at its top level, and the four shapes of a design.

The sections of `base` are specs of their own (`bench.study.specs`); levels are checked where they are put
into an arm.
"""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any

from pydantic import Field, NonNegativeInt, PositiveInt, field_validator

from bench.study.faults import show
from bench.study.specs import NAME, Metric, Spec

Levels = Annotated[list[Any], Field(min_length=1)]
"""Levels of a factor: scalars, or `{label: …, value: …}`, or a mapping with a `label` beside its keys."""


class DesignSpec(Spec):
    """How factors become arms: exactly one of `grid`, `zip`, `arms`, `one_at_a_time`."""

    grid: Annotated[dict[str, Levels], Field(min_length=1)] | None = None
    """Every combination of the levels; factors by dotted key, without `base.`."""
    zip: Annotated[dict[str, Levels], Field(min_length=1)] | None = None
    """First levels together, second levels together, …: lists of equal length."""
    arms: Annotated[dict[str, dict[str, Any] | None], Field(min_length=1)] | None = None
    """Arms written out: a name each, and the dotted keys that it sets."""
    one_at_a_time: Annotated[dict[str, Levels], Field(min_length=1)] | None = None
    """The baseline, and every other level of each factor alone."""
    exclude: Annotated[list[dict[str, Any]], Field(min_length=1)] | None = None
    """Combinations left out: each entry names levels of some factors."""


class StudyFile(Spec):
    """A study file: one question, what stays the same, what is varied, and against what it is compared."""

    name: str
    """Name of the study and of its folder of results."""
    question: str = ""
    """What the study asks."""
    metric: Metric = "test_top1_pct"
    """The primary metric, declared before the first run."""
    seeds: PositiveInt | Annotated[list[NonNegativeInt], Field(min_length=1)] = 3
    """Replicates: a number n for seeds 0 … n-1, or a list."""
    base: dict[str, Any]
    """What every arm shares."""
    design: DesignSpec | None = None
    """What is varied; absent: one arm."""
    baseline: dict[str, Any] | str | None = None
    """The arm that the others are compared with: its levels, or its name for `arms`. It always runs."""

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
    def _seeds_are_distinct(cls, value: int | list[int]) -> int | list[int]:
        seeds = value if isinstance(value, list) else []
        twice = [seed for seed, count in Counter(seeds).items() if count > 1]
        if twice:
            raise ValueError(f"seed {twice[0]} stands twice")
        return value

    @property
    def n_seeds(self) -> int:
        """Number of replicates."""
        return self.seeds if isinstance(self.seeds, int) else len(self.seeds)
