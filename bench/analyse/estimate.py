"""Means and t-intervals for a handful of seeds, each with its own honest output.

One seed has no interval; two are shown as points; from three on a 95 % t-interval is taken. A test set
counts in whole images, so a spread below one image says that the ruler is coarse, not that the training
is exact: where the sd is below one test image, one test image takes its place and the note says so. A
quantity without such a ruler (the loss) has no interval when its seeds are equal. Differences: `compare`.

Reference: Student (1908), "The probable error of a mean", Biometrika 6.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from scipy.special import stdtrit

Rule = Literal["paired", "welch"]

LEAST_SEEDS: Final = 3
"""Seeds below which no interval is drawn."""

_ROUNDING: Final = 1e-9
"""A relative spread below this is the rounding of floats, not a spread."""


@dataclass(frozen=True)
class Estimate:
    """Mean over seeds with its 95 % t-interval; what is absent is None and the note says why."""

    n: int
    mean: float | None = None
    sd: float | None = None
    """ddof=1; None below two seeds."""
    ci95_low: float | None = None
    ci95_high: float | None = None
    floor_sd: float | None = None
    """One test image, where the interval took it as the sd."""
    note: str | None = None

    @property
    def half_width(self) -> float | None:
        """Half the interval."""
        low, high = self.ci95_low, self.ci95_high
        return None if low is None or high is None else (high - low) / 2


@dataclass(frozen=True)
class Scores:
    """Finished runs of one arm: value by seed, and what one test image weighs in the value's unit."""

    by_seed: Mapping[int, float]
    one_image: float | None = None

    @property
    def values(self) -> tuple[float, ...]:
        """The values in the order of their seeds."""
        return tuple(self.by_seed[seed] for seed in sorted(self.by_seed))


def mean(values: Sequence[float]) -> float:
    """Arithmetic mean; the value itself when all are equal."""
    return values[0] if min(values) == max(values) else math.fsum(values) / len(values)


def standard_deviation(values: Sequence[float]) -> float:
    """Sample standard deviation (ddof=1); exactly 0 for values that differ by rounding only."""
    centre = mean(values)
    if max(values) - min(values) <= _ROUNDING * max(abs(value) for value in values):
        return 0.0
    return math.sqrt(math.fsum((value - centre) ** 2 for value in values) / (len(values) - 1))


def t_quantile(df: float, confidence: float = 0.95) -> float:
    """Two-sided quantile of Student's t: 4.303 for two degrees of freedom."""
    return float(stdtrit(df, 0.5 + confidence / 2))


def mean_interval(scores: Scores) -> Estimate:
    """Mean over seeds with a 95 % t-interval.

    Args:
        scores: Values by seed, in the metric's unit.

    Returns:
        n, mean and sd as far as they exist; an interval from three seeds on.
    """
    values = scores.values
    n = len(values)
    if n == 0:
        return Estimate(0, note="no finished run")
    if not all(map(math.isfinite, values)):
        return Estimate(n, note="a score is not finite")
    centre = mean(values)
    if n == 1:
        return Estimate(1, centre, note="1 seed: no interval")
    sd = standard_deviation(values)
    if n < LEAST_SEEDS:
        return Estimate(n, centre, sd, note=f"{n} seeds: points only, no interval")
    image = scores.one_image
    floor = image if image is not None and sd < image else None
    used = sd if floor is None else floor
    if used == 0:
        return Estimate(n, centre, sd, note="equal in all seeds: no interval")
    half = t_quantile(n - 1) * used / math.sqrt(n)
    return Estimate(n, centre, sd, centre - half, centre + half, floor, _floor_note(floor))


def correlation(arm: Scores, baseline: Scores) -> float | None:
    """Pearson's r over the common seeds; None below three, or where one of them does not vary."""
    first, second = _common(arm, baseline)
    if len(first) < LEAST_SEEDS:
        return None
    sd_first, sd_second = standard_deviation(first), standard_deviation(second)
    if sd_first == 0 or sd_second == 0:
        return None
    centre_first, centre_second = mean(first), mean(second)
    products = ((a - centre_first) * (b - centre_second) for a, b in zip(first, second, strict=True))
    r = math.fsum(products) / ((len(first) - 1) * sd_first * sd_second)
    return max(-1.0, min(1.0, r))


def _floor_note(floor: float | None) -> str | None:
    if floor is None:
        return None
    return f"spread below one test image: interval takes one image ({floor:.2g} pp) as sd"


def _common(arm: Scores, baseline: Scores) -> tuple[list[float], list[float]]:
    seeds = sorted(arm.by_seed.keys() & baseline.by_seed.keys())
    return [arm.by_seed[seed] for seed in seeds], [baseline.by_seed[seed] for seed in seeds]
