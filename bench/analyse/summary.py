"""A study in one frozen object: every arm's estimate, the declared comparisons, trends, gaps.

The report renders this and computes nothing. Two kinds of device are two blocks and never pooled, and each
has its own family of comparisons. Only finished runs enter a mean; those that diverged, failed or never ran
are counted and told with their reason, so a mean over the survivors is always labelled as one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from bench.analyse.compare import Comparison
from bench.analyse.declared import (
    ArmComparison,
    ArmRuns,
    best_arms,
    compare_arms,
    declared,
    scale_of,
)
from bench.analyse.estimate import Estimate, Scores, mean_interval
from bench.analyse.failures import WithFailures, with_failures
from bench.analyse.frame import probes_by_arm, run_records
from bench.analyse.grid import Cell, FactorInteraction, FactorTrend, interactions_of, trends_of
from bench.analyse.multiplicity import Family
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
from bench.analyse.quantity import chance_of, one_image, value_of
from bench.analyse.sequential_claims import judged_by_looks
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
    others_share_pct: float | None = None
    """Of the device's time that other processes took meanwhile."""


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
    difference: Comparison | None
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
    failures: WithFailures | None = None
    """The metric with and without the runs that diverged; None where none did."""
    is_best: bool = False
    """Put first by the verdicts (better than one, worse than none, or equivalent to such), none diverged."""

    @property
    def n_done(self) -> int:
        """Finished runs with a value."""
        return len(self.points)

    @property
    def n_diverged(self) -> int:
        """Runs whose loss stopped being finite."""
        return sum(len(gap.seeds) for gap in self.gaps if gap.status == "diverged")


@dataclass(frozen=True)
class Block(Place):
    """The arms on one kind of device."""

    arms: tuple[ArmSummary, ...]
    baseline: str | None
    """Name of the baseline, where it has a finished run here."""
    comparisons: tuple[ArmComparison, ...] = ()
    """As declared, in their order."""
    family: Family | None = None
    """How their error is held; None where nothing is compared."""
    family_note: str | None = None
    """What speaks against the declared correction, or stands in its place."""
    trends: tuple[FactorTrend, ...] = ()
    interactions: tuple[FactorInteraction, ...] = ()

    def comparison(self, arm: str, against: str) -> ArmComparison | None:
        """The declared comparison of two arms, in this order."""
        return next((c for c in self.comparisons if (c.arm, c.against) == (arm, against)), None)

    @property
    def runs_done(self) -> int:
        """Finished runs of the block."""
        return sum(arm.n_done for arm in self.arms)


@dataclass(frozen=True)
class SeedsChanged:
    """Seeds that were added, or left out, after some had been seen."""

    before: int
    now: int
    n_runs: int
    """That were recorded when it was `before`."""


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
    declared_after: int | None = None
    """Runs that were recorded under another metric or other comparisons; None where there are none."""
    seeds_changed: SeedsChanged | None = None
    """Where the number of seeds is another one than runs were started with, by nobody's rule."""

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
        sum(run.declaration not in outline.declarations for run in runs if outline.declarations) or None,
        None if study is None else seeds_changed(runs, study),
    )


def seeds_changed(runs: Sequence[RunRecord], study: Study) -> SeedsChanged | None:
    """Whether runs were started when the study had another number of seeds; a rule may add them freely."""
    if study.seeds_rule is not None:
        return None
    now = len(study.seeds)
    before = [run.n_seeds_declared for run in runs if run.n_seeds_declared not in (None, now)]
    first = next((n for n in before if n is not None), None)
    return None if first is None else SeedsChanged(first, now, len(before))


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
    arms = {name: ArmRuns(labels[name], own, _scores(own, metric)) for name, own in by_arm.items()}
    found = declared(outline.pairs, arms, outline.comparisons, metric)
    if found and outline.looks:
        found = judged_by_looks(found, arms, outline.looks, outline.comparisons)
    scale = scale_of(metric)
    cells = [Cell(outline.arms[name], arm) for name, arm in arms.items()]
    base = arms.get(outline.baseline or "")
    best = best_arms(found.comparisons) if found else frozenset()
    results = found.results if found else {}
    rows = []
    for name, own in arms.items():
        row = replace(
            _arm(name, own, outline, probes),
            is_best=name in best and not own.counts[0],
            failures=_failures(own, runs, metric),
        )
        if own.runs and base is not None and base.runs and not row.is_baseline:
            known = results.get((name, outline.baseline))
            row = replace(row, difference=known or compare_arms(own, base, scale))
        rows.append(row)
    return Block(
        **vars(Place.of(kind, runs)),
        arms=tuple(sorted(rows, key=lambda row: not row.is_baseline)),
        baseline=outline.baseline if base is not None and base.scores.by_seed else None,
        comparisons=found.comparisons if found else (),
        family=found.family if found else None,
        family_note=found.note if found else None,
        trends=trends_of(outline.factors, cells, scale),
        interactions=interactions_of(
            outline.factors, cells, outline.arms.get(outline.baseline or "", {}), scale
        ),
    )


def _arm(
    name: str,
    arm: ArmRuns,
    outline: Outline,
    probes: Mapping[tuple[str, str], ProbeRecord],
) -> ArmSummary:
    runs, scores = arm.runs, arm.scores
    points = [
        Point(run.seed, scores.by_seed[run.seed], run.run_id)
        for run in sorted(runs, key=lambda run: run.seed)
        if run.seed in scores.by_seed
    ]
    gaps = gaps_of(runs, scores.by_seed, outline.seeds_of(name))
    probe = probes.get((runs[0].arm_id, runs[0].device_kind)) if runs else None
    return ArmSummary(
        name=name,
        label=arm.label,
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


def _failures(arm: ArmRuns, all_runs: Sequence[RunRecord], metric: str) -> WithFailures | None:
    """Both means where runs diverged and the score of a guess is known, if only from another arm's runs."""
    diverged = [run for run in arm.runs if run.status == "diverged"]
    if not diverged:
        return None
    images = section(diverged[0].config, "data")
    alike = (run for run in all_runs if section(run.config, "data") == images)
    chance = _first(chance_of(run, metric) for run in (*arm.runs, *alike))
    return None if chance is None else with_failures(arm.scores, [run.seed for run in diverged], chance)


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
    return Speed(probe.probe_train_img_s, q1, q3, len(windows), probe.others_share_pct)


def _first(values: Iterable[Number | None]) -> Number | None:
    return next((value for value in values if value is not None), None)
