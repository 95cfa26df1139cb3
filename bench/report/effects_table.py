"""The third table: trends along ordered factors, and how far one factor's effect depends on another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from bench.analyse.contrast import Contrast
from bench.analyse.grid import FactorInteraction, FactorTrend
from bench.analyse.ordered import OrderedTest
from bench.analyse.outline import level_text, short_keys
from bench.analyse.student import Student
from bench.analyse.summary import Block, StudySummary
from bench.report import words
from bench.report.table import Cell, Column, Footnotes, Row, RowGroup, Table
from bench.study.model import Level

_TRENDS: Final = (
    "Curvature: change of the slope from one doubling (unit, step) to the next, above 0 where the curve "
    "bends upwards. Order: two-sided rank test of a rise or a fall along the levels, which says that the "
    "curve is not flat and no more. Weakest step: of neighbouring levels those that tell least for the "
    "slope's direction; its p, one-sided, is that of every step going that way. "
)
"""What the rows of a trend are, for the caption."""


def effects_table(summary: StudySummary, *, name: str) -> Table | None:
    """One row a contrast; None where no factor is ordered and no two factors make a grid.

    Args:
        summary: What is shown.
        name: The study's name, for the caption.
    """
    short = short_keys([factor.key for factor in summary.factors])
    notes = Footnotes()
    groups = tuple(
        RowGroup(block.device_kind, words.block_label(block), tuple(_rows(block, short, notes)))
        for block in summary.blocks
        if block.trends or block.interactions
    )
    if not groups:
        return None
    quantity = words.quantity_of(summary)
    caption = (
        f"Study {name}: {quantity.label} along ordered factors, and interactions; "
        f"{words.selection_text(summary)}. One value a seed, tested against 0 by a t-test; intervals and "
        "p-values stand alone, outside the declared comparisons. "
        + (_TRENDS if any(block.trends for block in summary.blocks) else "")
        + "a \N{MINUS SIGN} b: how far the effect at one level exceeds that at the other, the interaction."
    )
    columns = (
        Column(("effect",), "Effect", "l"),
        Column(("where",), "Where", "l"),
        Column(("estimate",), "Estimate"),
        Column(("unit",), "Unit", "l"),
        Column(("ci95_low", "ci95_high"), "95 % interval"),
        Column(("n_seeds",), "Seeds"),
        Column(("test",)),
        Column(("t", "p"), "p"),
        Column(("reason",)),
    )
    return Table("effects", caption, columns, groups, notes.texts)


def where_text(where: Mapping[str, Level], short: Mapping[str, str]) -> str:
    """Levels of the other factors: `residual=true`."""
    return ", ".join(f"{short[key]}={level_text(level)}" for key, level in where.items())


def _rows(block: Block, short: Mapping[str, str], notes: Footnotes) -> Iterable[Row]:
    for one in block.trends:
        yield from _trend_rows(one, short, notes)
    for both in block.interactions:
        yield from _interaction_rows(both, short, notes)


def _trend_rows(one: FactorTrend, short: Mapping[str, str], notes: Footnotes) -> Iterable[Row]:
    factor, where = words.factor_label(one.factor, short[one.factor]), where_text(one.where, short)
    yield _row(f"slope over {factor}", where, one.trend.linear, notes)
    if one.trend.quadratic is not None:
        last = level_text(one.levels[-1])
        bend = f"the change {one.trend.bend} towards {last}" if one.trend.bend else None
        yield _row(f"curvature over {factor}", where, one.trend.quadratic, notes, bend)
    if one.trend.rank_test is not None:
        yield _order_row(factor, where, one.trend.rank_test)
    if one.trend.weakest is not None:
        yield _step_row(one, one.trend.weakest, (factor, where), notes)


def _interaction_rows(both: FactorInteraction, short: Mapping[str, str], notes: Footnotes) -> Iterable[Row]:
    factor, by = words.factor_label(both.factor, short[both.factor]), short[both.by]
    where = f"{by}: {level_text(both.one)} \N{MINUS SIGN} {level_text(both.other)}"
    ends = " to ".join(level_text(level) for level in both.ends)
    yield _row(f"change over {factor} {ends}", where, both.differences.contrast, notes)
    if both.slopes is not None:
        yield _row(f"slope over {factor}", where, both.slopes.contrast, notes)


def _row(effect: str, where: str, found: Contrast, notes: Footnotes, more: str | None = None) -> Row:
    bounds = words.of_contrast(found)
    return (
        Cell(effect, (effect,), () if more is None else (notes.mark(more),)),
        Cell(where, (where,)),
        Cell(words.difference_text(bounds, None), (found.estimate,)),
        Cell(found.unit, (found.unit,)),
        _interval_cell(bounds, found.student, notes),
        Cell(str(len(found.seeds)), (len(found.seeds),)),
        Cell("", ("t",)),
        Cell(words.p_cell(found.p), (found.student.t, found.p)),
        Cell("", (found.reason,)),
    )


def _order_row(factor: str, where: str, found: OrderedTest) -> Row:
    """Two-sided, since the direction was read off the data; the slope's row above names the factor."""
    p = found.p_two_sided
    return (
        Cell(f"order ({found.name}), {found.expected}", (f"order over {factor}, {found.expected}",)),
        Cell(where, (where,)),
        Cell(f"{found.statistic:g}", (found.statistic,)),
        Cell(found.symbol, (found.symbol,)),
        Cell(words.NONE, (None, None)),
        Cell(str(found.n), (found.n,)),
        Cell("", (found.name,)),
        Cell(words.p_cell(p), (None, p)),
        Cell("", (None,)),
    )


def _step_row(one: FactorTrend, index: int, named: tuple[str, str], notes: Footnotes) -> Row:
    factor, where = named
    step, p = one.trend.steps[index], one.trend.p_of_step(index)
    ends = " to ".join(level_text(level) for level in one.levels[index : index + 2])
    unit, test = one.trend.scale.unit, "t, one-sided"
    return (
        Cell(f"weakest step, {ends}", (f"weakest step over {factor}, {ends}",)),
        Cell(where, (where,)),
        Cell(words.difference_text(step, None), (step.delta,)),
        Cell(unit, (unit,)),
        _interval_cell(step, step.student, notes),
        Cell(str(step.student.n), (step.student.n,)),
        Cell("", (test,)),
        Cell(words.p_cell(p), (step.student.t, p)),
        Cell("", (step.reason,)),
    )


def _interval_cell(bounds: words.Bounded, student: Student, notes: Footnotes) -> Cell:
    text = words.difference_interval_text(bounds, None)
    marks = () if student.note is None else (notes.mark(student.note),)
    return Cell(text, (bounds.ci95_low, bounds.ci95_high), marks)
