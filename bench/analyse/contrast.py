"""A contrast: one number a seed, made of several arms' scores by fixed weights, and tested against 0.

Slopes, curvature, differences of differences: each is a weighted sum of the scores that one seed got in
several arms. Testing that number over the seeds needs no equal variances, which a pooled regression would
assume although a network that hardly trains varies many times more than one that does.

Reference: Rosenthal & Rosnow (1985), "Contrast Analysis: Focused Comparisons in the Analysis of Variance".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bench.analyse.compare import describe, p_text
from bench.analyse.estimate import Rule, Scores
from bench.analyse.student import Reason, Student


@dataclass(frozen=True)
class Contrast:
    """A weighted sum of arms' scores; `student` holds estimate, interval and test."""

    name: str
    rule: Rule
    """`paired`: one value a seed; `welch`: of means of independent arms."""
    weights: tuple[float, ...]
    """Of the arms, in their order."""
    unit: str
    seeds: tuple[int, ...]
    """That every arm has."""
    by_seed: tuple[float, ...]
    """The contrast of each of those seeds."""
    student: Student

    @property
    def estimate(self) -> float | None:
        """The contrast's mean."""
        return self.student.estimate

    @property
    def ci95_low(self) -> float | None:
        """Lower end of its 95 % interval."""
        return self.student.ci95_low

    @property
    def ci95_high(self) -> float | None:
        """Upper end of its 95 % interval."""
        return self.student.ci95_high

    @property
    def p(self) -> float | None:
        """Two-sided; None where `reason` says why."""
        return self.student.p

    @property
    def reason(self) -> Reason | None:
        """Why there is no p-value."""
        return self.student.reason

    @property
    def sign(self) -> Literal[-1, 0, 1]:
        """Of the estimate where its 95 % interval leaves 0 out; else 0."""
        ends = self.student.interval()
        if ends is None or ends[0] <= 0 <= ends[1]:
            return 0
        return 1 if ends[0] > 0 else -1

    @property
    def text(self) -> str:
        """One line."""
        words = f"{self.name} {describe(self.estimate, self.student.interval(), self.unit)}"
        if self.p is not None:
            return f"{words}, p {p_text(self.p)}"
        return words if self.student.note is None else f"{words}; {self.student.note}"


def contrast(
    arms: Sequence[Scores], weights: Sequence[float], *, name: str, unit: str = "pp", rule: Rule = "paired"
) -> Contrast:
    """Test a weighted sum of several arms' scores.

    Args:
        arms: Scores by seed, one an arm.
        weights: One an arm.
        name: What the sum means.
        unit: Of the sum.
        rule: `paired` takes the seeds that all arms have, one sum each: right whether or not a seed shares
            anything between arms. `welch` uses all seeds of every arm and takes the arms as independent.

    Returns:
        The contrast. Its floor is what one test image changes in the sum by way of the heaviest arm.
    """
    weights = tuple(float(weight) for weight in weights)
    seeds = tuple(sorted(set.intersection(*(set(arm.by_seed) for arm in arms)))) if arms else ()
    sums = tuple(
        math.fsum(w * arm.by_seed[seed] for w, arm in zip(weights, arms, strict=True)) for seed in seeds
    )
    images = [arm.one_image for arm in arms]
    if rule == "welch":
        student = Student.of_arms([arm.values for arm in arms], weights, floors=images)
    elif not seeds:
        student = Student(0, reason="no_pairs")
    else:
        heaviest = [abs(w) * i for w, i in zip(weights, images, strict=True) if i is not None]
        scores = (abs(w * v) for w, arm in zip(weights, arms, strict=True) for v in arm.by_seed.values())
        floor = max(heaviest) if len(heaviest) == len(arms) else None
        student = Student.of_values(sums, floor=floor, scale=max(scores))
    return Contrast(name, rule, weights, unit, seeds, sums, student)
