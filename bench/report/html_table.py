"""Tables as HTML: readable as they stand; `data-` attributes carry what a script sorts and filters by.

Each row is identified by its arm, so that a page can tie rows, points and runs together; each cell that is
rounded for people carries its full value, so that sorting does not tie what differs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from bench.report.html.safe import text
from bench.report.table import Cell, Column, Row, RowGroup, Scalar, Table, letters

Identify = Callable[[RowGroup, Row], str]
"""Attributes of a row, each with a leading space; '' for none."""

REPLICATES: Final = "replicates"
"""Key of a column that spells out single seeds or repeats, which a page can hide."""

_LONG: Final = 32
"""Characters above which a text may break."""


def to_html(table: Table, *, identify: Identify | None = None) -> str:
    """Caption, one table with a body a group, footnotes below.

    Args:
        table: The table; every text in it is shown as it is.
        identify: Attributes of a row.
    """
    name = text(table.name)
    bodies = "\n".join(_body(table, group, identify) for group in table.groups)
    parts = [
        f'<div class="table" id="table-{name}">',
        f'<p class="caption" id="caption-{name}">{text(table.caption)}</p>',
        f'<div class="scroll" tabindex="0" role="region" aria-label="table {name}">',
        f'<table aria-describedby="caption-{name}">',
        f"<thead><tr>{''.join(_head(table.columns[index]) for index in table.shown)}</tr></thead>",
        bodies,
        "</table></div>",
    ]
    if table.footnotes:
        notes = (
            f'<li id="{name}-{letters(i)}"><sup>{letters(i)}</sup> {text(note)}</li>'
            for i, note in enumerate(table.footnotes)
        )
        parts.append(f'<ul class="notes">{"".join(notes)}</ul>')
    return "\n".join([*parts, "</div>"])


def _head(column: Column) -> str:
    return f'<th scope="col"{_class(column)}>{text(column.header)}</th>'


def _body(table: Table, group: RowGroup, identify: Identify | None) -> str:
    lines = [f'<tbody data-kind="{text(group.key)}">']
    if len(table.groups) > 1:
        head = f'<th scope="rowgroup" colspan="{len(table.shown)}">{text(group.label)}</th>'
        lines.append(f'<tr class="group">{head}</tr>')
    for row in group.rows:
        attributes = identify(group, row) if identify else ""
        cells = "".join(
            _cell(table, row[index], table.columns[index], is_head=number == 0)
            for number, index in enumerate(table.shown)
        )
        lines.append(f"<tr{attributes}>{cells}</tr>")
    return "\n".join([*lines, "</tbody>"])


def _cell(table: Table, cell: Cell, column: Column, *, is_head: bool) -> str:
    tag = 'th scope="row"' if is_head else "td"
    marks = ",".join(
        f'<a href="#{text(table.name)}-{letters(mark)}">{letters(mark)}</a>' for mark in cell.marks
    )
    shown = f"<strong>{text(cell.text)}</strong>" if getattr(cell, "is_bold", False) else text(cell.text)
    shown += f"<sup>{marks}</sup>" if marks else ""
    long = " data-long" if column.align == "l" and len(cell.text) > _LONG else ""
    return f"<{tag}{_class(column)}{long}{_value(cell)}>{shown}</{tag[:2]}>"


def _class(column: Column) -> str:
    if column.keys == (REPLICATES,):
        return f' class="{REPLICATES}"'
    return ' class="r"' if column.align == "r" else ""


def _value(cell: Cell) -> str:
    """The value to sort by, where the text is not the value itself."""
    value: Scalar = cell.values[0] if cell.values else None
    if isinstance(value, bool) or not isinstance(value, int | float) or str(value) == cell.text:
        return ""
    return f' data-v="{value:.9g}"'
