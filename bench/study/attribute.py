"""Where an arm's fault was written: at a level, at a key of `base`, or only in a combination of levels."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.study.arms import Combination, Design
from bench.study.document import Document
from bench.study.faults import Fault, KeyPath, key_path, printable
from bench.study.levels import LevelSpec, level_text


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong in the arm number `arm` at `path` of the resolved study."""

    arm: int
    path: KeyPath
    rule: str
    value: str | None = None
    on_key: bool = False
    is_certain: bool = True
    """False for what may follow from another fault."""


_Groups = dict[tuple[KeyPath, str, str | None, bool], list[int]]
"""Arms by path, rule, value, and whether the key itself is meant."""


def place_findings(findings: Iterable[Finding], document: Document, design: Design) -> list[Fault]:
    """One fault a place for findings that may repeat in every arm."""
    groups: _Groups = {}
    for one in findings:
        groups.setdefault((one.path, one.rule, one.value, one.on_key), []).append(one.arm)
    groups = _told_once(groups, len(design.combinations))
    faults = []
    for (path, rule, value, on_key), arms in groups.items():
        said = rule if value is None else f"{value} {rule}"
        for where, told, is_key in _places(path, said, arms, design, on_key=on_key):
            faults.append(document.fault(where, told, on_key=is_key))
    return faults


def _told_once(groups: _Groups, n_arms: int) -> _Groups:
    """A key that is wrong in every arm is wrong by itself, whatever each network would have in its place.

    Of the rules told of it the one that knows what was meant stands for all.
    """
    by_key: dict[tuple[KeyPath, str | None], list[tuple[KeyPath, str, str | None, bool]]] = {}
    for group in groups:
        if group[3]:
            by_key.setdefault((group[0], group[2]), []).append(group)
    told = dict(groups)
    for same in by_key.values():
        arms = sorted({arm for group in same for arm in groups[group]})
        if len(same) > 1 and len(arms) == n_arms:
            for group in same:
                del told[group]
            told[next((group for group in same if "did you mean" in group[1]), same[0])] = arms
    return told


def _places(
    path: KeyPath, rule: str, arms: Sequence[int], design: Design, *, on_key: bool
) -> list[tuple[KeyPath, str, bool]]:
    key = path[1:] if path[0] == "base" else path
    failing = [design.combinations[n] for n in arms]
    inside = {where: None for one in failing for where in _levels_at(one, key, on_key=on_key)}
    if inside:
        return [(where, rule, on_key) for where in inside]
    if len(failing) == len(design.combinations):
        return [(path, rule, on_key)]
    blamed = _sufficient_levels(key, failing, design.combinations)
    if blamed:
        return [(level.path, f"{key_path(path)}: {rule}", False) for level in blamed]
    more = f" and {len(failing) - 1:,} more" if len(failing) > 1 else ""
    return [(path, f"{rule} (arm {printable(failing[0].name)}{more})", on_key)]


def _levels_at(one: Combination, key: KeyPath, *, on_key: bool) -> Iterable[KeyPath]:
    """The place inside a level that holds the value at `key`."""
    for parts, level in one.settings:
        if key[: len(parts)] == parts:
            if on_key and key == parts and isinstance(level.path[-1], int):
                yield level.path[:-1]  # the factor's key is wrong, not one of its levels
            else:
                yield (*level.path, *key[len(parts) :])


def _sufficient_levels(
    key: KeyPath, failing: Sequence[Combination], everyone: Sequence[Combination]
) -> list[LevelSpec]:
    """Levels of one factor with which every arm fails: of the nearest factor to `key` that has such."""
    settings = dict.fromkeys(parts for one in failing for parts, _ in one.settings)
    below = sorted((parts for parts in settings if parts[: len(key)] == key), key=len)
    beside = sorted((parts for parts in settings if parts not in below), key=lambda p: -_shared(p, key))
    for parts in (*below, *beside):
        broken = {_text(one, parts): _level(one, parts) for one in failing}
        if None not in broken and sum(_text(one, parts) in broken for one in everyone) == len(failing):
            return [level for level in broken.values() if level is not None]
    return []


def _shared(parts: tuple[str, ...], key: KeyPath) -> int:
    """Number of leading parts in common."""
    same = (ours == theirs for ours, theirs in zip(parts, key, strict=False))
    return len(list(itertools.takewhile(bool, same)))


def _level(one: Combination, parts: tuple[str, ...]) -> LevelSpec | None:
    return next((level for own, level in one.settings if own == parts), None)


def _text(one: Combination, parts: tuple[str, ...]) -> str | None:
    level = _level(one, parts)
    if level is None:
        return None
    return level_text(level.text) if level.text is not None or level.value is None else key_path(level.path)
