"""What the trainer costs over a hand-written loop (`pytest --benchmark-only`).

The floor is the bare loop: zero_grad, forward, cross-entropy, backward, fused SGD, over float images that lie
in memory. Ours adds the epoch's permutation, gathering, learning rate, counting, the check of every loss,
the copy of the running statistics, the clock and the question whether to stop. Both take the same steps and
end with the same weights; they alternate, so that a machine that changes pace changes both.
"""

from __future__ import annotations

import statistics
from time import perf_counter

import pytest
import torch
import torch.nn.functional as F

import architectures
from bench.data import TrainBatches, open_splits
from bench.study.specs import DataSpec, ExecutionSpec, OptimizerSpec, ScheduleSpec, TrainSpec
from bench.train.loop import train
from bench.train.modes import applied
from bench.train.weights import weights_digest

EPOCHS = 4
SPEC = TrainSpec(
    epochs=EPOCHS,
    optimizer=OptimizerSpec(lr=0.05, momentum=0.9, weight_decay=1e-4),
    schedule=ScheduleSpec(name="constant"),
    eval_every_epochs=EPOCHS,
)
EXECUTION = ExecutionSpec(channels_last=True)


def network(depth):
    model = architectures.build("cifar_resnet", depth=depth, num_classes=10, in_chans=1, img_size=8)
    architectures.initialise(model, 1)
    return model


def resident(data):
    """All batches of the run, as float images in the network's layout."""
    batches = TrainBatches(data.train, batch_size=SPEC.batch_size, augment=(), key=1)
    return [
        (images.contiguous(memory_format=torch.channels_last), labels)
        for epoch in range(EPOCHS)
        for images, labels in batches.epoch(epoch)
    ]


def bare(model, batches) -> float:
    model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4, fused=True)
    started = perf_counter()
    for images, labels in batches:
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(model(images), labels).backward()
        optimizer.step()
    return perf_counter() - started


def ours(model, data, folder) -> float:
    result = train(
        model,
        data,
        spec=SPEC,
        execution=EXECUTION,
        augment=(),
        key=1,
        device="cpu",
        folder=folder,
        identity="",
    )
    return result.train_time_s


@pytest.mark.benchmark(group="the loop over a bare one")
@pytest.mark.parametrize(("depth", "rounds"), [(8, 9), (20, 9), (56, 5)], ids=["8", "20", "56"])
def test_the_loop_costs_little_over_a_bare_one(benchmark, tmp_path, depth, rounds):
    data = open_splits(DataSpec(name="digits"), tmp_path, "cpu")
    batches = resident(data)
    times = {"bare": [], "ours": []}

    def interleaved():
        first, second = network(depth), network(depth)
        times["bare"].append(bare(first, batches))
        times["ours"].append(ours(second, data, tmp_path))
        assert weights_digest(first) == weights_digest(second)

    with applied(EXECUTION, "cpu"):
        benchmark.pedantic(interleaved, rounds=rounds, warmup_rounds=2)
    ratios = [mine / floor for mine, floor in zip(times["ours"][2:], times["bare"][2:], strict=True)]
    benchmark.extra_info["ours_over_bare"] = round(statistics.median(ratios), 4)
    n_images = len(batches) * SPEC.batch_size
    benchmark.extra_info["img_s"] = round(n_images / statistics.median(times["ours"][2:]), 1)
    benchmark.extra_info["bare_step_ms"] = round(1e3 * statistics.median(times["bare"][2:]) / len(batches), 3)
    assert statistics.median(ratios) < 1.1
