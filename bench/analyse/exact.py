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
from functools import lru_cache
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

_TIE: Final = 1e-9
"""Statistics that differ by less than this share are equal."""

MOST_PAIRS: Final = 40
"""Pairs up to which sign changes are counted: two halves of 2**20 sums."""

MOST_SEEDS: Final = 40
"""Seeds of an arm up to which rank sums are counted."""


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
        p = share of the splits whose rank sum lies as far from its mean; None where an arm is empty, and
        beyond 40 seeds.
    """
    n, total = len(first), len(first) + len(second)
    if 0 in (n, total - n) or max(n, total - n) > MOST_SEEDS:
        return None
    doubled = np.rint(2 * rankdata([*first, *second])).astype(int).tolist()
    counts = _rank_sums(tuple(sorted(doubled)), n)
    # twice the deviation of the doubled rank sum from its mean n·(total + 1), in whole numbers
    deviation = np.abs(np.arange(len(counts)) - n * (total + 1))
    seen = deviation[sum(doubled[:n])]
    ways = math.comb(total, n)
    furthest = deviation[counts > 0].max()
    p = float(counts[deviation >= seen].sum()) / ways
    least = float(counts[deviation == furthest].sum()) / ways
    return ExactTest("Mann-Whitney", min(1.0, p), least)


@lru_cache(maxsize=64)
def _rank_sums(doubled_ranks: tuple[int, ...], n: int) -> NDArray[np.float64]:
    """In how many ways `n` of the ranks add up to each sum; whole numbers up to 28 seeds of each arm.

    Args:
        doubled_ranks: Of both arms together, ascending: arms without ties share one distribution.
        n: How many of them are one arm's.
    """
    ways = np.zeros((n + 1, sum(doubled_ranks[-n:]) + 1))
    ways[0, 0] = 1
    for rank in doubled_ranks:
        ways[1:, rank:] += ways[:-1, : ways.shape[1] - rank].copy()
    counts: NDArray[np.float64] = ways[n]
    return counts


def prob_above(first: Sequence[float], second: Sequence[float]) -> float | None:
    """P(A > B) of a random seed of each arm, ties counted half: Mann-Whitney's U over all pairs.

    Args:
        first: Scores of one arm, all finite.
        second: Scores of the other.
    """
    if not first or not second:
        return None
    ordered = np.sort(np.asarray(second, dtype=np.float64))
    below = int(np.searchsorted(ordered, first, side="left").sum())
    not_above = int(np.searchsorted(ordered, first, side="right").sum())
    return (below + not_above) / 2 / (len(first) * len(second))
