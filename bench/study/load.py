"""A study file becomes a `Study`: read strictly, overridden, expanded, and checked arm by arm.

Everything that is wrong is told at once, each fault where it was written; nothing runs before that.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.study.alike import unlike_findings
from bench.study.arms import Combination, Design
from bench.study.attribute import place_findings
from bench.study.cells import base_spec
from bench.study.check import catalogue_findings, configure
from bench.study.components import BARE, FULL
from bench.study.decisions import growth_beside, growth_of, holding, is_adaptive, read_decisions
from bench.study.document import Document
from bench.study.faults import Fault, StudyError
from bench.study.model import NO_GROWTH, Arm, Growth, Study
from bench.study.naming import slugs
from bench.study.outline import REPLICATES, StudyFile
from bench.study.read import Source, read_study
from bench.study.recipe_designs import subset_name
from bench.study.seeds import SeedsRule
from bench.study.specs import BaseSpec
from bench.study.transfer import trained_source


def load_study(path: Path, overrides: Sequence[str] = (), growth: Growth | None = None) -> Study:
    """Load and check a study, as far as it can be checked without its data.

    Args:
        path: The study file; faults name it as given.
        overrides: `key=value` each, a dotted path into the study and a strict YAML value.
        growth: How far its decisions take an adaptive study; None: those that stand beside the file, as they
            do beside a resolved study in its results folder.

    Raises:
        StudyError: Every fault of the study.
    """
    if growth is None:
        study = load_study(path, overrides, NO_GROWTH)
        grown = growth_beside(study) if is_adaptive(study) else NO_GROWTH
        return study if grown == NO_GROWTH else load_study(path, overrides, grown)
    source = read_study(Path(path), overrides, growth)
    faults = list(source.faults)
    if source.outline is None:
        faults += _base_faults(source)
        raise StudyError(faults)
    design = source.design
    if design.faults and not design.combinations:
        raise StudyError([*faults, *_base_faults(source)])
    outline = source.outline
    candidates, findings = configure(outline.base, design.combinations, outline.base_spec)
    findings += catalogue_findings(candidates, outline.primary_metric)
    findings += unlike_findings([one.config for one in candidates])
    if faults:
        findings = [finding for finding in findings if finding.is_certain]
    faults += place_findings(findings, source.document, design)
    configs = [one.config for one in candidates if one.config is not None]
    faults = faults or _twins(configs, design, source.document)
    if faults:
        raise StudyError(faults)
    study = _study(Path(path), tuple(overrides), source, source.outline, configs)
    return _grown(study, growth)


def grown_by_decisions(study: Study, folder: Path, device_kind: str | None = None) -> Study:
    """The study as far as the decisions in its results folder reach, of one kind of device or of all.

    Raises:
        EnvironmentFault: The decisions are damaged.
    """
    if not is_adaptive(study):
        return study
    growth = growth_of(holding(study, read_decisions(folder), device_kind))
    return study if growth == study.growth else load_study(study.path, study.overrides, growth)


def _grown(study: Study, growth: Growth) -> Study:
    """What the study is by its decisions: more seeds, and which of its arms were not there before."""
    study = replace(study, growth=growth)
    if study.seeds_rule is not None:
        study = replace(study, seeds=max((study.seeds_of(arm.name) for arm in study.arms), key=len))
    if not growth.chosen:
        return study
    components = [factor.key for factor in study.factors]
    known = {BARE, FULL, *(subset_name((name,), components) for name in components)}
    return replace(study, grown_arms=frozenset(arm.name for arm in study.arms) - known)


def _base_faults(source: Source) -> list[Fault]:
    """Faults of `base` alone, where the design cannot be expanded: only those that no factor can mend."""
    base = source.document.get(("base",))
    if not isinstance(base, dict):
        return []
    alone = Design(combinations=(Combination("base", {}, ()),))
    spec = base_spec(source.document.get(("kind",)))
    candidates, findings = configure(base, alone.combinations, spec)
    findings += catalogue_findings(candidates, None)
    return place_findings([one for one in findings if one.is_certain], source.document, alone)


def _twins(configs: Sequence[BaseSpec], design: Design, document: Document) -> list[Fault]:
    """Arms of different levels and one configuration would share their runs; a design means them apart."""
    first: dict[str, tuple[Combination, BaseSpec]] = {}
    faults = []
    for config, one in zip(configs, design.combinations, strict=True):
        used = config if trained_source(config) else config.model_copy(update={"pretrain": None})
        twin, theirs = first.setdefault(used.model_dump_json(), (one, config))
        if twin is not one:
            path = ("design", "arms", one.name) if design.kind == "arms" else ("design", design.kind or "")
            rule = f"arm {one.name} has the same configuration as arm {twin.name}"
            if config != theirs:
                unused = "only in `pretrain`, from which neither starts; give them `weights: pretrain`"
                rule = f"arm {one.name} differs from arm {twin.name} {unused}"
            faults.append(document.fault(path, rule, on_key=True))
    return faults


def _study(
    path: Path, overrides: tuple[str, ...], source: Source, outline: StudyFile, configs: Sequence[BaseSpec]
) -> Study:
    combinations = source.design.combinations
    folder = slugs(one.name for one in combinations)
    arms = tuple(
        Arm(one.name, folder[one.name], one.levels, config, one.is_baseline)
        for one, config in zip(combinations, configs, strict=True)
    )
    document = _resolved(outline, source.document.data)
    return Study(
        name=outline.name,
        question=outline.question,
        metric=outline.primary_metric,
        seeds=outline.replicates,
        factors=source.design.factors,
        arms=arms,
        design=source.design.kind,
        document=document,
        path=path,
        results_name=outline.name + _suffix(document, overrides),
        overrides=overrides,
        kind=outline.kind,
        comparisons=source.comparisons,
        seeds_rule=outline.seeds if isinstance(outline.seeds, SeedsRule) else None,
        target_val_top1_pct=None if outline.target is None else outline.target.val_top1_pct,
    )


def _resolved(outline: StudyFile, data: dict[str, Any]) -> dict[str, Any]:
    """The document with overrides applied and what it left out of its head."""
    head: dict[str, Any] = {"name": outline.name}
    if outline.is_throughput:
        head |= {"kind": outline.kind}
    head |= {"question": outline.question, "metric": outline.primary_metric}
    head |= {"repeats": outline.repeats} if outline.is_throughput else {"seeds": _seeds(outline)}
    return {**head, **data}


def _seeds(outline: StudyFile) -> Any:
    return outline.seeds.model_dump() if isinstance(outline.seeds, SeedsRule) else outline.seeds


def _suffix(document: dict[str, Any], overrides: Sequence[str]) -> str:
    """`+hash6` of the resolved study, unless nothing but the number of replicates was overridden."""
    if all(override.partition("=")[0].partition(".")[0] in REPLICATES for override in overrides):
        return ""
    recipe = {key: value for key, value in document.items() if key not in ("name", *REPLICATES)}
    text = json.dumps(recipe, sort_keys=True, separators=(",", ":"))
    return "+" + hashlib.sha256(text.encode()).hexdigest()[:6]
