"""The table of a throughput study in the widths of a page: speeds first, then what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from bench.report.table import Cell, Footnotes, Table

_FIRST: Final = "n_repeats"
"""First key of the first column after those that name a row."""

_COSTS: Final = ("peak_allocated_bytes", "compile_cold_s", "break_even_images", "joules_per_image")
"""First keys of the columns that a page has no room for beside the speeds."""


def parts_for_print(table: Table) -> tuple[Table, ...]:
    """Speeds and costs as tables of their own, each with the footnotes that it uses.

    Args:
        table: Of `bench.report.cells_table`.

    Returns:
        The table alone where no cell has a cost.
    """
    keys = [column.keys[0] for column in table.columns]
    names = [index for index in table.shown if index < keys.index(_FIRST)]
    costs = [index for index in table.shown if keys[index] in _COSTS]
    if not costs:
        return (table,)
    speeds = [index for index in table.shown if index not in costs]
    study = table.caption.partition(":")[0]
    first = _part(table, speeds, keep_loose=True)
    second = _part(replace(table, caption=f"{study}: what each cell costs."), [*names, *costs])
    return first, replace(second, name=f"{table.name}-cost")


def _part(table: Table, indices: Sequence[int], *, keep_loose: bool = False) -> Table:
    """Some of the columns, with their footnotes numbered anew; loose ones are marked by no cell."""
    notes = Footnotes()
    marked = {mark for group in table.groups for row in group.rows for cell in row for mark in cell.marks}

    def kept(cell: Cell) -> Cell:
        return replace(cell, marks=tuple(notes.mark(table.footnotes[mark]) for mark in cell.marks))

    groups = tuple(
        replace(group, rows=tuple(tuple(kept(row[index]) for index in indices) for row in group.rows))
        for group in table.groups
    )
    if keep_loose:
        for mark, text in enumerate(table.footnotes):
            if mark not in marked:
                notes.mark(text)
    columns = tuple(table.columns[index] for index in indices)
    return Table(table.name, table.caption, columns, groups, notes.texts)
