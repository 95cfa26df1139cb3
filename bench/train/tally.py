"""Counting on the way: loss, correct answers, and whether a loss was ever not finite.

On a CPU every number is at hand, so a loss that is not finite is seen before its step is taken. On a GPU
looking would stop the pipeline, so the sums and the verdict stay there and are read when an epoch ends.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


@dataclass(frozen=True)
class Counts:
    """Sums over the steps of one epoch so far."""

    loss_sum: float = 0.0
    """Of the steps' mean losses."""
    n_correct: int = 0
    n_bad_steps: int = 0
    """Steps from the first loss that was not finite to the last step taken."""


def classes(labels: Tensor) -> Tensor:
    """The class of each image, int64 (B,): of shares (B, C) the largest, the first of equal ones."""
    return labels.argmax(1) if labels.ndim == 2 else labels


class Tally(Protocol):
    """Sums of one epoch."""

    def observe(self, loss: Tensor, logits: Tensor, labels: Tensor) -> bool:
        """Count one step; whether it may go on, as far as that is known without waiting."""

    def read(self) -> Counts:
        """The sums; waits for the device."""

    def start(self, counts: Counts) -> None:
        """Begin an epoch, or go on with one."""


class HostTally:
    """Counts in Python, checking each step."""

    def __init__(self) -> None:
        self._loss_sum, self._n_correct = 0.0, 0

    def observe(self, loss: Tensor, logits: Tensor, labels: Tensor) -> bool:
        """Count one step, unless its loss is not finite."""
        value = loss.item()
        if not math.isfinite(value):
            return False
        self._loss_sum += value
        self._n_correct += int((logits.argmax(1) == classes(labels)).sum())
        return True

    def read(self) -> Counts:
        """The sums."""
        return Counts(self._loss_sum, self._n_correct)

    def start(self, counts: Counts) -> None:
        """Begin an epoch, or go on with one."""
        self._loss_sum, self._n_correct = counts.loss_sum, counts.n_correct


class DeviceTally:
    """Counts on the device; `bad` (bool) and `found_inf` (float32) say there whether updates are off.

    The sum of the losses is its own memory: once it is not finite it stays so, and with it the verdict.
    """

    def __init__(self, device: torch.device) -> None:
        self._loss_sum = torch.zeros((), dtype=torch.float64, device=device)
        self._n_correct = torch.zeros((), dtype=torch.int64, device=device)
        self._n_bad_steps = torch.zeros((), dtype=torch.float32, device=device)
        self.bad = torch.zeros((), dtype=torch.bool, device=device)
        self.found_inf = torch.zeros((), dtype=torch.float32, device=device)

    @torch.no_grad()
    def observe(self, loss: Tensor, logits: Tensor, labels: Tensor) -> bool:
        """Count one step; it always goes on, gated by `bad`."""
        self._loss_sum += loss
        self._n_correct += (logits.argmax(1) == classes(labels)).sum()
        # x - x is 0 for finite x and NaN for all others.
        torch.ne(self._loss_sum - self._loss_sum, 0, out=self.bad)
        self.found_inf.copy_(self.bad)
        self._n_bad_steps += self.found_inf
        return True

    def read(self) -> Counts:
        """The sums; one transfer."""
        together = torch.stack((self._loss_sum, self._n_correct.double(), self._n_bad_steps.double()))
        loss_sum, n_correct, n_bad_steps = together.tolist()
        return Counts(loss_sum, int(n_correct), int(n_bad_steps))

    def start(self, counts: Counts) -> None:
        """Begin an epoch, or go on with one."""
        self._loss_sum.fill_(counts.loss_sum)
        self._n_correct.fill_(counts.n_correct)
        self._n_bad_steps.fill_(counts.n_bad_steps)
