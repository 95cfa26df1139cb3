"""Batches as a function of (key, epoch, step): nothing is remembered from one to the next.

Order and augmentation come from a counter-based hash of (key, epoch, sample), so neither workers, nor
resuming in the middle of an epoch, nor how often one evaluates can change a run. Training batches are always
full; the images left over are others each epoch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Protocol

import torch
from torch import Tensor

from architectures.counter import derive, hash32
from bench.data.augmenting import Augmentation, augmentations, sample_keys
from bench.data.mixing import Mixing
from bench.data.resident import ImageSet, centre
from bench.data.trivial import TrivialAugment
from bench.errors import UsageError
from bench.study.specs import Augment, TrainSpec


class Batches(Protocol):
    """Full batches, each a pure function of the rows that its step gets of the epoch.

    What is drawn for an epoch is drawn at once, so that a step is index arithmetic alone: nothing in it
    waits, and a CUDA graph can hold it.
    """

    @property
    def batch_size(self) -> int:
        """Images a step."""

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches in an epoch."""

    @property
    def on_device(self) -> bool:
        """Whether rows and images lie where the training is."""

    def rows(self, epoch: int) -> tuple[Tensor, ...]:
        """What each place of an epoch (from 0) gets: tensors of shape (steps_per_epoch · batch_size, …)."""

    def batch(self, rows: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """The images float32 (B, C, H, W) and labels of one step's rows, on the device.

        Labels are int64 (B,), or float32 (B, classes) where an image has shares of several.
        """


class TrainBatches:
    """The training batches of one run."""

    def __init__(
        self,
        train: ImageSet,
        *,
        batch_size: int,
        augment: Sequence[Augment],
        key: int,
        mixing: Mixing | None = None,
    ) -> None:
        """Prepare; nothing is drawn yet.

        Args:
            train: The training split.
            batch_size: Images a step.
            augment: Names as in `DataSpec.augment`, or options.
            key: Of the run; order, augmentation and mixing are derived from it.
            mixing: Whether images of a batch are mixed, and how.

        Raises:
            UsageError: The batch is larger than the split, or a callable cannot be imported.
        """
        if batch_size > len(train):
            raise UsageError(
                f"train.batch_size: {batch_size} exceeds the training set; nearest {len(train)}, its size"
            )
        self.train = train
        self.batch_size = batch_size
        self.steps_per_epoch = len(train) // batch_size
        self._order_key, self._augment_key = derive(key, "order"), derive(key, "augment")
        self._augmentations = augmentations(augment, train.image_size)
        self._mixing, self._mix_key = mixing, derive(key, "mix")
        self._crops_itself = "resized_crop" in augment

    @classmethod
    def of(
        cls, train: ImageSet, spec: TrainSpec, *, augment: Sequence[Augment], key: int, n_classes: int
    ) -> TrainBatches:
        """Those of a recipe: its batch size, its mixing.

        Args:
            train: The training split.
            spec: The recipe.
            augment: As in `TrainBatches`.
            key: As in `TrainBatches`.
            n_classes: Of the labels, which mixing shares out.

        Raises:
            UsageError: As in `TrainBatches`.
        """
        mixing = Mixing.of(spec, n_classes)
        return cls(train, batch_size=spec.batch_size, augment=augment, key=key, mixing=mixing)

    @property
    def augments(self) -> bool:
        """Whether an image is another one every epoch."""
        return bool(self._augmentations) or self._mixing is not None

    @property
    def on_device(self) -> bool:
        """Whether no batch has to be moved."""
        return self.train.location == "device"

    def rows(self, epoch: int) -> tuple[Tensor, ...]:
        """Each place's position in the split, at the split's home, and what was drawn for it."""
        order = epoch_order(self._order_key, epoch, len(self.train), self.train.home)
        order = order[: self.steps_per_epoch * self.batch_size]
        rows: tuple[Tensor, ...] = (order,)
        if self._augmentations:
            keys = sample_keys(self._augment_key, epoch, order.to(self.train.device))
            rows += tuple(augmentation.draw(keys) for augmentation in self._augmentations)
        if self._mixing is not None:
            size, device = self.train.image_size, self.train.device
            of_steps = self._mixing.draw(self._mix_key, epoch, self.steps_per_epoch, size, device)
            rows += tuple(drawn.repeat_interleave(self.batch_size, dim=0) for drawn in of_steps)
        return rows

    @torch.no_grad()
    def batch(self, rows: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Images float32 (B, C, H, W), contiguous, and labels, on the device.

        Labels are int64 (B,), or where images are mixed float32 (B, classes), shares of 1.
        """
        index, *drawn = rows
        n_augmented = len(self._augmentations)
        images, labels, rest = self._opened(
            index, list(zip(self._augmentations, drawn[:n_augmented], strict=True))
        )
        if not self._crops_itself:
            images = centre(images, self.train.image_size)
        for augmentation, words in rest:
            images = augmentation.apply(images, words)
        if self._mixing is not None:
            images, labels = self._mixing.apply(images, labels, *drawn[n_augmented:])
        return images, labels

    def _opened(
        self, index: Tensor, todo: list[tuple[Augmentation, Tensor]]
    ) -> tuple[Tensor, Tensor, list[tuple[Augmentation, Tensor]]]:
        """Normalised images, labels, and what is left to be done to them: some of it is done to bytes."""
        if not todo or not isinstance(todo[0][0], TrivialAugment):
            return *self.train.gather(index), todo
        (first, words), *rest = todo
        images, labels = self.train.stored(index)
        return self.train.normaliser(first.apply(images, words)), labels, rest

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """The full batches of one epoch.

        Args:
            epoch: Counted from 0.
            start_step: First step to give; the ones before it are not made.

        Yields:
            What `batch` gives.
        """
        rows = self.rows(epoch)
        for step in range(start_step, self.steps_per_epoch):
            yield self.batch(step_rows(rows, step, self.batch_size))


def step_rows(rows: tuple[Tensor, ...], step: int, batch_size: int) -> tuple[Tensor, ...]:
    """The rows of one step of an epoch."""
    return tuple(of_epoch[step * batch_size : (step + 1) * batch_size] for of_epoch in rows)


class EvalBatches:
    """A split in order, centre-cropped, with the remainder as a last smaller batch."""

    def __init__(self, images: ImageSet, batch_size: int) -> None:
        self.images = images
        self.batch_size = batch_size

    def __len__(self) -> int:
        return math.ceil(len(self.images) / self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        index = torch.arange(len(self.images), device=self.images.home)
        for start in range(0, len(index), self.batch_size):
            images, labels = self.images.gather(index[start : start + self.batch_size])
            yield centre(images, self.images.image_size), labels


def epoch_order(key: int, epoch: int, n: int, device: torch.device) -> Tensor:
    """The permutation of one epoch: positions sorted by their hash, equal hashes by position.

    Args:
        key: Of the run's order.
        epoch: Counted from 0.
        n: Images in the split.
        device: Where it is wanted.

    Returns:
        int64 (n,).
    """
    return hash32(key, epoch, torch.arange(n, device=device)).argsort(stable=True)
