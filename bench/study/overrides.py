"""Overrides of the command line: `key=value`, a dotted path into the study and a value in strict YAML.

An override that could have no effect, because the design varies the key, is a fault that names the key to
override instead.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel

from bench.errors import UsageError, nearest
from bench.study.bundles import is_bundle
from bench.study.cells import base_spec
from bench.study.comparisons import ComparisonsSpec
from bench.study.document import Document, Override
from bench.study.faults import COMMAND_LINE, Fault, KeyPath, Place, StudyError, override_text
from bench.study.keys import exists, known_keys, takes_any_option
from bench.study.levels import key_rule
from bench.study.outline import DesignSpec, StudyFile, TargetSpec
from bench.study.seeds import SeedsRule
from bench.study.specs import WEIGHTS
from bench.study.yaml import parse

FACTORIAL = ("grid", "zip", "one_at_a_time", "factorial")

RECIPES = ("leave_one_out", "path", "factorial")
"""Kinds of design that vary components."""

_SECTIONS: dict[str, type[BaseModel]] = {
    "design": DesignSpec,
    "comparisons": ComparisonsSpec,
    "seeds": SeedsRule,
    "target": TargetSpec,
}


def apply_overrides(document: Document, texts: Sequence[str]) -> list[Fault]:
    """Change a document by the overrides, in their order.

    Returns:
        One fault for each override that cannot be read or placed; such a one changes nothing.
    """
    if not isinstance(document.data, dict):
        return []  # a fault of the file, told by its reader
    faults: list[Fault] = []
    seen: set[KeyPath] = set()
    placed: list[Override] = []
    for order, text in enumerate(texts):
        try:
            override, value = _read(text, order, document)
            if override.path in seen:
                raise UsageError("the key is overridden twice")
            document.override(override, value)
        except UsageError as error:
            faults += [_fault(text, order, line) for line in error.lines]
            continue
        seen.add(override.path)
        placed.append(override)
    for override in placed:
        if varied := _varied(document.data, override.path):
            rule = f"the design varies {_dotted(override.path[1:])}; override {varied} instead"
            faults.append(_fault(override.text, override.order, rule))
    return faults


def _fault(text: str, order: int, rule: str) -> Fault:
    return Fault(Place(COMMAND_LINE, order=order), override_text(text), None, rule)


def _read(text: str, order: int, document: Document) -> tuple[Override, Any]:
    key, equals, value = text.partition("=")
    parts = key.split(".")
    if not equals or not all(parts):
        raise UsageError("an override is written key=value, the key dotted: base.train.epochs=2")
    if rule := _unknown(key, parts, document.data):
        raise UsageError(rule)
    try:
        data = parse(value, COMMAND_LINE).data if value.strip() else None
    except StudyError as error:
        raise UsageError(*(fault.rule for fault in error.faults)) from None
    _spell_out(document, parts)
    return Override(order, text, _resolve(parts, document.data)), data


def _spell_out(document: Document, parts: Sequence[str]) -> None:
    """Make `weights: pretrain` the section that it is short for, before a key is put into it."""
    word = document.get(("base", *WEIGHTS))
    if tuple(parts[:2]) == ("base", *WEIGHTS) and len(parts) > 2 and isinstance(word, str):
        base = {**document.data["base"], WEIGHTS[0]: {"from": word}}
        document.data = {**document.data, "base": base}


def _unknown(key: str, parts: list[str], data: Any) -> str | None:
    """Why no study has this key, or None."""
    head, rest = parts[0], parts[1:]
    spec = _spec(data)
    if head in StudyFile.model_fields:
        if head == "base" and rest:
            inner = ".".join(rest)
            return None if takes_any_option(inner, data) else key_rule(inner, "base.", spec)
        section = _SECTIONS.get(head)
        if section is not None and rest and rest[0] not in section.model_fields:
            return f"unknown key; {nearest(rest[0], section.model_fields)}"
        if rest and head not in (*_SECTIONS, "baseline"):
            return f"unknown key; {head} holds no keys"
        return None
    if exists(tuple(parts), spec):
        return f"unknown key; did you mean 'base.{key}'?"
    whole = [*StudyFile.model_fields, *(f"base.{known}" for known in known_keys(spec))]
    same_word = [known for known in whole if known.rpartition(".")[2] == parts[-1]]
    close = difflib.get_close_matches(key, whole, n=1, cutoff=0.6) or same_word
    return (
        f"unknown key; did you mean '{close[0]}'?"
        if close
        else f"unknown key; {nearest(key, StudyFile.model_fields)}"
    )


def _resolve(parts: list[str], data: Any) -> KeyPath:
    """The path of a dotted key; the dotted keys of factors are one step of it."""
    if parts[0] == "baseline" and len(parts) > 1:
        return ("baseline", ".".join(parts[1:]))
    if parts[0] == "design" and len(parts) > 2:
        rest = parts[2:]
        if parts[1] in RECIPES and rest[1:2] and rest[1] in ("with", "without"):
            return ("design", parts[1], rest[0], rest[1], *([".".join(rest[2:])] if rest[2:] else []))
        if parts[1] == "arms":
            return ("design", "arms", *_arm_and_key(rest, data))
        if parts[1] in (*FACTORIAL, *RECIPES):
            return ("design", parts[1], ".".join(rest))
    return tuple(parts)


def _arm_and_key(rest: list[str], data: Any) -> tuple[str, ...]:
    """An arm's name, which may hold dots, and the key that it sets."""
    arms = _section(_section(data, "design"), "arms")
    named = [n for n in range(len(rest), 0, -1) if ".".join(rest[:n]) in arms]
    n = named[0] if named else 1
    return (".".join(rest[:n]), ".".join(rest[n:])) if rest[n:] else (".".join(rest[:n]),)


def _varied(data: Any, path: KeyPath) -> str | None:
    """The design's key that makes an override of a base key void, or None."""
    if path[0] != "base" or len(path) == 1:
        return None
    key = _dotted(path[1:])
    design = _section(data, "design")
    for kind in FACTORIAL:
        for factor, levels in _section(design, kind).items():
            if any(_holds(one, key) for one in (factor, *_bundled(factor, levels, data))):
                return f"design.{kind}.{factor}"
    for arm, settings in _section(design, "arms").items():
        for factor in settings if isinstance(settings, dict) else ():
            if _holds(factor, key):
                return f"design.arms.{arm}.{factor}"
    return next(_set_on_both_sides(design, key), None)


def _set_on_both_sides(design: dict[str, Any], key: str) -> Iterator[str]:
    """Components that set the key where they are and where they are not: `base` has no say in it."""
    for kind in RECIPES:
        for name, component in _section(design, kind).items():
            sides = [_section(component, side) for side in ("with", "without")]
            if all(any(_holds(one, key) for one in side) for side in sides):
                yield f"design.{kind}.{name}"


def _holds(outer: str, key: str) -> bool:
    return key == outer or key.startswith(f"{outer}.")


def _bundled(factor: str, levels: Any, data: Any) -> list[str]:
    """Keys that the levels of a factor with a name of its own set."""
    if not isinstance(levels, list) or not is_bundle(factor, levels, _spec(data)):
        return []
    return [key for level in levels if isinstance(level, dict) for key in _section(level, "set")]


def _spec(data: Any) -> type[BaseModel]:
    """Of `base` in the study's kind."""
    return base_spec(data.get("kind") if isinstance(data, dict) else None)


def _section(data: Any, key: str) -> dict[str, Any]:
    value = data.get(key) if isinstance(data, dict) else None
    return value if isinstance(value, dict) else {}


def _dotted(path: KeyPath) -> str:
    return ".".join(str(part) for part in path)
