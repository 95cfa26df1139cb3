"""Images where training wants them: on the device as bytes, on the host if they are too many.

A small set is normalised once and kept as float32 too, so that a step only gathers; normalisation works
element by element, so the bits are those of normalising each batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.data.decoding import Pixels
from bench.data.normalising import Normaliser

Location = Literal["device", "host"]

FLOAT_LIMIT_BYTES = 256 << 20
"""Largest set that is also kept as float32."""


@dataclass(frozen=True, eq=False)
class ImageSet:
    """One split, ready to be gathered from."""

    images: Tensor
    """uint8 (M, S, S, C) at home: on the device, or on the host."""
    labels: Tensor
    """int64 (N,), at home."""
    rows: Tensor | None
    """Rows of `images` that are this split's, (N,); None if all are."""
    floats: Tensor | None
    """The split normalised, float32 (N, C, S, S) on the device, where it is small."""
    normaliser: Normaliser
    image_size: int
    """Side in pixels of what the network sees; stored images may be larger."""
    device: torch.device
    """Where batches are wanted."""

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def location(self) -> Location:
        """`host` if every batch has to be moved."""
        return "device" if self.images.device == self.device else "host"

    @property
    def home(self) -> torch.device:
        """Where indices into the set have to be."""
        return self.images.device

    def gather(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised images at their stored size, and labels.

        Args:
            index: int64 positions in this split, (B,), at home.

        Returns:
            float32 (B, C, S, S) and int64 (B,), both on the device and new.
        """
        if self.floats is not None:
            return self.floats.index_select(0, index), self._moved(self.labels, index)
        images, labels = self.stored(index)
        return self.normaliser(images), labels

    def stored(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """The same images as they are stored, uint8 (B, S, S, C), and labels, both on the device and new."""
        rows = index if self.rows is None else self.rows.index_select(0, index)
        return self._moved(self.images, rows), self._moved(self.labels, index)

    def _moved(self, source: Tensor, rows: Tensor) -> Tensor:
        if self.location == "device":
            return source.index_select(0, rows)
        # Pinned by the batch: torch keeps such buffers and waits with their reuse until the copy is done.
        staged = torch.empty(
            (len(rows), *source.shape[1:]), dtype=source.dtype, pin_memory=_is_cuda(self.device)
        )
        torch.index_select(source, 0, rows, out=staged)
        return staged.to(self.device, non_blocking=True)


def place(
    pixels: Pixels,
    labels: NDArray[np.int64],
    rows: NDArray[np.int64] | None,
    *,
    normaliser: Normaliser,
    image_size: int,
    device: torch.device,
    location: Location,
) -> ImageSet:
    """Put one split where it belongs.

    Args:
        pixels: Images of the whole training or test set, uint8 (M, S, S, C).
        labels: Their classes, (M,).
        rows: Those of the split; None for all.
        normaliser: On `device`.
        image_size: What the network sees.
        device: Where batches are wanted.
        location: `host` leaves the images where they are, shared with the file that they are mapped from.
    """
    shared = torch.from_numpy(pixels)
    own_labels = torch.from_numpy(labels if rows is None else labels[rows])
    own_rows = None if rows is None else torch.from_numpy(rows)
    if location == "device" and _is_cuda(device):
        shared = (shared if own_rows is None else shared.index_select(0, own_rows)).to(device)
        own_labels, own_rows = own_labels.to(device), None
    whole = ImageSet(shared, own_labels, own_rows, None, normaliser, image_size, device)
    n_floats = len(own_labels) * pixels[0].size if len(pixels) else 0
    if location == "host" or n_floats * 4 > FLOAT_LIMIT_BYTES:
        return whole
    floats, _ = whole.gather(torch.arange(len(own_labels), device=whole.home))
    return ImageSet(shared, own_labels, own_rows, floats, normaliser, image_size, device)


def centre(images: Tensor, size: int) -> Tensor:
    """The centre square of (N, C, S, S); the images themselves where they have that size."""
    start = (images.shape[3] - size) // 2
    if images.shape[3] == size:
        return images
    return images[:, :, start : start + size, start : start + size].contiguous()


def _is_cuda(device: torch.device) -> bool:
    return device.type == "cuda"
