"""A metric along an ordered factor: points per doubling, curvature, and every step on the way.

The slope is a contrast by seed on log2 of the factor, so it reads "points per doubling". A trend test only
says "not flat": a curve that rises and falls again passes it too, so the quadratic contrast and the
differences of neighbouring levels always stand beside it, and "every step improves" is claimed only where
the worst step does (an intersection-union test).

Reference: Berger & Hsu (1996), "Bioequivalence trials, intersection-union tests and equivalence confidence
sets", Statist. Sci. 11; Page and Jonckheere: see `ordered`.
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
from bench.analyse.ordered import OrderedTest, jonckheere, page

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
    """Curvature on the ranks: above 0 the curve bends upwards; None below three levels."""
    steps: tuple[Comparison, ...]
    """Each level against the one before it."""
    rank_test: OrderedTest | None
    """Page's over seeds that all levels have, else Jonckheere and Terpstra's; expects what the slope says."""

    @property
    def p_every_step(self) -> float | None:
        """Of "every step goes the way of the slope": the largest one-sided p; None where a step has none."""
        slope = self.linear.estimate
        if slope is None or not self.steps:
            return None
        ps = [step.student.p_above if slope > 0 else step.student.p_below for step in self.steps]
        known = [p for p in ps if p is not None]
        return max(known) if len(known) == len(ps) else None

    @property
    def text(self) -> str:
        """Slope and curvature in one sentence without its full stop."""
        words = self.linear.text
        if self.quadratic is None or self.quadratic.sign == 0 or self.linear.sign == 0:
            return words
        how = "steepens" if self.quadratic.sign == self.linear.sign else "flattens or turns"
        return f"{words}; the change {how} towards {self.levels[-1]:g}"


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
    unit = f"{scale.unit} per {_PER[spacing]}".strip()
    linear = contrast(
        arms, linear_weights(positions(levels, spacing)), name=f"slope over {factor}", unit=unit, rule=rule
    )
    quadratic = None
    if len(levels) > 2:
        weights = quadratic_weights(len(levels))
        quadratic = contrast(arms, weights, name=f"curvature over {factor}", unit=scale.unit, rule=rule)
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


def quadratic_weights(n_levels: int) -> tuple[float, ...]:
    """Orthogonal quadratic contrast on ranks in smallest whole numbers: (2, −1, −2, −1, 2) for five."""
    ranks = [2 * index - (n_levels - 1) for index in range(n_levels)]
    raw = [3 * rank**2 - (n_levels**2 - 1) for rank in ranks]
    divisor = math.gcd(*raw)
    return tuple(value / divisor for value in raw)


def _rank_test(arms: Sequence[Scores], linear: Contrast) -> OrderedTest | None:
    rises = (linear.estimate or 0.0) >= 0
    expected: Literal["rising", "falling"] = "rising" if rises else "falling"
    shared = linear.seeds
    if len(arms) > 2 and len(shared) >= 2 and all(len(arm.by_seed) == len(shared) for arm in arms):
        return page([[arm.by_seed[seed] for arm in arms] for seed in shared], expected)
    if all(arm.by_seed for arm in arms):
        return jonckheere([arm.values for arm in arms], expected)
    return None
