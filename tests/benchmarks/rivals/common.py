"""What all contenders share: the network with equal initial weights, the images, the recipe's numbers."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

import architectures
from bench.data import DataSplits, open_splits
from bench.study.specs import DataSpec, ExecutionSpec
from tests.benchmarks.rivals.turns import Task

LR, MOMENTUM, WEIGHT_DECAY, PAD = 0.1, 0.9, 1e-4, 4
"""He et al. (2016), section 4.2, at the first learning rate."""

RECIPE = f"SGD {LR}, momentum {MOMENTUM}, weight decay {WEIGHT_DECAY:g}, crop and flip"

KEY = 1
"""Decides the initial weights of all."""


def splits(task: Task, device: str) -> DataSplits:
    """The task's images on a device."""
    return open_splits(DataSpec.model_validate(task.data), Path(task.data_dir), device)


def network(task: Task, data: DataSplits) -> nn.Module:
    """A CIFAR ResNet with the initial weights that all start from, on the CPU."""
    facts = data.facts
    model = architectures.build(
        "cifar_resnet",
        depth=task.depth,
        num_classes=facts.num_classes,
        in_chans=facts.channels,
        img_size=facts.image_size,
    )
    architectures.initialise(model, KEY)
    return model


def stored(data: DataSplits) -> tuple[Tensor, Tensor]:
    """Images as stored, uint8 (N, S, S, C), and labels (N,), of the training split on the CPU."""
    images = data.train.images if data.train.rows is None else data.train.images[data.train.rows]
    return images.cpu(), data.train.labels.cpu()


def channel_statistics(data: DataSplits) -> tuple[list[float], list[float]]:
    """Mean and standard deviation a channel, on images scaled to 0…1."""
    mean, std = data.normaliser.mean, data.normaliser.std
    assert mean is not None
    assert std is not None
    return mean.flatten().tolist(), std.flatten().tolist()


def execution(task: Task) -> ExecutionSpec:
    """The task's execution section."""
    return ExecutionSpec.model_validate({"threads": task.threads, **task.execution})


def synchronise(device: str) -> None:
    """Wait until the device has done what it was given."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def sgd(model: nn.Module) -> torch.optim.SGD:
    """The recipe's optimiser as scripts make it."""
    return torch.optim.SGD(model.parameters(), lr=LR, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
