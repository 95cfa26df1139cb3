"""Two one-sided tests: the only way to claim that a change makes no difference that matters.

"Not significant" says that the seeds could not tell; equivalence says that the difference is smaller than
the margin which the study declared. Claimed where the 1 − 2α interval lies within the margin.

Reference: Schuirmann (1987), "A comparison of the two one-sided tests procedure and the power approach for
assessing the equivalence of average bioavailability", J. Pharmacokinet. Biopharm. 15.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bench.analyse.student import Reason, Student, one_sided_p

DEFAULT_MARGIN_PP: Final = 0.5
"""What a seed alone can do on test sets of CIFAR's size; Picard (2021), arXiv 2109.08203."""


@dataclass(frozen=True)
class Equivalence:
    """TOST of one comparison; `is_equivalent` also decides where the interval stands on one test image."""

    margin: float
    """In the scores' unit, above 0."""
    alpha: float
    t_lower: float | None
    """Against −margin; None where there is no p-value."""
    p_lower: float | None
    t_upper: float | None
    """Against +margin."""
    p_upper: float | None
    low: float | None
    """1 − 2α interval of the difference."""
    high: float | None
    reason: Reason | None = None

    @property
    def p(self) -> float | None:
        """The larger of the two; None where `reason` says why."""
        return None if self.p_lower is None or self.p_upper is None else max(self.p_lower, self.p_upper)

    @property
    def is_equivalent(self) -> bool:
        """Whether the 1 − 2α interval lies within the margin."""
        return (
            self.low is not None
            and self.high is not None
            and -self.margin < self.low <= self.high < self.margin
        )


def tost(line: Student, margin: float, *, alpha: float = 0.05) -> Equivalence:
    """Test whether a difference is smaller than the margin, paired or Welch's as the line is.

    Args:
        line: The difference with its standard error.
        margin: Largest difference that does not matter, in the same unit; above 0.
        alpha: Of each one-sided test, and so of the claim.
    """
    if not margin > 0:
        raise ValueError(f"margin {margin:g} is not above 0")
    low, high = line.interval(1 - 2 * alpha) or (None, None)
    if line.t is None or line.estimate is None or line.se is None or line.df is None:
        return Equivalence(margin, alpha, None, None, None, None, low, high, line.reason)
    t_lower, t_upper = (line.estimate + margin) / line.se, (line.estimate - margin) / line.se
    p_lower, p_upper = one_sided_p(t_lower, line.df), one_sided_p(-t_upper, line.df)
    return Equivalence(margin, alpha, t_lower, p_lower, t_upper, p_upper, low, high)
