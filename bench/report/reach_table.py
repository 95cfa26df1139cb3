"""The way to the target as a table: how many runs arrived, when half of them had, and the restricted mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bench import units
from bench.analyse.equal_clocks import clocks_of
from bench.analyse.equal_target import TIMED, Reached, Target, Timed, reach
from bench.analyse.student import Student
from bench.analyse.summary import ArmSummary, Block, StudySummary
from bench.analyse.survival import TimeToTarget
from bench.record.schema import Record
from bench.report import words
from bench.report.arms_table import Naming
from bench.report.table import Cell, Column, Footnotes, Row, RowGroup, Table

UNITS: Final[dict[Timed, str]] = {"epochs": "epochs", "seconds": "s"}

SECONDS = {
    "probe": "Seconds are those of each arm's probe, which ran alone.",
    "runs": "Seconds are those of training steps, for each arm the mean of its runs.",
}


def reach_table(
    records: Sequence[Record], summary: StudySummary, target_pct: float | None, *, name: str
) -> Table | None:
    """One row an arm that was validated; None without a target or without validation.

    Args:
        records: Lines of the study.
        summary: Its arms.
        target_pct: Validation accuracy that training is to reach.
        name: The study's name, for the caption.
    """
    found = targets_of(records, summary, target_pct)
    if not found or target_pct is None:
        return None
    naming, notes = Naming.of(summary), Footnotes()
    timed = timed_by_all(found)
    groups = tuple(
        RowGroup(
            block.device_kind,
            words.block_label(block),
            tuple(
                (*naming.cells(arm), *_cells(arm, one, timed, notes))
                for one in target.arms
                for arm in block.arms
                if arm.name == one.arm
            ),
        )
        for block, target in found
    )
    columns = (*naming.columns, *_columns(timed, found))
    return Table("reach", _caption(name, target_pct, found, timed), columns, groups, notes.texts)


def amount(value: float) -> str:
    """Epochs or seconds: whole ones without decimals, others to three digits."""
    return units.fixed(value, 0) if value == round(value) else units.significant(value)


def targets_of(
    records: Sequence[Record], summary: StudySummary, target_pct: float | None
) -> list[tuple[Block, Target]]:
    """Every block's way to the target; empty without a target or without validation."""
    if target_pct is None:
        return []
    found = []
    for block in summary.blocks:
        names = [arm.name for arm in block.arms]
        clocks = clocks_of(records, block.device_kind, names)
        if not isinstance(clocks, str):
            found.append((block, reach(clocks, target_pct, names)))
    return found


def timed_by_all(found: Sequence[tuple[Block, Target]]) -> list[Timed]:
    """The clocks that every block has."""
    return [clock for clock in TIMED if all(clock in target.horizons for _, target in found)]


def horizon_text(clock: Timed, found: Sequence[tuple[Block, Target]]) -> str:
    """The common budget for a header; blocks have budgets of their own."""
    return "the common budget" if len(found) > 1 else amount(found[0][1].horizons[clock])


def _caption(name: str, pct: float, found: list[tuple[Block, Target]], timed: list[Timed]) -> str:
    sources = dict.fromkeys(target.seconds_from for _, target in found)
    told = " ".join(SECONDS[source] for source in sources if source and "seconds" in timed)
    text = (
        f"Study {name}: runs that reached {pct:g} % on validation within their arm's own budget, when half "
        "of them had (Kaplan-Meier), and the mean time up to the budget that all arms were given, with 95 % "
        "t-interval; a run that did not arrive, diverged ones too, counts as that budget. Area: mean height "
        f"of the validation curve over the common epochs, from chance level on. {told}"
    )
    return text.strip()


def _columns(timed: list[Timed], found: list[tuple[Block, Target]]) -> tuple[Column, ...]:
    columns = [Column(("n_reached", "n_runs"), "Reached")]
    for clock in timed:
        unit, horizon = UNITS[clock], horizon_text(clock, found)
        columns += [
            Column((f"median_{clock}",), f"Median ({unit})"),
            Column(
                (f"mean_{clock}", f"mean_{clock}_ci95_low", f"mean_{clock}_ci95_high", f"horizon_{clock}"),
                f"Mean up to {horizon} ({unit})",
            ),
        ]
    return (*columns, Column(("area_pct", "area_ci95_low", "area_ci95_high"), "Area (%)"))


def _cells(arm: ArmSummary, one: Reached, timed: list[Timed], notes: Footnotes) -> Row:
    first = one.own["epochs"]
    lost = [gap for gap in arm.gaps if not set(gap.seeds) <= set(one.seeds)]
    marks = tuple(notes.mark(f"{arm.label}: {gap.text}; not followed") for gap in lost)
    cells = [Cell(f"{first.n_reached}/{first.n}", (first.n_reached, first.n), marks)]
    for clock in timed:
        median = one.own[clock].median
        told = "not reached" if median is None else amount(median)
        cells += [Cell(told, (median,)), _mean_cell(one.common[clock], notes)]
    ends = one.area.interval()
    values = (one.area.estimate, *(ends or (None, None)))
    return (*cells, Cell(_text(one.area, _cut(ends, 100.0)), values))


def _mean_cell(told: TimeToTarget, notes: Footnotes) -> Cell:
    """The restricted mean; where no run arrived it is the budget itself, which says nothing more."""
    ends = told.interval()
    values = (told.rmst.estimate, *(ends or (None, None)), told.horizon)
    if not told.n_reached:
        return Cell(words.NONE, values, (notes.mark("no run arrived within the common budget"),))
    marks = (notes.mark(told.rmst.note),) if told.rmst.note else ()
    return Cell(_text(told.rmst, ends), values, marks)


def _cut(ends: tuple[float, float] | None, most: float) -> tuple[float, float] | None:
    return None if ends is None else (max(ends[0], 0.0), min(ends[1], most))


def _text(line: Student, ends: tuple[float, float] | None) -> str:
    """Mean with its interval, in the digits that the interval supports."""
    if line.estimate is None:
        return words.NONE
    if ends is None or ends[1] <= ends[0]:
        return amount(line.estimate)
    decimals = units.decimals_for((ends[1] - ends[0]) / 2)
    low, high = (units.fixed(end, decimals) for end in ends)
    return f"{units.fixed(line.estimate, decimals)} [{low}, {high}]"
