"""Who takes the steps of an epoch: one by one from Python, or each as the replay of a CUDA graph.

The loop, the speed probe, calibration and throughput cells all drive the very same step, so that what is
measured is what trains.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from bench.data.batches import Batches, step_rows
from bench.study.specs import ExecutionSpec
from bench.train.step import Step

LearningRate = Callable[[int], float]
"""Learning rate by the number of the step in the run."""

Momentum = Callable[[int], float | None]
"""Momentum by the number of the step, where the schedule moves it."""


class Driver(Protocol):
    """Takes the steps of a run in order."""

    def prepare(self) -> float:
        """Compile and capture for what trains now, changing nothing that a run can see; seconds it took."""

    def start_epoch(self, epoch: int, done: int = 0) -> None:
        """Get ready for an epoch (from 0) of which so many steps have been taken."""

    def step(self) -> bool:
        """Take the next step of the epoch; False when its loss is known not to be finite."""


def make_driver(
    step: Step, batches: Batches, *, lr: LearningRate, momentum: Momentum = lambda _: None
) -> Driver:
    """The driver that the step's execution asks for.

    Args:
        step: Network and optimiser on their device.
        batches: What it is fed with.
        lr: Learning rate of each step; asked when its epoch starts.
        momentum: Momentum of each step.

    Raises:
        UsageError: `graph` with what no graph can hold.
    """
    if step.execution.graph:
        from bench.train.graph import GraphDriver  # noqa: PLC0415 - the two know each other

        return GraphDriver(step, batches, lr)
    return StepDriver(step, batches, lr, momentum)


def compiles(execution: ExecutionSpec) -> bool:
    """Whether a driver has something to prepare."""
    return execution.graph or execution.compile != "none"


@dataclass
class StepDriver:
    """Calls the step from Python."""

    taken: Step
    batches: Batches
    lr: LearningRate
    momentum: Momentum = lambda _: None
    _rows: tuple[Tensor, ...] = ()
    _first: int = 0
    _place: int = field(default=0)

    def prepare(self) -> float:
        """Compile on the first batch."""
        if self.taken.execution.compile == "none":
            return 0.0
        devices = [self.taken.device] if self.taken.device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            return self.taken.compile(
                *self.batches.batch(step_rows(self.batches.rows(0), 0, self.batches.batch_size))
            )

    def start_epoch(self, epoch: int, done: int = 0) -> None:
        """Draw the epoch."""
        self._rows = self.batches.rows(epoch)
        self._first, self._place = epoch * self.batches.steps_per_epoch, done

    def step(self) -> bool:
        """One step."""
        number = self._first + self._place
        images, labels = self.batches.batch(step_rows(self._rows, self._place, self.batches.batch_size))
        self._place += 1
        return self.taken(images, labels, self.lr(number), self.momentum(number), number=number)
