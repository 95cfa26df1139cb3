"""What was planned, beside what was recorded: arms in order, the baseline, the seeds, the factors.

A table that forgets a run that never ran lies by omission. With the study at hand the outline is the
plan; with records alone it is the best that they tell: arms in the order of their lines, the first one
being the baseline (the order in which the store writes them), and every seed that any arm has.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from bench.record.schema import Record, StudyRecord
from bench.study.comparisons import UNDECLARED, ComparisonsSpec, pairs_of
from bench.study.identity import declaration, earlier_declaration
from bench.study.model import Factor, Level, Study
from bench.study.naming import arm_name
from bench.study.specs import BaseSpec

_STAGE: Final = re.compile(r"stem|head|(layer|stage|block|feature|conv)s?[._]?\d+")


@dataclass(frozen=True)
class Outline:
    """Arms in table order with their levels, the baseline's name, planned seeds, factors in order."""

    arms: Mapping[str, Mapping[str, Level]]
    baseline: str | None
    seeds: tuple[int, ...]
    factors: tuple[Factor, ...]
    comparisons: ComparisonsSpec = UNDECLARED
    seeds_by_arm: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Where arms have not the same number of seeds."""
    looks: tuple[int, ...] = ()
    """Seeds at which comparisons are looked at, where seeds are added until they are decided."""
    declarations: frozenset[str] = frozenset()
    """Digests of what the study declares, as records may hold it; empty where records alone are known."""

    def seeds_of(self, arm: str) -> tuple[int, ...]:
        """The seeds that an arm is planned to have."""
        return self.seeds_by_arm.get(arm, self.seeds)

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Arms that are compared: arm, and what it is compared with."""
        return pairs_of(self.comparisons, list(self.arms), self.baseline)


def level_text(level: Level) -> str:
    """A level as it reads in names, tables and axes: as YAML writes it."""
    if level is None:
        return "null"
    if isinstance(level, bool):
        return "true" if level else "false"
    return str(level)


def outline_of(study: Study) -> Outline:
    """The outline of a loaded study."""
    baseline = study.baseline
    arms = sorted(study.arms, key=lambda arm: not arm.is_baseline)  # stable: the rest keeps its order
    return Outline(
        arms={arm.name: arm.levels for arm in arms},
        baseline=None if baseline is None else baseline.name,
        seeds=study.seeds,
        factors=study.factors,
        comparisons=study.comparisons,
        looks=() if study.seeds_rule is None else study.seeds_rule.looks,
        seeds_by_arm={} if study.seeds_rule is None else {a.name: study.seeds_of(a.name) for a in arms},
        declarations=frozenset({declaration(study), earlier_declaration(study)}),
    )


def outline_from_records(records: Iterable[Record]) -> Outline:
    """The outline that records alone tell: line order is plan order, baseline first."""
    arms: dict[str, Mapping[str, Level]] = {}
    seeds: set[int] = set()
    for record in records:
        if isinstance(record, StudyRecord) and record.role == "arm":
            arms.setdefault(record.arm, record.levels)
            seeds.add(record.seed)
    keys = dict.fromkeys(key for levels in arms.values() for key in levels)
    factors = tuple(Factor(key, _levels_of(key, arms.values())) for key in keys)
    return Outline(arms, next(iter(arms), None), tuple(sorted(seeds)), factors)


def _levels_of(key: str, arms: Iterable[Mapping[str, Level]]) -> tuple[Level, ...]:
    """Levels in order of appearance; by their text, because True == 1 in Python and not in a study."""
    return tuple({level_text(levels[key]): levels[key] for levels in arms if key in levels}.values())


def short_keys(keys: Sequence[str]) -> dict[str, str]:
    """The shortest ending of each dotted key that no other key shares: `model.depth` reads `depth`.

    A section's `name` stands for the section: `train.optimizer.name` reads `optimizer`.
    """
    whole = {key: key.removesuffix(".name") for key in keys}
    if len(set(whole.values())) < len(keys):
        whole = {key: key for key in keys}
    short = _shortest(list(whole.values()))
    return {key: short[ending] for key, ending in whole.items()}


def _shortest(keys: Sequence[str]) -> dict[str, str]:
    short: dict[str, str] = {}
    for key in keys:
        parts = key.split(".")
        endings = [".".join(parts[-count:]) for count in range(1, len(parts) + 1)]
        others = [other for other in keys if other != key]
        short[key] = next((e for e in endings if not any(o == e or o.endswith(f".{e}") for o in others)), key)
    return short


def varied_factors(outline: Outline) -> tuple[Factor, ...]:
    """Factors with at least two levels among the arms."""
    return tuple(factor for factor in outline.factors if len(factor.levels) > 1)


def is_ordinal(key: str, levels: Iterable[Level]) -> bool:
    """Whether levels are names in an order: stages of a network, from the images to the head."""
    names = [level for level in levels if level is not None]
    if not all(isinstance(name, str) for name in names) or len(names) < 2:
        return False
    return is_through(key) or all(_STAGE.fullmatch(str(name)) for name in names)


def is_through(key: str) -> bool:
    """Whether a factor says up to which stage something is done."""
    return key.rpartition(".")[2] == "through"


def is_bundle(key: str) -> bool:
    """Whether a factor has a name of its own, so that its levels are names that stand for themselves."""
    return "." not in key and key not in BaseSpec.model_fields


def absent_factors(outline: Outline) -> frozenset[str]:
    """Factors that only the baseline has no level of: a stage to copy up to, where it copies nothing."""
    base = outline.arms.get(outline.baseline or "")
    others = [levels for name, levels in outline.arms.items() if name != outline.baseline]
    if base is None or not others:
        return frozenset()
    keys = [factor.key for factor in varied_factors(outline)]
    return frozenset(
        key for key in keys if base.get(key) is None and all(levels.get(key) is not None for levels in others)
    )


def are_named(arms: Mapping[str, Mapping[str, Level]]) -> bool:
    """Whether the design gives its arms names of their own: `arms`, and those over components of a recipe."""
    return any(
        "arm" in levels
        or (_parts(name) != _parts(arm_name(levels)) and all(map(_is_component, levels.items())))
        for name, levels in arms.items()
    )


def _parts(name: str) -> list[str]:
    """In any order: a record's levels are sorted by key, whatever order the study declared."""
    return sorted(name.split(","))


def _is_component(factor: tuple[str, Level]) -> bool:
    key, level = factor
    return is_bundle(key) and isinstance(level, bool)


def arm_labels(outline: Outline) -> dict[str, str]:
    """A short name for each arm, unique within the study.

    An arm with a name of its own keeps it. Others are named by their varied factors; with more than three of
    these only by what differs from the baseline, so that a row of a long one-at-a-time study stays short.
    A factor that the baseline has no level of is left out of its label.
    """
    varied = varied_factors(outline)
    if not varied or are_named(outline.arms):
        return {name: name for name in outline.arms}
    short = short_keys([factor.key for factor in outline.factors])
    base, absent = outline.arms.get(outline.baseline or "", {}), absent_factors(outline)
    labels = {}
    for name, levels in outline.arms.items():
        told = [f for f in varied if f.key in levels and not (f.key in absent and levels is base)]
        if len(varied) > 3 and base:
            told = [f for f in told if level_text(levels[f.key]) != level_text(base.get(f.key))]
        text = ", ".join(_label_part(f.key, short[f.key], levels[f.key]) for f in told)
        labels[name] = text or "baseline"
    return labels if len(set(labels.values())) == len(labels) else {name: name for name in outline.arms}


def _label_part(key: str, short: str, level: Level) -> str:
    if is_bundle(key) and not isinstance(level, bool):
        return level_text(level)
    return f"{short}={level_text(level)}"


def section(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A section of a recorded configuration, empty where it is absent."""
    value = config.get(name)
    return value if isinstance(value, Mapping) else {}
