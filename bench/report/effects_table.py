"""The third table: trends along ordered factors, and how far one factor's effect depends on another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bench.analyse.contrast import Contrast
from bench.analyse.grid import FactorInteraction, FactorTrend
from bench.analyse.outline import level_text, short_keys
from bench.analyse.summary import Block, StudySummary
from bench.report import words
from bench.report.table import Cell, Column, Footnotes, Row, RowGroup, Table
from bench.study.model import Level


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
        "p-values stand alone, outside the declared comparisons. Curvature: quadratic contrast on the ranks, "
        "above 0 where the curve bends upwards. "
        "a \N{MINUS SIGN} b: how far the effect at one level exceeds that at the other, the interaction."
    )
    columns = (
        Column(("effect",), "Effect", "l"),
        Column(("where",), "Where", "l"),
        Column(("estimate",), "Estimate"),
        Column(("unit",), "Unit", "l"),
        Column(("ci95_low", "ci95_high"), "95 % interval"),
        Column(("n_seeds",), "Seeds"),
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
        yield _row(f"curvature over {factor}", where, one.trend.quadratic, notes)


def _interaction_rows(both: FactorInteraction, short: Mapping[str, str], notes: Footnotes) -> Iterable[Row]:
    factor, by = words.factor_label(both.factor, short[both.factor]), short[both.by]
    where = f"{by}: {level_text(both.one)} \N{MINUS SIGN} {level_text(both.other)}"
    ends = " to ".join(level_text(level) for level in both.ends)
    yield _row(f"change over {factor} {ends}", where, both.differences.contrast, notes)
    if both.slopes is not None:
        yield _row(f"slope over {factor}", where, both.slopes.contrast, notes)


def _row(effect: str, where: str, found: Contrast, notes: Footnotes) -> Row:
    bounds = words.of_contrast(found)
    return (
        Cell(effect, (effect,)),
        Cell(where, (where,)),
        Cell(words.difference_text(bounds, None), (found.estimate,)),
        Cell(found.unit, (found.unit,)),
        Cell(
            words.difference_interval_text(bounds, None),
            (found.ci95_low, found.ci95_high),
            () if found.student.note is None else (notes.mark(found.student.note),),
        ),
        Cell(str(len(found.seeds)), (len(found.seeds),)),
        Cell(words.p_cell(found.p), (found.student.t, found.p)),
        Cell("", (found.reason,)),
    )
