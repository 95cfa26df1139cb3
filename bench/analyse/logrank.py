"""The log-rank test, by permutation where the runs are few.

Under no difference the arms' labels are exchangeable (all runs share one horizon), and the observed minus
expected number of an arm is a sum of fixed scores over its runs. So all splits can be counted, and the
p-value is exact where the chi-squared approximation is not.

Reference: Mantel (1966), "Evaluation of survival data and two new rank order statistics arising in its
consideration", Cancer Chemother. Rep. 50; Peto & Peto (1972), J. R. Statist. Soc. A 135 (the scores).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

MOST_SPLITS: Final = 200_000
"""Splits up to which the permutation is complete: ten against ten."""

_TIE: Final = 1e-9


@dataclass(frozen=True)
class LogRank:
    """Two arms' times to one target."""

    z: float
    """(O − E) / √V of the first arm: below 0 it reached the target later."""
    p: float
    is_exact: bool
    """Whether `p` comes from all splits; else from the chi-squared approximation."""
    p_chi2: float
    smallest_p: float | None
    """That the splits can reach."""

    @property
    def chi2(self) -> float:
        """The statistic on one degree of freedom."""
        return self.z**2


def log_rank(first: Sequence[tuple[float, bool]], second: Sequence[tuple[float, bool]]) -> LogRank | None:
    """Compare two arms' times to a target.

    Args:
        first: Time, and whether the target was reached then; one a run.
        second: Of the other arm.

    Returns:
        The test, two-sided; None where an arm is empty or nothing was reached while both were at risk.
    """
    both = [*first, *second]
    n, total = len(first), len(both)
    if 0 in (n, total - n):
        return None
    excess, variance = 0.0, 0.0
    scores = np.array([float(reached) for _, reached in both])
    times = np.array([time for time, _ in both])
    for time in sorted({t for t, reached in both if reached}):
        at_risk = times >= time
        events = int(sum(t == time and reached for t, reached in both))
        share = float(at_risk[:n].sum()) / int(at_risk.sum())
        excess += sum(t == time and reached for t, reached in first) - events * share
        scores[at_risk] -= events / at_risk.sum()
        if at_risk.sum() > 1:
            variance += events * share * (1 - share) * (at_risk.sum() - events) / (at_risk.sum() - 1)
    if variance <= 0:
        return None
    z = excess / math.sqrt(variance)
    approximate = max(2 * float(ndtr(-abs(z))), 5e-324)
    if math.comb(total, n) > MOST_SPLITS:
        return LogRank(z, approximate, False, approximate, None)
    sums = np.abs(scores[_splits(total, n)].sum(axis=1))
    exact = float(np.mean(sums >= abs(excess) - _TIE))
    smallest = float(np.mean(sums >= sums.max() - _TIE))
    return LogRank(z, exact, True, approximate, smallest)


@lru_cache(maxsize=4)
def _splits(total: int, n: int) -> NDArray[np.intp]:
    return np.array(list(combinations(range(total), n)), dtype=np.intp)
