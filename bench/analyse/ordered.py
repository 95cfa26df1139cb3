"""Rank tests of an ordered alternative: Page's over seeds, Jonckheere-Terpstra for independent arms.

Their power at few seeds comes from the order of the levels: five levels in the expected order in three seeds
already have p = 6e-7. They say "not flat" and no more.

Reference: Page (1963), "Ordered hypotheses for multiple treatments", J. Am. Statist. Assoc. 58; Jonckheere
(1954), "A distribution-free k-sample test against ordered alternatives", Biometrika 41; Hollander, Wolfe &
Chicken (2014), "Nonparametric Statistical Methods", section 6.2 (ties).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr
from scipy.stats import page_trend_test, rankdata

Expected = Literal["rising", "falling"]

MOST_EXACT_LEVELS: Final = 8
"""Levels up to which Page's distribution is counted: it visits every order of the levels."""


@dataclass(frozen=True)
class OrderedTest:
    """A one-sided rank test; p is of "the metric rises (or falls) along the factor"."""

    method: Literal["Page", "Jonckheere-Terpstra"]
    expected: Expected
    statistic: float
    """Page's L, or J counted along the expected direction."""
    p: float
    is_exact: bool
    n: int
    """Seeds; of independent arms the smallest number of runs."""
    z: float | None = None
    """Jonckheere-Terpstra, with the correction for ties; above 0 towards the expectation."""

    @property
    def p_two_sided(self) -> float:
        """For a direction that was read off the data."""
        return min(1.0, 2 * self.p)

    @property
    def name(self) -> str:
        """`Page, exact`: the method, and whether its p is counted or comes from the normal distribution."""
        return f"{self.method}, {'exact' if self.is_exact else 'approximate'}"

    @property
    def symbol(self) -> Literal["L", "J"]:
        """What the statistic is called."""
        return "L" if self.method == "Page" else "J"


def page(rows: Sequence[Sequence[float]], expected: Expected) -> OrderedTest | None:
    """Page's L over seeds.

    Args:
        rows: One a seed, with its score at every level; at least two rows and three levels.
        expected: Direction of the alternative.

    Returns:
        The test, exact up to eight levels, with ties too: every order of each row's own mean ranks is counted
        and the rows are added up. None where it has too few rows or levels.
    """
    if len(rows) < 2 or len(rows[0]) < 3:
        return None
    sign = 1 if expected == "rising" else -1
    scores = [[sign * value for value in row] for row in rows]
    if len(rows[0]) > MOST_EXACT_LEVELS:
        answer = page_trend_test(scores, method="asymptotic")
        return OrderedTest("Page", expected, float(answer.statistic), float(answer.pvalue), False, len(rows))
    # A mean rank of a tie may end in a half; twice the rank is whole.
    ranks = [tuple(round(2 * rank) for rank in rankdata(row)) for row in scores]
    doubled = sum(level * rank for row in ranks for level, rank in enumerate(row, start=1))
    return OrderedTest("Page", expected, doubled / 2, share_from(doubled, ranks), True, len(rows))


def share_from(doubled: int, ranks: Sequence[tuple[int, ...]]) -> float:
    """The share of all arrangements of every row whose doubled L is at least this.

    Args:
        doubled: Twice Page's L.
        ranks: Of every row, twice its mean ranks in any order.
    """
    total, least = np.ones(1), 0
    for row in ranks:
        shares, from_ = _doubled_shares(tuple(sorted(row)))
        total, least = np.convolve(total, shares), least + from_
    return min(1.0, float(total[doubled - least :].sum()))


@lru_cache(maxsize=64)
def _doubled_shares(ranks: tuple[int, ...]) -> tuple[NDArray[np.float64], int]:
    """How often one row's Σ level · doubled rank takes each value over its k! orders, and the least value."""
    orders = np.array(list(permutations(ranks)))
    sums = orders @ np.arange(1, len(ranks) + 1)
    least = int(sums.min())
    return np.bincount(sums - least) / len(orders), least


def jonckheere(groups: Sequence[Sequence[float]], expected: Expected) -> OrderedTest | None:
    """Jonckheere and Terpstra's J = Σ U_ij over pairs of levels, of independent arms.

    Args:
        groups: Scores of each level, in the order of the levels; the numbers may differ.
        expected: Direction of the alternative.

    Returns:
        The test, exact where no score occurs twice; None where a level is empty or all scores are equal.
    """
    sizes = [len(group) for group in groups]
    if len(groups) < 2 or 0 in sizes:
        return None
    sign = 1 if expected == "rising" else -1
    statistic = sum(
        (sign * b > sign * a) + 0.5 * (a == b)
        for i, earlier in enumerate(groups)
        for later in groups[i + 1 :]
        for a in earlier
        for b in later
    )
    ties = Counter(value for group in groups for value in group)
    variance = jonckheere_variance(sizes, list(ties.values()))
    if variance <= 0:
        return None
    centre = (sum(sizes) ** 2 - sum(n**2 for n in sizes)) / 4
    z = (statistic - centre) / math.sqrt(variance)
    if max(ties.values()) > 1:
        p = float(ndtr(-z))
        return OrderedTest("Jonckheere-Terpstra", expected, statistic, p, False, min(sizes), z)
    counts = _counts(tuple(sizes))
    p = sum(counts[int(statistic) :]) / sum(counts)
    return OrderedTest("Jonckheere-Terpstra", expected, statistic, p, True, min(sizes), z)


def jonckheere_variance(sizes: Sequence[int], ties: Sequence[int] = ()) -> float:
    """Variance of J under no trend; `ties` holds how often each distinct score occurs."""
    n = sum(sizes)

    def falling(counts: Sequence[int], power: int) -> int:
        return sum(math.perm(count, power) for count in counts)

    def spread(counts: Sequence[int]) -> int:
        return sum(c * (c - 1) * (2 * c + 5) for c in counts)

    variance = (spread([n]) - spread(sizes) - spread(ties)) / 72
    if n > 2:
        variance += falling(sizes, 3) * falling(ties, 3) / (36 * math.perm(n, 3))
    return variance + falling(sizes, 2) * falling(ties, 2) / (8 * math.perm(n, 2))


@lru_cache(maxsize=64)
def _counts(sizes: tuple[int, ...]) -> list[int]:
    """How many arrangements have J = 0, 1, 2, …: Gauss' multinomial coefficient, in whole numbers."""
    counts, total = [1], sizes[0]
    for size in sizes[1:]:
        for k in range(1, size + 1):
            counts = _divided(_times(counts, total + k), k)
        total += size
    return counts


def _times(counts: list[int], power: int) -> list[int]:
    """The polynomial times 1 − q**power."""
    longer = counts + [0] * power
    return [c - (longer[i - power] if i >= power else 0) for i, c in enumerate(longer)]


def _divided(counts: list[int], power: int) -> list[int]:
    """The polynomial over 1 − q**power, which divides it."""
    quotient: list[int] = []
    for i, c in enumerate(counts[: len(counts) - power]):
        quotient.append(c + (quotient[i - power] if i >= power else 0))
    return quotient
