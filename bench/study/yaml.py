"""Strict YAML: what a study file says is what it means, and every value knows its place.

PyYAML's safe loader follows YAML 1.1: it reads `1e-3` as text, `off` as false, `012` as 10, `1:30` as 90,
lets the second of two equal keys win and unfolds aliases without end. Here only PyYAML's parser is used;
scalars follow the core schema of YAML 1.2 and surprises are faults. Nothing is ever constructed but text,
whole numbers, finite numbers, true, false, null, lists and mappings with text keys.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

import yaml

from bench.study.faults import Fault, KeyPath, Place, StudyError, key_path, printable, shorten

MAX_DEPTH = 20
"""Mappings and lists inside one another."""

MAX_VALUES = 100_000
"""Values of a document with its aliases written out; more is a mistake or an attack."""

NULL = frozenset({"", "~", "null", "Null", "NULL"})
BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
FORBIDDEN = re.compile("[^\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
"""Everything that YAML calls not printable, and tabs."""

FAST_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

PLAIN_WORDS = {
    "mapping values are not allowed here": "a ':' cannot stand here; quote text that holds ': '",
    "could not find expected ':'": "this line is no 'key: value'; a ':' with a space after it is missing",
    "expected <block end>, but found": "this does not line up with the lines above",
    "found unexpected end of stream": "the quote is never closed",
    "expected ',' or ']'": "the list is not closed; a ',' or ']' is missing",
    "expected ',' or '}'": "the mapping is not closed; a ',' or '}' is missing",
    "that cannot start any token": "text cannot start with this character; put it in quotes",
}
"""The parser's words and ours."""

UNCLOSED = ("found unexpected end of stream", "expected ',' or")
"""Problems that are told where the quote or bracket opens, not where the parser gave up."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Line and column, from 1, of a value and, inside a mapping, of its key."""

    value: tuple[int, int]
    key: tuple[int, int] | None
    is_mapping: bool = False


@dataclass(frozen=True)
class Parsed:
    """A document as plain data, and where each of its values stands."""

    data: Any
    marks: dict[KeyPath, Mark]


@dataclass(slots=True)
class _Node:
    """A parsed value before aliases are written out."""

    at: tuple[int, int]
    scalar: Any = None
    items: list[_Node] | None = None
    pairs: dict[str, tuple[tuple[int, int], _Node]] | None = None
    is_open: bool = True
    size: int = 1
    """Values in it, aliases written out."""


@dataclass
class _Composer:
    """Builds nodes from events; goes on after a fault that leaves the structure readable."""

    source: str
    loader: Any
    faults: list[Fault] = field(default_factory=list)
    anchors: dict[str, _Node] = field(default_factory=dict)
    n_values: int = 0

    def fault(self, at: tuple[int, int], rule: str, path: KeyPath = ()) -> None:
        self.faults.append(Fault(Place(self.source, *at), key_path(path), None, rule))

    def stop(self, at: tuple[int, int], rule: str, path: KeyPath = ()) -> NoReturn:
        self.fault(at, rule, path)
        raise StudyError(self.faults)

    def count(self, n_more: int, at: tuple[int, int]) -> None:
        self.n_values += n_more
        if self.n_values > MAX_VALUES:
            self.stop(at, f"more than {MAX_VALUES:,} values, aliases written out")

    def document(self) -> _Node:
        self.loader.get_event()  # the stream's start
        start = self.loader.get_event()
        if isinstance(start, yaml.StreamEndEvent):
            self.stop((1, 1), "the document is empty")
        if start.tags or start.version not in (None, (1, 2)):
            self.stop(_at(start), "only the directive %YAML 1.2 is allowed")
        root = self.node(self.loader.get_event(), ())
        self.loader.get_event()  # the document's end
        more = self.loader.get_event()
        if not isinstance(more, yaml.StreamEndEvent):
            self.stop(_at(more), "a second document starts here; a file holds one")
        return root

    def node(self, event: Any, path: KeyPath) -> _Node:
        at = _at(event)
        n_before = self.n_values
        self.count(1, at)
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event, path)
        if len(path) > MAX_DEPTH:
            self.stop(at, f"nested deeper than {MAX_DEPTH} levels")
        if event.tag is not None:
            self.fault(at, f"tags such as {shorten(printable(event.tag))} are not allowed", path)
        node = _Node(at)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        if isinstance(event, yaml.ScalarEvent):
            node.scalar = self.scalar(event, path)
        elif isinstance(event, yaml.SequenceStartEvent):
            node.items = []
            while not isinstance(event := self.loader.get_event(), yaml.SequenceEndEvent):
                node.items.append(self.node(event, (*path, len(node.items))))
        else:
            node.pairs = {}
            while not isinstance(event := self.loader.get_event(), yaml.MappingEndEvent):
                self.pair(node.pairs, event, path)
        node.is_open = False
        node.size = self.n_values - n_before
        return node

    def pair(self, pairs: dict[str, tuple[tuple[int, int], _Node]], event: Any, path: KeyPath) -> None:
        at = _at(event)
        if not isinstance(event, yaml.ScalarEvent) or event.tag is not None:
            self.stop(at, "a key has to be plain text", path)
        key: str = event.value
        if key == "<<" and event.implicit[0]:
            self.fault(at, "merge keys (<<) are not allowed; write the keys out", path)
        node = self.node(self.loader.get_event(), (*path, key))
        if key in pairs:
            self.fault(at, f"duplicate key; it stands first on line {pairs[key][0][0]}", (*path, key))
        else:
            pairs[key] = (at, node)

    def alias(self, event: Any, path: KeyPath) -> _Node:
        node = self.anchors.get(event.anchor)
        name = shorten(printable(event.anchor))
        if node is None:
            self.stop(_at(event), f"alias *{name} has no anchor &{name} before it", path)
        if node.is_open:
            self.stop(_at(event), f"alias *{name} contains itself", path)
        self.count(node.size, _at(event))
        return node

    def scalar(self, event: Any, path: KeyPath) -> Any:
        text: str = event.value
        if not event.implicit[0]:
            return text
        try:
            return resolve(text)
        except ValueError as error:
            self.fault(_at(event), f"{shorten(text)} {error}", path)
            return None

    def expand(
        self, node: _Node, path: KeyPath, key_at: tuple[int, int] | None, marks: dict[KeyPath, Mark]
    ) -> Any:
        """Plain data with aliases written out; their marks point to where the values are written."""
        if len(path) > MAX_DEPTH:
            self.stop(node.at, f"nested deeper than {MAX_DEPTH} levels")
        marks[path] = Mark(node.at, key_at, node.pairs is not None)
        if node.items is not None:
            return [self.expand(item, (*path, i), None, marks) for i, item in enumerate(node.items)]
        if node.pairs is not None:
            return {k: self.expand(v, (*path, k), at, marks) for k, (at, v) in node.pairs.items()}
        return node.scalar


def resolve(text: str) -> str | int | float | bool | None:
    """The value of an unquoted scalar by YAML 1.2's core schema.

    Raises:
        ValueError: A number that is not finite or does not fit 64 bits.
    """
    if text in NULL:
        return None
    if text in BOOL:
        return BOOL[text]
    if INT.fullmatch(text):
        if len(text) > 40:
            raise ValueError("does not fit 64 bits")
        number = int(text, 0) if text[:2] in ("0x", "0o") else int(text)
        if not -(2**63) <= number < 2**63:
            raise ValueError("does not fit 64 bits")
        return number
    if NOT_FINITE.fullmatch(text):
        raise ValueError("is not a finite number")
    if FLOAT.fullmatch(text):
        if not math.isfinite(real := float(text)):
            raise ValueError("is not a finite number")
        return real
    return text


def parse(text: str, source: str) -> Parsed:
    """Read one YAML document.

    Args:
        text: The document.
        source: How faults name it: the path as the user gave it.

    Raises:
        StudyError: Every fault found; a syntax error ends the search.
    """
    if bad := FORBIDDEN.search(text):
        rule = "a tab; use spaces" if bad[0] == "\t" else f"character U+{ord(bad[0]):04X} is not allowed"
        raise StudyError([Fault(Place(source, *line_and_column(text, bad.start())), "", None, rule)])
    try:
        return _parse(text, source, FAST_LOADER)
    except yaml.YAMLError as error:
        # libyaml words its errors differently; the Python parser's are the same on every machine.
        raise _syntax_fault(text, source, error) from None


def _parse(text: str, source: str, loader_class: Any) -> Parsed:
    loader = loader_class(text)
    try:
        composer = _Composer(source, loader)
        root = composer.document()
        marks: dict[KeyPath, Mark] = {}
        data = composer.expand(root, (), None, marks)
        if composer.faults:
            raise StudyError(composer.faults)
        return Parsed(data, marks)
    finally:
        loader.dispose()


def _syntax_fault(text: str, source: str, error: yaml.YAMLError) -> StudyError:
    if FAST_LOADER is not yaml.SafeLoader:
        try:
            _parse(text, source, yaml.SafeLoader)
        except yaml.YAMLError as other:
            error = other
        except StudyError:
            pass  # the two parsers disagree on where the text breaks; the first one's word stands
    problem = str(getattr(error, "problem", None) or "it cannot be parsed")
    opened = getattr(error, "context_mark", None) if problem.startswith(UNCLOSED) else None
    mark = opened or getattr(error, "problem_mark", None)
    at = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    words = next((ours for theirs, ours in PLAIN_WORDS.items() if theirs in problem), problem)
    return StudyError([Fault(Place(source, *at), "", None, f"not valid YAML: {shorten_words(words)}")])


def shorten_words(text: str) -> str:
    """A parser's message on one printable line."""
    return printable(" ".join(text.split()))[:160]


def line_and_column(text: str, offset: int) -> tuple[int, int]:
    """Line and column, from 1, of a character."""
    before = text[:offset].replace("\r\n", "\n").replace("\r", "\n")
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def _at(event: Any) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1


def paths_below(marks: dict[KeyPath, Mark], path: KeyPath) -> Iterator[KeyPath]:
    """Every marked path at or below `path`."""
    return (marked for marked in marks if marked[: len(path)] == path)
