"""Exact permutation tests: the robustness line beside t, with the smallest p-value that the seeds can reach.

Three pairs cannot give less than p = .25 by changing signs, however clear the difference: a reader has to
see that floor beside the p-value. All counts are exact at any number of seeds: sign changes by meeting in
the middle, ranks by the distribution of their sum, ties included.

Reference: Fisher (1935), "The Design of Experiments", section 21; Mann & Whitney (1947), "On a test of
whether one of two random variables is stochastically larger than the other", Ann. Math. Statist. 18;
Horowitz & Sahni (1974), "Computing partitions with applications to the knapsack problem", J. ACM 21.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

_TIE: Final = 1e-9
"""Statistics that differ by less than this share are equal."""

MOST_PAIRS: Final = 40
"""Pairs up to which sign changes are counted: two halves of 2**20 sums."""


@dataclass(frozen=True)
class ExactTest:
    """An exact two-sided p-value and the smallest one attainable."""

    method: Literal["sign-flip", "Mann-Whitney"]
    p: float
    smallest_p: float
    """Of the clearest outcome that these ties and this number of seeds allow."""

    @property
    def text(self) -> str:
        """One line under a table."""
        return f"exact {self.method} p = {self.p:.3g} (smallest attainable {self.smallest_p:.3g})"


def sign_flip(differences: Sequence[float]) -> ExactTest | None:
    """Exact test of symmetry about 0: every pattern of signs is as likely as the one seen.

    Args:
        differences: One a pair. Those of 0 change nothing whatever their sign, so they only raise the floor.

    Returns:
        p = share of the 2**n sign patterns whose sum is as far from 0; None without a pair or beyond 40.
    """
    signed = np.array([d for d in differences if d != 0], dtype=np.float64)
    n = len(signed)
    if len(differences) == 0 or n > MOST_PAIRS:
        return None
    if n == 0:
        return ExactTest("sign-flip", 1.0, 1.0)
    sums, others = _sums(signed[: n // 2]), np.sort(_sums(signed[n // 2 :]))
    far = abs(math.fsum(signed)) - _TIE * float(np.abs(signed).sum())
    if far <= 0:
        return ExactTest("sign-flip", 1.0, 2.0 ** (1 - n))
    above = len(others) - np.searchsorted(others, far - sums, side="left")
    return ExactTest("sign-flip", min(1.0, 2 * int(above.sum()) / 2**n), 2.0 ** (1 - n))


def _sums(values: NDArray[np.float64]) -> NDArray[np.float64]:
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums - value, sums + value])
    return sums


def mann_whitney(first: Sequence[float], second: Sequence[float]) -> ExactTest | None:
    """Exact rank-sum test of two independent arms, ties counted as they are.

    Args:
        first: Scores of one arm.
        second: Scores of the other; the numbers may differ.

    Returns:
        p = share of the splits whose rank sum lies as far from its mean; None where an arm is empty.
    """
    n, total = len(first), len(first) + len(second)
    if 0 in (n, total - n):
        return None
    doubled = np.rint(2 * rankdata([*first, *second])).astype(int).tolist()
    counts = _rank_sums(doubled, n)
    # twice the deviation of the doubled rank sum from its mean n·(total + 1), in whole numbers
    deviation = {s: abs(s - n * (total + 1)) for s in counts}
    seen = deviation[sum(doubled[:n])]
    ways = math.comb(total, n)
    furthest = max(deviation.values())
    p = sum(count for s, count in counts.items() if deviation[s] >= seen) / ways
    least = sum(count for s, count in counts.items() if deviation[s] == furthest) / ways
    return ExactTest("Mann-Whitney", p, least)


def _rank_sums(doubled_ranks: Sequence[int], n: int) -> dict[int, int]:
    """In how many ways `n` of the ranks add up to each sum."""
    ways: list[dict[int, int]] = [{0: 1}] + [{} for _ in range(n)]
    for rank in doubled_ranks:
        for chosen in range(n, 0, -1):
            for s, count in ways[chosen - 1].items():
                ways[chosen][s + rank] = ways[chosen].get(s + rank, 0) + count
    return ways[n]


def prob_above(first: Sequence[float], second: Sequence[float]) -> float | None:
    """P(A > B) of a random seed of each arm, ties counted half: Mann-Whitney's U over all pairs."""
    if not first or not second:
        return None
    wins = sum((a > b) + 0.5 * (a == b) for a in first for b in second)
    return wins / (len(first) * len(second))
