"""Augmentation of batches on their device, as a function of each sample's key and nothing else.

An augmentation first draws words for every sample of an epoch at once, and later applies them batch by
batch with index arithmetic: no boolean mask, no branch on a value, no synchronisation, so a step can be
captured in a CUDA graph. What is drawn and what is done have the same bits on CPU and CUDA.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from architectures.counter import hash32
from bench.data.erasing import Erasing
from bench.data.tables import WORD_SHIFT, Table, midpoints
from bench.data.trivial import TrivialAugment
from bench.errors import UsageError
from bench.study.specs import Augment, ErasingSpec, TrivialAugmentSpec

# Names of the draws of one sample, as counters under its key.
_CROP_TOP, _CROP_LEFT, _FLIP, _BOX = 0, 1, 2, 3

BOX_TRIES = 10
BOX_SCALE = (0.08, 1.0)
BOX_RATIO = (3 / 4, 4 / 3)


class Augmentation(Protocol):
    """Draw once for all samples of an epoch, apply to each batch."""

    def draw(self, keys: Tensor) -> Tensor:
        """What the samples of these keys (N,) get, one row each."""

    def apply(self, images: Tensor, drawn: Tensor) -> Tensor:
        """The augmented batch; `drawn` are the rows of its samples."""


def augmentations(wanted: Sequence[Augment], image_size: int) -> list[Augmentation]:
    """The augmentations of a data section, in the order in which they are applied.

    Args:
        wanted: `trivial_augment`, `crop`, `resized_crop`, `flip`, `erasing`, options of these, or
            `package.module:callable`.
        image_size: Side in pixels of what the network sees.

    Raises:
        UsageError: A callable cannot be imported.
    """
    built_in: dict[Augment, Callable[[], Augmentation]] = {
        "trivial_augment": lambda: TrivialAugment(TrivialAugmentSpec()),
        "crop": lambda: Crop(crop_pad(image_size)),
        "resized_crop": lambda: ResizedCrop(image_size),
        "flip": Flip,
        "erasing": lambda: Erasing(ErasingSpec()),
    }

    def made(one: Augment) -> Augmentation:
        if isinstance(one, ErasingSpec):
            return Erasing(one)
        if isinstance(one, TrivialAugmentSpec):
            return TrivialAugment(one)
        return built_in[one]() if one in built_in else Own(one, _imported(one))

    return [made(one) for one in wanted]


def crop_pad(image_size: int) -> int:
    """Pixels of zero-padding on each side: an eighth, half up, at least one (4 at 32, He et al. 2016)."""
    return max(1, (image_size + 4) // 8)


def sample_keys(key: int, epoch: int, samples: Tensor) -> Tensor:
    """The augmentation key of each sample in one epoch.

    Args:
        key: Of the run's augmentation.
        epoch: Counted from 0.
        samples: int64 positions in the training set, (N,).

    Returns:
        int64 in [0, 2^63), (N,).
    """
    return (hash32(key, epoch, samples, 0) << 31) | (hash32(key, epoch, samples, 1) >> 1)


@dataclass(frozen=True)
class Crop:
    """Zero-pad every side, then cut a square of the old size anywhere (He et al. 2016, section 4.2)."""

    pad: int

    def draw(self, keys: Tensor) -> Tensor:
        """Top and left of the cut in the padded image, each in [0, 2·pad], (N, 2)."""
        return torch.stack([_below(2 * self.pad + 1, keys, name) for name in (_CROP_TOP, _CROP_LEFT)], dim=1)

    def apply(self, images: Tensor, drawn: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        n, channels, height, width = images.shape
        padded = torch.nn.functional.pad(images, (self.pad,) * 4)
        rows = drawn[:, 0, None] + torch.arange(height, device=images.device)
        columns = drawn[:, 1, None] + torch.arange(width, device=images.device)
        places = rows[:, :, None] * padded.shape[3] + columns[:, None, :]
        places = places.view(n, 1, -1).expand(n, channels, height * width)
        return padded.flatten(2).gather(2, places).view(n, channels, height, width)


@dataclass(frozen=True)
class Flip:
    """Mirror left and right, half of the time."""

    def draw(self, keys: Tensor) -> Tensor:
        """1 where the image is mirrored, else 0; (N, 1)."""
        return _below(2, keys, _FLIP)[:, None]

    def apply(self, images: Tensor, drawn: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        width = images.shape[3]
        columns = torch.arange(width, device=images.device)
        columns = torch.where(drawn == 1, width - 1 - columns, columns)  # (N, W)
        return images.gather(3, columns[:, None, None, :].expand(images.shape))


class ResizedCrop:
    """Cut a random box, 8 to 100 % of the area and 3:4 to 4:3 in shape, and resize it bilinearly.

    Boxes are drawn as torchvision and timm draw them: ten tries, then the whole image, which for square
    images is their fallback too. Shapes come from a table of 4096 steps, evenly spaced in the logarithm,
    because the exponential function differs between devices in its last bit. The image is sampled without
    antialiasing: it is stored at `resize`, close to its final size.

    Reference: Szegedy et al. (2015), "Going Deeper with Convolutions", CVPR, section 6.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        low, high = (math.log(ratio) for ratio in BOX_RATIO)
        self._ratios = Table([math.exp(low + (high - low) * p) for p in midpoints()], torch.float64)

    def draw(self, keys: Tensor) -> Tensor:
        """Words from which boxes are made once the stored size is known: (N, 2 · tries + 2)."""
        return torch.stack([hash32(keys, _BOX + place) for place in range(2 * BOX_TRIES + 2)], dim=1)

    def boxes(self, drawn: Tensor, stored: int) -> Tensor:
        """Top, left, height and width of each box, in pixels of the stored image, (N, 4)."""
        area = (drawn[:, :BOX_TRIES].to(torch.float64) * 2.0**-32) * (BOX_SCALE[1] - BOX_SCALE[0])
        area = (area + BOX_SCALE[0]) * float(stored * stored)
        ratio = self._ratios.on(drawn.device)[drawn[:, BOX_TRIES : 2 * BOX_TRIES] >> WORD_SHIFT]
        widths = torch.round(torch.sqrt(area * ratio)).long()
        heights = torch.round(torch.sqrt(area / ratio)).long()
        fits = (widths > 0) & (widths <= stored) & (heights > 0) & (heights <= stored)
        first = fits.to(torch.uint8).argmax(dim=1, keepdim=True)
        found = fits.gather(1, first)
        height = torch.where(found, heights.gather(1, first), stored)
        width = torch.where(found, widths.gather(1, first), stored)
        top = (drawn[:, -2:-1] * (stored - height + 1)) >> 32
        left = (drawn[:, -1:] * (stored - width + 1)) >> 32
        return torch.cat([top, left, height, width], dim=1)

    def apply(self, images: Tensor, drawn: Tensor) -> Tensor:
        """(N, C, S, S) -> (N, C, size, size)."""
        top, left, height, width = self.boxes(drawn, images.shape[3]).hsplit(4)
        rows = _bilinear(images, top, height, self.size, dim=2)
        return _bilinear(rows, left, width, self.size, dim=3)


@dataclass(frozen=True)
class Own:
    """A user's own: `fn(images (N, C, H, W) float32, keys (N,) int64) -> images`."""

    name: str
    function: Callable[[Tensor, Tensor], Tensor]

    def draw(self, keys: Tensor) -> Tensor:
        """The keys themselves."""
        return keys

    def apply(self, images: Tensor, drawn: Tensor) -> Tensor:
        """What the function makes of the batch.

        Raises:
            UsageError: It gives back anything but float32 images of the same shape.
        """
        made = self.function(images, drawn)
        if not isinstance(made, Tensor) or made.shape != images.shape or made.dtype != torch.float32:
            what = f"{made.dtype} {tuple(made.shape)}" if isinstance(made, Tensor) else type(made).__name__
            raise UsageError(
                f"data.augment: {self.name} returned {what}; it must return float32 {tuple(images.shape)}"
            )
        return made


def _below(n: int, keys: Tensor, name: int) -> Tensor:
    """A whole number in [0, n) for each key; the bias is below n / 2^32."""
    return (hash32(keys, name) * n) >> 32


def _bilinear(images: Tensor, start: Tensor, length: Tensor, size: int, *, dim: int) -> Tensor:
    """Resample [start, start + length) of one dimension to `size` points, pixel centres at one half.

    Args:
        images: float32 (N, C, H, W).
        start: First pixel of each sample, int64 (N, 1).
        length: Pixels of each sample, int64 (N, 1).
        size: Points to make.
        dim: 2 for rows, 3 for columns.
    """
    points = torch.arange(size, device=images.device, dtype=torch.float64) + 0.5
    # Multiplied first: (k + ½) · length is exact, so the quotient is rounded once, alike on every device.
    places = points * length / torch.full_like(points, size) - 0.5
    places = torch.minimum(places.clamp(min=0), (length - 1).to(torch.float64))  # (N, size)
    low = places.floor().long()
    high = torch.minimum(low + 1, length - 1)
    weight = (places - low).to(torch.float32)
    shape = [len(images), 1, 1, 1]
    shape[dim] = size
    full = list(images.shape)
    full[dim] = size
    below, above = (images.gather(dim, (start + at).view(shape).expand(full)) for at in (low, high))
    weight = weight.view(shape)
    return below * (1 - weight) + above * weight


def _imported(name: str) -> Callable[[Tensor, Tensor], Tensor]:
    module, _, attribute = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise UsageError(f"data.augment: {name} cannot be imported: {error}") from error
    if not callable(found):
        raise UsageError(f"data.augment: {name} is no function")
    made: Callable[[Tensor, Tensor], Tensor] = found
    return made
