"""How factors become arms: grid, zip, arms written out, one at a time, factorial; exclusion; the baseline.

The number of runs is known before an arm is made, so that a study of a million runs is refused at once.
The baseline always runs and comes first, whether the design holds it or not.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import architectures
from bench.errors import nearest
from bench.study.arms import ArmsReader, Combination, Design
from bench.study.document import ABSENT, Document
from bench.study.factorial import Fraction
from bench.study.factorial_factors import read_fraction, two_level_factors
from bench.study.factors import FactorReader
from bench.study.faults import Fault, KeyPath
from bench.study.keys import NO_DEFAULT, default_of
from bench.study.levels import (
    FactorSpec,
    LevelFault,
    LevelSpec,
    level_text,
    match_level,
    value_key,
)
from bench.study.model import NO_GROWTH, Factor, Growth, Level
from bench.study.naming import arm_name
from bench.study.outline import DesignSpec, StudyFile
from bench.study.recipe_designs import LEAVE_ONE_OUT, PATH, RecipeReader

MAX_RUNS = 100_000
"""Arms times seeds of one study."""

KINDS = ("grid", "zip", "arms", "one_at_a_time", "leave_one_out", "path", "factorial")

ONE_ARM = "base"
"""Name of the arm of a study without a design."""


def read_design(outline: StudyFile, document: Document, growth: Growth = NO_GROWTH) -> Design:
    """Read and expand the design of a study; faults are collected, what is readable is expanded.

    Args:
        outline: Of the study.
        document: Knows the places.
        growth: How far decisions take a path.
    """
    spec = outline.design
    if spec is None:
        return _without_design(outline, document)
    given = [kind for kind in KINDS if getattr(spec, kind) is not None]
    if len(given) != 1:
        found = " and ".join(given) or "none"
        rule = f"exactly one of {', '.join(KINDS)} has to be given, got {found}"
        return Design(faults=[document.fault(("design",), rule, on_key=True)])
    kind = given[0]
    fraction, faults = read_fraction(spec, document)
    if faults:
        return Design(kind, faults=faults)
    n_arms = fraction.n_arms if fraction is not None else _count(spec, kind)
    if n_arms * outline.n_seeds > MAX_RUNS:
        return Design(kind, faults=[_too_many(document, ("design", kind), n_arms, outline)])
    reader: ArmsReader | RecipeReader | _FactorialReader
    if kind in (LEAVE_ONE_OUT, PATH):
        reader = RecipeReader(outline, document, spec, kind, tuple(growth.chosen.values()))
    elif kind == "arms":
        reader = ArmsReader(outline, document, spec, kind)
    else:
        reader = _FactorialReader(outline, document, spec, kind, fraction)
    return reader.read()


def _without_design(outline: StudyFile, document: Document) -> Design:
    design = Design(combinations=(Combination(ONE_ARM, {}, ()),))
    if outline.baseline:
        design.faults.append(document.fault(("baseline",), "a baseline needs a design", on_key=True))
    if outline.n_seeds > MAX_RUNS:
        design = replace(
            design, combinations=(), faults=[_too_many(document, (outline.replicates_key,), 1, outline)]
        )
    return design


def _count(spec: DesignSpec, kind: str) -> int:
    """Number of arms by the lengths of the lists alone, before `exclude` and the baseline."""
    listed = getattr(spec, kind)
    if kind in ("arms", LEAVE_ONE_OUT):
        return len(listed) + (kind == LEAVE_ONE_OUT)
    if kind == PATH:
        return 1 + len(listed) * (len(listed) + 1) // 2
    lengths = [len(levels) for levels in listed.values()]
    if kind == "grid":
        return math.prod(lengths)
    return max(lengths) if kind == "zip" else 1 + sum(length - 1 for length in lengths)


def _too_many(document: Document, path: KeyPath, n_arms: int, outline: StudyFile) -> Fault:
    arms = "1 arm" if n_arms == 1 else f"{n_arms:,} arms"
    seeds = "1 seed" if outline.n_seeds == 1 else f"{outline.n_seeds:,} seeds"
    rule = f"{arms} with {seeds} are {n_arms * outline.n_seeds:,} runs; a study has at most {MAX_RUNS:,}"
    return document.fault(path, rule, on_key=True)


class _FactorialReader:
    """Grid, zip, one at a time and factorial: factors with lists of levels."""

    def __init__(
        self,
        outline: StudyFile,
        document: Document,
        spec: DesignSpec,
        kind: str,
        fraction: Fraction | None = None,
    ) -> None:
        self.outline, self.document, self.spec, self.kind = outline, document, spec, kind
        self.fraction = fraction
        self.faults: list[Fault] = []
        listed: dict[str, list[Any]] = getattr(spec, kind)
        path: KeyPath = ("design", kind)
        reader = FactorReader(document, self.faults, outline.base_spec)
        self.factors = two_level_factors(listed, path, reader) if fraction else reader.factors(listed, path)
        self.has_all_factors = len(self.factors) == len(listed)
        lengths = {key: len(levels) for key, levels in listed.items()} if kind == "zip" else {}
        if len(set(lengths.values())) > 1:
            told = ", ".join(f"{key} {length}" for key, length in lengths.items())
            rule = f"lists of a zip have equal length, got {told}"
            self.faults.append(document.fault(path, rule, on_key=True))

    def read(self) -> Design:
        baseline = self._baseline()
        excluded = self._excluded()
        combos: dict[Hashable, tuple[LevelSpec, ...]] = {}
        if baseline is not None:
            combos[_key(baseline)] = baseline
        used = [False] * len(excluded)
        for levels in self._expand(baseline):
            matched = [n for n, entry in enumerate(excluded) if _matches(levels, entry)]
            for n in matched:
                used[n] = True
            if not matched:
                combos.setdefault(_key(levels), levels)
        self._check_exclude(used, combos)
        self._check_fraction(baseline, len(combos))
        combinations = [self._combination(levels, levels is baseline) for levels in combos.values()]
        factors = tuple(Factor(f.key, self._declared(f, baseline, n)) for n, f in enumerate(self.factors))
        return Design(self.kind, factors, tuple(combinations), self.faults)

    def _expand(self, baseline: tuple[LevelSpec, ...] | None) -> Iterator[tuple[LevelSpec, ...]]:
        lists = [factor.levels for factor in self.factors]
        if self.kind == "grid":
            yield from itertools.product(*lists)
        elif self.fraction is not None and self.has_all_factors:
            for signs in self.fraction.rows():
                yield tuple(levels[sign > 0] for sign, levels in zip(signs, lists, strict=True))
        elif self.kind == "zip":
            yield from zip(*lists, strict=False)  # unequal lengths are a fault already
        elif self.kind == "one_at_a_time" and baseline is not None:
            for n, levels in enumerate(lists):
                yield from ((*baseline[:n], level, *baseline[n + 1 :]) for level in levels)

    def _check_fraction(self, baseline: tuple[LevelSpec, ...] | None, n_arms: int) -> None:
        """Effects are contrasts over all arms of the fraction, and no other."""
        if self.fraction is None or self.faults or n_arms == self.fraction.n_arms:
            return
        if self.spec.exclude:
            rule = "leaves holes in the factorial, whose effects need every arm; take a fraction instead"
            self.faults.append(self.document.fault(("design", "exclude"), rule, on_key=True))
        elif baseline is not None:
            rule = f"is no arm of the {self.fraction.text}; name one of its arms"
            self.faults.append(self.document.fault(("baseline",), rule, on_key=True))

    def _combination(self, levels: tuple[LevelSpec, ...], is_baseline: bool) -> Combination:
        read = {factor.key: level.text for factor, level in zip(self.factors, levels, strict=True)}
        pairs = zip(self.factors, levels, strict=True)
        settings = tuple(setting for factor, level in pairs for setting in factor.settings(level))
        return Combination(arm_name(read), read, settings, is_baseline)

    def _declared(
        self, factor: FactorSpec, baseline: tuple[LevelSpec, ...] | None, n: int
    ) -> tuple[Level, ...]:
        """Levels in declared order; one that only the baseline has comes first."""
        texts = [level.text for level in factor.levels]
        extra = [] if baseline is None or baseline[n] in factor.levels else [baseline[n].text]
        return (*extra, *texts)

    def _baseline(self) -> tuple[LevelSpec, ...] | None:
        named = self.outline.baseline
        if isinstance(named, str):
            rule = f"with {self.kind}, the baseline is a mapping of factors to levels"
            self.faults.append(self.document.fault(("baseline",), rule))
            return None
        if named is None and self.kind != "one_at_a_time":
            return None
        self._known_factors(named or {}, ("baseline",))
        n_faults = len(self.faults)
        levels = [self._baseline_level(factor, named or {}) for factor in self.factors]
        known = tuple(level for level in levels if level is not None)
        return known if len(self.faults) == n_faults and len(known) == len(self.factors) else None

    def _baseline_level(self, factor: FactorSpec, named: Mapping[str, Any]) -> LevelSpec | None:
        path: KeyPath = ("baseline", factor.key)
        if factor.key in named:
            try:
                return match_level(factor, named[factor.key], path)
            except LevelFault as fault:
                self.faults.append(self.document.fault(path, str(fault)))
                return None
        if factor.parts is None:
            return self._level_of_base(factor)
        path = ("base", *factor.parts)
        value = self.document.get(path)
        if value is ABSENT:
            value = default_of(factor.parts, self._option_defaults(path[:-1]), self.outline.base_spec)
        if value is NO_DEFAULT and not self.has_all_factors:
            return None
        if value is NO_DEFAULT:
            rule = f"says nothing of {factor.key}, nor does base"
            path = ("baseline",) if self.outline.baseline is not None else ("design", self.kind, factor.key)
            self.faults.append(self.document.fault(path, f"the baseline {rule}", on_key=True))
            return None
        same = (level for level in factor.levels if value_key(level.value) == value_key(value))
        text = "base" if isinstance(value, dict | list) else value
        return next(same, LevelSpec(text, value, path))

    def _level_of_base(self, factor: FactorSpec) -> LevelSpec:
        """The level that changes nothing of `base`; a new one where there is none."""
        for level in factor.levels:
            here = ((self.document.get(("base", *parts)), one.value) for parts, one in factor.settings(level))
            if all(value is not ABSENT and value_key(value) == value_key(theirs) for value, theirs in here):
                return level
        return LevelSpec("base", {}, ("base",))

    def _option_defaults(self, section: KeyPath) -> Mapping[str, Any]:
        name = self.document.get((*section, "name"))
        return architectures.defaults(name) if name in architectures.names() else {}

    def _excluded(self) -> list[dict[int, LevelSpec]]:
        """For each entry of `exclude`: which factor (by position) has which level."""
        entries = []
        for n, entry in enumerate(self.spec.exclude or ()):
            path: KeyPath = ("design", "exclude", n)
            n_faults = len(self.faults)
            if not entry:
                self.faults.append(self.document.fault(path, "names no level"))
            self._known_factors(entry, path)
            found = {
                i: self._excluded_level(factor, entry[factor.key], (*path, factor.key))
                for i, factor in enumerate(self.factors)
                if factor.key in entry
            }
            if len(self.faults) == n_faults:
                entries.append({i: level for i, level in found.items() if level})
        return entries

    def _excluded_level(self, factor: FactorSpec, raw: Any, path: KeyPath) -> LevelSpec | None:
        try:
            level = match_level(factor, raw, path)
        except LevelFault as fault:
            self.faults.append(self.document.fault(path, str(fault)))
            return None
        if level in factor.levels:
            return level
        rule = f"is no level of {factor.key}; {nearest(level_text(level.text), _texts(factor))}"
        self.faults.append(self.document.fault(path, rule, value=level.text))
        return None

    def _known_factors(self, named: Mapping[str, Any], path: KeyPath) -> None:
        listed = getattr(self.spec, self.kind)
        for key in named if self.has_all_factors else ():
            if key not in listed:
                rule = f"is no factor of the design; {nearest(key, listed)}"
                self.faults.append(self.document.fault((*path, key), rule, on_key=True))

    def _check_exclude(self, used: list[bool], combos: Mapping[Hashable, Any]) -> None:
        if self.faults:
            return
        for n, was_used in enumerate(used):
            if not was_used:
                self.faults.append(self.document.fault(("design", "exclude", n), "leaves out no arm"))
        if not combos:
            self.faults.append(self.document.fault(("design", "exclude"), "leaves no arm", on_key=True))


def _key(levels: tuple[LevelSpec, ...]) -> Hashable:
    return tuple(level_text(level.text) for level in levels)


def _matches(levels: tuple[LevelSpec, ...], entry: Mapping[int, LevelSpec]) -> bool:
    return all(level_text(levels[i].text) == level_text(level.text) for i, level in entry.items())


def _texts(factor: FactorSpec) -> list[str]:
    return [level_text(level.text) for level in factor.levels]
