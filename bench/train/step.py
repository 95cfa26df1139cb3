"""One training step: forward, loss, backward, update. The loop and the speed probe take the very same one.

Nothing in it waits for the device. A loss that is not finite must leave weights, statistics and the
optimiser as they were: on a CPU the step ends there; on a GPU the update is switched off on the device, by
`found_inf` of torch's fused optimisers, by taking the weights back for all others. Frozen stages stay as they
are (`freeze.py`).
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from time import perf_counter
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from architectures.noise import noise_states
from bench.study.specs import CAPTURING_COMPILE_MODES, ExecutionSpec, TrainSpec, is_callable_name
from bench.train.average import Average
from bench.train.freeze import Freezer
from bench.train.held import Held
from bench.train.modes import Forward, autocast, compiled, laid_out, placed
from bench.train.optim import build_optimizer
from bench.train.prefix import halves
from bench.train.tally import DeviceTally, HostTally, Tally

_GATED_BY_FOUND_INF = (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW)


class Step:
    """A model with its optimiser, placed on the device and ready to train.

    Args:
        model: Built and initialised; it is moved to the device.
        spec: The recipe.
        execution: Precision, layout, compilation.
        device: Where it runs.
        weights_through: Last stage that was copied from elsewhere, for `freeze: transferred`.
        gate_on_device: Whether a bad step is gated on the device; absent: on all but the CPU.

    Attributes:
        lr_shares: Each parameter group's multiple of the learning rate.
        average: The moving average of the weights, where the recipe keeps one.
        halves: The frozen prefix and the rest, where the first stages always give the same.
        takes_features: Whether what comes as images is what the frozen prefix made of them.
    """

    def __init__(
        self,
        model: nn.Module,
        spec: TrainSpec,
        execution: ExecutionSpec,
        device: torch.device,
        *,
        weights_through: str | None = None,
        gate_on_device: bool | None = None,
    ) -> None:
        self.model = placed(model, execution, device)
        self.execution, self.device = execution, device
        self._noise = noise_states(self.model)
        self._freezer = Freezer(self.model, spec, weights_through)
        self._parameters = self._freezer.trained
        self.optimizer = build_optimizer(
            self._parameters,
            spec.optimizer,
            fused=execution.fused,
            device=device,
            lr_scales=self._freezer.lr_scales,
        )
        self.scaler = torch.amp.GradScaler(device.type) if execution.amp == "fp16" else None
        self._autocast = autocast(execution, device)
        self._cut()
        self._label_smoothing = spec.label_smoothing
        self._max_norm = spec.clip_grad_norm
        self.lr_shares = [_lr_share(group, spec.optimizer.lr) for group in self.optimizer.param_groups]
        self._statistics = Held(model.buffers())
        self._weights: Held | None = None
        self.average = None if spec.ema is None else Average(self.model, spec.ema, device)
        self._guards_waiting = is_callable_name(spec.optimizer.name)
        self._waiting = self._hold_waiting()
        self.tally: Tally = HostTally()
        if gate_on_device if gate_on_device is not None else device.type != "cpu":
            self.tally = self._gate(DeviceTally(device))

    def __call__(
        self, images: Tensor, labels: Tensor, lr: float, momentum: float | None = None, *, number: int = 0
    ) -> bool:
        """Take one step.

        Args:
            images: float32, of shape (N, C, H, W), on the device.
            labels: int64, of shape (N,), or float32 (N, C), shares of the classes.
            lr: Learning rate of this step.
            momentum: Momentum of this step, where the schedule moves it.
            number: Of this step in the run; what dropout drops is a function of it.

        Returns:
            False when the loss is known not to be finite: nothing has changed. True says nothing on a
            GPU, where `tally` tells later.
        """
        self._set(lr, momentum)
        self.set_number(number)
        return self.advance(images, labels)

    def set_number(self, number: int | Tensor) -> None:
        """Tell the noise layers which step of the run comes; a tensor is an int64 scalar on the device."""
        for state in self._noise:
            state.step.fill_(number)

    def advance(self, images: Tensor, labels: Tensor) -> bool:
        """Take a step with the rate that is set; on a GPU pure work on the device, for a graph to hold."""
        loss, logits = self._loss(images, labels)
        go_on = self.tally.observe(loss.detach(), logits.detach(), labels)
        if not go_on:
            self._statistics.restore()
            return False
        self._update(loss)
        if isinstance(self.tally, DeviceTally):
            # After the backward pass, which insists on the statistics that the forward pass left.
            self._statistics.settle(self.tally.bad)
            if self._weights is not None:
                self._weights.settle(self.tally.bad)
        else:
            self._statistics.hold()
        if self.average is not None:
            self.average.move(self.tally.bad if isinstance(self.tally, DeviceTally) else None)
        return True

    def judged(self) -> AbstractContextManager[None]:
        """The network as it is judged and kept: where there is an average, that in place of its weights."""
        return nullcontext() if self.average is None else self.average.in_place()

    @property
    def updates_on_device(self) -> bool:
        """Whether verdict and rate can stay on the device: a fused optimiser reads both from tensors."""
        return isinstance(self.tally, DeviceTally) and self._weights is None

    def start_epoch(self, epoch: int) -> bool:
        """Freeze and unfreeze what the epoch (counted from 1) asks for.

        Returns:
            Whether a compiled network has to be compiled again.
        """
        changed = self._freezer.start_epoch(epoch)
        if changed:
            self._cut()
            self._waiting = self._hold_waiting()
        return changed

    def next_change(self, epoch: int) -> float:
        """The first epoch after this one, from 1 on, that freezes other stages; infinity if none does."""
        return self._freezer.next_change(epoch)

    def recover(self) -> None:
        """Take note that weights and statistics were set from outside, as on resuming."""
        for held in (self._statistics, self._weights, self._waiting):
            if held is not None:
                held.hold()

    def compile(self, images: Tensor, labels: Tensor) -> float:
        """Compile the forward and backward pass on one batch, changing nothing that a run can see.

        Returns:
            Seconds it took.
        """
        started = perf_counter()
        # The second pass records CUDA graphs, the third replays them.
        for _ in range(3):
            loss, _ = self._loss(images, labels)
            if loss.requires_grad:
                loss.backward()  # type: ignore[no-untyped-call] # untyped in torch
        self.optimizer.zero_grad(set_to_none=True)
        self._statistics.restore()
        if images.is_cuda:
            torch.cuda.synchronize(images.device)
        return perf_counter() - started

    @torch.no_grad()
    def features(self, images: Tensor) -> Tensor:
        """What the frozen prefix makes of images (N, C, H, W)."""
        assert self._prefix is not None
        with self._autocast:
            found = self._prefix(laid_out(images, self.execution))
        # These modes give their results in memory that the next compiled call takes over.
        return found.clone() if self.execution.compile in CAPTURING_COMPILE_MODES else found

    def _cut(self) -> None:
        """Part what is frozen from the images on: it needs no gradients, and its features may be kept."""
        self.halves = halves(self.model, self._freezer.frozen)
        self.takes_features = False
        self._prefix: Forward | None = None
        if self.halves is None:
            self._forward = compiled(self.model, self.execution)
        else:
            self._prefix, self._forward = (compiled(half, self.execution) for half in self.halves)

    def _loss(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        if self._prefix is None:
            images = laid_out(images, self.execution)
        elif not self.takes_features:
            images = self.features(images)
        self.optimizer.zero_grad(set_to_none=True)
        with self._autocast:
            logits = self._forward(images)
            loss = F.cross_entropy(logits, labels, label_smoothing=self._label_smoothing)
        return loss, logits

    def _update(self, loss: Tensor) -> None:
        if not loss.requires_grad:
            return  # everything is frozen in this epoch
        if self.scaler is None:
            loss.backward()  # type: ignore[no-untyped-call] # untyped in torch
        else:
            self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call] # untyped in torch
        if self._max_norm is not None:
            if self.scaler is not None:
                self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self._parameters, self._max_norm, error_if_nonfinite=False)
        if self.scaler is None:
            self.optimizer.step()
        else:
            self.scaler.step(self.optimizer)
            self.scaler.update()
        if self._waiting is not None:
            self._waiting.restore()

    def _hold_waiting(self) -> Held | None:
        """Copies of what is unfrozen later: a user's optimiser need not pass over what has no gradient."""
        waiting = self._freezer.waiting
        return Held(waiting) if waiting and self._guards_waiting else None

    def _set(self, lr: float, momentum: float | None) -> None:
        for group, share in zip(self.optimizer.param_groups, self.lr_shares, strict=True):
            # A user's optimiser may keep its rate in a tensor, as a captured graph will.
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(lr * share)
            else:
                group["lr"] = lr * share
            if momentum is not None:
                group["momentum"] = momentum

    def _gate(self, tally: DeviceTally) -> DeviceTally:
        """Let the tally's verdict switch the updates off."""
        by_found_inf = isinstance(self.optimizer, _GATED_BY_FOUND_INF) and bool(
            self.optimizer.defaults.get("fused")
        )
        if not by_found_inf:
            self._weights = Held(self._parameters)
        elif self.scaler is None:
            self.optimizer.found_inf = tally.found_inf  # type: ignore[attr-defined] # read by the fused kernels
        else:
            self.optimizer.register_step_pre_hook(_join_verdicts(tally.found_inf))
        return tally


def _lr_share(group: dict[str, Any], lr: float) -> float:
    """The group's multiple of the rate: the study's, exactly, times what a user's optimiser made of it."""
    scale = float(group.get("lr_scale", 1.0))
    return scale * (float(group["lr"]) / (lr * scale))


def _join_verdicts(found_inf: Tensor) -> Any:
    """A hook by which an update is skipped for scaled gradients that overflow, and for a bad loss."""

    def join(optimizer: Any, _args: Any, _kwargs: Any) -> None:
        optimizer.found_inf = torch.maximum(optimizer.found_inf, found_inf)

    return join
