"""Means, t-intervals and differences for a handful of seeds, each with its own honest output.

One seed has no interval; two are shown as points; from three on a 95 % t-interval is taken. A test set
counts in whole images, so a spread below one image says that the ruler is coarse, not that the training
is exact: where every sd that an interval rests on is below one test image, one test image takes its place
and the note says so. A quantity without such a ruler (the loss) has no interval when its seeds are equal.

Reference: Student (1908), "The probable error of a mean", Biometrika 6; Welch (1947), "The generalization
of 'Student's' problem when several different population variances are involved", Biometrika 34.
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
        return _half(self.ci95_low, self.ci95_high)


@dataclass(frozen=True)
class Difference:
    """Arm minus baseline with its 95 % interval, and the rule that made it."""

    rule: Rule
    n_arm: int
    n_baseline: int
    """Equal to `n_arm` when paired: the seeds that both have."""
    delta: float | None = None
    ci95_low: float | None = None
    ci95_high: float | None = None
    df: float | None = None
    correlation: float | None = None
    """Pearson's r of arm and baseline over their common seeds: whether pairing paid, or would have."""
    floor_sd: float | None = None
    note: str | None = None

    @property
    def half_width(self) -> float | None:
        """Half the interval."""
        return _half(self.ci95_low, self.ci95_high)


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
    centre = mean(values)
    if n == 1:
        return Estimate(1, centre, note="1 seed: no interval")
    sd = standard_deviation(values)
    if n < LEAST_SEEDS:
        return Estimate(n, centre, sd, note=f"{n} seeds: points only, no interval")
    (used,), floor = _floored((sd,), (scores.one_image,))
    if used == 0:
        return Estimate(n, centre, sd, note="equal in all seeds: no interval")
    half = t_quantile(n - 1) * used / math.sqrt(n)
    return Estimate(n, centre, sd, centre - half, centre + half, floor, _floor_note(floor))


def difference(arm: Scores, baseline: Scores, rule: Rule) -> Difference:
    """Mean of the arm minus mean of the baseline, with a 95 % interval.

    Args:
        arm: Values by seed.
        baseline: Values by seed, in the same unit.
        rule: `paired` takes the differences of the seeds that both have; `welch` treats the arms as
            independent with variances of their own.

    Returns:
        Arm minus baseline; an interval from three seeds (pairs, or seeds of each arm) on.
    """
    return _paired(arm, baseline) if rule == "paired" else _welch(arm, baseline)


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


def _paired(arm: Scores, baseline: Scores) -> Difference:
    first, second = _common(arm, baseline)
    n = len(first)
    if n == 0:
        return Difference("paired", 0, 0, note="no seed finished in both arms")
    gaps = [a - b for a, b in zip(first, second, strict=True)]
    delta = mean(gaps)
    counted = f"{n} seed{'s' if n > 1 else ''} finished in both arms"
    if n < LEAST_SEEDS:
        return Difference("paired", n, n, delta, note=f"{counted}: no interval")
    partial = n < len(arm.by_seed) or n < len(baseline.by_seed)
    notes = [f"over the {n} seeds that finished in both arms"] if partial else []
    scale = max(abs(value) for value in (*first, *second))
    sd = standard_deviation(gaps) if max(gaps) - min(gaps) > _ROUNDING * scale else 0.0
    (used,), floor = _floored((sd,), (_coarser(arm.one_image, baseline.one_image),))
    r = correlation(arm, baseline)
    if used == 0:
        notes.append("equal differences in all seeds: no interval")
        return Difference("paired", n, n, delta, correlation=r, note="; ".join(notes))
    half = t_quantile(n - 1) * used / math.sqrt(n)
    if floor is not None:
        notes.append(str(_floor_note(floor)))
    return Difference(
        "paired", n, n, delta, delta - half, delta + half, n - 1, r, floor, "; ".join(notes) or None
    )


def _welch(arm: Scores, baseline: Scores) -> Difference:
    first, second = arm.values, baseline.values
    counts = (len(first), len(second))
    if 0 in counts:
        return Difference("welch", *counts, note="no finished run")
    delta = mean(first) - mean(second)
    r = correlation(arm, baseline)
    if min(counts) < LEAST_SEEDS:
        note = f"{counts[0]} against {counts[1]} seeds: no interval"
        return Difference("welch", *counts, delta, correlation=r, note=note)
    sds = (standard_deviation(first), standard_deviation(second))
    used, floor = _floored(sds, (arm.one_image, baseline.one_image))
    if used == (0.0, 0.0):
        note = "equal in all seeds of both arms: no interval"
        return Difference("welch", *counts, delta, correlation=r, note=note)
    of_arm, of_baseline = (sd**2 / n for sd, n in zip(used, counts, strict=True))
    variance = of_arm + of_baseline
    df = variance**2 / (of_arm**2 / (counts[0] - 1) + of_baseline**2 / (counts[1] - 1))
    half = t_quantile(df) * math.sqrt(variance)
    return Difference("welch", *counts, delta, delta - half, delta + half, df, r, floor, _floor_note(floor))


def _floored(
    sds: tuple[float, ...], images: tuple[float | None, ...]
) -> tuple[tuple[float, ...], float | None]:
    """The sds to use: one test image each where every one of them is below it, else as they are."""
    rulers = tuple(image for image in images if image is not None)
    if len(rulers) < len(sds) or not all(sd < image for sd, image in zip(sds, rulers, strict=True)):
        return sds, None
    return rulers, max(rulers)


def _floor_note(floor: float | None) -> str | None:
    if floor is None:
        return None
    return f"spread below one test image: interval takes one image ({floor:.2g} pp) as sd"


def _common(arm: Scores, baseline: Scores) -> tuple[list[float], list[float]]:
    seeds = sorted(arm.by_seed.keys() & baseline.by_seed.keys())
    return [arm.by_seed[seed] for seed in seeds], [baseline.by_seed[seed] for seed in seeds]


def _coarser(first: float | None, second: float | None) -> float | None:
    return None if first is None or second is None else max(first, second)


def _half(low: float | None, high: float | None) -> float | None:
    return None if low is None or high is None else (high - low) / 2
