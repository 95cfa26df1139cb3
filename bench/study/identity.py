"""Which runs are the same run: digests of everything that changes a result, and of nothing else.

A field at its default is left out, so that a field added later leaves old ids alone; the study's name,
question, seed list, design and comparisons do not take part, so that another arm or seed leaves every id
alone. Computed without torch.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import architectures
from bench.errors import UsageError, nearest
from bench.study.model import Study
from bench.study.specs import SCHEMA, BaseSpec, is_callable_name

ENGINE = 1
"""Raised whenever a change of code moves results; runs of another engine are not the same runs."""

ID_DIGITS = 16


@dataclass(frozen=True)
class Inputs:
    """What a run's result depends on beside its configuration and seed."""

    device_kind: str
    """`cpu` or `cuda`."""
    data_digest: str
    """From `bench.data.digests`."""
    sources: Mapping[str, str] = field(default_factory=dict)
    """Digest of the source file of each `package.module:callable` (`callable_sources`)."""
    weights: str | None = None
    """Digest of the weights file, or id of the run (in an arm's id: of the arm) that weights come from."""


def canonical(config: BaseSpec, device_kind: str) -> dict[str, Any]:
    """What of an arm's configuration can change its result, as plain data.

    Paths and sources of weights are left to their digests. The frequency of evaluation counts only where
    validation decides something; CPU threads only on a CPU.
    """
    fields: dict[str, Any] = config.model_dump(mode="json", exclude_defaults=True)
    fields["data"].pop("path", None)
    options = {
        key: value
        for key, value in config.model.options.items()
        if value != architectures.defaults(config.model.name).get(key, _ABSENT)
    }
    fields["model"] = {"name": config.model.name, **options}
    if not config.train.uses_validation:
        fields["train"].pop("eval_every_epochs", None)
    if device_kind != "cpu":
        fields.get("execution", {}).pop("threads", None)
    if not fields.get("execution"):
        fields.pop("execution", None)
    fields.pop("pretrain", None)
    if config.weights is not None:
        kind = "random" if config.weights.source == "random" else "copied"
        fields["weights"] = {"kind": kind, "through": config.weights.through}
    return fields


def arm_id(config: BaseSpec, inputs: Inputs) -> str:
    """Digest of an arm's configuration: equal for all its seeds and for every engine."""
    return _digest(_arm_fields(config, inputs))


def run_id(config: BaseSpec, inputs: Inputs, *, seed: int) -> str:
    """Digest of one run: its arm's resolved configuration, what it is fed with, its seed, the engine."""
    return _digest({**_arm_fields(config, inputs), "engine": ENGINE, "seed": seed})


def callable_sources(config: BaseSpec) -> dict[str, str]:
    """Digest of the source file of every user's callable that the configuration names.

    A network of a library (`timm:NAME`) has none: the library's version stands in the record.

    Raises:
        UsageError: The module cannot be found, or plainly defines no such name.
    """
    names = [*config.data.augment, config.train.optimizer.name]
    if config.model.name.partition(":")[0] not in architectures.LIBRARIES:
        names.append(config.model.name)
    return {name: _source_digest(name) for name in sorted(set(names)) if is_callable_name(name)}


def _source_digest(name: str) -> str:
    module, _, attribute = name.partition(":")
    try:
        found = importlib.util.find_spec(module)
    except (ImportError, ValueError) as error:
        raise UsageError(f"{name}: module {module} cannot be found: {error}") from error
    if found is None or found.origin is None or not Path(found.origin).is_file():
        raise UsageError(f"{name}: module {module} cannot be found; is its folder on PYTHONPATH?")
    source = Path(found.origin).read_bytes()
    _demand_definition(name, attribute, source)
    return hashlib.sha256(source).hexdigest()


def _demand_definition(name: str, attribute: str, source: bytes) -> None:
    """Refuse a name that the module plainly does not define, without running the user's code."""
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError) as error:
        raise UsageError(f"{name}: its module cannot be parsed: {error}") from error
    known: set[str] = set()
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            known.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            known |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            known |= {target.id for target in targets if isinstance(target, ast.Name)}
        else:
            known |= {"*"} if not isinstance(node, ast.Expr) else set()
    if attribute not in known and not known & {"*", "__getattr__"}:
        raise UsageError(f"{name}: the module defines no {attribute!r}; {nearest(attribute, known)}")


def declaration(study: Study) -> str:
    """Digest of what a study declares before its first run.

    Its primary metric, its comparisons with the baseline that they are made with, its target, and whether
    seeds are added by looks. Arms may join later, since that makes the family larger.
    """
    fields = _declared_fields(study)
    fields["rule"] = None if study.seeds_rule is None else study.seeds_rule.model_dump()
    if study.comparisons.family == "baseline" and study.baseline is not None:
        fields["baseline"] = study.baseline.name
    return _digest(fields)


def earlier_declaration(study: Study) -> str:
    """The digest that the first records hold: of comparisons at their defaults it leaves the baseline out."""
    fields = _declared_fields(study)
    if "comparisons" in fields and study.comparisons.family == "baseline" and study.baseline is not None:
        fields["baseline"] = study.baseline.name
    return _digest(fields)


def _declared_fields(study: Study) -> dict[str, Any]:
    fields: dict[str, Any] = {"metric": study.metric}
    declared = study.comparisons.model_dump(exclude_defaults=True)
    if declared:
        fields["comparisons"] = declared
    if study.target_val_top1_pct is not None:
        fields["target"] = {"val_top1_pct": study.target_val_top1_pct}
    return fields


_ABSENT = object()


def _arm_fields(config: BaseSpec, inputs: Inputs) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "schema": SCHEMA,
        "config": canonical(config, inputs.device_kind),
        "device": inputs.device_kind,
        "data": inputs.data_digest,
    }
    if inputs.sources:
        fields["sources"] = dict(inputs.sources)
    if inputs.weights is not None:
        fields["weights"] = inputs.weights
    return fields


def _digest(fields: Mapping[str, Any]) -> str:
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:ID_DIGITS]
