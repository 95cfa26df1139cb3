"""Student's t for a handful of seeds, in the one form that every comparison and contrast shares.

A test is an estimate, a standard error and degrees of freedom; from these follow t, p and an interval at any
confidence. What a few seeds cannot carry is told by a reason and never by a NaN or a p-value of 0: with
fewer than three seeds there is neither interval nor p-value; where the spread is below one test image, that
image takes its place in the interval and there is no p-value, since t would then be made of the ruler.

Reference: Student (1908), "The probable error of a mean", Biometrika 6; Satterthwaite (1946), "An
approximate distribution of estimates of variance components", Biometrics Bulletin 2.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, Self

from scipy.special import stdtr

from bench.analyse.estimate import LEAST_SEEDS, mean, standard_deviation, t_quantile

Reason = Literal[
    "no_seed",
    "one_seed",
    "two_seeds",
    "not_finite",
    "equal_in_all_seeds",
    "below_one_image",
    "no_pairs",
    "by_looks",
]
"""Why there is no p-value."""

REASONS: Final[dict[Reason, str]] = {
    "no_seed": "no finished run",
    "no_pairs": "no seed finished in both arms",
    "one_seed": "one seed: no interval and no p-value",
    "two_seeds": "two seeds: no interval and no p-value",
    "not_finite": "a score is not finite",
    "equal_in_all_seeds": "equal in all seeds: no interval and no p-value",
    "below_one_image": "spread below one test image: the interval takes one image as sd, no p-value",
    "by_looks": "seeds were added by looks: no p-value of a single test",
}
"""The reasons in words."""

_ROUNDING: Final = 1e-9
"""A spread below this share of the values themselves is the rounding of floats."""


@dataclass(frozen=True)
class Student:
    """A t-test against 0; what is absent is None and `reason` says why."""

    n: int
    """Seeds; of two samples the smaller number."""
    estimate: float | None = None
    sd: float | None = None
    """Standard deviation (ddof=1) behind `se`; None for more than one sample."""
    se: float | None = None
    """Standard error of `estimate`, of one test image where `floor_sd` is set."""
    df: float | None = None
    floor_sd: float | None = None
    """One test image in the estimate's unit, where the interval took it as the sd."""
    reason: Reason | None = None
    """Why there is no p-value; None where there is one."""
    repeated: float | None = None
    """Confidence of the interval at a look that stands for the 95 % one, where seeds were added by looks."""

    @property
    def t(self) -> float | None:
        """The statistic; None where there is no test."""
        if self.reason is not None or self.estimate is None or self.se is None:
            return None
        return self.estimate / self.se

    @property
    def p(self) -> float | None:
        """Two-sided p-value, above 0; None where there is no test."""
        return None if self.t is None or self.df is None else two_sided_p(self.t, self.df)

    @property
    def p_above(self) -> float | None:
        """One-sided p-value of "the true value is above 0"."""
        return None if self.t is None or self.df is None else one_sided_p(self.t, self.df)

    @property
    def p_below(self) -> float | None:
        """One-sided p-value of "the true value is below 0"."""
        return None if self.t is None or self.df is None else one_sided_p(-self.t, self.df)

    @property
    def ci95_low(self) -> float | None:
        """Lower end of the 95 % interval, or of the repeated one in its place."""
        ends = self.interval()
        return None if ends is None else ends[0]

    @property
    def ci95_high(self) -> float | None:
        """Upper end of the 95 % interval, or of the repeated one in its place."""
        ends = self.interval()
        return None if ends is None else ends[1]

    @property
    def note(self) -> str | None:
        """The reason in words."""
        return None if self.reason is None else REASONS[self.reason]

    @property
    def interval_name(self) -> str:
        """What `interval()` is."""
        return "95 % interval" if self.repeated is None else "repeated interval"

    def interval(self, confidence: float | None = None) -> tuple[float, float] | None:
        """Two-sided t-interval; None below three seeds and where nothing varies without a ruler.

        Args:
            confidence: 0.95 unless given; of a look its own.
        """
        if self.estimate is None or self.se is None or self.df is None:
            return None
        if confidence is None:
            confidence = 0.95 if self.repeated is None else self.repeated
        half = t_quantile(self.df, confidence) * self.se
        return self.estimate - half, self.estimate + half

    @classmethod
    def of_values(cls, values: Sequence[float], *, floor: float | None = None, scale: float = 0.0) -> Self:
        """One-sample t-test of values by seed.

        Args:
            values: One a seed: differences, slopes, contrasts.
            floor: What one test image weighs in the values' unit; None for a loss.
            scale: Magnitude of the scores behind the values: a spread below its rounding is none.
        """
        n = len(values)
        if not all(math.isfinite(value) for value in values):
            return cls(n, reason="not_finite")
        if n < LEAST_SEEDS:
            return cls(n, mean(values) if n else None, reason=few(n))
        spread = max(values) - min(values)
        sd = standard_deviation(values) if spread > _ROUNDING * scale else 0.0
        used = floor if floor is not None and sd < floor else sd
        if used == 0:
            return cls(n, mean(values), sd, reason="equal_in_all_seeds")
        floored = sd < used
        return cls(
            n,
            mean(values),
            sd,
            used / math.sqrt(n),
            n - 1,
            used if floored else None,
            "below_one_image" if floored else None,
        )

    @classmethod
    def of_arms(
        cls,
        samples: Sequence[Sequence[float]],
        weights: Sequence[float],
        *,
        floors: Sequence[float | None] | None = None,
    ) -> Self:
        """Welch's test of a weighted sum of independent arms' means, each with a variance of its own.

        Args:
            samples: Scores of each arm, by seed; the numbers of seeds may differ.
            weights: Weight of each arm's mean; those of a contrast add up to 0.
            floors: What one test image weighs in each arm's scores.
        """
        n = min((len(sample) for sample in samples), default=0)
        if not all(math.isfinite(value) for sample in samples for value in sample):
            return cls(n, reason="not_finite")
        if n == 0:
            return cls(0, reason="no_seed")
        estimate = math.fsum(w * mean(sample) for w, sample in zip(weights, samples, strict=True))
        if n < LEAST_SEEDS:
            return cls(n, estimate, reason=few(n))
        sds = [standard_deviation(sample) for sample in samples]
        rulers = [ruler for ruler in floors or () if ruler is not None]
        floored = len(rulers) == len(sds) and all(s < r for s, r in zip(sds, rulers, strict=True))
        used = rulers if floored else sds
        parts = [(w * s) ** 2 / len(x) for w, s, x in zip(weights, used, samples, strict=True)]
        variance = math.fsum(parts)
        if variance == 0:
            return cls(n, estimate, reason="equal_in_all_seeds")
        df = variance**2 / math.fsum(p**2 / (len(x) - 1) for p, x in zip(parts, samples, strict=True))
        floor = max(rulers) if floored else None
        reason: Reason | None = "below_one_image" if floored else None
        return cls(n, estimate, None, math.sqrt(variance), df, floor, reason)


def few(n: int) -> Reason:
    """The reason of fewer than three seeds."""
    reasons: tuple[Reason, ...] = ("no_seed", "one_seed", "two_seeds")
    return reasons[n]


def two_sided_p(t: float, df: float) -> float:
    """P(|T| >= |t|), never 0: what underflows is the smallest positive float."""
    return min(1.0, max(2 * float(stdtr(df, -abs(t))), sys.float_info.min))


def one_sided_p(t: float, df: float) -> float:
    """P(T >= t), never 0."""
    return max(float(stdtr(df, -t)), sys.float_info.min)
