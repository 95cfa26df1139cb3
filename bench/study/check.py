"""Whether every arm can be built, before the first run: all faults of all arms, each where it was written.

A value that is wrong in a hundred arms is one fault, at the level or the key of `base` that holds it (see
`attribute`). Torch is not needed: networks and datasets describe themselves without it. What a user's own
data decide is checked apart from the rest, because it needs to know where they are.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

import architectures
from bench.data import catalogue
from bench.errors import DataMissing
from bench.study.arms import Combination
from bench.study.attribute import Finding, place_findings
from bench.study.faults import KeyPath, StudyError, describe, show
from bench.study.model import Study
from bench.study.plain import explain, remedy
from bench.study.read import read_study
from bench.study.specs import BaseSpec, DataSpec, ModelSpec

TOP5_CLASSES = 6
"""Fewest classes of which five guesses leave something out."""

WRONG_TYPE = {
    "is not an integer": "a whole number",
    "is not a number": "a number",
    "is not true or false": "true or false",
    "is not text": "text",
}
"""How `architectures` refuses a type, and how a study is told."""


@dataclass(frozen=True)
class Candidate:
    """An arm on its way: the sections that can be read, and the whole where all can."""

    data: DataSpec | None
    model: ModelSpec | None
    config: BaseSpec | None


@dataclass(frozen=True)
class _Shape:
    """What a network is built for; the defaults stand for data that cannot be looked at yet."""

    num_classes: int = 1000
    channels: int = 3
    image_size: int = 224


@dataclass(frozen=True)
class _Data:
    """What is known of one data section."""

    findings: tuple[tuple[KeyPath, Any, str], ...] = ()
    facts: catalogue.DataFacts | None = None
    shape: _Shape | None = None


def configure(
    base: Mapping[str, Any], combinations: Sequence[Combination]
) -> tuple[list[Candidate], list[Finding]]:
    """Put every combination's levels into `base` and read the result strictly."""
    candidates: list[Candidate] = []
    findings: list[Finding] = []
    for n, combination in enumerate(combinations):
        fields = merge(base, combination)
        try:
            config = BaseSpec.model_validate(fields)
        except ValidationError as error:
            candidates.append(_readable_sections(fields))
            for one in explain(error.errors(include_url=False), fields, BaseSpec):
                path = ("base", *one.path)
                findings.append(Finding(n, path, one.rule, one.value, one.on_key, one.is_certain))
        else:
            candidates.append(Candidate(config.data, config.model, config))
    return candidates, findings


def merge(base: Mapping[str, Any], combination: Combination) -> dict[str, Any]:
    """`base` with the combination's levels put in; `base` itself is left as it is."""
    fields = dict(base)
    for parts, level in combination.settings:
        _put(fields, parts, level.value)
    return fields


def _put(fields: dict[str, Any], parts: tuple[str, ...], value: Any) -> None:
    for part in parts[:-1]:
        below = fields.get(part, {})
        if not isinstance(below, dict):
            return  # a fault of its own, told of the section
        fields[part] = dict(below)
        fields = fields[part]
    fields[parts[-1]] = value


def _readable_sections(fields: Mapping[str, Any]) -> Candidate:
    """The sections that stand on their own, so that their faults are told beside those of the others."""
    data = model = None
    with contextlib.suppress(ValidationError):  # told with the errors of the whole
        data = DataSpec.model_validate(fields.get("data"))
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
    """Check that the kind of device can do what `execution` asks for.

    Raises:
        StudyError: It cannot.
    """
    path = ("base", "execution", "fp32_precision")
    on_cpu = [n for n, arm in enumerate(study.arms) if arm.config.execution.fp32_precision == "tf32"]
    if device_kind == "cpu":
        _raise(study, [Finding(n, path, "needs a GPU; on a CPU use ieee", "tf32") for n in on_cpu])


def _raise(study: Study, findings: Iterable[Finding]) -> None:
    findings = list(findings)
    if findings:
        # Places were not kept: a study without faults, the usual one, does not pay for them.
        source = read_study(study.path, study.overrides)
        raise StudyError(place_findings(findings, source.document, source.design))


def _findings(
    candidates: Sequence[Candidate], metric: str | None, data_dir: Path | None
) -> Iterator[Finding]:
    """Findings of every arm: without a data folder what constants decide, with one what the data decide."""
    seen: dict[DataSpec | None, _Data] = {}
    for n, arm in enumerate(candidates):
        if data_dir is not None and (arm.data is None or not _has_to_look(arm.data)):
            continue
        if arm.data not in seen:
            seen[arm.data] = _data(arm.data, data_dir)
        data = seen[arm.data]
        yield from (Finding(n, path, rule, show(value)) for path, value, rule in data.findings)
        if arm.model is not None:
            yield from _network(n, arm.model, data.shape or _Shape(), is_known=data.shape is not None)
        if metric == "test_top5_pct" and data.shape is not None and data.shape.num_classes < TOP5_CLASSES:
            rule = f"needs at least {TOP5_CLASSES} classes, got {data.shape.num_classes}"
            yield Finding(n, ("metric",), rule, metric)
        if arm.config is not None and data.facts is not None:
            yield from _batch(n, arm.config, data.facts)


def _has_to_look(spec: DataSpec) -> bool:
    """Whether facts of a section stand in files, not in the catalogue."""
    if spec.name in catalogue.OWN:
        return True
    return spec.name in catalogue.names() and catalogue.entry(spec.name).train_counts is None


def _data(spec: DataSpec | None, data_dir: Path | None) -> _Data:
    if spec is None:
        return _Data()
    if data_dir is None and _has_to_look(spec):
        return _Data(shape=_catalogued_shape(spec))
    faults = catalogue.check(spec, data_dir or Path())
    if faults:
        return _Data(tuple((("base", "data", *_key_parts(key)), value, rule) for key, value, rule in faults))
    try:
        facts = catalogue.facts(spec, data_dir or Path())
    except DataMissing:
        return _Data(shape=_catalogued_shape(spec))
    return _Data((), facts, _Shape(facts.num_classes, facts.channels, facts.image_size))


def _catalogued_shape(spec: DataSpec) -> _Shape | None:
    if spec.name in catalogue.OWN:
        return None
    entry = catalogue.entry(spec.name)
    n_classes = len(spec.classes or entry.class_names)
    return _Shape(n_classes, spec.channels or entry.channels, spec.image_size or entry.image_size)


def _key_parts(key: str) -> KeyPath:
    """`classes[1]` as `("classes", 1)`."""
    return tuple(int(part) if part.isdigit() else part for part in re.findall(r"[^.\[\]]+", key))


def _network(n: int, model: ModelSpec, shape: _Shape, *, is_known: bool) -> Iterator[Finding]:
    for fault in architectures.check(
        model.name,
        model.options,
        num_classes=shape.num_classes,
        in_chans=shape.channels,
        img_size=shape.image_size,
    ):
        key, rule = fault.key, fault.rule
        if key is None and fault.value != model.name:
            if is_known:
                yield Finding(n, ("base", "data"), rule, show(fault.value), on_key=True, is_certain=False)
        elif key is None:
            yield Finding(n, ("base", "model", "name"), rule, show(model.name))
        elif key not in model.options:
            yield Finding(n, ("base", "model", key), rule, on_key=True, is_certain=False)
        elif rule in WRONG_TYPE:
            given, wanted = model.options[key], WRONG_TYPE[rule]
            said = f"expected {wanted}, got {describe(given)}{remedy(wanted, given)}"
            yield Finding(n, ("base", "model", key), said)
        elif rule.startswith("unknown"):
            yield Finding(n, ("base", "model", key), rule, on_key=True)
        else:
            yield Finding(n, ("base", "model", key), rule, show(model.options[key]))


def _batch(n: int, config: BaseSpec, facts: catalogue.DataFacts) -> Iterator[Finding]:
    n_train, _ = catalogue.split_sizes(config.data, facts.n_train)
    if config.train.batch_size > n_train:
        rule = f"is larger than the training set of {n_train:,} images"
        yield Finding(n, ("base", "train", "batch_size"), rule, show(config.train.batch_size))
