"""Validation accuracy at equal epochs, equal seconds and equal operations: whose lead depends on the clock.

A curve an arm and clock, and what every arm has at the largest budget that all of them were given. Only
evaluations within a budget count: nothing is interpolated, and an arm whose first evaluation comes later has
no accuracy there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.analyse.equal_clocks import Clock, Clocks, Validated
from bench.analyse.estimate import Estimate, Scores, mean, mean_interval
from bench.analyse.survival import value_at


@dataclass(frozen=True)
class Track:
    """One run's curve on one clock."""

    seed: int
    status: str
    at: tuple[float, ...]
    values: tuple[float, ...]


@dataclass(frozen=True)
class ClockCurves:
    """One arm on one clock: its runs, and the mean of those that finished."""

    arm: str
    seeds: tuple[Track, ...]
    mean_at: tuple[float, ...]
    mean_values: tuple[float, ...]


@dataclass(frozen=True)
class AtBudget:
    """What an arm has at the common budget of one clock."""

    arm: str
    by_seed: Mapping[int, float]
    estimate: Estimate
    n_before: int
    """Runs whose first evaluation comes after the budget."""


@dataclass(frozen=True)
class EqualBudgets:
    """One block on every clock."""

    curves: Mapping[Clock, Mapping[str, ClockCurves]]
    common: Mapping[Clock, float]
    """The budget at which arms are compared."""
    at_common: Mapping[Clock, tuple[AtBudget, ...]]
    seconds_from: str | None
    absent: Mapping[Clock, str]

    def leaders(self, clock: Clock) -> tuple[str, ...]:
        """Arms by their mean at the common budget, the highest first; those without one are left out."""
        told = [
            (one.estimate.mean, one.arm) for one in self.at_common[clock] if one.estimate.mean is not None
        ]
        return tuple(arm for value, arm in sorted(told, key=lambda pair: -pair[0]))


def equal_budgets(clocks: Clocks, arms: Sequence[str]) -> EqualBudgets:
    """Curves and accuracies at equal budgets, in the order of the arms.

    Args:
        clocks: Of one block.
        arms: Order of the arms.
    """
    known = [arm for arm in arms if arm in clocks.arms]
    curves, at_common = {}, {}
    common = {clock: clocks.common(clock) for clock in clocks.clocks}
    for clock in clocks.clocks:
        curves[clock] = {arm: _curves(arm, clocks.of(arm), clock) for arm in known}
        at_common[clock] = tuple(_at(arm, clocks.of(arm), clock, clocks.until(clock)) for arm in known)
    return EqualBudgets(curves, common, at_common, clocks.seconds_from, clocks.absent)


def _curves(arm: str, runs: Sequence[Validated], clock: Clock) -> ClockCurves:
    tracks = tuple(Track(run.seed, run.status, run.spent[clock], run.values) for run in runs)
    finished = [run for run in runs if run.status == "done"]
    maps = [dict(zip(run.spent["epochs"], range(len(run.values)), strict=True)) for run in finished]
    shared = sorted(set.intersection(*(set(one) for one in maps))) if maps else []
    at = tuple(
        mean([run.spent[clock][one[e]] for run, one in zip(finished, maps, strict=True)]) for e in shared
    )
    columns = [[run.values[one[e]] for run, one in zip(finished, maps, strict=True)] for e in shared]
    return ClockCurves(arm, tracks, at, tuple(mean(column) for column in columns))


def _at(arm: str, runs: Sequence[Validated], clock: Clock, until: float) -> AtBudget:
    """Finished runs alone enter the mean, as everywhere."""
    by_seed = {}
    n_before = 0
    for run in runs:
        value = value_at(run.spent[clock], run.values, until)
        if value is None:
            n_before += 1
        elif run.status == "done":
            by_seed[run.seed] = value
    return AtBudget(arm, by_seed, mean_interval(Scores(by_seed)), n_before)
