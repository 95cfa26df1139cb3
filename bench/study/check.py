"""Whether every arm can be built, before the first run: all faults of all arms, each where it was written.

A value that is wrong in a hundred arms is one fault, at the level or the key of `base` that holds it (see
`attribute`). Torch is not needed: networks and datasets describe themselves without it. What a user's own
data decide is checked apart from the rest, because it needs to know where they are.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bench.study.arms import Combination
from bench.study.attribute import Finding, place_findings
from bench.study.cells import needs_images
from bench.study.execution import beyond
from bench.study.faults import KeyPath, StudyError, show
from bench.study.inputs import input_findings
from bench.study.model import Arm, Study
from bench.study.networks import network_findings
from bench.study.origin import PRETRAIN
from bench.study.plain import explain
from bench.study.read import read_study
from bench.study.recipe import recipe_findings
from bench.study.shapes import ImageSets
from bench.study.specs import WEIGHTS, BaseSpec, DataSpec, ModelSpec
from bench.study.transfer import source_data, trained_source, transfer_findings

BASE: KeyPath = ("base",)
DATA: KeyPath = ("base", "data")

TOP5_CLASSES = 6
"""Fewest classes of which five guesses leave something out."""


@dataclass(frozen=True)
class Candidate:
    """An arm on its way: the sections that can be read, and the whole where all can."""

    data: DataSpec | None
    model: ModelSpec | None
    config: BaseSpec | None


def configure(
    base: Mapping[str, Any], combinations: Sequence[Combination], spec: type[BaseSpec] = BaseSpec
) -> tuple[list[Candidate], list[Finding]]:
    """Put every combination's levels into `base` and read the result strictly."""
    candidates: list[Candidate] = []
    findings: list[Finding] = []
    for n, combination in enumerate(combinations):
        fields, blocked = merge(base, combination)
        try:
            config = spec.model_validate(fields)
        except ValidationError as error:
            candidates.append(_readable_sections(fields))
            for one in explain(error.errors(include_url=False), fields, spec):
                path = ("base", *one.path)
                findings.append(Finding(n, path, one.rule, one.value, one.on_key, one.is_certain))
        else:
            candidates.append(Candidate(config.data, config.model, config))
            findings += (Finding(n, ("base", *parts), rule, on_key=True) for parts, rule in blocked.items())
    return candidates, findings


def merge(base: Mapping[str, Any], combination: Combination) -> tuple[dict[str, Any], dict[KeyPath, str]]:
    """`base` with the combination's levels put in; `base` itself is left as it is.

    Returns:
        The sections, and for each key that could not be put in the rule that says why.
    """
    fields = dict(base)
    rules = {parts: _put(fields, parts, level.value) for parts, level in combination.settings}
    return fields, {parts: rule for parts, rule in rules.items() if rule is not None}


def _put(fields: dict[str, Any], parts: tuple[str, ...], value: Any) -> str | None:
    for n, part in enumerate(parts[:-1], 1):
        below = fields.get(part, {})
        if parts[:n] == WEIGHTS and isinstance(below, str):
            below = {"from": below}
        if not isinstance(below, dict):
            return f"has no effect: {'.'.join(parts[:n])} is {show(below)}, which holds no keys"
        fields[part] = dict(below)
        fields = fields[part]
    fields[parts[-1]] = value
    return None


def _readable_sections(fields: Mapping[str, Any]) -> Candidate:
    """The sections that stand on their own, so that their faults are told beside those of the others.

    Of a data section that does not stand, its name is still looked at.
    """
    data = model = None
    section = fields.get("data")
    name = section.get("name") if isinstance(section, dict) else None
    for readable in (section, {"name": name}):
        with contextlib.suppress(ValidationError):  # told with the errors of the whole
            data = data or DataSpec.model_validate(readable)
    with contextlib.suppress(ValidationError):
        model = ModelSpec.model_validate(fields.get("model"))
    return Candidate(data, model, None)


def catalogue_findings(candidates: Sequence[Candidate], metric: str | None) -> list[Finding]:
    """What networks and datasets say of the arms, as far as it is known without the data being there."""
    return list(_findings(candidates, metric, None))


def check_arms(study: Study, data_dir: Path) -> None:
    """Check the arms whose data have to be looked at, in `data_dir` or where their path says.

    A set that is absent is no fault: planning says that its runs have no id yet.

    Raises:
        StudyError: Some arm cannot be built.
    """
    arms = [Candidate(arm.config.data, arm.config.model, arm.config) for arm in study.arms]
    _raise(study, list(_findings(arms, study.metric, data_dir)))


def check_device(study: Study, device_kind: str) -> None:
    """Check that the kind of device can carry out some arm; planning leaves out those that it cannot.

    Raises:
        StudyError: It can carry out none.
    """
    if leave_out(study, device_kind)[0].arms:
        return
    findings = [
        Finding(n, ("base", "execution", key), f"needs a GPU; on a CPU {remedy}", value)
        for n, arm in enumerate(study.arms)
        for key, value, remedy in _beyond(arm, device_kind)
    ]
    _raise(study, findings)


def leave_out(study: Study, device_kind: str) -> tuple[Study, tuple[str, ...]]:
    """The study with the arms that a kind of device can carry out, and a line for each of the others."""
    arms: list[Arm] = []
    lines: list[str] = []
    for arm in study.arms:
        said = [key if value == "true" else f"{key} {value}" for key, value, _ in _beyond(arm, device_kind)]
        if said:
            verb = "needs" if len(said) == 1 else "need"
            lines.append(f"arm {arm.name}: {', '.join(said)} {verb} a GPU; left out on {device_kind}")
        else:
            arms.append(arm)
    return replace(study, arms=tuple(arms)), tuple(lines)


def _beyond(arm: Arm, device_kind: str) -> list[tuple[str, str, str]]:
    return list(beyond(arm.config.execution, device_kind))


def _raise(study: Study, findings: Iterable[Finding]) -> None:
    findings = list(findings)
    if findings:
        # Places were not kept: a study without faults, the usual one, does not pay for them.
        source = read_study(study.path, study.overrides, study.growth)
        raise StudyError(place_findings(findings, source.document, source.design))


def _findings(
    candidates: Sequence[Candidate], metric: str | None, data_dir: Path | None
) -> Iterator[Finding]:
    """Findings of every arm: without a data folder what constants decide, with one what the data decide."""
    sets = ImageSets(data_dir)
    for n, arm in enumerate(candidates):
        if not sets.is_due(arm.data, source_data(arm.config)):
            continue
        images = sets.of(arm.data)
        yield from (Finding(n, (*DATA, *key), rule, show(value)) for key, value, rule in images.faults)
        if arm.model is not None:
            yield from network_findings(n, BASE, arm.model, images.shape)
        if metric == "test_top5_pct" and images.shape is not None and images.shape.num_classes < TOP5_CLASSES:
            rule = f"needs at least {TOP5_CLASSES} classes, got {images.shape.num_classes}"
            yield Finding(n, ("metric",), rule, metric)
        if arm.config is not None:
            # Random images are as many as one likes.
            facts = images.facts if needs_images(arm.config) else None
            yield from recipe_findings(n, BASE, arm.config, facts)
            yield from input_findings(n, BASE, arm.config)
            yield from transfer_findings(n, arm.config, sets)
    if data_dir is None:
        yield from _unused_source(candidates)


def _unused_source(candidates: Sequence[Candidate]) -> Iterator[Finding]:
    """A source that no arm starts from: `weights: pretrain` was forgotten."""
    configs = [arm.config for arm in candidates if arm.config is not None]
    if len(configs) < len(candidates) or any(trained_source(config) for config in configs):
        return
    for n, config in enumerate(configs):
        if config.pretrain is not None:
            rule = "is used by no arm; give one `weights: pretrain`"
            yield Finding(n, (*BASE, PRETRAIN), rule, on_key=True, is_certain=False)
