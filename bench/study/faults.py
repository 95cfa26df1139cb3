"""Faults of a study, told one a line and all together.

A fault says where (file, line and column, or the override that brought it), which key, what value stands
there and which rule it breaks, with the nearest choice. Text that came from a user is made printable
first, so that a study cannot write to the terminal what it likes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bench.errors import UsageError

KeyPath = tuple[str | int, ...]
"""Keys and list indices from the root of a study; a dotted factor key is one element."""

COMMAND_LINE = "command line"
"""Stands in a place instead of a file when an override is at fault."""

MAX_SHOWN = 60
"""Characters of a value that a fault repeats."""


@dataclass(frozen=True)
class Place:
    """Where a fault lies: a file with line and column (from 1), or the n-th override (`order`)."""

    source: str
    line: int = 0
    column: int = 0
    order: int = 0

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}" if self.line else self.source

    @property
    def sort_key(self) -> tuple[bool, int, int, int]:
        """Faults of the file by line and column, then those of overrides in their order."""
        return (self.source == COMMAND_LINE, self.order, self.line, self.column)


@dataclass(frozen=True)
class Fault:
    """One thing wrong: place, key path, the value as shown (None: the rule speaks for itself), the rule."""

    place: Place
    path: str
    value: str | None
    rule: str

    def __str__(self) -> str:
        said = self.rule if self.value is None else f"{self.value} {self.rule}"
        return ": ".join(part for part in (str(self.place), self.path, said) if part)


class StudyError(UsageError):
    """A study that cannot be run as written: every fault, by place, each once."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        ordered = sorted(dict.fromkeys(faults), key=lambda fault: fault.place.sort_key)
        unique = {str(fault): fault for fault in ordered}
        self.faults = tuple(unique.values())
        super().__init__(*unique)


def printable(text: str) -> str:
    """`text` on one line, with control characters written as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def override_text(text: str) -> str:
    """An override as a fault names it; a blank one is made visible."""
    return printable(text).strip() or show(text)


def shorten(text: str) -> str:
    """At most `MAX_SHOWN` characters, the middle left out."""
    if len(text) <= MAX_SHOWN:
        return text
    return f"{text[: MAX_SHOWN - 21]}…{text[-20:]}"


def show(value: Any) -> str:
    """A value as a study would write it: 19, true, null, 'text', [8, 20]."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"'{shorten(printable(value))}'"
    if isinstance(value, dict):
        return shorten("{" + ", ".join(f"{printable(str(k))}: {show(v)}" for k, v in value.items()) + "}")
    if isinstance(value, list | tuple):
        return shorten("[" + ", ".join(show(item) for item in value) + "]")
    return shorten(repr(value))


def describe(value: Any) -> str:
    """A value with its kind, to follow "got": text '10', 1.5, true, nothing, a list."""
    if value is None:
        return "nothing"
    if isinstance(value, str):
        return f"text {show(value)}"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    return show(value)


def key_path(path: Iterable[str | int]) -> str:
    """`("design", "grid", "model.depth", 1)` as `design.grid.model.depth[1]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + (shorten(printable(part)) or "''")
    return text
