"""The A/A check: two equal cells must come out equal, or no difference in the study means anything.

Equal cells are those whose configurations are equal but for the mark of the twin. Judged on the repeats,
which are the replicates: on the logarithms of their medians, with a pooled two-sample t-interval at 99 %,
since a check that stands in every study must not cry wolf in one of twenty. A repeat is known no better than
its own windows allow, so the sd is at least the standard error of a repeat's median. The twins are equal if
the interval holds 0, or lies within ±1 %, which no reader would act on. An interval beyond ±10 % decides
nothing, since it would hold 0 for cells that are far from equal. What the check could not have seen is told
beside it: half the interval is the smallest difference that a pair of such cells can show.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean
from typing import Final, Literal

from bench import units
from bench.analyse.cell_traits import rest_key
from bench.analyse.cells import CellBlock, CellSummary
from bench.analyse.estimate import t_quantile

LEVEL: Final = 0.99
TOLERANCE: Final = 0.01
"""A difference of this share is none that anyone would act on."""

COARSEST: Final = 0.1
"""Half an interval beyond this share decides nothing."""

Verdict = Literal["equal", "not equal", "undecided", "not judged"]

_WORDS: Final[dict[Verdict, str]] = {
    "equal": "equal within their spread",
    "undecided": "undecided, since repeats spread too widely",
}

HOW_JUDGED: Final = (
    "judged on the repeats' medians: equal if the 99 % t-interval of their log ratio holds 0 or lies within "
    "±1 %, undecided if it is wider than ±10 %"
)


@dataclass(frozen=True)
class TwinCheck:
    """One pair of equal cells, the second as a share of the first."""

    first: str
    second: str
    """Labels of the cells."""
    n_repeats: tuple[int, int]
    verdict: Verdict
    difference_pct: float | None = None
    low_pct: float | None = None
    high_pct: float | None = None
    note: str | None = None

    @property
    def resolution_pct(self) -> float | None:
        """The smallest difference that such a pair can show: half the interval."""
        return None if self.low_pct is None or self.high_pct is None else (self.high_pct - self.low_pct) / 2

    @property
    def text(self) -> str:
        """The outcome in a sentence, without its full stop."""
        pair = f"A/A check of {self.first} and {self.second}"
        if self.difference_pct is None or self.low_pct is None or self.high_pct is None:
            return f"{pair}: {self.verdict}, {self.note}"
        half = self.resolution_pct
        decimals = max(units.decimals_for(half), 0) if half else 2
        low, high = (units.signed(value, decimals) for value in (self.low_pct, self.high_pct))
        words = _WORDS.get(self.verdict, self.verdict)
        return (
            f"{pair}: {words} ({units.signed(self.difference_pct, decimals)} %, "
            f"99 % interval {low} to {high} %, {self.n_repeats[0]} and {self.n_repeats[1]} repeats)"
        )


def twin_checks(block: CellBlock) -> tuple[TwinCheck, ...]:
    """The check of every pair of equal cells of a block, in the order of the table."""
    return tuple(_check(one, other) for one, other in twins(block.arms))


def twins(cells: Iterable[CellSummary]) -> list[tuple[CellSummary, CellSummary]]:
    """Pairs of cells that are configured alike."""
    by_key: dict[str, list[CellSummary]] = {}
    for cell in cells:
        if cell.config:
            by_key.setdefault(rest_key(cell.config), []).append(cell)
    return [pair for equal in by_key.values() for pair in combinations(equal, 2)]


def _check(one: CellSummary, other: CellSummary) -> TwinCheck:
    counts = (one.n_done, other.n_done)
    if min(counts) < 2:
        return TwinCheck(one.label, other.label, counts, "not judged", note="each needs two repeats")
    first, second = ([math.log(repeat.median_img_s) for repeat in cell.repeats] for cell in (one, other))
    degrees = sum(counts) - 2
    squares = sum((value - fmean(own)) ** 2 for own in (first, second) for value in own)
    floor = math.sqrt(fmean(repeat.median_se**2 for cell in (one, other) for repeat in cell.repeats))
    sd = max(math.sqrt(squares / degrees), floor)
    half = t_quantile(degrees, LEVEL) * sd * math.sqrt(sum(1 / count for count in counts))
    gap = fmean(second) - fmean(first)
    low, high = gap - half, gap + half
    difference, lower, upper = (100 * math.expm1(value) for value in (gap, low, high))
    return TwinCheck(one.label, other.label, counts, _verdict(low, high), difference, lower, upper)


def _verdict(low: float, high: float) -> Verdict:
    """By the interval of the log ratio."""
    if max(abs(low), abs(high)) <= math.log1p(TOLERANCE):
        return "equal"
    if not low <= 0 <= high:
        return "not equal"
    return "equal" if (high - low) / 2 <= math.log1p(COARSEST) else "undecided"
