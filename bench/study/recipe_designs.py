"""Designs over the components of a recipe: each left out once, or added one after the other.

`leave_one_out` compares the full recipe with the recipe less one component. `path` goes from the bare recipe
to the full one and adds at each step the component that does best on validation: its later arms depend on
what earlier runs scored, so the study is expanded as far as the decisions that were taken reach.

Reference: Fawcett & Hoos (2016), "Analysing differences between algorithm configurations through ablation",
J. Heuristics 22 (greedy ablation paths).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bench.study.arms import Combination, Design
from bench.study.components import BARE, FULL, Component, read_components
from bench.study.document import ABSENT, Document
from bench.study.factors import FactorReader
from bench.study.faults import Fault, KeyPath
from bench.study.model import Factor
from bench.study.outline import DesignSpec, StudyFile

LEAVE_ONE_OUT, PATH = "leave_one_out", "path"

Chosen = tuple[str, ...]
"""Components that a path added, in the order in which they were chosen."""

CHOOSES_ON = "val_top1_pct"
"""What a path chooses on: never the test set."""


def without(component: str) -> str:
    """Name of the arm that lacks one component."""
    return f"without {component}"


def subset_name(present: Iterable[str], components: Sequence[str]) -> str:
    """Name of the arm with some of the components, whatever the order in which they were added."""
    inside = set(present)
    if len(inside) == len(components):
        return FULL
    return "+".join(name for name in components if name in inside) or BARE


class RecipeReader:
    """Reads a design of components."""

    def __init__(
        self,
        outline: StudyFile,
        document: Document,
        spec: DesignSpec,
        kind: str,
        chosen: Sequence[Chosen] = (),
    ) -> None:
        self.outline, self.document, self.spec, self.kind = outline, document, spec, kind
        self.chosen = chosen
        self.faults: list[Fault] = []

    def read(self) -> Design:
        """The arms in order, the baseline (the full recipe; of a path the bare one) first."""
        reader = FactorReader(self.document, self.faults, self.outline.base_spec)
        path: KeyPath = ("design", self.kind)
        raw = getattr(self.spec, self.kind)
        components = read_components(raw, path, reader, absent_together=self.kind == PATH)
        self._rules()
        if len(components) < len(raw):
            return Design(self.kind, faults=self.faults)
        if self.kind == LEAVE_ONE_OUT:
            arms, levels = _leave_one_out(components), (True, False)
        else:
            arms, levels = _path(components, self.chosen), (False, True)
        factors = tuple(Factor(one.name, levels) for one in components)
        return Design(self.kind, factors, tuple(arms), self.faults)

    def _rules(self) -> None:
        if self.spec.exclude:
            rule = f"has no use with {self.kind}; take the component out instead"
            self.faults.append(self.document.fault(("design", "exclude"), rule, on_key=True))
        if self.outline.baseline is not None:
            recipe = "full" if self.kind == LEAVE_ONE_OUT else "bare"
            rule = f"with {self.kind} the {recipe} recipe is the baseline; leave it out"
            self.faults.append(self.document.fault(("baseline",), rule, on_key=True))
        if self.kind == PATH and self.document.get(("base", "data", "val")) == 0:
            rule = f"is 0 but design.path chooses on {CHOOSES_ON}, which needs validation; raise it"
            self.faults.append(self.document.fault(("base", "data", "val"), rule))
        if self.kind == PATH and self.outline.is_throughput:
            rule = "chooses on validation, which a throughput study has none of; use grid or one_at_a_time"
            self.faults.append(self.document.fault(("design", PATH), rule, on_key=True))
        if self.kind == PATH and self.document.get(("seeds", "until")) is not ABSENT:
            rule = "is for arms that are known beforehand; design.path takes a number of seeds"
            self.faults.append(self.document.fault(("seeds", "until"), rule, on_key=True))


def _leave_one_out(components: Sequence[Component]) -> list[Combination]:
    names = [one.name for one in components]
    arms = [_combination(FULL, names, components, is_baseline=True)]
    return arms + [
        _combination(without(name), [other for other in names if other != name], components) for name in names
    ]


def _path(components: Sequence[Component], chosen: Sequence[Chosen]) -> list[Combination]:
    """Bare, each component alone, what followed from each choice, full."""
    names = [one.name for one in components]
    arms = {BARE: _combination(BARE, (), components, is_baseline=True)}
    for steps in (*(chosen or ((),)),):
        for n in range(len(steps) + 1):
            for name in candidates(steps[:n], names):
                present = (*steps[:n], name)
                arm = subset_name(present, names)
                if arm != FULL:
                    arms.setdefault(arm, _combination(arm, present, components))
    arms[FULL] = _combination(FULL, names, components)
    return list(arms.values())


def candidates(taken: Iterable[str], components: Sequence[str]) -> list[str]:
    """Components that are not in the recipe yet, in declared order."""
    inside = set(taken)
    return [name for name in components if name not in inside]


def _combination(
    arm: str, present: Iterable[str], components: Sequence[Component], *, is_baseline: bool = False
) -> Combination:
    inside = set(present)
    settings = tuple(setting for one in components for setting in one.settings(is_present=one.name in inside))
    return Combination(arm, {one.name: one.name in inside for one in components}, settings, is_baseline)
