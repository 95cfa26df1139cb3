"""Steps, epochs or seconds to a target, with the runs that never got there.

A mean over the runs that reached the target forgets the failures. Here a run that did not reach it, be it
that it ended or diverged, is censored at the horizon H that all runs share: censoring it when it diverged
would tell the method that it might have succeeded later. Then k of n, the Kaplan-Meier curve, the median or
"not reached", and the mean time up to H (RMST), which exists even where the median does not.

Reference: Kaplan & Meier (1958), J. Am. Statist. Assoc. 53; Royston & Parmar (2013), "Restricted mean
survival time", BMC Med. Res. Methodol. 13; Mantel (1966), Cancer Chemother. Rep. 50 (log-rank).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from bench.analyse.estimate import Rule
from bench.analyse.logrank import LogRank, log_rank
from bench.analyse.student import Student

Clock = Literal["steps", "epochs", "seconds"]


@dataclass(frozen=True)
class Times:
    """One arm's times to the target by seed; None where the run did not reach it by the horizon."""

    by_seed: Mapping[int, float | None]
    horizon: float
    clock: Clock = "epochs"
    ends: Mapping[int, float] | None = None
    """When runs were cut off, by seed, in data that end at times of their own (none of ours do)."""

    def __post_init__(self) -> None:
        late = [t for t in self.by_seed.values() if t is not None and not 0 <= t <= self.horizon]
        if late or not 0 < self.horizon < math.inf:
            raise ValueError(f"times {late} lie beyond the horizon of {self.horizon:g} {self.clock}")

    @property
    def n(self) -> int:
        """Runs."""
        return len(self.by_seed)

    @property
    def n_reached(self) -> int:
        """Runs that reached the target by the horizon."""
        return sum(t is not None for t in self.by_seed.values())

    @property
    def observed(self) -> tuple[tuple[float, bool], ...]:
        """Time and whether the target was reached then, in the order of the seeds."""
        ends = self.ends or {}
        return tuple(
            (ends.get(seed, self.horizon), False) if time is None else (time, True)
            for seed, time in sorted(self.by_seed.items())
        )

    @property
    def is_cut_early(self) -> bool:
        """Whether a run was censored before the horizon."""
        return any(not reached and time < self.horizon for time, reached in self.observed)


@dataclass(frozen=True)
class Step:
    """The Kaplan-Meier curve from this time on."""

    time: float
    survival: float
    """Share of the runs that have not reached the target."""
    n_at_risk: int
    n_events: int


@dataclass(frozen=True)
class TimeToTarget:
    """One arm's times in the numbers that a table shows."""

    n: int
    n_reached: int
    clock: Clock
    horizon: float
    curve: tuple[Step, ...]
    median: float | None
    """None: fewer than half reached it."""
    rmst: Student
    """Mean time up to the horizon, a run that did not reach it counting as the horizon."""

    def interval(self, confidence: float = 0.95) -> tuple[float, float] | None:
        """Of the mean up to the horizon, cut to 0…horizon."""
        ends = self.rmst.interval(confidence)
        return None if ends is None else (max(0.0, ends[0]), min(self.horizon, ends[1]))


@dataclass(frozen=True)
class TimeComparison:
    """Two arms' times to one target."""

    rmst_difference: Student
    """Arm minus baseline; below 0 the arm is faster."""
    log_rank: LogRank | None
    """None where nothing was reached."""
    clock: Clock
    horizon: float


def first_reached(
    at: Sequence[float], values: Sequence[float | None], target: float, *, higher_is_better: bool = True
) -> float | None:
    """When the first evaluation stood at the target or beyond it.

    Args:
        at: Steps, epochs or seconds of the evaluations, ascending.
        values: On validation; None where there was none.
        target: Fixed before the runs.
        higher_is_better: Direction of the values.
    """
    for time, value in zip(at, values, strict=True):
        if value is not None and (value >= target if higher_is_better else value <= target):
            return time
    return None


def time_to_target(times: Times) -> TimeToTarget:
    """How many of n, Kaplan-Meier curve, median and restricted mean of one arm."""
    curve = kaplan_meier(times.observed)
    median = next((step.time for step in curve if step.survival <= 0.5 + 1e-12), None)
    mean = rmst(times, times.horizon)
    return TimeToTarget(times.n, times.n_reached, times.clock, times.horizon, curve, median, mean)


def kaplan_meier(observed: Sequence[tuple[float, bool]]) -> tuple[Step, ...]:
    """The curve at each time at which a run reached the target.

    Args:
        observed: Time, and whether the target was reached then; a run cut off at a time is at risk there.
    """
    survival, steps = 1.0, []
    for time in sorted({t for t, reached in observed if reached}):
        at_risk = sum(t >= time for t, _ in observed)
        events = sum(t == time and reached for t, reached in observed)
        survival *= (at_risk - events) / at_risk
        steps.append(Step(time, survival, at_risk, events))
    return tuple(steps)


def rmst(times: Times, until: float) -> Student:
    """Restricted mean time ∫ S(t) dt from 0 to `until`, with its standard error.

    With all runs followed to the horizon this is the mean of min(time, until) and has Student's interval.
    Where runs were cut off earlier it is the area under the curve, with Greenwood's variance and the same
    degrees of freedom.
    """
    observed = times.observed
    if not times.is_cut_early:
        return Student.of_values([min(t, until) for t, _ in observed], scale=until)
    curve = [step for step in kaplan_meier(observed) if step.time < until]
    edges = [0.0, *(step.time for step in curve), until]
    heights = [1.0, *(step.survival for step in curve)]
    areas = [(b - a) * h for a, b, h in zip(edges, edges[1:], heights, strict=False)]
    variance = math.fsum(
        math.fsum(areas[i + 1 :]) ** 2 * s.n_events / (s.n_at_risk * (s.n_at_risk - s.n_events))
        for i, s in enumerate(curve)
        if s.n_at_risk > s.n_events
    )
    n = len(observed)
    total = math.fsum(areas)
    if variance == 0 or n < 3:
        return Student(n, total, reason="equal_in_all_seeds" if n > 2 else "two_seeds")
    return Student(n, total, None, math.sqrt(variance), n - 1)


def compare_times(arm: Times, baseline: Times, rule: Rule = "welch") -> TimeComparison:
    """Difference of the restricted means, and the log-rank test.

    Args:
        arm: Times of one arm.
        baseline: Of the other, with the same horizon and clock.
        rule: `paired` takes the differences by seed, where every run was followed to the horizon.

    Raises:
        ValueError: Horizons or clocks differ, or pairs are asked of runs that were cut off early.
    """
    if (arm.horizon, arm.clock) != (baseline.horizon, baseline.clock):
        raise ValueError("two arms' times need one horizon and one clock")
    horizon = arm.horizon
    test = log_rank(arm.observed, baseline.observed)
    if rule == "paired":
        if arm.is_cut_early or baseline.is_cut_early:
            raise ValueError("runs that were cut off early have no pairs")
        seeds = sorted(arm.by_seed.keys() & baseline.by_seed.keys())
        pairs = [(arm.by_seed[seed], baseline.by_seed[seed]) for seed in seeds]
        filled = [[horizon if t is None else t for t in pair] for pair in pairs]
        line = Student.of_values([a - b for a, b in filled], scale=horizon)
        if not seeds:
            line = Student(0, reason="no_pairs")
    elif arm.is_cut_early or baseline.is_cut_early:
        line = _difference(rmst(arm, horizon), rmst(baseline, horizon))
    else:
        line = Student.of_arms([[t for t, _ in x.observed] for x in (arm, baseline)], (1.0, -1.0))
    return TimeComparison(line, test, arm.clock, horizon)


def area_under_curve(
    at: Sequence[float], values: Sequence[float], *, horizon: float, start: float, after: float | None = None
) -> float:
    """Mean height of a learning curve over the whole budget, by trapezoids.

    Args:
        at: Steps, epochs or seconds of the evaluations, ascending, above 0 and up to `horizon`.
        values: The curve there.
        horizon: The budget that all runs share.
        start: Height at 0: chance level.
        after: Height from the last evaluation on, where the run ended early: chance level of one that
            diverged; absent: it keeps its last value.

    Returns:
        In the values' unit.
    """
    xs, ys = [0.0, *at], [start, *values]
    area = math.fsum((b - a) * (u + v) / 2 for a, b, u, v in zip(xs, xs[1:], ys, ys[1:], strict=False))
    area += (horizon - xs[-1]) * (ys[-1] if after is None else after)
    return area / horizon


def value_at(at: Sequence[float], values: Sequence[float], budget: float) -> float | None:
    """The last evaluation within a budget of epochs, seconds, FLOPs or joules; None before the first."""
    within = [value for x, value in zip(at, values, strict=True) if x <= budget]
    return within[-1] if within else None


def _difference(arm: Student, baseline: Student) -> Student:
    n = min(arm.n, baseline.n)
    if arm.estimate is None or baseline.estimate is None:
        return Student(n, reason=arm.reason or baseline.reason)
    delta = arm.estimate - baseline.estimate
    if arm.se is None or baseline.se is None or arm.df is None or baseline.df is None:
        return Student(n, delta, reason=arm.reason or baseline.reason)
    parts = arm.se**2, baseline.se**2
    df = sum(parts) ** 2 / (parts[0] ** 2 / arm.df + parts[1] ** 2 / baseline.df)
    return Student(n, delta, None, math.sqrt(sum(parts)), df)
