"""Factors and their levels as a study writes them: what each level sets, how it reads, where it stands.

A scalar level reads as itself. A mapping or a list has no short way to be read, so it carries a `label`:
`{label: adam, name: adam, lr: 1e-3}` (the keys beside the label are the value) or `{label: x, value: […]}`.
"""

from __future__ import annotations

import difflib
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from bench.study.document import Document
from bench.study.faults import Fault, KeyPath, printable, show
from bench.study.keys import children, exists, meant, spec_at
from bench.study.model import Level


class LevelFault(Exception):
    """A level that cannot be read; the message is the rule."""


@dataclass(frozen=True, slots=True)
class LevelSpec:
    """One level: how it reads, what it sets, where that is written."""

    text: Level
    value: Any
    path: KeyPath


@dataclass(frozen=True)
class FactorSpec:
    """A factor with its levels; `parts` is its dotted key, split."""

    key: str
    parts: tuple[str, ...]
    levels: tuple[LevelSpec, ...]


def value_key(value: Any) -> Hashable:
    """Equal for equal values: 1 and 1.0 are one number, 1 and true are not one value."""
    if isinstance(value, dict):
        return ("mapping", frozenset((key, value_key(inner)) for key, inner in value.items()))
    if isinstance(value, list | tuple):
        return ("list", tuple(value_key(inner) for inner in value))
    return ("boolean" if isinstance(value, bool) else "value", value)


def level_text(level: Level) -> str:
    """A level inside an arm's name, as YAML would write it."""
    return printable(level) if isinstance(level, str) else show(level)


def read_level(raw: Any, path: KeyPath) -> LevelSpec:
    """Read one level.

    Raises:
        LevelFault: A mapping or list without a label, or a label without a value.
    """
    if isinstance(raw, list) or (isinstance(raw, dict) and "label" not in raw):
        kind = "list" if isinstance(raw, list) else "mapping"
        raise LevelFault(f"a level that is a {kind} needs a label: {{label: …, value: …}}")
    if not isinstance(raw, dict):
        return LevelSpec(raw, raw, path)
    label, rest = raw["label"], {key: value for key, value in raw.items() if key != "label"}
    if isinstance(label, dict | list) or label is None or label == "":
        raise LevelFault("a label is a word or a number")
    if not rest:
        raise LevelFault("a label needs its value: {label: …, value: …}")
    if "value" not in rest:
        return LevelSpec(label, rest, path)
    if len(rest) > 1:
        raise LevelFault("give the value as `value` or as keys beside `label`, not both")
    return LevelSpec(label, rest["value"], (*path, "value"))


def key_rule(key: str, shown_prefix: str = "") -> str | None:
    """Why a dotted key cannot be a factor, or None.

    Args:
        key: The key, without `base.`.
        shown_prefix: Stands before the key in the guess: overrides name the whole path.
    """
    parts = tuple(key.split("."))
    if exists(parts):
        return None
    if parts[0] == "base" and exists(parts[1:]):
        return f"factors are named without 'base.'; did you mean '{key.removeprefix('base.')}'?"
    for n, part in enumerate(parts):
        section = spec_at(parts[:n])
        if section is None:
            return f"unknown key; {shown_prefix}{'.'.join(parts[:n])} holds no keys"
        if part not in children(section):
            return _unknown(parts, n, section, shown_prefix)
    return f"unknown key; {'.'.join(parts)} holds no keys"


def _unknown(parts: tuple[str, ...], n: int, section: type[BaseModel], shown_prefix: str) -> str:
    """The nearest key, written whole: with what stands before and, where it fits, after the wrong part."""
    before = "".join(f"{part}." for part in parts[:n])
    close = difflib.get_close_matches(parts[n], children(section), n=1, cutoff=0.6)
    if close:
        whole = (*parts[:n], close[0], *parts[n + 1 :])
        word = ".".join(whole if exists(whole) else whole[: n + 1])
        return f"unknown key; did you mean '{shown_prefix}{word}'?"
    return meant(parts[n], children(section), section, shown_prefix + before)


def overlapping(keys: list[str]) -> Iterator[tuple[str, str]]:
    """Pairs of dotted keys of which the first holds the second."""
    for outer in keys:
        yield from ((outer, inner) for inner in keys if inner.startswith(f"{outer}."))


@dataclass
class FactorReader:
    """Reads factors and keeps the faults it meets."""

    document: Document
    faults: list[Fault]

    def factors(self, raw: Mapping[str, list[Any]], path: KeyPath) -> tuple[FactorSpec, ...]:
        """The readable factors of a `grid`, `zip` or `one_at_a_time`."""
        self.keys(raw, path)
        inner = {inner for _, inner in overlapping(list(raw))}
        good = [key for key in raw if key_rule(key) is None and key not in inner]
        factors = [
            FactorSpec(key, tuple(key.split(".")), self.levels(raw[key], (*path, key))) for key in good
        ]
        return tuple(factor for factor in factors if factor.levels)

    def keys(self, raw: Mapping[str, Any], path: KeyPath) -> None:
        """Fault keys that no configuration has, and keys inside one another."""
        for key in raw:
            if rule := key_rule(key):
                self.faults.append(self.document.fault((*path, key), rule, on_key=True))
        for outer, inner in overlapping(list(raw)):
            rule = f"is inside {outer}, which the design also sets; keep one of them"
            self.faults.append(self.document.fault((*path, inner), rule, on_key=True))

    def levels(self, raw: list[Any], path: KeyPath) -> tuple[LevelSpec, ...]:
        """The readable levels of one factor; equal ones are faults."""
        levels: list[LevelSpec] = []
        texts: dict[Hashable, int] = {}
        values: dict[Hashable, int] = {}
        for n, one in enumerate(raw):
            where = (*path, n)
            try:
                level = read_level(one, where)
            except LevelFault as fault:
                self.faults.append(self.document.fault(where, str(fault)))
                continue
            first = texts.setdefault(level_text(level.text), n)
            first = min(first, values.setdefault(value_key(level.value), n))
            if first != n:
                rule = f"is the same level as [{first}]"
                self.faults.append(self.document.fault(where, rule, value=level.text))
                continue
            levels.append(level)
        return tuple(levels)


def match_level(factor: FactorSpec, raw: Any, path: KeyPath) -> LevelSpec:
    """The level that `baseline` or `exclude` names: by label, by value, or a new one written out.

    Raises:
        LevelFault: A mapping or list that is none of the levels and has no label.
    """
    for level in factor.levels:
        if not isinstance(raw, dict | list) and value_key(raw) == value_key(level.text):
            return level
    for level in factor.levels:
        if value_key(raw) == value_key(level.value):
            return level
    level = read_level(raw, path)
    return next((one for one in factor.levels if level_text(one.text) == level_text(level.text)), level)
