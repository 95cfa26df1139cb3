"""Random images in memory, for measuring a step without its data: only their shapes matter to its speed."""

from __future__ import annotations

import torch
from torch import Tensor

from bench.data.catalogue import DataFacts

N_BATCHES = 4
"""Batches that take turns, so that none is found in a cache because it was used just before."""

GATHERED_STEPS = 1000
"""Steps of an epoch of gathered batches: an epoch's start costs what a graph's step must not pay."""


class SyntheticBatches:
    """A few random batches, over and over.

    A step's rows are the images themselves, so that nothing is copied. A CUDA graph cannot change where it
    reads; for it a step's rows are positions, gathered as a training set is.
    """

    on_device = True

    def __init__(
        self,
        facts: DataFacts,
        *,
        batch_size: int,
        device: torch.device,
        channels_last: bool = False,
        gathered: bool = False,
        key: int = 0,
    ) -> None:
        """Draw the batches.

        Args:
            facts: Shapes and number of classes.
            batch_size: Images a step.
            device: Where they are wanted.
            channels_last: Whether they lie in memory as the network will want them.
            gathered: Whether rows are positions, for a graph.
            key: Of the draw.
        """
        self.batch_size = batch_size
        self.steps_per_epoch = GATHERED_STEPS if gathered else N_BATCHES
        draw = torch.Generator(device).manual_seed(key % 2**63)
        n = N_BATCHES * batch_size
        shape = (n, facts.channels, facts.image_size, facts.image_size)
        layout = torch.channels_last if channels_last else torch.contiguous_format
        self._images = torch.randn(shape, generator=draw, device=device).contiguous(memory_format=layout)
        self._labels = torch.randint(facts.num_classes, (n,), generator=draw, device=device)
        places = torch.arange(self.steps_per_epoch * batch_size, device=device) % n
        self._rows = (places,) if gathered else (self._images, self._labels)

    def rows(self, epoch: int) -> tuple[Tensor, ...]:
        """Every epoch is the same."""
        del epoch
        return self._rows

    def batch(self, rows: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """The images float32 (B, C, H, W) and labels int64 (B,) of one step's rows."""
        if len(rows) == 1:
            return self._images.index_select(0, rows[0]), self._labels.index_select(0, rows[0])
        images, labels = rows
        return images, labels
