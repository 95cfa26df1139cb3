"""`seeds: {min, max, until: decided}`: as many seeds as the declared comparisons need, within bounds.

Each comparison is looked at a few times, at numbers of seeds that are fixed beforehand, with a bound that
holds the error of the whole procedure; an arm stops getting seeds once its comparisons are decided.
"""

from __future__ import annotations

from math import ceil
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from bench.study.specs import Spec

LEAST = 3
"""Below three seeds nothing is compared."""


class SeedsRule(Spec):
    """How many seeds, where the results decide."""

    min: Annotated[int, Field(ge=LEAST)]
    """Seeds of every arm, before the first look: 0 … min-1."""
    max: Annotated[int, Field(ge=LEAST)]
    """Seeds at the last look; what is open then stays undecided."""
    until: Literal["decided"] = "decided"
    """Seeds are added at the looks (least, half-way, most) until each comparison is decided."""

    @model_validator(mode="after")
    def _most_is_above_least(self) -> Self:
        if self.max <= self.min:
            raise ValueError(
                f"max {self.max} is not above min {self.min}; for one number write seeds: {self.min}"
            )
        return self

    @property
    def looks(self) -> tuple[int, ...]:
        """Seeds of each look: 5, 8, 10 for 5 and 10."""
        return tuple(sorted({self.min, ceil((self.min + self.max) / 2), self.max}))
