"""How many runs reached the target on validation, and when: by epochs and by seconds of training.

Each arm is followed over its own budget; means are restricted to the budget that all arms were given, so that
an arm which trained longer has no longer to be late in. A run that diverged counts as one that never arrives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from bench.analyse.equal_clocks import Clocks, Validated
from bench.analyse.estimate import Rule
from bench.analyse.student import Student
from bench.analyse.survival import (
    TimeComparison,
    Times,
    TimeToTarget,
    area_under_curve,
    compare_times,
    first_reached,
    time_to_target,
)

Timed = Literal["epochs", "seconds"]
TIMED: Final[tuple[Timed, ...]] = ("epochs", "seconds")
"""The clocks by which a target is timed."""


@dataclass(frozen=True)
class Reached:
    """One arm's way to the target."""

    arm: str
    seeds: tuple[int, ...]
    own: Mapping[Timed, TimeToTarget]
    """Over the arm's own budget: how many of n, the curve, the median."""
    common: Mapping[Timed, TimeToTarget]
    """Over the budget that all arms have: the restricted mean."""
    within: Mapping[Timed, Times]
    """What `common` is made of."""
    area: Student
    """Mean height of the validation curve over the common number of epochs, in percent."""

    @property
    def n_reached(self) -> int:
        """Runs that reached the target within the arm's own budget."""
        return self.own["epochs"].n_reached

    def against(self, baseline: Reached, clock: Timed, rule: Rule) -> TimeComparison:
        """Difference of the mean times up to the common budget, below 0 where this arm is earlier."""
        return compare_times(self.within[clock], baseline.within[clock], rule)


@dataclass(frozen=True)
class Target:
    """All arms of a block on their way to one target."""

    val_top1_pct: float
    arms: tuple[Reached, ...]
    horizons: Mapping[Timed, float]
    """The common budgets."""
    seconds_from: str | None

    @property
    def n_reached(self) -> int:
        """Runs of all arms that reached the target."""
        return sum(arm.n_reached for arm in self.arms)


def reach(clocks: Clocks, val_top1_pct: float, arms: Sequence[str]) -> Target:
    """Time to the target of every arm that was validated, in the order given.

    Args:
        clocks: Of one block.
        val_top1_pct: Validation accuracy, declared before the runs.
        arms: Order of the arms.
    """
    timed = [clock for clock in TIMED if clock in clocks.clocks]
    horizons = {clock: clocks.common(clock) for clock in timed}
    reached = []
    for arm in (name for name in arms if name in clocks.arms):
        runs = clocks.of(arm)
        times = {
            clock: {run.seed: first_reached(run.spent[clock], run.values, val_top1_pct) for run in runs}
            for clock in timed
        }
        own = {c: time_to_target(Times(times[c], clocks.budgets[c][arm], c)) for c in timed}
        within = {c: _within(times[c], clocks, c) for c in timed}
        common = {c: time_to_target(within[c]) for c in timed}
        areas = Student.of_values([_area(run, clocks) for run in runs], scale=100.0)
        reached.append(Reached(arm, tuple(run.seed for run in runs), own, common, within, areas))
    return Target(val_top1_pct, tuple(reached), horizons, clocks.seconds_from)


def _within(times: Mapping[int, float | None], clocks: Clocks, clock: Timed) -> Times:
    """The times up to the common budget; who arrives at its very end arrives."""
    end, until = clocks.common(clock), clocks.until(clock)
    capped = {seed: None if t is None or t > until else min(t, end) for seed, t in times.items()}
    return Times(capped, end, clock)


def _area(run: Validated, clocks: Clocks) -> float:
    """Over the common epochs; a run that diverged falls to chance."""
    end, until = clocks.common("epochs"), clocks.until("epochs")
    within = [(min(at, end), v) for at, v in zip(run.spent["epochs"], run.values, strict=True) if at <= until]
    after = run.chance if run.status == "diverged" else None
    if not within:
        return run.chance
    at, values = zip(*within, strict=True)
    return area_under_curve(at, values, horizon=end, start=run.chance, after=after)
