"""Factors and their levels as a study writes them: what each level sets, how it reads, where it stands.

A scalar level reads as itself. A mapping or a list has no short way to be read, so it carries a `label`:
`{label: adam, name: adam, lr: 1e-3}` (the keys beside the label are the value) or `{label: x, value: […]}`.
A factor with a name of its own, such as `treatment`, has levels that set several keys at once (`bundles`).
"""

from __future__ import annotations

import difflib
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from bench.errors import nearest
from bench.study.faults import KeyPath, printable, show
from bench.study.keys import children, exists, meant, spec_at
from bench.study.model import Level
from bench.study.specs import BaseSpec


class LevelFault(Exception):
    """A level that cannot be read; the message is the rule."""


@dataclass(frozen=True, slots=True)
class LevelSpec:
    """One level: how it reads, what it sets, where that is written."""

    text: Level
    value: Any
    path: KeyPath


Settings = tuple[tuple[tuple[str, ...], LevelSpec], ...]
"""Dotted keys, split, each with what is put there."""


@dataclass(frozen=True)
class FactorSpec:
    """A factor with its levels; `parts` is its dotted key, split, and None where each level sets keys."""

    key: str
    parts: tuple[str, ...] | None
    levels: tuple[LevelSpec, ...]

    def settings(self, level: LevelSpec) -> Settings:
        """What a level puts into `base`."""
        return written_out(level.value, level.path) if self.parts is None else ((self.parts, level),)


def written_out(settings: Mapping[str, Any], path: KeyPath) -> Settings:
    """Dotted keys as an arm or a bundle writes them, standing at `path`."""
    return tuple(
        (tuple(key.split(".")), LevelSpec(None, value, (*path, key))) for key, value in settings.items()
    )


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


def key_rule(key: str, shown_prefix: str = "", spec: type[BaseModel] = BaseSpec) -> str | None:
    """Why a dotted key cannot be a factor, or None.

    Args:
        key: The key, without `base.`.
        shown_prefix: Stands before the key in the guess: overrides name the whole path.
        spec: Of `base` in this kind of study.
    """
    parts = tuple(key.split("."))
    if exists(parts, spec):
        return None
    if parts[0] == "base" and exists(parts[1:], spec):
        return f"factors are named without 'base.'; did you mean '{key.removeprefix('base.')}'?"
    for n, part in enumerate(parts):
        section = spec_at(parts[:n], spec)
        if section is None:
            return f"unknown key; {shown_prefix}{'.'.join(parts[:n])} holds no keys"
        if part not in children(section):
            return _unknown(parts, n, section, shown_prefix, spec)
    return f"unknown key; {'.'.join(parts)} holds no keys"


def _unknown(
    parts: tuple[str, ...], n: int, section: type[BaseModel], shown_prefix: str, spec: type[BaseModel]
) -> str:
    """The nearest key, written whole: with what stands before and, where it fits, after the wrong part."""
    before = "".join(f"{part}." for part in parts[:n])
    close = difflib.get_close_matches(parts[n], children(section), n=1, cutoff=0.6)
    if close:
        whole = (*parts[:n], close[0], *parts[n + 1 :])
        word = ".".join(whole if exists(whole, spec) else whole[: n + 1])
        return f"unknown key; did you mean '{shown_prefix}{word}'?"
    return meant(parts[n], children(section), section, shown_prefix + before)


def match_level(factor: FactorSpec, raw: Any, path: KeyPath) -> LevelSpec:
    """The level that `baseline` or `exclude` names: by label, by value, or a new one written out.

    Raises:
        LevelFault: A mapping or list that is none of the levels and has no label, or a word that is no
            label of a factor whose levels set several keys.
    """
    for level in factor.levels:
        if not isinstance(raw, dict | list) and value_key(raw) == value_key(level.text):
            return level
    for level in factor.levels:
        if value_key(raw) == value_key(level.value):
            return level
    if factor.parts is None:
        labels = [level_text(level.text) for level in factor.levels]
        raise LevelFault(f"{show(raw)} is no level of {factor.key}; {nearest(str(raw), labels)}")
    level = read_level(raw, path)
    return next((one for one in factor.levels if level_text(one.text) == level_text(level.text)), level)
