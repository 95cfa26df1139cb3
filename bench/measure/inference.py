"""The forward pass of a trained network, driven as a step is: eval mode, no gradients, whole batches."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import perf_counter

import torch
from torch import Tensor, nn

from bench.data.batches import Batches, step_rows
from bench.study.specs import ExecutionSpec
from bench.train.modes import autocast, compiled, laid_out, placed

WARMUP_STEPS = 3
"""Passes that compile, choose kernels, and record and replay the graphs of compile modes that have them."""


@dataclass
class InferenceDriver:
    """Takes forward passes over the batches of an epoch; their logits are dropped."""

    model: nn.Module
    batches: Batches
    execution: ExecutionSpec
    device: torch.device
    _rows: tuple[Tensor, ...] = ()
    _place: int = field(default=0)

    def __post_init__(self) -> None:
        self.model = placed(self.model, self.execution, self.device).eval()
        self._forward = compiled(self.model, self.execution)
        self._autocast = autocast(self.execution, self.device)

    def prepare(self) -> float:
        """Compile; seconds it took, 0 without compilation."""
        if self.execution.compile == "none":
            return 0.0
        started = perf_counter()
        self.start_epoch(0)
        for _ in range(WARMUP_STEPS):
            self._place = 0
            self.step()
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return perf_counter() - started

    def start_epoch(self, epoch: int, done: int = 0) -> None:
        """Draw the epoch's order."""
        self._rows, self._place = self.batches.rows(epoch), done

    @torch.inference_mode()
    def step(self) -> bool:
        """One batch forward; nothing is known of its logits, so True."""
        images, _ = self.batches.batch(step_rows(self._rows, self._place, self.batches.batch_size))
        self._place += 1
        with self._autocast:
            self._forward(laid_out(images, self.execution))
        return True
