"""Which runs are the same run: digests of everything that changes a result, and of nothing else.

A field at its default is left out, so that a field added later leaves old ids alone; the study's name,
question, seed list, design and comparisons do not take part, so that another arm or seed leaves every id
alone. Computed without torch.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import architectures
from bench.errors import UsageError
from bench.study.specs import SCHEMA, BaseSpec, is_callable_name

ENGINE = 1
"""Raised whenever a change of code moves results; runs of another engine are not the same runs."""

ID_DIGITS = 16


def canonical(config: BaseSpec, device_kind: str) -> dict[str, Any]:
    """What of an arm's configuration can change its result, as plain data.

    Paths are left to the data's digest. The frequency of evaluation counts only where validation decides
    something; CPU threads only on a CPU.
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
    return fields


def arm_id(config: BaseSpec, *, device_kind: str, data_digest: str, sources: Mapping[str, str]) -> str:
    """Digest of an arm's configuration: equal for all its seeds and for every engine."""
    return _digest(_arm_fields(config, device_kind, data_digest, sources))


def run_id(
    config: BaseSpec, *, seed: int, device_kind: str, data_digest: str, sources: Mapping[str, str]
) -> str:
    """Digest of one run.

    Args:
        config: The arm's resolved configuration.
        seed: The replicate.
        device_kind: `cpu` or `cuda`.
        data_digest: Of the dataset, from `bench.data.digests`.
        sources: Digest of the source file of each `package.module:callable` (`callable_sources`).
    """
    fields = _arm_fields(config, device_kind, data_digest, sources)
    return _digest({**fields, "engine": ENGINE, "seed": seed})


def callable_sources(config: BaseSpec) -> dict[str, str]:
    """Digest of the source file of every user's callable that the configuration names.

    Raises:
        UsageError: The module cannot be found.
    """
    names = [*config.data.augment, config.train.optimizer.name, config.model.name]
    return {name: _source_digest(name) for name in sorted(set(names)) if is_callable_name(name)}


def _source_digest(name: str) -> str:
    module = name.partition(":")[0]
    try:
        found = importlib.util.find_spec(module)
    except (ImportError, ValueError) as error:
        raise UsageError(f"{name}: module {module} cannot be found: {error}") from error
    if found is None or found.origin is None or not Path(found.origin).is_file():
        raise UsageError(f"{name}: module {module} cannot be found; is its folder on PYTHONPATH?")
    return hashlib.sha256(Path(found.origin).read_bytes()).hexdigest()


def declaration(metric: str) -> str:
    """Digest of what a study declares before its first run."""
    return _digest({"metric": metric})


def text_digest(text: str, digits: int = ID_DIGITS) -> str:
    """The first hex digits of a text's sha256."""
    return hashlib.sha256(text.encode()).hexdigest()[:digits]


_ABSENT = object()


def _arm_fields(
    config: BaseSpec, device_kind: str, data_digest: str, sources: Mapping[str, str]
) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "schema": SCHEMA,
        "config": canonical(config, device_kind),
        "device": device_kind,
        "data": data_digest,
    }
    if sources:
        fields["sources"] = dict(sources)
    return fields


def _digest(fields: Mapping[str, Any]) -> str:
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:ID_DIGITS]
