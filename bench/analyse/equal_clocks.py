"""Validation of every run against what had been spent by then: epochs, seconds of training, operations.

The ranking of arms depends on what is held equal, so each evaluation carries all clocks. Epochs are counted.
Seconds come from the arm's probe, which ran alone, and from the runs' own times only where no arm shared the
machine. Either way an arm has one clock for all its seeds, counted by the step: that one seed ran on a slow
day says nothing of the arm, and no seed's last evaluation falls behind the arm's own budget. Operations are
those of the layers that multiply, three forward passes an image (one forward, two backward); what freezing
saves is not deducted. Energy is not recorded of runs, so nothing is equal in it.

Reference: Kaplan et al. (2020), "Scaling laws for neural language models", arXiv 2001.08361, section 2.1 (a
backward pass costs two forward ones).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal, Self

from bench.analyse.frame import probes_by_arm, run_records
from bench.analyse.outline import section
from bench.record.schema import Record, RunRecord

Clock = Literal["epochs", "seconds", "flops"]
Source = Literal["probe", "runs"]
"""Where seconds come from."""
CLOCKS: Final[tuple[Clock, ...]] = ("epochs", "seconds", "flops")

_FLOPS_PER_MAC: Final = 6
"""Two operations a multiply-add, three passes a training image."""

_ROUNDING: Final = 1e-9
"""Arms of equal budgets end at one time, however their floats were rounded."""


@dataclass(frozen=True)
class Validated:
    """One run's evaluations on validation, each with what it had cost."""

    arm: str
    seed: int
    status: str
    values: tuple[float, ...]
    spent: Mapping[Clock, tuple[float, ...]]
    chance: float
    """Accuracy of guessing, in percent."""


@dataclass(frozen=True)
class Clocks:
    """The validated runs of one block, and how far each arm's budget goes."""

    runs: tuple[Validated, ...]
    budgets: Mapping[Clock, Mapping[str, float]]
    """Planned for each arm, by clock; a clock that an arm lacks is absent."""
    seconds_from: Source | None
    absent: Mapping[Clock, str]
    """Why a clock is absent."""

    @property
    def clocks(self) -> tuple[Clock, ...]:
        """The clocks that every arm has."""
        return tuple(clock for clock in CLOCKS if clock in self.budgets)

    def common(self, clock: Clock) -> float:
        """The budget that every arm was given: the smallest."""
        return min(self.budgets[clock].values())

    def until(self, clock: Clock) -> float:
        """The latest moment that counts as within the common budget: its end, rounding aside."""
        return self.common(clock) * (1 + _ROUNDING)

    @property
    def arms(self) -> tuple[str, ...]:
        """Arms with a validated run, in the order of the records."""
        return tuple(self._names)

    @functools.cached_property
    def _names(self) -> dict[str, None]:
        return dict.fromkeys(run.arm for run in self.runs)

    def of(self, arm: str) -> list[Validated]:
        """The arm's runs by seed."""
        return self._by_arm.get(arm, [])

    @functools.cached_property
    def _by_arm(self) -> dict[str, list[Validated]]:
        found: dict[str, list[Validated]] = {}
        for run in sorted(self.runs, key=lambda run: run.seed):
            found.setdefault(run.arm, []).append(run)
        return found


def clocks_of(records: Sequence[Record], device_kind: str, arms: Sequence[str]) -> Clocks | str:
    """The clocks of one block, or in words why there are none.

    Args:
        records: Lines of one study.
        device_kind: Which runs; two kinds are never pooled.
        arms: Which arms, as the block has them.

    Returns:
        Finished and diverged runs; those that failed say nothing about training.
    """
    found = _validated_runs(records, device_kind, arms)
    if not any(found.values()):
        return "no run was validated on the way (data.val is 0, or there is one evaluation at the end)"
    own = {arm: made for arm, runs in found.items() if (made := _Followed.of(runs)) is not None}
    if not own:
        return "the runs' batch or number of training images is not recorded"
    paces, source, absent = _paces(own, records)
    budgets = {
        clock: {arm: by_arm[arm].at(one.planned) for arm, one in own.items()}
        for clock, by_arm in paces.items()
    }
    validated = [
        _validated(run, one, {clock: by_arm[arm] for clock, by_arm in paces.items()})
        for arm, one in own.items()
        for run in one.runs
    ]
    return Clocks(tuple(validated), budgets, source, absent)


@dataclass(frozen=True)
class Pace:
    """What training an arm costs on one clock, from any epoch to any other."""

    rest: float
    """An epoch beyond `by_epoch`."""
    by_epoch: tuple[float, ...] = ()
    """The first epochs, each for itself: layers that thaw make later ones slower."""

    def at(self, epochs: float) -> float:
        """Spent when so many epochs are behind a run; the last may be a part of one."""
        whole = min(math.floor(epochs), len(self.by_epoch))
        following = self.by_epoch[whole] if whole < len(self.by_epoch) else self.rest
        return math.fsum(self.by_epoch[:whole]) + following * (epochs - whole)


@dataclass(frozen=True)
class _Followed:
    """The runs of one arm that were validated on the way."""

    runs: Sequence[RunRecord]
    images_per_epoch: int
    planned: float
    """Epochs; a budget in steps may end inside one."""

    @classmethod
    def of(cls, runs: Sequence[RunRecord]) -> Self | None:
        """None without a run, or where batch or number of training images is not recorded."""
        for run in runs:
            batch = section(run.config, "train").get("batch_size")
            if run.metrics.n_train and isinstance(batch, int) and batch > 0:
                steps = max(1, run.metrics.n_train // batch)
                return cls(runs, steps * batch, _planned_epochs(runs[0], steps))
        return None

    def epochs(self, run: RunRecord) -> list[float]:
        """Epochs behind the run at the end of each row; a budget in steps may end inside the last."""
        last = self.planned if run.metrics.epochs is None else min(run.metrics.epochs, self.planned)
        return [min(float(row.epoch), last) for row in run.epochs]


def _validated_runs(
    records: Sequence[Record], device_kind: str, arms: Sequence[str]
) -> dict[str, list[RunRecord]]:
    found: dict[str, list[RunRecord]] = {arm: [] for arm in arms}
    for run in run_records(records):
        ended = run.device_kind == device_kind and run.status in ("done", "diverged")
        if ended and run.arm in found and any(row.val_top1_pct is not None for row in run.epochs):
            found[run.arm].append(run)
    return found


def _planned_epochs(run: RunRecord, steps_per_epoch: int) -> float:
    train = section(run.config, "train")
    epochs, steps = train.get("epochs"), train.get("steps")
    if isinstance(steps, int):
        return steps / steps_per_epoch
    return float(epochs) if isinstance(epochs, int | float) else float(run.epochs[-1].epoch)


def _paces(
    own: Mapping[str, _Followed], records: Sequence[Record]
) -> tuple[Mapping[Clock, Mapping[str, Pace]], Source | None, Mapping[Clock, str]]:
    """Every arm's pace by clock, where the seconds are from, and why a clock is absent."""
    paces: dict[Clock, Mapping[str, Pace]] = {"epochs": dict.fromkeys(own, Pace(1.0))}
    absent: dict[Clock, str] = {}
    source: Source | None = None
    seconds = _seconds(own, records)
    if isinstance(seconds, str):
        absent["seconds"] = seconds
    else:
        paces["seconds"], source = seconds
    operations = _operations(own)
    if isinstance(operations, str):
        absent["flops"] = operations
    else:
        paces["flops"] = operations
    return paces, source, absent


def _seconds(
    own: Mapping[str, _Followed], records: Sequence[Record]
) -> tuple[Mapping[str, Pace], Source] | str:
    probes = probes_by_arm(records)
    found = {}
    for arm, followed in own.items():
        probe = probes.get((followed.runs[0].arm_id, followed.runs[0].device_kind))
        if probe is not None:
            found[arm] = Pace(followed.images_per_epoch / probe.probe_train_img_s)
    if len(found) == len(own):
        return found, "probe"
    if any((run.metrics.n_concurrent or 1) > 1 for followed in own.values() for run in followed.runs):
        return "no probe of some arm, and runs shared the machine"
    return {arm: _own_pace(followed) for arm, followed in own.items()}, "runs"


def _own_pace(followed: _Followed) -> Pace:
    """The arm's mean seconds of each epoch, over what its runs trained of it."""
    seconds: dict[int, float] = {}
    trained: dict[int, float] = {}
    for run in followed.runs:
        ends = followed.epochs(run)
        for index, (row, part) in enumerate(zip(run.epochs, _parts(ends), strict=True)):
            if part > 0:
                seconds[index] = seconds.get(index, 0.0) + row.epoch_time_s
                trained[index] = trained.get(index, 0.0) + part
    rates = tuple(seconds[index] / trained[index] for index in sorted(trained))
    return Pace(sum(seconds.values()) / sum(trained.values()), rates)


def _parts(ends: Sequence[float]) -> list[float]:
    """How much of an epoch each row is."""
    return [after - before for before, after in pairwise([0.0, *ends])]


def _operations(own: Mapping[str, _Followed]) -> Mapping[str, Pace] | str:
    """Operations of an epoch, by arm."""
    found = {}
    for arm, followed in own.items():
        gmacs = next((run.metrics.gmacs for run in followed.runs if run.metrics.gmacs), None)
        if gmacs is None:
            return "the multiply-adds of some arm are not recorded"
        found[arm] = Pace(_FLOPS_PER_MAC * gmacs * 1e9 * followed.images_per_epoch)
    return found


def _validated(run: RunRecord, followed: _Followed, paces: Mapping[Clock, Pace]) -> Validated:
    told = [
        (epochs, row.val_top1_pct)
        for epochs, row in zip(followed.epochs(run), run.epochs, strict=True)
        if row.val_top1_pct is not None
    ]
    spent = {clock: tuple(pace.at(epochs) for epochs, _ in told) for clock, pace in paces.items()}
    chance = 100 / len(run.class_names) if run.class_names else 0.0
    return Validated(run.arm, run.seed, run.status, tuple(value for _, value in told), spent, chance)
