"""Rival (a): the script that everyone writes first.

A Dataset of Pillow images with torchvision's transforms, a DataLoader, fp32 as torch has it by default, and
running figures by `.item()` each step, as the reproduction of He et al. that is copied most does
(akamaster/pytorch_resnet_cifar10).
"""

from __future__ import annotations

from collections.abc import Sized
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from bench.data import DataSplits
from tests.benchmarks.rivals.common import PAD, channel_statistics, network, sgd, splits, stored
from tests.benchmarks.rivals.turns import Task, Turns


class Photographs(Dataset[tuple[Tensor, int]], Sized):
    """Decoded images in memory, as torchvision's CIFAR10 holds them."""

    def __init__(self, images: Tensor, labels: Tensor, transform: Any) -> None:
        self.images, self.labels, self.transform = images.numpy(), labels.tolist(), transform

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.images[index])), self.labels[index]


def loader(task: Task, data: DataSplits) -> DataLoader[Any]:
    """Shuffled batches, cropped, flipped and normalised by torchvision.

    On a CPU the training process loads by itself: two cores have no room for others.
    """
    transform = transforms.Compose(
        [
            transforms.RandomCrop(data.facts.image_size, padding=PAD),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize(*channel_statistics(data)),
        ]
    )
    return DataLoader(
        Photographs(*stored(data), transform),
        batch_size=task.batch_size,
        shuffle=True,
        drop_last=True,
        num_workers=task.options["loader_workers"],
        pin_memory=task.device.startswith("cuda"),
    )


def run(task: Task, turns: Turns) -> dict[str, Any]:
    """Train epochs in turn."""
    data = splits(task, "cpu")
    batches = loader(task, data)
    torch.manual_seed(0)
    model = network(task, data).to(task.device)
    optimizer = sgd(model)
    model.train()
    while not turns.over:
        total_loss, n_right, n_seen = 0.0, 0, 0
        for batch in batches:
            images, labels = (part.to(task.device, non_blocking=True) for part in batch)
            logits = model(images)
            loss = F.cross_entropy(logits, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total_loss += loss.item() * len(labels)
            n_right += (logits.argmax(1) == labels).sum().item()
            n_seen += len(labels)
        turns.epoch_over(loss=total_loss / n_seen)
    return {"compile_s": None}
