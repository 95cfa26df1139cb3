"""The steps of an ablation path: which component is added next, by validation alone, and what it brought.

A step is decided when every run of its candidates has ended. The highest mean of `val_top1_pct` over the
seeds is taken, of equal ones the first declared; a candidate with a run that diverged or ran out of memory
is passed over. The decision is a function of the records, so that it can be taken again at any time; the
test set has no part in it and is shown beside it only.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from bench.record.schema import Record, RunRecord
from bench.study.decisions import Candidate, PathDecision, design_digest
from bench.study.model import Study
from bench.study.recipe_designs import candidates, subset_name

Runs = Mapping[tuple[str, int], RunRecord]
"""Runs of one kind of device by arm and seed."""


def runs_by_arm_and_seed(records: Iterable[Record], device_kind: str) -> dict[tuple[str, int], RunRecord]:
    """The arms' runs on one kind of device."""
    return {
        (record.arm, record.seed): record
        for record in records
        if isinstance(record, RunRecord) and record.role == "arm" and record.device_kind == device_kind
    }


def next_step(
    study: Study, records: Sequence[Record], device_kind: str, taken: Sequence[str]
) -> PathDecision | None:
    """The next step of the path, if its runs have ended.

    Args:
        study: As declared, grown so far.
        records: Of the study.
        device_kind: Whose records decide.
        taken: Components that were chosen before, in order.

    Returns:
        The decision; None while runs are missing or stand failed, and where one component is left, which
        there is nothing to choose about.
    """
    components = [factor.key for factor in study.factors]
    left = candidates(taken, components)
    if len(left) < 2:
        return None
    return _decide(
        study,
        runs_by_arm_and_seed(records, device_kind),
        (device_kind, tuple(taken), study.seeds),
        [(name, subset_name((*taken, name), components)) for name in left],
    )


def replay_step(study: Study, records: Sequence[Record], kept: PathDecision) -> tuple[str, ...]:
    """Take a kept step again from the records.

    Returns:
        What differs, one phrase a field; empty where it is the same.
    """
    again = _decide(
        study,
        runs_by_arm_and_seed(records, kept.device_kind),
        (kept.device_kind, kept.taken, kept.seeds),
        [(one.component, one.arm) for one in kept.candidates],
    )
    where = f"step {kept.step} of the path"
    if again is None:
        return (f"{where}: its runs are not there any more",)
    if again.chosen != kept.chosen:
        return (f"{where}: kept {kept.chosen}, again {again.chosen}",)
    pairs = zip(kept.candidates, again.candidates, strict=True)
    return tuple(
        f"{where}: {was.component}: kept {was.mean_val_top1_pct}, again {now.mean_val_top1_pct}"
        for was, now in pairs
        if (was.mean_val_top1_pct, was.passed_over) != (now.mean_val_top1_pct, now.passed_over)
    )


def _decide(
    study: Study,
    runs: Runs,
    at: tuple[str, tuple[str, ...], tuple[int, ...]],
    arms: Sequence[tuple[str, str]],
) -> PathDecision | None:
    device_kind, taken, seeds = at
    told = []
    for component, arm in arms:
        own = [runs.get((arm, seed)) for seed in seeds]
        known = [run for run in own if run is not None and run.status != "failed"]
        if len(known) < len(own):
            return None
        told.append(_candidate(component, arm, known))
    best = max((one.mean_val_top1_pct for one in told if one.mean_val_top1_pct is not None), default=None)
    return PathDecision(
        design=design_digest(study, device_kind),
        device_kind="cuda" if device_kind == "cuda" else "cpu",
        step=len(taken) + 1,
        taken=taken,
        seeds=seeds,
        candidates=tuple(told),
        chosen=next((o.component for o in told if best is not None and o.mean_val_top1_pct == best), None),
    )


def _candidate(component: str, arm: str, runs: Sequence[RunRecord]) -> Candidate:
    values = [run.metrics.val_top1_pct for run in runs if run.status == "done"]
    known = [value for value in values if value is not None]
    if len(known) == len(runs):
        mean = math.fsum(known) / len(known)
        return Candidate(component=component, arm=arm, mean_val_top1_pct=mean)
    statuses = dict.fromkeys(run.status for run in runs if run.status != "done")
    reason = " and ".join(statuses) or "no validation accuracy"
    return Candidate(component=component, arm=arm, mean_val_top1_pct=None, passed_over=reason)
