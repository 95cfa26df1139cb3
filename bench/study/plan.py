"""Every run of a study with its identity: what would be trained, without training or loading torch.

A run's id needs the digest of its data and of the weights that it starts from. A catalogued set has one
before it is on the machine; a user's own set or weights file that is absent leaves its runs without an id,
which planning tells and running refuses. A run that starts from another run's weights has that run's id in
its own: seed s takes seed s. What a study leaves to calibration is read from its lock; before that is
written its runs have no id either.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.data.digests import data_digest
from bench.errors import DataMissing
from bench.study.check import leave_out
from bench.study.execution import is_open
from bench.study.identity import Inputs, arm_id, callable_sources, run_id
from bench.study.levels import level_text, value_key
from bench.study.lock import settle
from bench.study.model import Arm, Plan, Run, Study
from bench.study.origin import Origin, Origins
from bench.study.specs import DataSpec

NO_DATA = "data missing"
NO_WEIGHTS = "weights missing"
NO_CALIBRATION = "after calibration"
"""Why a run has no id yet."""

_NOT_SET = object()


def plan(
    study: Study,
    *,
    device_kind: str,
    data_dir: Path,
    results: Path | None = None,
    device_model: str | None = None,
) -> Plan:
    """List a study's runs in plan order: arms outer, the baseline first, seeds inner.

    Args:
        study: A loaded study.
        device_kind: `cpu` or `cuda`; part of every run's identity.
        data_dir: Where a user's own sets and weights files are looked for.
        results: Where earlier studies are looked for (`weights: {run: …}`), and what calibration chose.
        device_model: As locks name devices; None: one that nobody has calibrated.

    Returns:
        The plan, of the arms that this kind of device can carry out; its notes say which data and weights
        are missing.

    Raises:
        BenchError: Data are there but not as the study says, a user's callable cannot be found, or an
            earlier study has no such run.
    """
    results = results or Path("results")
    able, left_out = leave_out(study, device_kind)
    settled = settle(able, results / study.results_name, device_kind=device_kind, device_model=device_model)
    origins = Origins(data_dir, results, device_kind, device_model)
    planner = _Planner(device_kind, data_dir, origins)
    runs = [run for arm in settled.study.arms for run in planner.runs(arm, study.seeds_of(arm.name))]
    # A self-copy's source may be an arm of the study, as the baseline: then that run is the source.
    arms = {run.run_id: run for run in runs if run.run_id is not None}
    sources: dict[str, Run] = {}
    for n, run in enumerate(runs):
        if run.source is None or run.source_study is not None or run.source.run_id is None:
            continue
        same = arms.get(run.source.run_id)
        runs[n] = replace(run, source=same or run.source)
        if same is None:
            sources.setdefault(run.source.run_id, run.source)
    in_order = sorted(sources.values(), key=lambda run: (len(run.arm.name), run.arm.name, run.seed))
    return Plan(
        settled.study,
        device_kind,
        tuple(runs),
        tuple(planner.notes),
        tuple(in_order),
        declared=study,
        device_model=device_model,
        left_out=left_out,
        settings=settled.settings,
        is_uncalibrated=settled.is_uncalibrated,
        misfit=settled.misfit,
    )


@dataclass
class _Planner:
    """Remembers what the arms share: digests of data, callables, and where weights come from."""

    device_kind: str
    data_dir: Path
    origins: Origins
    notes: dict[str, None] = field(default_factory=dict)
    _digests: dict[DataSpec, str | None] = field(default_factory=dict)

    def runs(self, arm: Arm, seeds: tuple[int, ...]) -> Iterator[Run]:
        """The runs of an arm."""
        digest = self._data(arm.config.data)
        if digest is None:
            yield from (Run(arm, seed, None, NO_DATA) for seed in seeds)
            return
        if is_open(arm.config.execution):
            yield from (Run(arm, seed, None, NO_CALIBRATION) for seed in seeds)
            return
        try:
            origin = self.origins.of(arm)
        except DataMissing as missing:
            self.notes |= dict.fromkeys(missing.lines)
            yield from (Run(arm, seed, None, NO_WEIGHTS) for seed in seeds)
            return
        sources = callable_sources(arm.config)
        befores = self.runs(origin.arm, seeds) if origin.arm is not None else (None for _ in seeds)
        for seed, before in zip(seeds, befores, strict=True):
            yield self._run(arm, seed, digest, sources, origin, before)

    def _run(
        self, arm: Arm, seed: int, digest: str, sources: dict[str, str], origin: Origin, before: Run | None
    ) -> Run:
        if before is not None and before.run_id is None:
            return Run(arm, seed, None, before.no_id_reason)
        from_run, from_arm = (before.run_id, before.arm_id) if before is not None else (origin.digest,) * 2
        of_arm = Inputs(self.device_kind, digest, sources, from_arm)
        of_run = Inputs(self.device_kind, digest, sources, from_run)
        return Run(
            arm,
            seed,
            run_id(arm.config, of_run, seed=seed),
            arm_id=arm_id(arm.config, of_arm),
            source=before,
            source_study=origin.study,
            weights_file=origin.file,
        )

    def _data(self, data: DataSpec) -> str | None:
        if data not in self._digests:
            try:
                self._digests[data] = data_digest(data, self.data_dir)
            except DataMissing as missing:
                self._digests[data] = None
                self.notes |= dict.fromkeys(missing.lines)
        return self._digests[data]


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
        elif value is not None:
            yield f"{prefix}{key}", value


def _text(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_text(item) for item in value) + "]"
    return level_text(value)
