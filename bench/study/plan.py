"""Every run of a study with its identity: what would be trained, without training or loading torch.

A run's id needs the digest of its data. A catalogued set has one before it is on the machine; a user's own
set that is absent leaves its runs without an id, which planning tells and running refuses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.data.digests import data_digest
from bench.errors import DataMissing
from bench.study.identity import callable_sources, run_id
from bench.study.levels import level_text, value_key
from bench.study.model import Arm, Plan, Run, Study
from bench.study.specs import DataSpec

NO_DATA = "data missing"
"""Why a run has no id yet."""

_NOT_SET = object()


def plan(study: Study, *, device_kind: str, data_dir: Path) -> Plan:
    """List a study's runs in plan order: arms outer, the baseline first, seeds inner.

    Args:
        study: A loaded study.
        device_kind: `cpu` or `cuda`; part of every run's identity.
        data_dir: Where a user's own sets are looked for.

    Returns:
        The plan; its notes say which data are missing.

    Raises:
        BenchError: Data are there but not as the study says, or a user's callable cannot be found.
    """
    digests: dict[DataSpec, str | None] = {}
    notes: dict[str, None] = {}
    runs: list[Run] = []
    for arm in study.arms:
        data = arm.config.data
        if data not in digests:
            try:
                digests[data] = data_digest(data, data_dir)
            except DataMissing as missing:
                digests[data] = None
                notes |= dict.fromkeys(missing.lines)
        runs += _runs(arm, study.seeds, device_kind, digests[data])
    return Plan(study, device_kind, tuple(runs), tuple(notes))


def _runs(arm: Arm, seeds: tuple[int, ...], device_kind: str, digest: str | None) -> Iterator[Run]:
    if digest is None:
        yield from (Run(arm, seed, None, NO_DATA) for seed in seeds)
        return
    sources = callable_sources(arm.config)
    for seed in seeds:
        identity = run_id(arm.config, seed=seed, device_kind=device_kind, data_digest=digest, sources=sources)
        yield Run(arm, seed, identity)


def differences(arm: Arm, baseline: Arm | None) -> str:
    """What an arm has that the baseline has not: `model.depth=56, model.residual=false`.

    Arms written out are compared key by key of their configurations, since their names need not tell.

    Returns:
        `baseline` for the baseline itself; empty without a baseline.
    """
    if baseline is None:
        return ""
    if arm.is_baseline:
        return "baseline"
    if "arm" in arm.levels:
        ours, theirs = _flat(arm), _flat(baseline)
        keys = [*ours, *(key for key in theirs if key not in ours)]
        differing = {key: ours.get(key) for key in keys if _differs(ours, theirs, key)}
    else:
        differing = {
            key: level
            for key, level in arm.levels.items()
            if level_text(level) != level_text(baseline.levels[key])
        }
    return ", ".join(f"{key}={_text(value)}" for key, value in differing.items())


def _differs(ours: Mapping[str, Any], theirs: Mapping[str, Any], key: str) -> bool:
    return value_key(ours.get(key, _NOT_SET)) != value_key(theirs.get(key, _NOT_SET))


def _flat(arm: Arm) -> dict[str, Any]:
    return dict(_walk(arm.config.model_dump(mode="json"), ""))


def _walk(fields: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in fields.items():
        if isinstance(value, dict):
            yield from _walk(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _text(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_text(item) for item in value) + "]"
    return level_text(value)
