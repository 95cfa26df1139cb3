"""From stored bytes to what the network sees: images / 255, less the mean, over the standard deviation.

Statistics are sums of whole numbers, so they are the same on every machine and for every thread count, and
the arithmetic divides by tensors and never by Python numbers, which CUDA would turn into a product with the
reciprocal: a batch has the same bits on CPU and CUDA.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.data.decoding import Pixels
from bench.errors import EnvironmentFault

if TYPE_CHECKING:
    from bench.study.specs import DataSpec

_CHUNK_BYTES = 1 << 24


@dataclass(frozen=True, eq=False)
class Normaliser:
    """Per-channel or per-pixel normalisation of stored images; the numbers are on images scaled to 0…1."""

    mean: Tensor | None
    """float32 (C, 1, 1), or (C, S, S) for `per_pixel`; None subtracts nothing."""
    std: Tensor | None
    """float32 (C, 1, 1); None divides by nothing."""
    white: Tensor
    """255, as a tensor of shape (1,)."""

    def __call__(self, images: Tensor) -> Tensor:
        """Normalise a batch.

        Args:
            images: uint8 (N, S, S, C).

        Returns:
            float32 (N, C, S, S), contiguous, on the same device.
        """
        x = images.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.contiguous_format)
        x = x.div_(self.white)
        if self.mean is not None:
            x = x.sub_(self.mean)
        return x if self.std is None else x.div_(self.std)

    def to(self, device: torch.device) -> Normaliser:
        """The same numbers on another device."""
        mean = None if self.mean is None else self.mean.to(device)
        std = None if self.std is None else self.std.to(device)
        return Normaliser(mean, std, self.white.to(device))


def fit(spec: DataSpec, images: Pixels, rows: NDArray[np.int64]) -> Normaliser:
    """The normaliser that a data section asks for.

    Args:
        spec: For `normalize`.
        images: Training images as stored, uint8 (N, S, S, C).
        rows: Those of the training split; statistics see no others.

    Raises:
        EnvironmentFault: A channel is constant, so there is nothing to divide by.
    """
    how = spec.normalize
    assert how != "weights", "resolved before the images are opened"
    if how == "none":
        return _normaliser(None, None)
    if how == "per_pixel":
        return _normaliser(_mean_image(images, rows).transpose(2, 0, 1), None)
    if how == "train":
        mean, std = channel_statistics(images, rows)
        if not np.all(std > 0):
            channel = int(np.argmin(std))
            raise EnvironmentFault(
                f"data.normalize: channel {channel} of the training images is constant; give mean and std"
            )
    else:
        mean, std = np.asarray(how.mean), np.asarray(how.std)
    return _normaliser(mean[:, None, None], std[:, None, None])


def channel_statistics(
    images: Pixels, rows: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation (of the population of pixels) of each channel, on 0…1.

    Args:
        images: uint8 (N, H, W, C).
        rows: Images that count.
    """
    counts = np.zeros((images.shape[3], 256), dtype=np.int64)
    for chunk in _chunks(images, rows):
        for channel in range(len(counts)):
            counts[channel] += np.bincount(chunk[..., channel].ravel(), minlength=256)
    return statistics_of_counts(counts)


def statistics_of_counts(counts: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation on 0…1 from how often each value 0…255 occurs, (C, 256), exactly."""
    values = np.arange(256, dtype=np.int64)
    n = counts.sum(axis=1)
    first, second = counts @ values, counts @ values**2
    mean = first / n
    # Python's integers: n · Σx² passes 2^63 for a large set.
    variance = [
        (int(k) * int(b) - int(a) ** 2) / int(k) ** 2 for k, a, b in zip(n, first, second, strict=True)
    ]
    return mean / 255, np.sqrt(variance) / 255


def _mean_image(images: Pixels, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    total = np.zeros(images.shape[1:], dtype=np.int64)
    for chunk in _chunks(images, rows):
        total += chunk.sum(axis=0, dtype=np.int64)
    return total / len(rows) / 255


def _chunks(images: Pixels, rows: NDArray[np.int64]) -> list[Pixels] | map[Pixels]:
    step = max(1, _CHUNK_BYTES // max(1, images[0].nbytes))
    return map(images.__getitem__, (rows[start : start + step] for start in range(0, len(rows), step)))


def _normaliser(mean: NDArray[np.float64] | None, std: NDArray[np.float64] | None) -> Normaliser:
    as_tensor = [
        None if array is None else torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))
        for array in (mean, std)
    ]
    return Normaliser(as_tensor[0], as_tensor[1], torch.full((1,), 255.0))
