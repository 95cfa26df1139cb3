"""Validation of every run against what had been spent by then: epochs, seconds of training, operations.

The ranking of arms depends on what is held equal, so each evaluation carries all clocks. Epochs are counted.
Seconds come from the arm's probe, which ran alone, and from the runs' own times only where no arm shared the
machine. Operations are those of the layers that multiply, three forward passes an image (one forward, two
backward); what freezing saves is not deducted. Energy is not recorded of runs, so nothing is equal in it.

Reference: Kaplan et al. (2020), "Scaling laws for neural language models", arXiv 2001.08361, section 2.1 (a
backward pass costs two forward ones).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, Literal

from bench.analyse.estimate import mean
from bench.analyse.frame import probes_by_arm, run_records
from bench.analyse.outline import section
from bench.record.schema import Record, RunRecord

Clock = Literal["epochs", "seconds", "flops"]
CLOCKS: Final[tuple[Clock, ...]] = ("epochs", "seconds", "flops")

_FLOPS_PER_MAC: Final = 6
"""Two operations a multiply-add, three passes a training image."""

METRIC: Final = "val_top1_pct"


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
    seconds_from: Literal["probe", "runs"] | None
    absent: Mapping[Clock, str]
    """Why a clock is absent."""

    @property
    def clocks(self) -> tuple[Clock, ...]:
        """The clocks that every arm has."""
        return tuple(clock for clock in CLOCKS if clock in self.budgets)

    def common(self, clock: Clock) -> float:
        """The budget that every arm was given: the smallest."""
        return min(self.budgets[clock].values())

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
    followed: dict[str, list[RunRecord]] = {arm: [] for arm in arms}
    for run in run_records(records):
        ended = run.device_kind == device_kind and run.status in ("done", "diverged")
        if ended and run.arm in followed and _is_followed(run):
            followed[run.arm].append(run)
    if not any(followed.values()):
        return "no run was validated on the way (data.val is 0, or there is one evaluation at the end)"
    steps = {arm: _steps_per_epoch(found) for arm, found in followed.items()}
    own = {arm: found for arm, found in followed.items() if found and steps[arm] is not None}
    if not own:
        return "the runs' batch or number of training images is not recorded"
    epochs = {arm: _planned_epochs(found[0], steps[arm] or 1) for arm, found in own.items()}
    seconds, source, reason = _seconds(own, records, steps)
    operations, lacking = _operations(own, steps)
    budgets: dict[Clock, dict[str, float]] = {"epochs": epochs}
    absent: dict[Clock, str] = {}
    if seconds is None:
        absent["seconds"] = reason
    else:
        budgets["seconds"] = {arm: _rate(seconds[arm]) * epochs[arm] for arm in own}
    if operations is None:
        absent["flops"] = lacking
    else:
        budgets["flops"] = {arm: operations[arm] * epochs[arm] for arm in own}
    validated = [
        _validated(
            run,
            None if seconds is None else seconds[arm][run.run_id],
            None if operations is None else operations[arm],
        )
        for arm, found in own.items()
        for run in found
    ]
    return Clocks(tuple(validated), budgets, source, absent)


def _is_followed(run: RunRecord) -> bool:
    return any(row.val_top1_pct is not None for row in run.epochs)


def _steps_per_epoch(runs: Sequence[RunRecord]) -> int | None:
    for run in runs:
        batch = section(run.config, "train").get("batch_size")
        if run.metrics.n_train and isinstance(batch, int) and batch > 0:
            return max(1, run.metrics.n_train // batch)
    return None


def _planned_epochs(run: RunRecord, steps_per_epoch: int) -> float:
    train = section(run.config, "train")
    epochs, steps = train.get("epochs"), train.get("steps")
    if isinstance(steps, int):
        return steps / steps_per_epoch
    return float(epochs) if isinstance(epochs, int | float) else float(run.epochs[-1].epoch)


Seconds = Mapping[str, tuple[float, ...]]
"""Seconds at the end of each epoch row, by run."""


def _seconds(
    own: Mapping[str, Sequence[RunRecord]], records: Sequence[Record], steps: Mapping[str, int | None]
) -> tuple[dict[str, Seconds] | None, Literal["probe", "runs"] | None, str]:
    probes = probes_by_arm(records)
    found: dict[str, Seconds] = {}
    for arm, runs in own.items():
        probe = probes.get((runs[0].arm_id, runs[0].device_kind))
        if probe is not None:
            rate = _images_per_epoch(runs[0], steps[arm]) / probe.probe_train_img_s
            found[arm] = {run.run_id: tuple(rate * at for at in _epochs(run)) for run in runs}
    if len(found) == len(own):
        return found, "probe", ""
    shared = [run for runs in own.values() for run in runs if (run.metrics.n_concurrent or 1) > 1]
    if shared:
        return None, None, "no probe of some arm, and runs shared the machine"
    alone: dict[str, Seconds] = {
        arm: {run.run_id: tuple(accumulate(row.epoch_time_s for row in run.epochs)) for run in runs}
        for arm, runs in own.items()
    }
    return alone, "runs", ""


def _images_per_epoch(run: RunRecord, steps: int | None) -> int:
    """Full batches alone; arms whose batch is not known have no steps and are left out before."""
    batch = section(run.config, "train").get("batch_size")
    assert isinstance(batch, int)
    assert steps is not None
    return steps * batch


def _rate(seconds: Seconds) -> float:
    """Seconds of an epoch, the mean over all epochs of the arm's runs."""
    return mean([times[-1] / len(times) for times in seconds.values()])


def _operations(
    own: Mapping[str, Sequence[RunRecord]], steps: Mapping[str, int | None]
) -> tuple[dict[str, float] | None, str]:
    """Operations of an epoch, by arm."""
    found = {}
    for arm, runs in own.items():
        gmacs = next((run.metrics.gmacs for run in runs if run.metrics.gmacs), None)
        if gmacs is None:
            return None, "the multiply-adds of some arm are not recorded"
        found[arm] = _FLOPS_PER_MAC * gmacs * 1e9 * _images_per_epoch(runs[0], steps[arm])
    return found, ""


def _epochs(run: RunRecord) -> list[float]:
    """Epochs trained at the end of each row; a budget in steps may end inside the last."""
    last = run.metrics.epochs
    return [row.epoch if last is None else min(float(row.epoch), last) for row in run.epochs]


def _validated(run: RunRecord, seconds: tuple[float, ...] | None, operations: float | None) -> Validated:
    epochs = _epochs(run)
    told = [(index, value) for index, row in enumerate(run.epochs) if (value := row.val_top1_pct) is not None]
    at = [index for index, _ in told]
    spent: dict[Clock, tuple[float, ...]] = {"epochs": tuple(epochs[index] for index in at)}
    if seconds is not None:
        spent["seconds"] = tuple(seconds[index] for index in at)
    if operations is not None:
        spent["flops"] = tuple(operations * epochs[index] for index in at)
    chance = 100 / len(run.class_names) if run.class_names else 0.0
    return Validated(run.arm, run.seed, run.status, tuple(value for _, value in told), spent, chance)
