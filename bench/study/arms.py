"""Arms before they are configured, and the design that writes each of them out by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.errors import nearest
from bench.study.document import Document
from bench.study.factors import FactorReader
from bench.study.faults import Fault, KeyPath
from bench.study.levels import Settings, written_out
from bench.study.model import Factor, Level
from bench.study.outline import DesignSpec, StudyFile


@dataclass(frozen=True)
class Combination:
    """An arm before its configuration is made: its name, its levels, and what they set."""

    name: str
    levels: Mapping[str, Level]
    settings: Settings
    is_baseline: bool = False


@dataclass
class Design:
    """A design that was read: its combinations, the baseline first, and the faults met on the way."""

    kind: str | None = None
    factors: tuple[Factor, ...] = ()
    combinations: tuple[Combination, ...] = ()
    faults: list[Fault] = field(default_factory=list)


class ArmsReader:
    """Reads a design of arms written out."""

    def __init__(self, outline: StudyFile, document: Document, spec: DesignSpec, kind: str) -> None:
        self.outline, self.document, self.spec, self.kind = outline, document, spec, kind
        self.faults: list[Fault] = []

    def read(self) -> Design:
        """The arms in declared order, the baseline first."""
        arms = self.spec.arms or {}
        reader = FactorReader(self.document, self.faults, self.outline.base_spec)
        baseline = self._baseline(arms)
        combinations = []
        for name, settings in arms.items():
            path: KeyPath = ("design", "arms", name)
            if not name.strip() or not name.isprintable():
                self.faults.append(self.document.fault(path, "an arm needs a printable name", on_key=True))
            n_faults = len(self.faults)
            reader.keys(settings or {}, path)
            if len(self.faults) == n_faults:
                sets = written_out(settings or {}, path)
                combinations.append(Combination(name, {"arm": name}, sets, name == baseline))
        if self.spec.exclude:
            rule = "has no use with arms; take the arm out instead"
            self.faults.append(self.document.fault(("design", "exclude"), rule, on_key=True))
        combinations.sort(key=lambda one: not one.is_baseline)
        return Design("arms", (Factor("arm", tuple(arms)),), tuple(combinations), self.faults)

    def _baseline(self, arms: Mapping[str, Any]) -> str | None:
        named = self.outline.baseline
        if named is None:
            return None
        if not isinstance(named, str):
            self.faults.append(self.document.fault(("baseline",), "with arms, the baseline is an arm's name"))
        elif named not in arms:
            fault = self.document.fault(("baseline",), f"is no arm; {nearest(named, arms)}", value=named)
            self.faults.append(fault)
        else:
            return named
        return None
