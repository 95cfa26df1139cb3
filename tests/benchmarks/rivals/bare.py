"""Rival (c): what one would write by hand for speed, in our own fastest mode.

Float images lie on the device, padded once; order, crops and flips of an epoch are drawn at once and a batch
is one gather. No check, no count, no checkpoint, no clock, nothing that waits. On a GPU with `graph` the step
is captured once and replayed.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.study.specs import ExecutionSpec
from bench.train.modes import applied
from tests.benchmarks.rivals.common import (
    LR,
    MOMENTUM,
    PAD,
    WEIGHT_DECAY,
    execution,
    network,
    splits,
    synchronise,
)
from tests.benchmarks.rivals.turns import Task, Turns

_AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass
class Resident:
    """A training set on the device, ready to be cropped and flipped by one gather."""

    padded: Tensor
    """Normalised, zero-padded, float32 (N, C, S + 2·PAD, S + 2·PAD)."""
    labels: Tensor
    size: int

    def draw(self, n: int) -> Tensor:
        """An epoch's rows: index, top, left, flip; int64 (n, 4)."""
        device = self.labels.device
        order = torch.randperm(len(self.labels), device=device)[:n]
        places = torch.randint(0, 2 * PAD + 1, (n, 2), device=device)
        flips = torch.randint(0, 2, (n, 1), device=device)
        return torch.cat([order[:, None], places, flips], dim=1)

    def batch(self, rows: Tensor, layout: torch.memory_format) -> tuple[Tensor, Tensor]:
        """Images (B, C, S, S) and labels of an epoch's rows (B, 4)."""
        index, top, left, flip = rows.unbind(1)
        steps = torch.arange(self.size, device=rows.device)
        columns = torch.where(flip[:, None] == 1, self.size - 1 - steps, steps) + left[:, None]
        down = top[:, None] + steps
        channels = torch.arange(self.padded.shape[1], device=rows.device)
        images = self.padded[
            index[:, None, None, None],
            channels[None, :, None, None],
            down[:, None, :, None],
            columns[:, None, None, :],
        ]
        return images.contiguous(memory_format=layout), self.labels[index]


def run(task: Task, turns: Turns) -> dict[str, Any]:
    """Train epochs in turn; returns the seconds that compiling and capturing took."""
    mode = execution(task)
    data = splits(task, task.device)
    images, labels = data.train.gather(torch.arange(len(data.train), device=data.train.home))
    resident = Resident(F.pad(images, (PAD,) * 4), labels, data.facts.image_size)
    n_steps = len(labels) // task.batch_size
    torch.manual_seed(0)
    with applied(mode, task.device):
        step, loss_sum, compile_s = _prepare(task, mode, resident, network(task, data))
        while not turns.over:
            loss_sum.zero_()
            rows = resident.draw(n_steps * task.batch_size).view(n_steps, task.batch_size, 4)
            for of_step in rows:
                step(of_step)
            turns.epoch_over(loss=float(loss_sum) / n_steps)
    return {"compile_s": compile_s}


def _prepare(
    task: Task, mode: ExecutionSpec, resident: Resident, model: torch.nn.Module
) -> tuple[Callable[[Tensor], None], Tensor, float | None]:
    """The step as a call on an epoch's rows (B, 4), the sum of its losses, seconds of making it ready."""
    layout = torch.channels_last if mode.channels_last else torch.contiguous_format
    model.to(task.device).to(memory_format=layout)
    model.train()
    forward = model if mode.compile == "none" else torch.compile(model, mode=mode.compile)
    fused: Any = mode.fused or None
    optimizer = torch.optim.SGD(
        model.parameters(), lr=LR, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY, fused=fused
    )
    loss_sum = torch.zeros((), device=task.device)

    def step(rows: Tensor) -> None:
        images, labels = resident.batch(rows, layout)
        optimizer.zero_grad(set_to_none=True)
        with _autocast(mode, task.device):
            loss = F.cross_entropy(forward(images), labels)
        loss.backward()
        optimizer.step()
        loss_sum.add_(loss.detach())

    if mode.compile == "none" and not mode.graph:
        return step, loss_sum, None
    synchronise(task.device)
    began = perf_counter()
    rows = resident.draw(task.batch_size)
    if mode.graph:
        return _captured(step, rows), loss_sum, perf_counter() - began
    step(rows)
    synchronise(task.device)
    return step, loss_sum, perf_counter() - began


def _captured(step: Callable[[Tensor], None], rows: Tensor) -> Callable[[Tensor], None]:
    """The step as a CUDA graph whose rows are copied in before each replay."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step(rows)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step(rows)

    def replay(of_step: Tensor) -> None:
        rows.copy_(of_step)
        graph.replay()

    return replay


def _autocast(mode: ExecutionSpec, device: str) -> AbstractContextManager[Any]:
    if mode.amp == "none":
        return nullcontext()
    # A cache of casts may not outlive the capture of a graph.
    kind = torch.device(device).type
    return torch.autocast(kind, dtype=_AUTOCAST[mode.amp], cache_enabled=not mode.graph)
