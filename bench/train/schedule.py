"""The learning rate as a pure function of the step, so that resuming has nothing to restore.

The numbers are those of torch's schedulers of the same name, stepped once a step (cosine, one-cycle) or in
the unit of the budget (step, multistep). Plateau alone depends on what happened; its state is three numbers.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass

from bench.study.specs import TrainSpec

_MOMENTA = (0.95, 0.85)
"""One-cycle's momentum at the lowest and the highest rate (Smith & Topin 2019; torch's defaults)."""


@dataclass
class Plateau:
    """What the plateau schedule remembers: current rate, best validation loss and its epoch."""

    lr: float
    best: float | None = None
    best_epoch: int = 0


class Schedule:
    """Learning rate and momentum of every step.

    Args:
        spec: The recipe.
        steps_per_epoch: Whole batches in an epoch.
    """

    def __init__(self, spec: TrainSpec, steps_per_epoch: int) -> None:
        self.spec = spec.schedule
        self.peak_lr = spec.optimizer.lr
        self.steps_per_epoch = steps_per_epoch
        self.total_steps = total_steps(spec, steps_per_epoch)
        self._unit_steps = 1 if spec.steps is not None else steps_per_epoch
        self._warmup_steps = self.spec.warmup_steps or (self.spec.warmup_epochs or 0) * steps_per_epoch
        self._shape = {
            "constant": self._constant,
            "step": self._step,
            "multistep": self._multistep,
            "cosine": self._cosine,
            "onecycle": self._onecycle,
            "plateau": self._plateau,
        }[self.spec.name]
        self.plateau = Plateau(self.peak_lr)

    def lr(self, step: int) -> float:
        """Learning rate of a step, counted from 0, warm-up laid over."""
        lr = self._shape(step)
        if step >= self._warmup_steps:
            return lr
        if self.spec.warmup_shape == "constant":
            return self.spec.warmup_lr
        return self.spec.warmup_lr + (lr - self.spec.warmup_lr) * step / self._warmup_steps

    def momentum(self, step: int) -> float | None:
        """Momentum of a step where the schedule moves it, else None."""
        if not self.spec.cycle_momentum:
            return None
        high, low = _MOMENTA
        return self._cycle(step, high, low, high)

    def observe(self, val_loss: float, epoch: int) -> None:
        """Tell the plateau schedule a validation loss; its rule is `ReduceLROnPlateau`'s.

        Better means lower by one part in 1e4, torch's default threshold.

        Args:
            val_loss: May be NaN, which is never better.
            epoch: Counted from 1; epochs between evaluations count as without improvement.
        """
        state = self.plateau
        if self.spec.name != "plateau":
            return
        if math.isfinite(val_loss) and (state.best is None or val_loss < state.best * (1 - 1e-4)):
            state.best, state.best_epoch = val_loss, epoch
        patience = 10 if self.spec.patience_epochs is None else self.spec.patience_epochs
        if epoch - state.best_epoch > patience:
            lower = max(state.lr * self._gamma, self.spec.min_lr or 0.0)
            if state.lr - lower > 1e-8:
                state.lr = lower
            state.best_epoch = epoch

    @property
    def _gamma(self) -> float:
        return 0.1 if self.spec.gamma is None else self.spec.gamma

    def _constant(self, _step: int) -> float:
        return self.peak_lr

    def _step(self, step: int) -> float:
        assert self.spec.every is not None
        return self.peak_lr * self._gamma ** (step // self._unit_steps // self.spec.every)

    def _multistep(self, step: int) -> float:
        assert self.spec.milestones is not None
        return self.peak_lr * self._gamma ** bisect_right(self.spec.milestones, step // self._unit_steps)

    def _cosine(self, step: int) -> float:
        floor = self.spec.min_lr or 0.0
        return floor + (self.peak_lr - floor) * (1 + math.cos(math.pi * step / self.total_steps)) / 2

    def _onecycle(self, step: int) -> float:
        first = self.peak_lr / (self.spec.div_factor or 25.0)
        return self._cycle(step, first, self.peak_lr, first / (self.spec.final_div_factor or 1e4))

    def _cycle(self, step: int, first: float, peak: float, last: float) -> float:
        """Cosine from first to peak to last, as torch's OneCycleLR lays it over the steps."""
        turn = (self.spec.pct_start or 0.3) * self.total_steps - 1
        if step <= turn:
            return _cosine(first, peak, step / turn if turn > 0 else 1.0)
        return _cosine(peak, last, (step - turn) / (self.total_steps - 1 - turn))

    def _plateau(self, _step: int) -> float:
        return self.plateau.lr


def total_steps(spec: TrainSpec, steps_per_epoch: int) -> int:
    """The budget in optimiser steps."""
    if spec.steps is not None:
        return spec.steps
    assert spec.epochs is not None
    return spec.epochs * steps_per_epoch


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) / 2.0 * (math.cos(math.pi * share) + 1)
