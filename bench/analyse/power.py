"""What the planned seeds can detect, and how many a difference would need.

A study that cannot see half a point should say so before it runs. Power follows from the noncentral t; the
level is divided by the number of comparisons that share it (Bonferroni: Holm does at least as well). For two
independent arms the pooled test stands in for Welch's, which at three seeds needs a seventh more.

Reference: Cohen (1988), "Statistical Power Analysis for the Behavioral Sciences"; Noether (1987), "Sample
size determination for some common nonparametric tests", J. Am. Statist. Assoc. 82.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.optimize import brentq
from scipy.special import gammaincinv, ndtr, ndtri, roots_legendre, stdtrit

from bench.analyse.estimate import LEAST_SEEDS, Rule
from bench.analyse.quadrature import sd_rule

POWER: Final = 0.8
"""Customary: one real difference in five is missed."""

MOST_SEEDS: Final = 10_000
"""Where the search for the number of seeds ends."""


@dataclass(frozen=True)
class Detectable:
    """What `n` seeds can detect of one comparison."""

    n: int
    rule: Rule
    alpha: float
    """Of the one comparison, after division."""
    n_comparisons: int
    power: float
    effect: float
    """In standard deviations: of the differences (paired), of each arm (welch)."""
    sd: float | None
    """From a pilot, in the metric's unit."""

    @property
    def delta(self) -> float | None:
        """Smallest difference that is found with the given power, in the metric's unit."""
        return None if self.sd is None else self.effect * self.sd

    @property
    def text(self) -> str:
        """One sentence without its full stop."""
        what = "the differences" if self.rule == "paired" else "each arm"
        size = f"{self.effect:.2g} standard deviations of {what}"
        if self.delta is not None:
            size = f"{self.delta:.2g} (sd of {what} {self.sd:.2g})"
        among = f" among {self.n_comparisons} comparisons" if self.n_comparisons > 1 else ""
        return f"{self.n} seeds find a difference of {size}{among} with {self.power:.0%} power"


def t_power(effect: float, n: int, rule: Rule, *, alpha: float = 0.05) -> float:
    """Power of the two-sided t-test.

    Args:
        effect: True difference in standard deviations: of the differences (paired), of each arm (welch).
        n: Seeds, of each arm.
        rule: `welch` is approximated by the pooled test.
        alpha: Two-sided level.
    """
    df, root = (n - 1, math.sqrt(n)) if rule == "paired" else (2 * n - 2, math.sqrt(n / 2))
    shift = abs(effect) * root
    bound = float(stdtrit(df, 1 - alpha / 2))
    sds, weights = sd_rule(df)
    return min(1.0, float(weights @ (ndtr(shift - bound * sds) + ndtr(-shift - bound * sds))))


def detectable(
    n: int,
    rule: Rule,
    *,
    sd: float | None = None,
    alpha: float = 0.05,
    n_comparisons: int = 1,
    power: float = POWER,
) -> Detectable | None:
    """The smallest difference that `n` seeds find with the given power.

    Args:
        n: Seeds; below three no comparison is made, so there is nothing to find.
        rule: Of the comparison.
        sd: From a pilot: of the differences (paired), of each arm (welch).
        alpha: Of the family.
        n_comparisons: In the family.
        power: Probability of finding it.
    """
    if n < LEAST_SEEDS:
        return None
    own = alpha / n_comparisons

    def missing(effect: float) -> float:
        return t_power(effect, n, rule, alpha=own) - power

    highest = 1.0
    while missing(highest) < 0:
        highest *= 2
    effect = float(brentq(missing, 0.0, highest, xtol=1e-10))
    return Detectable(n, rule, own, n_comparisons, power, effect, sd)


def seeds_needed(
    effect: float, rule: Rule, *, alpha: float = 0.05, n_comparisons: int = 1, power: float = POWER
) -> int | None:
    """The fewest seeds (of each arm) that find a difference with the given power.

    Args:
        effect: In standard deviations, as in `t_power`.
        rule: Of the comparison.
        alpha: Of the family.
        n_comparisons: In the family.
        power: Probability of finding it.

    Returns:
        At least three; None beyond 10,000.
    """
    own = alpha / n_comparisons
    return _fewest(lambda n: t_power(effect, n, rule, alpha=own) >= power)


def equivalence_seeds(
    sd: float, margin: float, rule: Rule, *, alpha: float = 0.05, n_comparisons: int = 1, power: float = POWER
) -> int | None:
    """The fewest seeds (of each arm) that show two equal arms to be equivalent with the given power.

    Args:
        sd: From a pilot: of the differences (paired), of each arm (welch).
        margin: In the unit of `sd`.
        rule: Of the comparison.
        alpha: Of the family.
        n_comparisons: In the family.
        power: Probability of showing it.

    Returns:
        At least three; None beyond 10,000.
    """
    own = alpha / n_comparisons
    return _fewest(lambda n: equivalence_power(n, sd, margin, rule=rule, alpha=own) >= power)


def _fewest(suffices: Callable[[int], bool]) -> int | None:
    low, high = LEAST_SEEDS - 1, LEAST_SEEDS
    while not suffices(high):
        low, high = high, 2 * high
        if low >= MOST_SEEDS:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if suffices(middle) else (middle, high)
    return high if high <= MOST_SEEDS else None


def equivalence_power(
    n: int, sd: float, margin: float, *, rule: Rule = "paired", truth: float = 0.0, alpha: float = 0.05
) -> float:
    """Power of the TOST: how often a true difference of `truth` is found to be within the margin.

    Args:
        n: Seeds, of each arm.
        sd: Of the differences (paired), of each arm (welch).
        margin: In the unit of `sd`.
        rule: `welch` is approximated by the pooled test.
        truth: The true difference.
        alpha: Of each one-sided test.
    """
    df, se = (n - 1, sd / math.sqrt(n)) if rule == "paired" else (2 * n - 2, sd * math.sqrt(2 / n))
    bound = float(stdtrit(df, 1 - alpha))
    # P(|mean| < margin − bound·s/√n), over the distribution of s up to where nothing is left
    nodes, weights = roots_legendre(200)
    widest = min(margin / (bound * se), math.sqrt(2 * float(gammaincinv(df / 2, 1 - 1e-15)) / df))
    ratios = widest * (nodes + 1) / 2
    log_density = (
        math.log(2) + df / 2 * math.log(df / 2) - math.lgamma(df / 2) + (df - 1) * np.log(ratios)
    ) - df * ratios**2 / 2
    room = margin - bound * se * ratios
    inside = ndtr((room - truth) / se) - ndtr((-room - truth) / se)
    return float(np.sum(weights * np.exp(log_density) * inside) * widest / 2)


def noether_n(prob_above: float, *, alpha: float = 0.05, power: float = 0.95) -> float:
    """Noether's sample size for P(A > B), one-sided; 28.86 for .75 at 5 % and 95 %."""
    return ((float(ndtri(1 - alpha)) + float(ndtri(power))) / (math.sqrt(6) * (0.5 - prob_above))) ** 2
