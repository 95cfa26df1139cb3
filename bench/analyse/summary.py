"""A study in one frozen object: every arm's estimate, its difference to the baseline, its gaps.

The report renders this and computes nothing. Two kinds of device are two blocks and never pooled. Only
finished runs enter a mean; those that diverged, failed or never ran are counted and told with their
reason, so a mean over the survivors is always labelled as one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from bench.analyse.estimate import Difference, Estimate, Scores, difference, mean_interval
from bench.analyse.frame import probes_by_arm, run_records
from bench.analyse.origin import Origins, origins_of
from bench.analyse.outcome import Gap, Place, gaps_of
from bench.analyse.outline import (
    Outline,
    absent_factors,
    arm_labels,
    outline_from_records,
    outline_of,
    section,
)
from bench.analyse.pairing import pairing_rule
from bench.analyse.quantity import one_image, value_of
from bench.record.schema import ProbeRecord, Record, RunRecord
from bench.study.model import Factor, Level, Study

Number = TypeVar("Number", int, float)


@dataclass(frozen=True)
class Point:
    """One finished run: a dot in a figure."""

    seed: int
    value: float
    run_id: str


@dataclass(frozen=True)
class Speed:
    """Training images per second of an arm that ran alone: median and quartiles of the timed windows."""

    median_img_s: float
    q1_img_s: float
    q3_img_s: float
    n_windows: int


@dataclass(frozen=True)
class ArmSummary:
    """One row of a table, one group of dots in a figure."""

    name: str
    label: str
    """Short, unique within the study."""
    levels: Mapping[str, Level]
    is_baseline: bool
    points: tuple[Point, ...]
    estimate: Estimate
    difference: Difference | None
    """To the baseline; None for the baseline itself and where there is none."""
    n_runs: int
    """Runs that were planned, as far as it is known."""
    n_params: int | None
    n_trainable_params: int | None
    """At the start of training."""
    gmacs: float | None
    speed: Speed | None
    gaps: tuple[Gap, ...]
    one_image: float | None
    """What one test image weighs in the metric's unit."""

    @property
    def n_done(self) -> int:
        """Finished runs with a value."""
        return len(self.points)


@dataclass(frozen=True)
class Block(Place):
    """The arms on one kind of device."""

    arms: tuple[ArmSummary, ...]
    baseline: str | None
    """Name of the baseline, where it has a finished run here."""

    @property
    def runs_done(self) -> int:
        """Finished runs of the block."""
        return sum(arm.n_done for arm in self.arms)


@dataclass(frozen=True)
class StudySummary:
    """One metric of a study, block by block."""

    metric: str
    blocks: tuple[Block, ...]
    seeds: tuple[int, ...]
    factors: tuple[Factor, ...]
    selections: tuple[str, ...]
    """How the tested epoch was selected: `last`, `best_val`, or both where arms differ in it."""
    baseline: str | None
    absent: frozenset[str]
    """Keys of factors that only the baseline has no level of."""
    origins: Origins

    @property
    def arms(self) -> tuple[ArmSummary, ...]:
        """The arms of all blocks."""
        return tuple(arm for block in self.blocks for arm in block.arms)


def summarise(records: Sequence[Record], metric: str, *, study: Study | None = None) -> StudySummary:
    """Estimates, differences to the baseline and gaps of every arm.

    Args:
        records: Lines of one study's `records.jsonl`, in order.
        metric: A key of `bench.units.QUANTITIES`.
        study: The plan; with it, runs and arms that never ran are counted. Without, the first arm is
            taken as the baseline and the seeds that any arm has as the planned ones.

    Returns:
        One block a kind of device, the baseline first in each.
    """
    outline = outline_from_records(records) if study is None else outline_of(study)
    runs = [run for run in run_records(records) if run.arm in outline.arms]
    probes = probes_by_arm(records)
    kinds = dict.fromkeys(run.device_kind for run in runs)
    blocks = tuple(
        _block(kind, [run for run in runs if run.device_kind == kind], probes, metric, outline)
        for kind in kinds
    )
    selections = dict.fromkeys(str(section(run.config, "train").get("select", "last")) for run in runs)
    return StudySummary(
        metric,
        blocks,
        outline.seeds,
        outline.factors,
        tuple(selections),
        outline.baseline,
        absent_factors(outline),
        origins_of(records),
    )


def _block(
    kind: str,
    runs: Sequence[RunRecord],
    probes: Mapping[tuple[str, str], ProbeRecord],
    metric: str,
    outline: Outline,
) -> Block:
    by_arm: dict[str, list[RunRecord]] = {name: [] for name in outline.arms}
    for run in runs:
        by_arm[run.arm].append(run)
    labels = arm_labels(outline)
    base_runs = by_arm.get(outline.baseline or "", [])
    base_scores = _scores(base_runs, metric)
    base_ids = {run.run_id for run in base_runs}
    arms = []
    for name, own in by_arm.items():
        arm = _arm(name, labels[name], own, metric, outline, probes)
        if own and base_runs and not arm.is_baseline:
            is_source = any(run.source_run_id in base_ids for run in own)
            rule = pairing_rule(own[0], base_runs[0], is_source=is_source)
            arm = replace(arm, difference=difference(_scores(own, metric), base_scores, rule))
        arms.append(arm)
    return Block(
        **vars(Place.of(kind, runs)),
        arms=tuple(sorted(arms, key=lambda arm: not arm.is_baseline)),
        baseline=outline.baseline if base_scores.by_seed else None,
    )


def _arm(
    name: str,
    label: str,
    runs: Sequence[RunRecord],
    metric: str,
    outline: Outline,
    probes: Mapping[tuple[str, str], ProbeRecord],
) -> ArmSummary:
    scores = _scores(runs, metric)
    points = [
        Point(run.seed, scores.by_seed[run.seed], run.run_id)
        for run in sorted(runs, key=lambda run: run.seed)
        if run.seed in scores.by_seed
    ]
    gaps = gaps_of(runs, scores.by_seed, outline.seeds)
    probe = probes.get((runs[0].arm_id, runs[0].device_kind)) if runs else None
    return ArmSummary(
        name=name,
        label=label,
        levels=outline.arms[name],
        is_baseline=name == outline.baseline,
        points=tuple(points),
        estimate=mean_interval(scores),
        difference=None,
        n_runs=len(points) + sum(len(gap.seeds) for gap in gaps),
        n_params=_first(run.metrics.n_params for run in runs),
        n_trainable_params=_first(run.metrics.n_trainable_params for run in runs),
        gmacs=_first(run.metrics.gmacs for run in runs),
        speed=None if probe is None else _speed(probe),
        gaps=gaps,
        one_image=scores.one_image,
    )


def _scores(runs: Iterable[RunRecord], metric: str) -> Scores:
    """Values of the finished runs; the coarsest ruler where test sets differ in size."""
    by_seed: dict[int, float] = {}
    rulers = []
    for run in runs:
        value = value_of(run, metric) if run.status == "done" else None
        if value is not None:
            by_seed[run.seed] = value
            rulers.append(one_image(run, metric))
    known = [ruler for ruler in rulers if ruler is not None]
    return Scores(by_seed, max(known) if known and len(known) == len(rulers) else None)


def _speed(probe: ProbeRecord) -> Speed:
    windows = probe.windows_img_s or (probe.probe_train_img_s,)
    q1, q3 = (float(q) for q in np.percentile(np.asarray(windows), [25, 75]))
    return Speed(probe.probe_train_img_s, q1, q3, len(windows))


def _first(values: Iterable[Number | None]) -> Number | None:
    return next((value for value in values if value is not None), None)
