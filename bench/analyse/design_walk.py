"""A path as it was walked: at each step what the candidates scored on validation, and what the step brought.

Validation chose, so the validation accuracy of the chosen is biased upwards; what a step brought is told on
the study's own metric, which had no part in the choice.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from bench.analyse.contrast import Contrast, contrast
from bench.analyse.declared import rule_of, scale_of
from bench.analyse.design_contributions import scores_of
from bench.analyse.design_path import runs_by_arm_and_seed
from bench.analyse.summary import ArmSummary, Block
from bench.record.schema import Record, RunRecord
from bench.study.components import BARE
from bench.study.model import Study
from bench.study.recipe_designs import candidates, subset_name


@dataclass(frozen=True)
class Tried:
    """A component that a step might have added."""

    component: str
    arm: str
    mean_val_top1_pct: float | None


@dataclass(frozen=True)
class Step:
    """One station of the path; the first is the bare recipe."""

    component: str | None
    """What it added; None at the start."""
    arm: ArmSummary
    tried: tuple[Tried, ...]
    """All candidates of the step, the chosen one among them."""
    val_by_seed: tuple[float, ...]
    """Validation accuracy of the chosen arm, by seed."""
    gain: Contrast | None
    """Of the metric, over the station before."""
    is_choice: bool
    """Whether there was more than one candidate."""

    @property
    def mean_val_top1_pct(self) -> float | None:
        """Mean over the seeds."""
        return math.fsum(self.val_by_seed) / len(self.val_by_seed) if self.val_by_seed else None


def walk(block: Block, records: Sequence[Record], study: Study, metric: str) -> tuple[Step, ...] | str:
    """The stations of a path as far as they have results.

    Args:
        block: The arms on one kind of device.
        records: Of the study.
        study: With what its decisions chose.
        metric: A key of `bench.units.QUANTITIES`.

    Returns:
        The steps, or why there are none.
    """
    components = [factor.key for factor in study.factors]
    chosen = list(study.growth.chosen.get(block.device_kind, ()))
    if len(chosen) == len(components) - 1:
        chosen += candidates(chosen, components)
    arms = {arm.name: arm for arm in block.arms}
    if BARE not in arms or not arms[BARE].n_done:
        return "the bare recipe has no finished run"
    if not chosen:
        return "no step of the path is decided yet"
    runs = runs_by_arm_and_seed(records, block.device_kind)
    stations = [BARE, *(subset_name(chosen[: n + 1], components) for n in range(len(chosen)))]
    steps = [Step(None, arms[BARE], (), _val(runs, BARE), None, is_choice=False)]
    for n, (before, name) in enumerate(pairwise(stations)):
        if not arms[name].n_done:
            break
        tried = [
            (one, subset_name((*chosen[:n], one), components)) for one in candidates(chosen[:n], components)
        ]
        steps.append(
            Step(
                chosen[n],
                arms[name],
                tuple(Tried(one, arm, _mean(_val(runs, arm))) for one, arm in tried),
                _val(runs, name),
                _gain(arms[before], arms[name], runs, chosen[n], metric),
                is_choice=len(tried) > 1,
            )
        )
    return tuple(steps)


def _gain(
    before: ArmSummary, after: ArmSummary, runs: Mapping[tuple[str, int], RunRecord], name: str, metric: str
) -> Contrast:
    own, theirs = ([run for (arm, _), run in runs.items() if arm == one.name] for one in (after, before))
    return contrast(
        (scores_of(before), scores_of(after)),
        (-1.0, 1.0),
        name=name,
        unit=scale_of(metric).unit,
        rule=rule_of(own, theirs),
    )


def _val(runs: Mapping[tuple[str, int], RunRecord], arm: str) -> tuple[float, ...]:
    own = (run for (name, _), run in sorted(runs.items()) if name == arm and run.status == "done")
    return tuple(value for run in own if (value := run.metrics.val_top1_pct) is not None)


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None
