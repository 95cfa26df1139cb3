"""Pydantic's errors in the words of a study: the path as the user wrote it, the value, the rule.

Pydantic names the branches of a union inside an error's location and tells each branch's refusal; here
the branches of one value become one fault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from bench.errors import nearest
from bench.study.document import ABSENT, child
from bench.study.faults import KeyPath, describe, printable, show
from bench.study.keys import children, meant, spec_at

BOOLEAN_WORDS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}

MAX_WORDS = 300
"""Characters of a validator's message, which may quote the study at length."""

BOUNDS = {
    "greater_than": ("gt", "is not above"),
    "greater_than_equal": ("ge", "is below"),
    "less_than": ("lt", "is not below"),
    "less_than_equal": ("le", "is above"),
}

EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}


@dataclass(frozen=True)
class Broken:
    """A rule that a value at `path` breaks; `on_key` where the key itself is what is wrong."""

    path: KeyPath
    rule: str
    value: str | None = None
    on_key: bool = False
    is_certain: bool = True
    """False for what may follow from another fault: a missing key, a rule between keys."""


@dataclass(frozen=True)
class _Located:
    path: KeyPath
    branch: tuple[str, ...]
    error: ErrorDetails
    value: Any


def explain(errors: Iterable[ErrorDetails], data: Any, spec: type[BaseModel]) -> list[Broken]:
    """Turn a validation's errors into broken rules, one a path and rule.

    Args:
        errors: `ValidationError.errors()`.
        data: What was validated.
        spec: The model it was validated as.
    """
    located = [one for error in errors if not _is_echo(one := _locate(error, data))]
    by_path: dict[KeyPath, list[_Located]] = {}
    for one in located:
        by_path.setdefault(one.path, []).append(one)
    broken = []
    for path, group in by_path.items():
        # A mapping was meant as the section of a union: its own faults are told, not the other branches'.
        if any(o.path[: len(path)] == path and len(o.path) > len(path) and o.branch for o in located):
            broken += _merge(path, [one for one in group if not one.branch], spec)
        else:
            broken += _merge(path, group, spec)
    return _without_consequences(broken)


def _without_consequences(broken: list[Broken]) -> list[Broken]:
    """A key that is missing only because it is misspelt beside is one fault, not two."""
    guesses = [(one.path[:-1], one.rule.partition("did you mean '")[2][:-2]) for one in broken if one.on_key]
    meant_keys = {(*section, guess) for section, guess in guesses}
    return [one for one in broken if one.is_certain or one.path not in meant_keys]


def _locate(error: ErrorDetails, data: Any) -> _Located:
    path: list[str | int] = []
    branch: list[str] = []
    value = data
    location = error["loc"]
    for n, part in enumerate(location):
        last = n == len(location) - 1
        if (below := child(value, part)) is not ABSENT:
            path.append(part)
            value = below
        elif isinstance(value, dict) and isinstance(part, str) and last and error["type"] == "missing":
            path.append(part)
            value = ABSENT
        elif isinstance(part, str):
            branch.append(part)
        # an index into what is no list: a validator made the list, the value stands where it stands
    return _Located(tuple(path), tuple(branch), error, value)


def _is_echo(one: _Located) -> bool:
    """A list that is long enough counts as too short once some of its items are refused."""
    return one.error["type"] == "too_short" and len(one.value) >= one.error["ctx"]["min_length"]


def _merge(path: KeyPath, group: list[_Located], spec: type[BaseModel]) -> list[Broken]:
    """One broken rule for the branches of a union, else one for each error."""
    if not any(one.branch for one in group):
        return [_explain(path, one, spec) for one in group]
    value = group[0].value
    if any(one.error["type"] in ("missing", "extra_forbidden") for one in group):
        return [_explain(path, one, spec) for one in group]
    bounds = [one for one in group if one.error["type"] in (*BOUNDS, "value_error", "too_short", "too_long")]
    if bounds:  # one branch takes the kind of value but not this one
        return [_explain(path, bounds[0], spec)]
    choices = [c for one in group if one.error["type"] == "literal_error" for c in _choices(one.error)]
    if choices and isinstance(value, str):
        return [Broken(path, f"is not allowed; {nearest(value, choices)}", show(value))]
    wanted = list(dict.fromkeys(_expected(one.error) for one in group))
    return [Broken(path, f"expected {' or '.join(wanted)}, got {describe(value)}")]


def _expected(error: ErrorDetails) -> str:
    if error["type"] == "literal_error":
        return "one of " + ", ".join(_choices(error))
    return EXPECTED.get(error["type"], error["msg"])


def _explain(path: KeyPath, one: _Located, spec: type[BaseModel]) -> Broken:
    kind = one.error["type"]
    context = one.error.get("ctx", {})
    if kind in EXPECTED:
        wanted = EXPECTED[kind]
        return Broken(path, f"expected {wanted}, got {describe(one.value)}{remedy(wanted, one.value)}")
    if kind in BOUNDS:
        name, words = BOUNDS[kind]
        return Broken(path, f"{words} {context[name]:g}", show(one.value))
    if kind == "literal_error":
        choices = _choices(one.error)
        guess = nearest(one.value, choices) if isinstance(one.value, str) else "one of " + ", ".join(choices)
        return Broken(path, f"is not allowed; {guess}", show(one.value))
    tell: Mapping[str, Callable[[], Broken]] = {
        "missing": lambda: _missing(path, one),
        "extra_forbidden": lambda: _unknown(path, spec),
        "value_error": lambda: _between_keys(path, one),
        "too_short": lambda: _length(path, one, f"needs at least {_values(context['min_length'])}"),
        "too_long": lambda: _length(path, one, f"takes at most {_values(context['max_length'])}"),
    }
    return tell[kind]() if kind in tell else Broken(path, one.error["msg"], show(one.value))


def _between_keys(path: KeyPath, one: _Located) -> Broken:
    """A validator's own words; about a whole section they may follow from a fault inside it."""
    said = printable(str(one.error["ctx"]["error"]))
    words = said if len(said) <= MAX_WORDS else f"{said[:MAX_WORDS]}…"
    return Broken(path, words, is_certain=not isinstance(one.value, dict))


def _length(path: KeyPath, one: _Located, rule: str) -> Broken:
    return Broken(path, f"{rule}, got {len(one.value)}")


def _missing(path: KeyPath, one: _Located) -> Broken:
    if one.value is ABSENT:
        return Broken(path, "required key is missing", on_key=True, is_certain=False)
    n_wanted = int(str(one.error["loc"][-1])) + 1
    return Broken(path, f"needs {_values(n_wanted)}, got {len(one.value)}")


def _unknown(path: KeyPath, spec: type[BaseModel]) -> Broken:
    section = spec_at(path[:-1], spec)
    key = str(path[-1])
    return Broken(path, meant(key, children(section), section) if section else "unknown key", on_key=True)


def _choices(error: ErrorDetails) -> list[str]:
    text: str = error["ctx"]["expected"]
    return [choice.strip("'") for choice in text.replace(" or ", ", ").split(", ")]


def _values(count: int) -> str:
    return f"{count} value" if count == 1 else f"{count} values"


def remedy(expected: str, value: Any) -> str:
    """What to write instead, where the value is a usual slip; else nothing."""
    if expected == "true or false" and isinstance(value, str) and value.lower() in BOOLEAN_WORDS:
        return f"; write {BOOLEAN_WORDS[value.lower()]}"
    if expected == "text" and isinstance(value, bool | int | float):
        return "; put it in quotes"
    return ""
