"""The arms that `comparisons` names, found among those of the design, with every fault on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.errors import nearest
from bench.study.arms import Combination, Design
from bench.study.comparisons import UNDECLARED, ArmReference, ComparisonsSpec
from bench.study.document import Document
from bench.study.faults import Fault, KeyPath, show
from bench.study.levels import level_text, value_key
from bench.study.outline import StudyFile

_KEY = "comparisons"


def read_comparisons(
    outline: StudyFile, document: Document, design: Design
) -> tuple[ComparisonsSpec, list[Fault]]:
    """What the study declares, its arms by name.

    Args:
        outline: Of the study.
        document: Knows the places.
        design: With its combinations; where it has none, its own faults come first and no arm is looked up.
    """
    spec = outline.comparisons
    if spec is None:
        return UNDECLARED, []
    faults = _rules(outline, spec, document)
    if faults or not design.combinations:
        return spec, faults
    if isinstance(spec.family, str):
        return spec, _of_a_word(spec.family, document, design.combinations)
    reader = _PairReader(document, design.combinations)
    pairs = reader.pairs(spec.family)
    return spec.model_copy(update={"family": pairs}), [*faults, *reader.faults]


def _rules(outline: StudyFile, spec: ComparisonsSpec, document: Document) -> list[Fault]:
    """Rules between keys, each told at the key that breaks it."""

    def fault(key: str, rule: str, value: Any) -> Fault:
        return document.fault((_KEY, key), rule, value=value)

    if outline.is_throughput:
        rule = "is no key of a throughput study, whose cells are compared by their ratio"
        return [document.fault((_KEY,), rule, on_key=True)]
    faults = []
    if spec.correction == "dunnett" and spec.family != "baseline":
        rule = "compares arms with one baseline; use holm, or family: baseline"
        faults.append(fault("correction", rule, spec.correction))
    if spec.margin_pp is not None and outline.metric == "test_loss":
        rule = "is in percentage points, which test_loss is not; leave it out"
        faults.append(fault("margin_pp", rule, spec.margin_pp))
    return faults


def _of_a_word(family: str, document: Document, arms: Sequence[Combination]) -> list[Fault]:
    """Whether a family without pairs of its own has any."""
    path: KeyPath = (_KEY, "family")
    if len(arms) == 1:
        return [document.fault(path, "has nothing to compare: the study has one arm", value=family)]
    if family == "baseline" and not any(arm.is_baseline for arm in arms):
        rule = "needs a baseline; declare one, or use all_pairs, or write the pairs out"
        return [document.fault(path, rule, value=family)]
    return []


class _PairReader:
    """Finds the arms of pairs written out, and keeps the faults it meets."""

    def __init__(self, document: Document, arms: Sequence[Combination]) -> None:
        self.document, self.arms = document, arms
        self.baseline = next((arm for arm in arms if arm.is_baseline), None)
        self.faults: list[Fault] = []

    def pairs(self, family: Sequence[Sequence[ArmReference]]) -> list[list[str]]:
        """The pairs by name, each once; a pair with a fault is left out."""
        found: list[list[str]] = []
        places: dict[frozenset[str], int] = {}
        for n, pair in enumerate(family):
            path: KeyPath = (_KEY, "family", n)
            names = [self._arm(arm, (*path, side)) for side, arm in enumerate(pair)]
            known = [name for name in names if name is not None]
            if len(known) < len(names):
                continue
            first = places.setdefault(frozenset(known), n)
            if known[0] == known[1]:
                self._fault(path, f"compares {known[0]} with itself")
            elif first != n:
                self._fault(path, f"compares the same arms as [{first}]")
            else:
                found.append(known)
        return found

    def _arm(self, reference: ArmReference, path: KeyPath) -> str | None:
        if isinstance(reference, dict):
            return self._by_levels(reference, path)
        names = [arm.name for arm in self.arms]
        if reference in names:
            return reference
        self.faults.append(
            self.document.fault(path, f"is no arm; {nearest(reference, names)}", value=reference)
        )
        return None

    def _by_levels(self, reference: Mapping[str, Any], path: KeyPath) -> str | None:
        keys = list(dict.fromkeys(key for arm in self.arms for key in arm.levels))
        unknown = [key for key in reference if key not in keys]
        for key in unknown:
            rule = f"is no factor of the design; {nearest(key, keys)}"
            self.faults.append(self.document.fault((*path, key), rule, on_key=True))
        wrong = [key for key in reference if key not in unknown and not self._is_level(key, reference[key])]
        for key in wrong:
            levels = list(
                dict.fromkeys(level_text(arm.levels[key]) for arm in self.arms if key in arm.levels)
            )
            rule = f"is no level of {key}; {nearest(str(reference[key]), levels)}"
            self.faults.append(self.document.fault((*path, key), rule, value=reference[key]))
        if unknown or wrong:
            return None
        return self._only(reference, [key for key in keys if key not in reference], path)

    def _is_level(self, key: str, value: Any) -> bool:
        return any(_same(arm, key, value) for arm in self.arms)

    def _only(self, reference: Mapping[str, Any], others: Sequence[str], path: KeyPath) -> str | None:
        """The one arm of these levels; of several the one that has the baseline's levels elsewhere."""
        fitting = [
            arm for arm in self.arms if all(_same(arm, key, level) for key, level in reference.items())
        ]
        base = self.baseline
        if len(fitting) > 1 and base is not None:
            near = [arm for arm in fitting if all(_same(arm, key, base.levels.get(key)) for key in others)]
            fitting = near or fitting
        if len(fitting) == 1:
            return fitting[0].name
        if not fitting:
            self._fault(path, f"no arm has the levels {show(dict(reference))}")
        else:
            varied = [key for key in others if len({level_text(arm.levels.get(key)) for arm in fitting}) > 1]
            self._fault(path, f"{len(fitting)} arms have these levels; say also {' and '.join(varied)}")
        return None

    def _fault(self, path: KeyPath, rule: str) -> None:
        self.faults.append(self.document.fault(path, rule))


def _same(arm: Combination, key: str, value: Any) -> bool:
    level = arm.levels.get(key)
    if isinstance(value, dict | list):
        return False
    return key in arm.levels and value_key(level) == value_key(value)
