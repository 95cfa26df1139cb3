"""Accuracy class by class: the baseline's, and what every arm gains or loses in each, with correction.

With few classes a row an arm and a column a class; with many the clearest changes, a row each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bench import units
from bench.analyse.classes import ClassChange, ClassChanges, class_changes
from bench.analyse.compare import p_text
from bench.analyse.summary import Block, StudySummary
from bench.record.schema import Record
from bench.report import words
from bench.report.arms_table import Naming
from bench.report.table import Cell, Column, Row, RowGroup, Table

MOST_COLUMNS: Final = 12
"""Classes that stand side by side."""

MOST_ROWS: Final = 30
"""Changes that are told where there are more classes."""

_CLEAR: Final = "*"

Found = Sequence[tuple[Block, ClassChanges]]


def classes_table(records: Sequence[Record], summary: StudySummary, *, name: str) -> Table | None:
    """Classes of every arm against the baseline; None without one.

    Args:
        records: Lines of the study.
        summary: Its arms.
        name: The study's name, for the caption.
    """
    found = [(block, made) for block in summary.blocks if (made := class_changes(records, block)) is not None]
    if not found:
        return None
    names = found[0][1].class_names
    if len(names) <= MOST_COLUMNS and all(made.class_names == names for _, made in found):
        return _wide(found, summary, name)
    return _long(found, summary, name)


def _wide(found: Found, summary: StudySummary, name: str) -> Table:
    naming = Naming.of(summary)
    names = found[0][1].class_names
    columns = tuple(
        Column(tuple(f"{label} {key}" for key in ("delta_pp", "ci95_low", "ci95_high", "p_adjusted")), label)
        for label in names
    )
    groups = []
    for block, made in found:
        rows: list[Row] = []
        for arm in block.arms:
            if arm.name == made.baseline:
                cells = [
                    Cell(words.NONE if value is None else units.fixed(value, 1), (value, None, None, None))
                    for value in made.baseline_pct
                ]
                rows.append((*naming.cells(arm), *cells))
            elif arm.name in made.arms:
                own = made.of(arm.name)
                rows.append((*naming.cells(arm), *(_wide_cell(own.get(i)) for i in range(len(names)))))
        groups.append(RowGroup(block.device_kind, words.block_label(block), tuple(rows)))
    caption = (
        f"Study {name}: top-1 accuracy by true class. First row: the baseline (%); below, arm minus baseline "
        f"in points. {_told(found)}"
    )
    return Table("classes", caption, (*naming.columns, *columns), tuple(groups))


def _told(found: Found) -> str:
    made = found[0][1]
    sizes = sorted({size for size in made.images if size})
    images = f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]:,} to {sizes[-1]:,}"
    alpha = made.family.alpha
    return f"{_CLEAR}: adjusted p at most {alpha:g}; {made.family.text}. A class has {images} test images."


def _wide_cell(change: ClassChange | None) -> Cell:
    if change is None or change.line.comparison.delta is None:
        return Cell(words.NONE, (None, None, None, None))
    gap = change.line.comparison
    mark = _CLEAR if change.is_clear else ""
    values = (gap.delta, gap.ci95_low, gap.ci95_high, change.line.p_adjusted)
    return Cell(f"{units.signed(gap.delta or 0.0, 1)}{mark}", values)


def _long(found: Found, summary: StudySummary, name: str) -> Table:
    naming = Naming.of(summary)
    columns = (
        Column(("class",), "Class", "l"),
        Column(("n_images",), "Images"),
        Column(("baseline_pct",), "Baseline (%)"),
        Column(("delta_pp",), "Difference (pp)"),
        Column(("ci95_low", "ci95_high"), "95 % interval"),
        Column(("p_adjusted",), "Adjusted p"),
    )
    groups, total = [], 0
    for block, made in found:
        arms = {arm.name: arm for arm in block.arms}
        total += len(made.changes)
        told = sorted(made.changes, key=_clearest)[:MOST_ROWS]
        rows = tuple((*naming.cells(arms[one.arm]), *_long_cells(one, made)) for one in told)
        groups.append(RowGroup(block.device_kind, words.block_label(block), rows))
    caption = (
        f"Study {name}: top-1 accuracy by true class, arm minus baseline in points: the clearest "
        f"{MOST_ROWS} of {total:,} changes. {found[0][1].family.text}."
    )
    return Table("classes", caption, (*naming.columns, *columns), tuple(groups))


def _clearest(change: ClassChange) -> tuple[float, float]:
    p = change.line.p_adjusted
    return (2.0 if p is None else p, -abs(change.line.comparison.delta or 0.0))


def _long_cells(one: ClassChange, made: ClassChanges) -> Row:
    gap, base = one.line.comparison, made.baseline_pct[one.class_index]
    low, high = gap.ci95_low, gap.ci95_high
    ends = words.NONE if low is None or high is None else f"[{units.signed(low, 1)}, {units.signed(high, 1)}]"
    p = one.line.p_adjusted
    name, size = made.class_names[one.class_index], made.images[one.class_index]
    return (
        Cell(name, (name,)),
        Cell(f"{size:,}", (size,)),
        Cell(words.NONE if base is None else units.fixed(base, 1), (base,)),
        Cell(words.NONE if gap.delta is None else units.signed(gap.delta, 1), (gap.delta,)),
        Cell(ends, (low, high)),
        Cell(words.NONE if p is None else p_text(p).removeprefix("= "), (p,)),
    )
