"""A study file as data that knows its places: read safely, changed by overrides, asked where a fault lies.

The file is untrusted: only a regular file of at most 1 MiB in UTF-8 is read, and each thing that can be
wrong with it is one clear line.
"""

from __future__ import annotations

import codecs
import difflib
import functools
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.errors import UsageError
from bench.study.faults import (
    COMMAND_LINE,
    Fault,
    KeyPath,
    Place,
    StudyError,
    key_path,
    override_text,
    printable,
    show,
)
from bench.study.yaml import Mark, line_and_column, parse, paths_below

MAX_BYTES = 2**20
"""A study is at most 1 MiB."""

ABSENT = object()
"""No value to show."""


def child(value: Any, part: str | int) -> Any:
    """What stands under a key or an index, or `ABSENT`."""
    if isinstance(value, dict):
        return value.get(part, ABSENT)
    if isinstance(value, list) and isinstance(part, int) and part < len(value):
        return value[part]
    return ABSENT


def _is_word(value: Any) -> bool:
    return value is not ABSENT and value is not None and not isinstance(value, dict | list)


@dataclass(frozen=True)
class Override:
    """One `key=value` of the command line, resolved to a path of the document."""

    order: int
    text: str
    path: KeyPath


@dataclass
class Document:
    """Plain data with the place of every value; overrides take the place of what they replace."""

    source: str
    data: Any
    marks: dict[KeyPath, Mark]
    overrides: list[Override] = field(default_factory=list)

    def override(self, override: Override, value: Any) -> None:
        """Put `value` at the override's path; mappings on the way are made where absent.

        Raises:
            UsageError: A value that is no mapping stands in the way.
        """
        self.data = _with(self.data, override.path, value, override.path)
        for path in list(paths_below(self.marks, override.path)):
            del self.marks[path]
        self.overrides = [o for o in self.overrides if o.path[: len(override.path)] != override.path]
        self.overrides.append(override)

    def get(self, path: KeyPath) -> Any:
        """The value at `path`, or `ABSENT`."""
        return functools.reduce(child, path, self.data)

    def fault(self, path: KeyPath, rule: str, *, value: Any = ABSENT, on_key: bool = False) -> Fault:
        """A fault at `path`, placed at the value, or at the key where the key is what is wrong.

        A rule on a whole section names the overrides inside it, since they broke what the file kept. Where a
        word stands for a section (`weights: timm`), the word is what is told of.
        """
        path = next((path[:n] for n in range(1, len(path)) if _is_word(self.get(path[:n]))), path)
        shown = None if value is ABSENT else show(value)
        mine = [o for o in self.overrides if path[: len(o.path)] == o.path][-1:]
        if not mine and isinstance(self.get(path), dict):
            mine = [o for o in self.overrides if o.path[: len(path)] == path]
        if mine:
            place = Place(COMMAND_LINE, order=mine[0].order)
            said = " ".join(override_text(o.text) for o in mine)
            where = said if mine[0].path == path else f"{said}: {key_path(path)}"
            return Fault(place, where, shown, rule)
        return Fault(self.place(path, on_key=on_key), key_path(path), shown, rule)

    def place(self, path: KeyPath, *, on_key: bool = False) -> Place:
        """Where `path` stands in the file, or its nearest parent that does."""
        for n in range(len(path), 0, -1):
            mark = self.marks.get(path[:n])
            if mark is not None:
                at = mark.key if mark.key and (on_key or n < len(path) or mark.is_mapping) else mark.value
                return Place(self.source, *at)
        return Place(self.source, 1, 1)


def _with(data: Any, path: KeyPath, value: Any, whole: KeyPath) -> Any:
    if not path:
        return value
    if not isinstance(data, dict):
        stands = key_path(whole[: len(whole) - len(path)])
        raise UsageError(f"{stands} is no mapping" if stands else "the study is no mapping")
    head, rest = path[0], path[1:]
    return {**data, head: _with(data.get(head, {}) if rest else None, rest, value, whole)}


def read_document(path: Path) -> Document:
    """Read a study file.

    Raises:
        StudyError: Not a readable regular file of UTF-8 YAML within the caps.
    """
    source = printable(str(path))
    return _document(_decode(_read(path, source), source), source)


def _document(text: str, source: str) -> Document:
    if not text.strip():
        raise StudyError([Fault(Place(source, 1, 1), "", None, "the file is empty")])
    parsed = parse(text, source)
    return Document(source, parsed.data, parsed.marks)


def _read(path: Path, source: str) -> bytes:
    def stop(rule: str) -> StudyError:
        return StudyError([Fault(Place(source), "", None, rule)])

    try:
        # Without O_NONBLOCK, opening a pipe that nobody writes to would wait for ever.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        raise stop(f"no such file{_nearest_file(path)}") from None
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and path.is_dir():
            raise stop("is a directory, not a study file") from None
        raise stop(f"cannot be read: {getattr(error, 'strerror', None) or error}") from None
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise stop("is a directory, not a study file" if stat.S_ISDIR(mode) else "is not a regular file")
        with open(descriptor, "rb", closefd=False) as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise stop(f"cannot be read: {error.strerror}") from None
    finally:
        os.close(descriptor)
    if len(raw) > MAX_BYTES:
        raise stop("is larger than 1 MiB, the most that a study may have")
    return raw


def _nearest_file(path: Path) -> str:
    try:
        beside = [entry.name for entry in os.scandir(path.parent) if entry.name.endswith((".yaml", ".yml"))]
    except OSError:
        return ""
    close = difflib.get_close_matches(path.name, sorted(beside), n=1, cutoff=0.6)
    return f"; did you mean '{printable(str(path.with_name(close[0])))}'?" if close else ""


def _decode(raw: bytes, source: str) -> str:
    wide = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)
    if raw.startswith(wide) or (len(raw) > 1 and 0 in raw[:2] and raw[:2] != b"\0\0"):
        rule = "the file is UTF-16 or UTF-32; save it as UTF-8"
        raise StudyError([Fault(Place(source, 1, 1), "", None, rule)])
    try:
        # YAML allows a byte-order mark at the start of UTF-8; some editors write one unasked.
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        offset = error.start + (3 if raw.startswith(codecs.BOM_UTF8) else 0)
        at = line_and_column(raw[:offset].decode("utf-8", "replace"), offset)
        rule = f"byte 0x{raw[offset]:02X} is not UTF-8"
        raise StudyError([Fault(Place(source, *at), "", None, rule)]) from None
