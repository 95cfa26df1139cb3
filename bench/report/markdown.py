"""Tables as GitHub-flavoured Markdown that shows every name as text."""

from __future__ import annotations

import re

from bench.report.table import Cell, RowGroup, Table, letters, marks_text, printable

_SPECIAL = re.compile(r"([\\`*_{}\[\]#|~$!])")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;"}
_LINK = re.compile(r"(?i)(https?|ftp)://|\bwww\.")


def escape(text: str) -> str:
    """Text that Markdown and the HTML in it show as it is, on one line, never as a link or a mention."""
    plain = printable(text)
    plain = re.sub(r"[&<>@]", lambda match: _ENTITIES[match.group()], plain)
    plain = _SPECIAL.sub(r"\\\1", plain)
    return _LINK.sub(lambda match: match.group().replace(":", "&#58;").replace(".", "&#46;"), plain)


def to_markdown(table: Table) -> str:
    """Caption, one pipe table a group, footnotes."""
    parts = [escape(table.caption)]
    for group in table.groups:
        if len(table.groups) > 1:
            parts.append(f"**{escape(group.label)}**")
        parts.append(_pipe_table(table, group))
    if table.footnotes:
        notes = (f"<sup>{letters(i)}</sup> {escape(text)}" for i, text in enumerate(table.footnotes))
        parts.append("<br>\n".join(notes))
    return "\n\n".join(parts) + "\n"


def _pipe_table(table: Table, group: RowGroup) -> str:
    head = [escape(header) for header in table.headers]
    rows = [[_cell(row[index]) for index in table.shown] for row in group.rows]
    widths = [max(3, *(len(line[i]) for line in [head, *rows])) for i in range(len(head))]
    rights = [table.columns[index].align == "r" for index in table.shown]
    rule = ["-" * (width - 1) + ":" if r else "-" * width for width, r in zip(widths, rights, strict=True)]
    lines = []
    for line in [head, rule, *rows]:
        padded = (
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(line, widths, rights, strict=True)
        )
        lines.append(f"| {' | '.join(padded)} |")
    return "\n".join(lines)


def _cell(cell: Cell) -> str:
    text = f"**{escape(cell.text)}**" if cell.is_bold else escape(cell.text)
    return f"{text}<sup>{marks_text(cell.marks)}</sup>" if cell.marks else text
