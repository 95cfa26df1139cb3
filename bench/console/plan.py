"""`bench plan`: every arm and run, what it differs in, where it stands, why it would run."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

from bench.console.adaptive import decisions_of
from bench.console.columns import print_columns
from bench.console.foresight import design_lines, power_of
from bench.console.place import Place
from bench.console.why import Reasons
from bench.data.catalogue import DataFacts, facts, require
from bench.errors import DataMissing
from bench.execute.job import public_config
from bench.launch.campaign import Campaign
from bench.study.cells import needs_images
from bench.study.execution import Hardware, modes, modes_line, open_keys
from bench.study.lock import LOCK_FILE
from bench.study.model import Run
from bench.study.plan import differences
from bench.study.specs import DataSpec
from bench.study.trainable import trainable_parameters
from bench.units import plural


def show_plan(place: Place, *, as_json: bool, only: str | None = None) -> int:
    """Print the plan; exit code 0."""
    campaign = place.open()
    runs = campaign.runs(only)
    reasons = Reasons(campaign)
    states = [campaign.state(run) for run in runs]
    whys = [reasons.why(run, state) for run, state in zip(runs, states, strict=True)]
    if as_json:
        from bench.console.tables import print_json  # noqa: PLC0415 - rich is slow to load and not needed here

        print_json(_as_data(campaign, place.hardware, runs, states, whys))
    else:
        _print(campaign, place.hardware, runs, states, whys)
    return 0


def _print(
    campaign: Campaign,
    hardware: Hardware,
    runs: Sequence[Run],
    states: Sequence[str],
    whys: Sequence[str],
) -> None:
    study = campaign.plan.study
    n_arms = len({run.arm.name for run in runs})
    replicates, n_seeds = f"{study.arms[0].replicate}s", len(study.seeds)
    listed = f"{replicates} {' '.join(map(str, study.seeds))}" if n_seeds <= 12 else f"{n_seeds} {replicates}"
    print_head = [
        f"{study.name}: {study.question}".rstrip(": "),
        (
            f"{plural(n_arms, 'arm')}, {plural(len(runs), 'run')} ({listed}) on {campaign.device.kind}; "
            f"metric {study.metric}; results in {campaign.store.folder}"
        ),
        modes_line(hardware),
        *_choice(campaign),
        *campaign.plan.left_out,
        *design_lines(campaign),
        *dict.fromkeys([*campaign.plan.notes, *_absent_data(campaign, runs)]),
        *([forgets] if (forgets := campaign.forgets()) is not None else []),
        "",
    ]
    sys.stdout.write("\n".join(print_head) + "\n")
    by_arm: dict[str, list[tuple[Run, str, str]]] = {}
    for run, state, why in zip(runs, states, whys, strict=True):
        by_arm.setdefault(run.arm.name, []).append((run, state, why))
    trainable = _trainable(campaign, runs)
    rows = [_row(campaign, entries, trainable[name]) for name, entries in by_arm.items()]
    print_columns(("arm", "differs from the baseline in", "trainable", "runs", "why"), rows)
    sources = _sources(campaign, runs)
    if sources:
        sys.stdout.write("\n")
        print_columns(("source", "trained on", "runs", "for"), sources)


def _choice(campaign: Campaign) -> list[str]:
    """What calibration has to say of the study's runs here."""
    plan = campaign.plan
    if plan.misfit is not None:
        return [plan.misfit]
    if plan.is_uncalibrated:
        keys = ", ".join(open_keys(plan.study.arms[0].config.execution))
        return [f"calibration, the first thing that `run` does, chooses {keys}"]
    return [] if plan.settings is None else [f"calibration chose {plan.settings.text()} ({LOCK_FILE})"]


def _absent_data(campaign: Campaign, runs: Sequence[Run]) -> list[str]:
    """What `run` would miss: sets that can be planned without being there."""
    missing: dict[str, None] = {}
    for config in {run.arm.name: run.arm.config for run in runs}.values():
        try:
            if needs_images(config):
                require(config.data, campaign.data_dir)
        except DataMissing as fault:
            missing.update(dict.fromkeys(fault.lines))
    return list(missing)


def _sources(campaign: Campaign, runs: Sequence[Run]) -> list[tuple[str, str, str, str]]:
    """One row a source arm: its data, where its runs stand, which arms start from its weights."""
    needed: dict[str, list[Run]] = {}
    for run in runs:
        if run.source is not None:
            needed.setdefault(run.source.arm.name, []).append(run)
    rows = []
    for name, dependants in needed.items():
        befores = {run.source.run_id: run.source for run in dependants if run.source is not None}
        data = next(iter(befores.values())).arm.config.data
        classes = "" if data.classes is None else f", classes {' '.join(map(str, data.classes))}"
        states = Counter(campaign.state(run) for run in befores.values())
        study = dependants[0].source_study
        arms = len({run.arm.name for run in dependants})
        rows.append(
            (
                f"{study}/{name}" if study else name,
                data.name + classes,
                ", ".join(f"{count} {state}" for state, count in states.items()),
                f"{arms} arm{'s' if arms > 1 else ''}",
            )
        )
    return rows


def _row(
    campaign: Campaign, entries: Sequence[tuple[Run, str, str]], n_trainable: int | None
) -> tuple[str, str, str, str, str]:
    arm = entries[0][0].arm
    differs = "(baseline)" if arm.is_baseline else differences(arm, campaign.plan.study.baseline)
    states = Counter(state for _, state, _ in entries)
    whys = dict.fromkeys(why for _, _, why in entries if why)
    return (
        arm.name,
        differs,
        "" if n_trainable is None else f"{n_trainable:,}",
        ", ".join(f"{count} {state}" for state, count in states.items()),
        "; ".join(whys),
    )


def _trainable(campaign: Campaign, runs: Sequence[Run]) -> dict[str, int | None]:
    """Parameters that train at the start, by arm; None where only the built network knows."""
    known: dict[DataSpec, DataFacts | None] = {}
    counts: dict[str, int | None] = {}
    for config, name in {run.arm.name: (run.arm.config, run.arm.name) for run in runs}.values():
        if config.data not in known:
            try:
                known[config.data] = facts(config.data, campaign.data_dir)
            except DataMissing:
                known[config.data] = None
        counts[name] = trainable_parameters(config, known[config.data])
    return counts


def _as_data(
    campaign: Campaign,
    hardware: Hardware,
    runs: Sequence[Run],
    states: Sequence[str],
    whys: Sequence[str],
) -> dict[str, Any]:
    study = campaign.plan.study
    arms = {run.arm.name: run.arm for run in runs}
    trainable = _trainable(campaign, runs)
    return {
        "study": study.name,
        "question": study.question,
        "metric": study.metric,
        "device_kind": campaign.device.kind,
        "results": str(campaign.store.folder),
        "device": hardware.model,
        "modes": [
            {"mode": mode.name, "is_possible": mode.is_possible, "reason": mode.reason or None}
            for mode in modes(hardware)
        ],
        "calibrated": None if campaign.plan.settings is None else campaign.plan.settings.given(),
        "left_out": list(campaign.plan.left_out),
        "power": power_of(campaign),
        "decisions": [one.model_dump(mode="json") for one in decisions_of(campaign)],
        "factors": {factor.key: list(factor.levels) for factor in study.factors},
        "arms": [
            {
                "name": arm.name,
                "levels": dict(arm.levels),
                "is_baseline": arm.is_baseline,
                "differs": differences(arm, study.baseline),
                "n_trainable_params": trainable[arm.name],
                "arm_id": campaign.ids.get(arm.name),
                "config": public_config(arm.config, campaign.data_dir),
            }
            for arm in arms.values()
        ],
        "runs": [
            {
                "arm": run.arm.name,
                "seed": run.seed,
                "run_id": run.run_id,
                "source_run_id": run.source.run_id if run.source is not None else None,
                "state": state,
                "why": why,
            }
            for run, state, why in zip(runs, states, whys, strict=True)
        ],
    }
