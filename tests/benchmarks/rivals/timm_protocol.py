"""Rival (d): the training step as timm's benchmark.py times it, on one synthetic batch.

Random images made once, fresh random labels each step, timm's SGD at its defaults, and a wait for the device
at the end of every step; ten steps of warm-up. What is left out is what training has besides: data, order,
augmentation, counting. benchmark.py makes timm's networks only, so the protocol of its `TrainBenchmarkRunner`
is followed here around ours.
"""

from __future__ import annotations

from contextlib import nullcontext
from time import perf_counter
from typing import Any

import torch
from timm.optim import create_optimizer_v2
from torch import nn

from tests.benchmarks.rivals.common import execution, network, splits, synchronise
from tests.benchmarks.rivals.turns import Task, Turns

WARMUP_STEPS = 10
"""benchmark.py's default."""


def run(task: Task, turns: Turns) -> dict[str, Any]:
    """Take as many steps a turn as an epoch has; returns the seconds of the compiled step's first call."""
    mode = execution(task)
    data = splits(task, "cpu")
    facts = data.facts
    layout = torch.channels_last if mode.channels_last else torch.contiguous_format
    model = network(task, data).to(task.device).to(memory_format=layout)
    model.train()
    forward = model if mode.compile == "none" else torch.compile(model, mode=mode.compile)
    optimizer = create_optimizer_v2(model, opt="sgd", lr=1e-4)
    criterion = nn.CrossEntropyLoss()
    shape = (task.batch_size, facts.channels, facts.image_size, facts.image_size)
    images = torch.randn(shape, device=task.device).contiguous(memory_format=layout)
    amp = (
        torch.autocast(torch.device(task.device).type, dtype=torch.bfloat16)
        if mode.amp == "bf16"
        else nullcontext()
    )

    def step() -> None:
        optimizer.zero_grad()
        with amp:
            output = forward(images)
            labels = torch.empty(len(output), device=task.device, dtype=torch.long).random_(facts.num_classes)
            criterion(output, labels).backward()
        optimizer.step()
        synchronise(task.device)

    began = perf_counter()
    step()
    compile_s = None if mode.compile == "none" else perf_counter() - began
    for _ in range(WARMUP_STEPS - 1):
        step()
    n_steps = len(data.train) // task.batch_size
    while not turns.over:
        for _ in range(n_steps):
            step()
        turns.epoch_over()
    return {"compile_s": compile_s}
