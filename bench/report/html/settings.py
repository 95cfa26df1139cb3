"""Configurations and environments of many runs, told once: what all share, and where each differs.

A study of ten thousand runs has a few hundred configurations that differ in two keys, and one environment;
written out for each run they would be most of the page.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.report.html.safe import plain

Pairs = tuple[tuple[str, str], ...]
"""Dotted keys with their values as text, by key."""


@dataclass(frozen=True)
class Shared:
    """Distinct settings of a study's runs."""

    common: Pairs
    """Keys that all have with an equal value."""
    own: tuple[Pairs, ...]
    """The other keys of each distinct one, in order of appearance."""
    of_run: tuple[int, ...]
    """Which of them each run has."""

    @property
    def varied(self) -> tuple[str, ...]:
        """Keys in which they differ."""
        return tuple(sorted({key for pairs in self.own for key, _ in pairs}))


def share(documents: Iterable[Mapping[str, Any]]) -> Shared:
    """Gather the settings of runs.

    Args:
        documents: Of each run, nested as its record has it.
    """
    index: dict[str, int] = {}
    distinct: list[dict[str, str]] = []
    of_run = []
    for document in documents:
        key = json.dumps(document, sort_keys=True)
        if key not in index:
            index[key] = len(distinct)
            distinct.append(flat(document))
        of_run.append(index[key])
    common = _common(distinct)
    own = tuple(
        tuple(sorted((key, value) for key, value in one.items() if key not in common)) for one in distinct
    )
    return Shared(tuple(sorted(common.items())), own, tuple(of_run))


def flat(document: Mapping[str, Any]) -> dict[str, str]:
    """Dotted keys and texts; what is null is left out, since an absent key says the same."""
    found: dict[str, str] = {}
    for key, value in document.items():
        if isinstance(value, Mapping) and value:
            found |= {plain(f"{key}.{inner}"): shown for inner, shown in flat(value).items()}
        elif value is not None:
            found[plain(str(key))] = spelled(value)
    return found


def spelled(value: Any) -> str:
    """A value as a study file would write it."""
    return plain(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _common(distinct: Sequence[Mapping[str, str]]) -> dict[str, str]:
    if not distinct:
        return {}
    first, *rest = distinct
    return {key: value for key, value in first.items() if all(one.get(key) == value for one in rest)}
