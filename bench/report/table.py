"""One table model behind every format.

A cell holds what people read (`text`) and what programs read (`values`, full precision); a renderer only
spells. So Markdown, LaTeX, the terminal and CSV can never disagree, and equal input gives equal bytes.
Columns without a header exist in CSV alone.
"""

from __future__ import annotations

import csv
import io
import unicodedata
from dataclasses import dataclass
from string import ascii_lowercase
from typing import Literal

Scalar = bool | int | float | str | None


@dataclass(frozen=True)
class Column:
    """What a column holds: one or more CSV fields, and how people see it."""

    keys: tuple[str, ...]
    header: str | None = None
    """With its unit; None: in CSV only."""
    align: Literal["l", "r"] = "r"
    rank: int = 0
    """What a narrow terminal leaves out first: the highest; 0 always stays."""


@dataclass(frozen=True)
class Cell:
    """One cell: text for people, a value for each of the column's keys, footnotes by index."""

    text: str
    values: tuple[Scalar, ...]
    marks: tuple[int, ...] = ()
    is_bold: bool = False


Row = tuple[Cell, ...]


@dataclass(frozen=True)
class RowGroup:
    """Rows that belong together: the arms on one kind of device."""

    key: str
    """The kind of device; first field in CSV."""
    label: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Table:
    """A captioned table; `name` is its file's stem."""

    name: str
    caption: str
    columns: tuple[Column, ...]
    groups: tuple[RowGroup, ...]
    footnotes: tuple[str, ...] = ()

    @property
    def shown(self) -> tuple[int, ...]:
        """Indices of the columns that people see."""
        return tuple(index for index, column in enumerate(self.columns) if column.header is not None)

    @property
    def headers(self) -> tuple[str, ...]:
        """Headers that people see."""
        return tuple(column.header for column in self.columns if column.header is not None)


class Footnotes:
    """Footnotes in order of first use; equal texts share a mark."""

    def __init__(self) -> None:
        self._index: dict[str, int] = {}

    def mark(self, text: str) -> int:
        """The index of a footnote, new or known."""
        return self._index.setdefault(text, len(self._index))

    @property
    def texts(self) -> tuple[str, ...]:
        """All footnotes, in order."""
        return tuple(self._index)


def letters(index: int) -> str:
    """The mark of a footnote: a, b, … z, aa, ab."""
    more, last = divmod(index, 26)
    return (letters(more - 1) if more else "") + ascii_lowercase[last]


def marks_text(marks: tuple[int, ...]) -> str:
    """All marks of a cell: `a,c`."""
    return ",".join(letters(mark) for mark in marks)


def printable(text: str) -> str:
    """Text that cannot move a cursor, break a line or turn around what follows.

    White space becomes a space; control characters, direction overrides and lone surrogates, which a name
    may smuggle in, become the replacement character.
    """
    joined = " ".join(text.split())
    return "".join(
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co") else char
        for char in joined
    )


def to_csv(table: Table) -> str:
    """Full precision, one field a key, the group's key first."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["device_kind", *(key for column in table.columns for key in column.keys)])
    for group in table.groups:
        for row in group.rows:
            values = [value for cell in row for value in cell.values]
            writer.writerow([group.key, *(_field(value) for value in values)])
    return out.getvalue()


def _field(value: Scalar) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else str(value)
