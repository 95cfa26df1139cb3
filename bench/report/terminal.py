"""Tables for the terminal: rich where there is one, plain aligned lines in a pipe."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from bench.report.table import Cell, Table, letters, marks_text, printable

if TYPE_CHECKING:
    from rich.console import Group


def to_plain(table: Table) -> str:
    """Aligned columns without a single escape code, ending in a newline."""
    shown = table.shown
    lines = [[printable(header) for header in table.headers]]
    starts: dict[int, str] = {}
    for group in table.groups:
        if len(table.groups) > 1:
            starts[len(lines)] = printable(group.label)
        lines += [[_cell(row[index]) for index in shown] for row in group.rows]
    widths = [max(_width(line[i]) for line in lines) for i in range(len(shown))]
    out = [printable(table.caption), ""]
    for number, line in enumerate(lines):
        if number in starts:
            out.append(f"[{starts[number]}]")
        padded = [
            _pad(text, width, right=table.columns[index].align == "r")
            for text, width, index in zip(line, widths, shown, strict=True)
        ]
        out.append("  ".join(padded).rstrip())
        if number == 0:
            out.append("  ".join("-" * width for width in widths))
    out += [f"[{letters(i)}] {printable(text)}" for i, text in enumerate(table.footnotes)]
    return "\n".join(out) + "\n"


def to_rich(table: Table, *, width: int | None = None) -> Group:
    """The table, its caption and its footnotes as rich renderables; names are never read as markup.

    Args:
        table: The table.
        width: Columns of the terminal; where they do not hold the table, the least needed of its columns
            are left out, and a line says which.
    """
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415 - only a terminal pays for rich
    from rich.console import Group  # noqa: PLC0415
    from rich.table import Table as RichTable  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    drawn = RichTable(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    shown, left_out = _fitting(table, width)
    for index, column_width in zip(shown, _widths(table, shown, width), strict=True):
        column = table.columns[index]
        drawn.add_column(
            Text(printable(column.header or "")),
            justify="right" if column.align == "r" else "left",
            vertical="bottom",
            overflow="fold",  # a number that is cut is another number
            width=column_width,
        )
    for group in table.groups:
        if len(table.groups) > 1:
            drawn.add_row(Text(printable(group.label), style="italic"))
        for row in group.rows:
            drawn.add_row(
                *(Text(_cell(row[index]), style="bold" if row[index].is_bold else "") for index in shown)
            )
        drawn.add_section()
    gone = _marks(table, [index for index in table.shown if index not in shown]) - _marks(table, shown)
    notes = [
        Text(f"[{letters(i)}] {printable(text)}", style="dim")
        for i, text in enumerate(table.footnotes)
        if i not in gone
    ]
    if left_out:
        notes.append(Text(f"left out for width: {', '.join(left_out)}", style="dim"))
    return Group(Text(printable(table.caption)), drawn, *notes)


def _marks(table: Table, columns: list[int]) -> set[int]:
    """Footnotes that some columns call for."""
    rows = (row for group in table.groups for row in group.rows)
    return {mark for row in rows for index in columns for mark in row[index].marks}


def _fitting(table: Table, width: int | None) -> tuple[list[int], list[str]]:
    """Columns that fit, and the headers of those that do not."""
    shown, left_out = list(table.shown), []
    while width is not None and sum(_cell_width(table, index) + 2 for index in shown) > width:
        last = max(shown, key=lambda index: table.columns[index].rank)
        if table.columns[last].rank == 0:
            break
        shown.remove(last)
        left_out.append(table.columns[last].header or "")
    return shown, left_out


def _widths(table: Table, shown: list[int], width: int | None) -> list[int]:
    """Natural widths; in a narrow terminal headers give way, widest surplus first, and cells never do."""
    least = [_cell_width(table, index) for index in shown]
    headers = [_width(printable(table.columns[index].header or "")) for index in shown]
    widths = [max(pair) for pair in zip(least, headers, strict=True)]
    while width is not None and sum(widths) + 2 * len(widths) > width and widths != least:
        surplus = [natural - cell for natural, cell in zip(widths, least, strict=True)]
        widths[surplus.index(max(surplus))] -= 1
    return widths


def _cell_width(table: Table, index: int) -> int:
    """The widest cell or word of the header; headers may wrap, numbers may not."""
    words = (table.columns[index].header or "").split()
    cells = [_cell(row[index]) for group in table.groups for row in group.rows]
    return max(_width(text) for text in (*words, *cells))


def _cell(cell: Cell) -> str:
    text = printable(cell.text)
    return f"{text} [{marks_text(cell.marks)}]" if cell.marks else text


def _width(text: str) -> int:
    """Columns that a terminal gives the text: wide East Asian characters take two, combining ones none."""
    return sum(
        0 if unicodedata.combining(char) else 1 + (unicodedata.east_asian_width(char) in "WF")
        for char in text
    )


def _pad(text: str, width: int, *, right: bool) -> str:
    gap = " " * (width - _width(text))
    return gap + text if right else text + gap
