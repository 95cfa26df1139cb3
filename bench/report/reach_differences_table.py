"""The way to the target beside that of the baseline: differences of restricted means, and the log-rank test.

The restricted mean counts a run that never arrived as the whole budget, so its difference exists where
medians do not; the log-rank test asks whether one arm arrives earlier all along the way.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench.analyse.equal_target import Reached, Target, Timed
from bench.analyse.estimate import Rule
from bench.analyse.logrank import LogRank
from bench.analyse.summary import Block, StudySummary
from bench.analyse.survival import TimeComparison
from bench.record.schema import Record
from bench.report import words
from bench.report.arms_table import Naming
from bench.report.reach_table import SECONDS, UNITS, amount, horizon_text, targets_of, timed_by_all
from bench.report.table import Cell, Column, Footnotes, Row, RowGroup, Table


def reach_differences_table(
    records: Sequence[Record], summary: StudySummary, target_pct: float | None, *, name: str
) -> Table | None:
    """One row an arm beside the baseline; None without a target, without validation or without a baseline.

    Args:
        records: Lines of the study.
        summary: Its arms.
        target_pct: Validation accuracy that training is to reach.
        name: The study's name, for the caption.
    """
    found = targets_of(records, summary, target_pct)
    timed = timed_by_all(found)
    naming, notes = Naming.of(summary), Footnotes()
    groups = tuple(
        RowGroup(block.device_kind, words.block_label(block), rows)
        for block, target in found
        if (rows := tuple(_rows(block, target, timed, naming, notes)))
    )
    if not groups or target_pct is None:
        return None
    columns = (*naming.columns, *_columns(timed, found), Column(("rule",)))
    return Table("reach_differences", _caption(name, target_pct, found, timed), columns, groups, notes.texts)


def _caption(name: str, pct: float, found: Sequence[tuple[Block, Target]], timed: Sequence[Timed]) -> str:
    sources = dict.fromkeys(target.seconds_from for _, target in found)
    told = " ".join(SECONDS[source] for source in sources if source and "seconds" in timed)
    text = (
        f"Study {name}: time to {pct:g} % on validation, arm \N{MINUS SIGN} baseline, below 0 where the arm "
        "is earlier: difference of the mean times up to the budget that all arms were given, with 95 % "
        "t-interval, and the log-rank test's p with the least that so many runs can reach, both counted over "
        "all ways to split the runs. A run that did not arrive, diverged ones too, counts as that budget. "
        f"Intervals and p-values stand alone, outside the declared comparisons. {told}"
    )
    return text.strip()


def _columns(timed: Sequence[Timed], found: Sequence[tuple[Block, Target]]) -> list[Column]:
    columns = []
    for clock in timed:
        unit, horizon = UNITS[clock], horizon_text(clock, found)
        ends = (f"difference_{clock}_ci95_low", f"difference_{clock}_ci95_high")
        test = ("log_rank_z", "log_rank_p", "log_rank_is_exact", "log_rank_least_p")
        columns += [
            Column((f"difference_{clock}", *ends), f"Difference up to {horizon} ({unit})"),
            Column(tuple(f"{key}_{clock}" for key in test), f"Log-rank p (least), by {clock}"),
        ]
    return columns


def _rows(
    block: Block, target: Target, timed: Sequence[Timed], naming: Naming, notes: Footnotes
) -> list[Row]:
    followed = {one.arm: one for one in target.arms}
    baseline = next((followed.get(arm.name) for arm in block.arms if arm.is_baseline), None)
    if baseline is None:
        return []
    return [
        (*naming.cells(arm), *_cells(followed[arm.name], baseline, timed, arm.difference.rule, notes))
        for arm in block.arms
        if arm.name in followed and arm.difference is not None
    ]


def _cells(one: Reached, baseline: Reached, timed: Sequence[Timed], rule: Rule, notes: Footnotes) -> Row:
    cells: list[Cell] = []
    for clock in timed:
        found = one.against(baseline, clock, rule)
        is_told = one.common[clock].n_reached + baseline.common[clock].n_reached > 0
        cells += [_difference_cell(found, notes, is_told=is_told), _log_rank_cell(found.log_rank, notes)]
    return (*cells, Cell("", (rule,)))


def _difference_cell(found: TimeComparison, notes: Footnotes, *, is_told: bool) -> Cell:
    """Where neither arm arrived both means are the budget, and 0 says nothing."""
    line = found.rmst_difference
    ends = line.interval()
    bounds = words.Bounds(line.estimate, *(ends or (None, None)))
    values = (bounds.delta, bounds.ci95_low, bounds.ci95_high)
    if not is_told:
        return Cell(
            words.NONE, values, (notes.mark("no run of either arm arrived within the common budget"),)
        )
    marks = () if line.note is None else (notes.mark(line.note),)
    if ends is None or line.estimate is None:
        return Cell(_signed(line.estimate), values, marks)
    told = words.difference_interval_text(bounds, None)
    return Cell(f"{words.difference_text(bounds, None)} {told}", values, marks)


def _signed(value: float | None) -> str:
    """To three digits, as the means themselves where no interval says how many they are worth."""
    if value is None:
        return words.NONE
    sign = "+" if value > 0 else "\N{MINUS SIGN}" if value < 0 else ""
    return f"{sign}{amount(abs(value))}"


def _log_rank_cell(test: LogRank | None, notes: Footnotes) -> Cell:
    if test is None:
        return Cell(words.NONE, (None, None, None, None))
    values = (test.z, test.p, test.is_exact, test.smallest_p)
    if test.smallest_p is None:
        return Cell(
            words.p_cell(test.p),
            values,
            (notes.mark("too many runs to count: from the chi-squared distribution"),),
        )
    return Cell(f"{words.p_cell(test.p)} ({words.p_cell(test.smallest_p)})", values)
