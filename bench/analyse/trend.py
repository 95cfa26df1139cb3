"""A metric along an ordered factor: points per doubling, curvature, and every step on the way.

The slope is a contrast by seed on log2 of the factor, so it reads "points per doubling". A trend test only
says "not flat": a curve that rises and falls again passes it too. So beside it stand the curvature, on the
same scale as the slope, since a curve that is straight in doublings bends in layers and in ranks, and the
weakest step between neighbours: every step goes one way where that one does (an intersection-union test).

Reference: Draper & Smith (1998), "Applied Regression Analysis", ch. 22 (orthogonal polynomials); Berger &
Hsu (1996), "Bioequivalence trials, intersection-union tests and equivalence confidence sets", Statist. Sci.
11; Page and Jonckheere: see `ordered`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from bench.analyse.compare import ACCURACY_PCT, Comparison, Scale, compare
from bench.analyse.contrast import Contrast, contrast
from bench.analyse.estimate import Rule, Scores
from bench.analyse.ordered import Expected, OrderedTest, jonckheere, page

Spacing = Literal["log2", "number", "rank"]

_PER: dict[Spacing, str] = {"log2": "doubling", "number": "unit", "rank": "step"}


@dataclass(frozen=True)
class Trend:
    """A metric along one ordered factor."""

    factor: str
    levels: tuple[float, ...]
    spacing: Spacing
    scale: Scale
    linear: Contrast
    """Slope per doubling, per unit of the factor, or per step of the ranks."""
    quadratic: Contrast | None
    """Change of the slope per doubling, unit or step; above 0: bends upwards; None below three levels."""
    steps: tuple[Comparison, ...]
    """Each level against the one before it."""
    rank_test: OrderedTest | None
    """Page's over seeds that all levels have, else Jonckheere and Terpstra's; expects what the slope says."""

    @property
    def direction(self) -> Expected | None:
        """Where the slope points; None where it is 0 or unknown."""
        slope = self.linear.estimate
        return None if not slope else "rising" if slope > 0 else "falling"

    @property
    def weakest(self) -> int | None:
        """Index of the step that tells least for the direction: one without a test, else the largest p."""
        if self.direction is None:
            return None
        ps = [self.p_of_step(index) for index in range(len(self.steps))]
        return max(range(len(ps)), key=lambda index: math.inf if (p := ps[index]) is None else p)

    def p_of_step(self, index: int) -> float | None:
        """One-sided, of "this step goes the way of the slope"; None where it has no test.

        Of the weakest step it is that of "every step does".
        """
        student = self.steps[index].student
        return student.p_below if self.direction == "falling" else student.p_above

    @property
    def bend(self) -> Literal["steepens", "flattens or turns"] | None:
        """What the change does towards the last level; None where slope or curvature may be 0."""
        if self.quadratic is None or self.quadratic.sign == 0 or self.linear.sign == 0:
            return None
        return "steepens" if self.quadratic.sign == self.linear.sign else "flattens or turns"


def trend(
    arms: Sequence[Scores],
    levels: Sequence[float],
    *,
    factor: str = "factor",
    spacing: Spacing | None = None,
    scale: Scale = ACCURACY_PCT,
    rule: Rule = "paired",
    step_rule: Rule | None = None,
) -> Trend:
    """The trend of arms along an ordered factor.

    Args:
        arms: Scores by seed, one a level.
        levels: Of the factor, ascending.
        factor: Its name.
        spacing: How far apart levels count; absent: `log2` where all are above 0, else `number`.
        scale: Direction and unit of the scores.
        rule: Of the contrasts: `paired` for one slope a seed.
        step_rule: Of the differences between neighbours; absent: `rule`.

    Raises:
        ValueError: Fewer than two levels, levels that do not ascend, or a log2 of what is not above 0.
    """
    levels = tuple(float(level) for level in levels)
    if len(levels) < 2 or any(b <= a for a, b in pairwise(levels)):
        raise ValueError(f"levels {list(levels)} do not ascend, or are fewer than two")
    spacing = spacing or ("log2" if levels[0] > 0 else "number")
    x, unit = positions(levels, spacing), f"{scale.unit} per {_PER[spacing]}".strip()
    linear = contrast(arms, linear_weights(x), name=f"slope over {factor}", unit=unit, rule=rule)
    quadratic = None
    if len(levels) > 2:
        weights = quadratic_weights(x)
        name = f"curvature over {factor}"
        quadratic = contrast(arms, weights, name=name, unit=f"{unit}\N{SUPERSCRIPT TWO}", rule=rule)
    steps = tuple(
        compare(after, before, step_rule or rule, scale=scale, names=(f"{factor}={b:g}", f"{factor}={a:g}"))
        for (before, a), (after, b) in pairwise(zip(arms, levels, strict=True))
    )
    return Trend(factor, levels, spacing, scale, linear, quadratic, steps, _rank_test(arms, linear))


def positions(levels: Sequence[float], spacing: Spacing) -> tuple[float, ...]:
    """Where the levels stand on the line."""
    if spacing == "rank":
        return tuple(index - (len(levels) - 1) / 2 for index in range(len(levels)))
    if spacing == "number":
        return tuple(levels)
    if min(levels) <= 0:
        raise ValueError(f"level {min(levels):g} has no log2; use number or rank")
    return tuple(math.log2(level) for level in levels)


def linear_weights(x: Sequence[float]) -> tuple[float, ...]:
    """Weights whose sum over scores is the least-squares slope on `x`."""
    centre = math.fsum(x) / len(x)
    squares = math.fsum((value - centre) ** 2 for value in x)
    return tuple((value - centre) / squares for value in x)


def quadratic_weights(x: Sequence[float]) -> tuple[float, ...]:
    """Weights whose sum over scores is the second derivative of the least-squares parabola on `x`.

    The part of x² that is orthogonal to a constant and to x: 0 for any straight line, however its places are
    spaced, and 2c for a + bx + cx². On equally spaced places they go as (2, −1, −2, −1, 2).

    Args:
        x: At least three places, no two of them equal.
    """
    centre = math.fsum(x) / len(x)
    u = [value - centre for value in x]
    squares = [value**2 for value in u]
    mean, slope = math.fsum(squares) / len(u), math.fsum(value**3 for value in u) / math.fsum(squares)
    bent = [square - mean - slope * value for square, value in zip(squares, u, strict=True)]
    size = math.fsum(value**2 for value in bent)
    return tuple(2 * value / size for value in bent)


def _rank_test(arms: Sequence[Scores], linear: Contrast) -> OrderedTest | None:
    rises = (linear.estimate or 0.0) >= 0
    expected: Expected = "rising" if rises else "falling"
    shared = linear.seeds
    if len(arms) > 2 and len(shared) >= 2 and all(len(arm.by_seed) == len(shared) for arm in arms):
        return page([[arm.by_seed[seed] for arm in arms] for seed in shared], expected)
    if all(arm.by_seed for arm in arms):
        return jonckheere([arm.values for arm in arms], expected)
    return None
