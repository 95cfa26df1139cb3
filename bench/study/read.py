"""From a file and overrides to a document, its outline and its design, with every fault met so far."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bench.study.arms import Design
from bench.study.comparisons import UNDECLARED, ComparisonsSpec, pairs_of
from bench.study.contrasts import read_comparisons
from bench.study.design import read_design
from bench.study.document import Document, read_document
from bench.study.faults import Fault, KeyPath, describe
from bench.study.model import NO_GROWTH, Growth
from bench.study.outline import StudyFile
from bench.study.overrides import apply_overrides
from bench.study.plain import Broken, explain
from bench.study.seeds import SeedsRule


@dataclass
class Source:
    """A study as it was written: the document, its outline (None: beyond reading), design and comparisons."""

    document: Document
    outline: StudyFile | None
    design: Design
    faults: list[Fault] = field(default_factory=list)
    comparisons: ComparisonsSpec = UNDECLARED


def read_study(path: Path, overrides: Sequence[str] = (), growth: Growth = NO_GROWTH) -> Source:
    """Read a study file, apply overrides, and expand it as far as its decisions reach.

    Raises:
        StudyError: The file cannot be read at all; other faults are in the answer.
    """
    document = read_document(path)
    override_faults = apply_overrides(document, overrides)
    outline, faults = _outline(document)
    if outline is None:
        return Source(document, None, Design(), [*override_faults, *faults])
    design = read_design(outline, document, growth)
    comparisons, undeclared = read_comparisons(outline, document, design)
    undecidable = _undecidable(outline, document, design, comparisons)
    found = [*override_faults, *faults, *design.faults, *undeclared, *undecidable]
    return Source(document, outline, design, found, comparisons)


def _undecidable(
    outline: StudyFile, document: Document, design: Design, comparisons: ComparisonsSpec
) -> list[Fault]:
    """Seeds that are added until comparisons are decided need comparisons."""
    if not isinstance(outline.seeds, SeedsRule) or design.faults or not design.combinations:
        return []
    arms = [one.name for one in design.combinations]
    baseline = next((one.name for one in design.combinations if one.is_baseline), None)
    if pairs_of(comparisons, arms, baseline):
        return []
    rule = "has nothing to decide: declare a baseline or comparisons, or give a number of seeds"
    return [document.fault(("seeds",), rule, on_key=True)]


def faults_of(broken: Iterable[Broken], document: Document) -> list[Fault]:
    """Place broken rules whose paths start at the root of the document."""
    return [
        Fault(f.place, f.path, one.value, f.rule)
        for one in broken
        for f in [document.fault(one.path, one.rule, on_key=one.on_key)]
    ]


def _outline(document: Document) -> tuple[StudyFile | None, list[Fault]]:
    """The outline and its faults; what cannot be read is left out, so that the rest is checked."""
    if not isinstance(document.data, dict):
        rule = f"expected a mapping with name, question, base, …; got {describe(document.data)}"
        return None, [document.fault((), rule)]
    try:
        return StudyFile.model_validate(document.data), []
    except ValidationError as error:
        broken = explain(error.errors(include_url=False), document.data, StudyFile)
    faults = faults_of(broken, document)
    rest = document.data
    for one in sorted(broken, key=lambda one: one.path, reverse=True):
        rest = _without(rest, one.path)
    if any(one.path[0] == "design" for one in broken):
        rest = _without(_without(rest, ("baseline",)), ("design", "exclude"))
        if not rest.get("design"):
            rest = _without(rest, ("design",))
    try:
        # Only `name` has no default besides `base`.
        return StudyFile.model_validate({"name": "unnamed", **rest}), faults
    except ValidationError:
        return None, faults


def _without(data: Any, path: KeyPath) -> Any:
    """A copy without the value at `path`."""
    head, rest = path[0], path[1:]
    if isinstance(data, dict) and head in data:
        inner = {head: _without(data[head], rest)} if rest else {}
        return {**{key: value for key, value in data.items() if key != head}, **inner}
    if isinstance(data, list) and isinstance(head, int) and head < len(data):
        inner_items = [_without(data[head], rest)] if rest else []
        return [*data[:head], *inner_items, *data[head + 1 :]]
    return data
