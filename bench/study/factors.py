"""The factors of a design, read from their lists of levels, with every fault met on the way."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bench.study import bundles
from bench.study.document import Document
from bench.study.faults import Fault, KeyPath
from bench.study.keys import takes_any_option
from bench.study.levels import FactorSpec, LevelFault, LevelSpec, key_rule, level_text, read_level, value_key
from bench.study.specs import BaseSpec


@dataclass
class FactorReader:
    """Reads factors and keeps the faults it meets."""

    document: Document
    faults: list[Fault]
    spec: type[BaseSpec] = BaseSpec
    """Of `base` in this kind of study."""

    def factors(self, raw: Mapping[str, list[Any]], path: KeyPath) -> tuple[FactorSpec, ...]:
        """The readable factors of a `grid`, `zip` or `one_at_a_time`."""
        bundled = [key for key in raw if bundles.is_bundle(key, raw[key], self.spec)]
        plain = [key for key in raw if key not in bundled]
        self.keys(plain, path)
        inner = {inner for _, inner in overlapping(plain)}
        good = [key for key in raw if key in bundled or (self._rule(key) is None and key not in inner)]
        factors = [
            self._bundle(key, raw[key], (*path, key))
            if key in bundled
            else FactorSpec(key, tuple(key.split(".")), self._levels(raw[key], (*path, key), read_level))
            for key in good
        ]
        for factor in factors:
            self._apart(factor, factors)
        return tuple(factor for factor in factors if factor.levels)

    def keys(self, raw: Iterable[str], path: KeyPath) -> None:
        """Fault keys that no configuration has, and keys inside one another."""
        given = list(raw)
        for key in given:
            if rule := self._rule(key):
                self._fault((*path, key), rule, on_key=True)
        for outer, inner in overlapping(given):
            rule = f"is inside {outer}, which the design also sets; keep one of them"
            self._fault((*path, inner), rule, on_key=True)

    def _rule(self, key: str) -> str | None:
        return None if takes_any_option(key, self.document.data) else key_rule(key, spec=self.spec)

    def _fault(self, path: KeyPath, rule: str, *, on_key: bool = False) -> None:
        self.faults.append(self.document.fault(path, rule, on_key=on_key))

    def _bundle(self, key: str, raw: list[Any], path: KeyPath) -> FactorSpec:
        if rule := bundles.name_rule(key, self.spec):
            self._fault(path, rule, on_key=True)
        n_faults = len(self.faults)
        levels = self._levels(raw, path, bundles.read_bundle)
        for level in levels:
            self.keys(level.value, level.path)
        return FactorSpec(key, None, levels if len(self.faults) == n_faults else ())

    def _apart(self, factor: FactorSpec, factors: Iterable[FactorSpec]) -> None:
        """Fault what a bundle sets and another factor sets too: neither would be varied alone."""
        if factor.parts is not None:
            return
        others = [(other, key) for other in factors if other is not factor for key in _keys_of(other)]
        for level in factor.levels:
            for key in level.value:
                for other, theirs in others:
                    if key == theirs or any(overlapping([key, theirs])):
                        rule = f"is also set by {other.key}; keep one of them"
                        self._fault((*level.path, key), rule, on_key=True)
                        break

    def _levels(
        self, raw: list[Any], path: KeyPath, read: Callable[[Any, KeyPath], LevelSpec]
    ) -> tuple[LevelSpec, ...]:
        """The readable levels of one factor; equal ones are faults."""
        levels: list[LevelSpec] = []
        texts: dict[Hashable, int] = {}
        values: dict[Hashable, int] = {}
        for n, one in enumerate(raw):
            where = (*path, n)
            try:
                level = read(one, where)
            except LevelFault as fault:
                self._fault(where, str(fault))
                continue
            first = texts.setdefault(level_text(level.text), n)
            first = min(first, values.setdefault(value_key(level.value), n))
            if first != n:
                rule = f"is the same level as [{first}]"
                self.faults.append(self.document.fault(where, rule, value=level.text))
                continue
            levels.append(level)
        return tuple(levels)


def overlapping(keys: list[str]) -> Iterator[tuple[str, str]]:
    """Pairs of dotted keys of which the first holds the second."""
    for outer in keys:
        yield from ((outer, inner) for inner in keys if inner.startswith(f"{outer}."))


def _keys_of(factor: FactorSpec) -> dict[str, None]:
    if factor.parts is not None:
        return {factor.key: None}
    return {key: None for level in factor.levels for key in level.value}
