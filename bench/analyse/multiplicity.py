"""Many comparisons of one study: error held over a declared family, not comparison by comparison.

Holm for planned contrasts, Dunnett for all arms against one baseline (`dunnett`), intervals that hold
together by Bonferroni, and Benjamini-Hochberg for large tables, which is always labelled exploratory. A
declared comparison without a p-value (one seed, a spread below one image) still counts in the family: leaving
it out after looking would make the others easier.

Reference: Holm (1979), "A simple sequentially rejective multiple test procedure", Scand. J. Statist. 6;
Benjamini & Hochberg (1995), "Controlling the false discovery rate", J. R. Statist. Soc. B 57.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bench.analyse.compare import Comparison
from bench.analyse.dunnett import dunnett
from bench.analyse.student import Student

Method = Literal["holm", "dunnett", "benjamini-hochberg"]


@dataclass(frozen=True)
class Adjusted:
    """One member of a family."""

    comparison: Comparison
    p_adjusted: float | None
    """None where the comparison has no p-value."""
    simultaneous_low: float | None
    """Interval that holds together with the family's others at `1 − alpha`."""
    simultaneous_high: float | None


@dataclass(frozen=True)
class Family:
    """Comparisons declared together."""

    name: str
    method: Method
    alpha: float
    members: tuple[Adjusted, ...]
    by_looks: bool = False
    """Decided by looks while seeds were added, which share alpha evenly."""

    @property
    def n_comparisons(self) -> int:
        """All that were declared, those without a p-value too."""
        return len(self.members)

    @property
    def is_exploratory(self) -> bool:
        """Whether only the rate of false discoveries is held, so that nothing is claimed."""
        return self.method == "benjamini-hochberg"

    @property
    def text(self) -> str:
        """One line for a caption."""
        count = f"{self.n_comparisons} comparison{'s' if self.n_comparisons != 1 else ''}"
        if self.is_exploratory:
            return f"exploratory: false discovery rate of {count} held at {self.alpha:g} (Benjamini-Hochberg)"
        name = "group-sequential" if self.by_looks else {"holm": "Holm", "dunnett": "Dunnett"}[self.method]
        return f"family-wise error of {count} held at {self.alpha:g} ({name})"


def family(
    comparisons: Sequence[Comparison],
    *,
    method: Method = "holm",
    alpha: float = 0.05,
    name: str = "declared",
    samples: Sequence[Sequence[float]] | None = None,
    control: Sequence[float] | None = None,
) -> Family:
    """Adjust the p-values of comparisons that were declared together.

    Args:
        comparisons: In the order declared.
        method: How; `dunnett` assumes equal variances and independent arms.
        alpha: Error that the whole family may make.
        name: Of the family.
        samples: Dunnett only: scores of each comparison's arm.
        control: Dunnett only: scores of the one baseline.
    """
    if method == "dunnett":
        if samples is None or control is None:
            raise ValueError("dunnett needs samples and control")
        lines = dunnett(samples, control, confidence=1 - alpha)
        members = tuple(
            Adjusted(c, line.p, line.low, line.high)
            if c.student.reason is None
            else Adjusted(c, None, *_ends(simultaneous(c.student, len(comparisons), alpha)))
            for c, line in zip(comparisons, lines, strict=True)
        )
        return Family(name, method, alpha, members)
    ps = [c.p for c in comparisons]
    adjusted = holm(ps) if method == "holm" else benjamini_hochberg(ps)
    return Family(
        name,
        method,
        alpha,
        tuple(
            Adjusted(c, p, *_ends(simultaneous(c.student, len(comparisons), alpha)))
            for c, p in zip(comparisons, adjusted, strict=True)
        ),
    )


def holm(ps: Sequence[float | None]) -> tuple[float | None, ...]:
    """Holm's adjusted p-values; (.01, .04, .03, .005) gives (.03, .06, .06, .02).

    Args:
        ps: One a declared comparison; None counts in the family and stays None.
    """
    adjusted: list[float | None] = [None] * len(ps)
    highest = 0.0
    ordered = sorted((p, index) for index, p in enumerate(ps) if p is not None)
    for rank, (p, index) in enumerate(ordered):
        highest = max(highest, min(1.0, (len(ps) - rank) * p))
        adjusted[index] = highest
    return tuple(adjusted)


def benjamini_hochberg(ps: Sequence[float | None]) -> tuple[float | None, ...]:
    """Benjamini and Hochberg's adjusted p-values, for exploratory tables only.

    Args:
        ps: One a cell; None counts in the table and stays None.
    """
    adjusted: list[float | None] = [None] * len(ps)
    lowest = 1.0
    ordered = sorted((p, index) for index, p in enumerate(ps) if p is not None)
    for rank, (p, index) in reversed(list(enumerate(ordered, start=1))):
        lowest = min(lowest, len(ps) * p / rank)
        adjusted[index] = lowest
    return tuple(adjusted)


def simultaneous(line: Student, n_comparisons: int, alpha: float = 0.05) -> tuple[float, float] | None:
    """Bonferroni's t-interval: together with the family's others it holds at `1 − alpha`."""
    return line.interval(1 - alpha / max(n_comparisons, 1))


def _ends(interval: tuple[float, float] | None) -> tuple[float | None, float | None]:
    return (None, None) if interval is None else interval
