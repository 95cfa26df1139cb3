"""How large a difference is beside the spread of the seeds, and beside the error that was left.

Reference: Hedges (1981), "Distribution theory for Glass's estimator of effect size and related estimators",
J. Educ. Statist. 6 (the exact factor J); Lakens (2013), "Calculating and reporting effect sizes", Front.
Psychol. 4 (d_z).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bench.analyse.estimate import Rule, mean, standard_deviation
from bench.analyse.student import Student


@dataclass(frozen=True)
class StandardisedEffect:
    """The difference in standard deviations, freed of its bias at few seeds."""

    hedges_g: float
    """J(df) × d; paired: of d_z."""
    d: float
    """Welch: over the pooled sd of the arms; paired: d_z, over the sd of the differences."""
    bias_factor: float
    """J(df)."""


@dataclass(frozen=True)
class ErrorReduction:
    """1 − err_arm / err_baseline in percent: positive where the arm errs less."""

    reduction_pct: float
    ci95_low_pct: float | None
    """From the log of the ratio of mean errors; None where the comparison has no interval."""
    ci95_high_pct: float | None
    note: str | None = None

    @property
    def text(self) -> str:
        """One phrase."""
        words = f"{abs(self.reduction_pct):.1f} % {'fewer' if self.reduction_pct >= 0 else 'more'} errors"
        if self.ci95_low_pct is None or self.ci95_high_pct is None:
            return words
        return (
            f"{words} (95 % interval of the reduction {self.ci95_low_pct:.1f} to {self.ci95_high_pct:.1f} %)"
        )


def hedges_j(df: float) -> float:
    """Hedges' exact factor J(df) = Γ(df/2) / (√(df/2) Γ((df−1)/2)): .564 at 2, .798 at 4, .914 at 9."""
    return math.exp(math.lgamma(df / 2) - math.lgamma((df - 1) / 2)) / math.sqrt(df / 2)


def standardised(first: Sequence[float], second: Sequence[float], rule: Rule) -> StandardisedEffect | None:
    """The standardised difference; None below two seeds and where nothing varies.

    Args:
        first: Scores of the arm.
        second: Scores of the baseline; row for row with the arm's when paired.
        rule: Which sd stands below the difference.
    """
    n_first, n_second = len(first), len(second)
    if rule == "paired":
        if n_first < 3:
            return None
        gaps = [a - b for a, b in zip(first, second, strict=True)]
        scale = max(abs(value) for value in (*first, *second))
        sd = standard_deviation(gaps) if max(gaps) - min(gaps) > 1e-9 * scale else 0.0
        delta, df = mean(gaps), n_first - 1
    else:
        if min(n_first, n_second) < 2:
            return None
        squares = [(len(x) - 1) * standard_deviation(x) ** 2 for x in (first, second)]
        df = n_first + n_second - 2
        sd = math.sqrt(math.fsum(squares) / df)
        delta = mean(first) - mean(second)
    if sd == 0:
        return None
    factor = hedges_j(df)
    return StandardisedEffect(factor * delta / sd, delta / sd, factor)


def error_reduction(
    first: Sequence[float],
    second: Sequence[float],
    rule: Rule,
    floors: tuple[float | None, float | None] = (None, None),
) -> ErrorReduction | None:
    """Relative reduction of the mean error, its interval from the log of the ratio.

    The log ratio of two means is linear in the scores to first order, err_arm/mean − err_baseline/mean, and
    its t-interval (paired or Welch's) is taken back through the exponential: it stays below 100 %.

    Args:
        first: Errors of the arm (100 − accuracy, or a loss), none below 0.
        second: Errors of the baseline; row for row with the arm's when paired.
        rule: As in the comparison.
        floors: What one test image weighs in each.

    Returns:
        None where the baseline makes no error or an arm has no run.
    """
    if not first or not second or mean(second) <= 0 or mean(first) < 0:
        return None
    of_arm, of_base = mean(first), mean(second)
    reduction = 100 * (1 - of_arm / of_base)
    if of_arm == 0:
        return ErrorReduction(reduction, None, None, "the arm makes no error: no interval")
    log_ratio = math.log(of_arm / of_base)
    scaled = [value / of_arm for value in first], [value / of_base for value in second]
    rulers = [
        None if floor is None else floor / centre
        for floor, centre in zip(floors, (of_arm, of_base), strict=True)
    ]
    if rule == "paired":
        floor = None if rulers[0] is None or rulers[1] is None else max(rulers[0], rulers[1])
        gaps = [a - b for a, b in zip(*scaled, strict=True)]
        line = Student.of_values(gaps, floor=floor, scale=max(*scaled[0], *scaled[1]))
    else:
        line = Student.of_arms(scaled, (1.0, -1.0), floors=rulers)
    ends = line.interval()
    if ends is None or line.estimate is None:
        return ErrorReduction(reduction, None, None, line.note)
    half = (ends[1] - ends[0]) / 2
    low, high = (100 * (1 - math.exp(log_ratio + side)) for side in (half, -half))
    return ErrorReduction(reduction, low, high, line.note)
