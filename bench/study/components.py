"""Components: what a recipe may have or lack, and what the study sets when each is there and when it is not.

`ema: {with: {train.ema: 0.99}}` or `crop: {without: {data.augment: none}}`: the side that is not written is
what `base` says. `leave_one_out`, `path` and `factorial` share this one form, so that a study changes its
design by changing one word.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.errors import nearest
from bench.study import bundles
from bench.study.factors import FactorReader, overlapping
from bench.study.faults import KeyPath, show
from bench.study.levels import FactorSpec, LevelSpec, Settings, written_out
from bench.study.specs import BaseSpec

FORM = "{with: {dotted.key: value, …}} or {without: {…}}"

SIDES = ("with", "without")

BARE, FULL = "bare", "full"
"""The arm without any component, and the one with all."""


@dataclass(frozen=True)
class Component:
    """One component: its name, and what it sets on either side."""

    name: str
    present: Mapping[str, Any]
    absent: Mapping[str, Any]
    path: KeyPath

    def settings(self, *, is_present: bool) -> Settings:
        """What the component puts into `base`, there or not."""
        side = SIDES[not is_present]
        return written_out(self.present if is_present else self.absent, (*self.path, side))

    @property
    def factor(self) -> FactorSpec:
        """The component as a factor of two levels, absent first."""
        levels = ((False, self.absent, "without"), (True, self.present, "with"))
        return FactorSpec(
            self.name, None, tuple(LevelSpec(text, value, (*self.path, side)) for text, value, side in levels)
        )


def is_component(raw: Any) -> bool:
    """Whether what stands under a factor's name is a component and no list of levels."""
    return isinstance(raw, dict)


def read_components(
    raw: Mapping[str, Any], path: KeyPath, reader: FactorReader, *, absent_together: bool = True
) -> tuple[Component, ...]:
    """The readable components of a design; faults stay with the reader.

    Args:
        raw: By name.
        path: Where they stand.
        reader: Knows the document and which keys there are.
        absent_together: Several components may be absent in one arm; else only one is at a time, and then
            two may say of the same key what it is without them.
    """
    components = [one for name in raw if (one := _read(name, raw[name], (*path, name), reader)) is not None]
    for n, one in enumerate(components):
        for other in components[:n]:
            _apart(one, other, reader, absent_together=absent_together)
    return tuple(components)


def _read(name: str, raw: Any, path: KeyPath, reader: FactorReader) -> Component | None:
    document = reader.document
    if rule := _name_rule(name, reader.spec):
        reader.faults.append(document.fault(path, rule, on_key=True))
        return None
    if not isinstance(raw, dict) or not raw:
        reader.faults.append(document.fault(path, f"a component is written {FORM}; got {show(raw)}"))
        return None
    n_faults = len(reader.faults)
    for side in raw:
        if side not in SIDES:
            rule = f"is no side of a component; {nearest(str(side), SIDES)}; a component is written {FORM}"
            reader.faults.append(document.fault((*path, side), rule, on_key=True))
    for side in (side for side in SIDES if side in raw):
        if not isinstance(raw[side], dict) or not raw[side]:
            rule = f"takes a mapping of dotted keys to values; got {show(raw[side])}"
            reader.faults.append(document.fault((*path, side), rule))
            continue
        reader.keys(raw[side], (*path, side))
    if len(reader.faults) > n_faults:
        return None
    return Component(name, raw.get("with", {}), raw.get("without", {}), path)


def _name_rule(name: str, spec: type[BaseSpec]) -> str | None:
    if name in (BARE, FULL):
        return f"is the arm {'without any component' if name == BARE else 'with all components'}; rename it"
    if "." in name:
        return f"a component has a name of its own, without dots, and is written {FORM}"
    rule = bundles.name_rule(name, spec)
    if rule is not None and "is a key of the study" in rule:
        return f"is a key of the study; a component has a name of its own and is written {FORM}"
    return rule


def _apart(one: Component, other: Component, reader: FactorReader, *, absent_together: bool) -> None:
    """Fault a key that two components set in the same arm: neither could be told apart."""
    for side, mine in (("with", one.present), ("without", one.absent)):
        theirs = [*other.present, *(other.absent if side == "with" or absent_together else ())]
        for key in mine:
            if key in theirs or any(any(overlapping([key, their])) for their in theirs):
                rule = f"is also set by {other.name}; keep one of them"
                reader.faults.append(reader.document.fault((*one.path, side, key), rule, on_key=True))
