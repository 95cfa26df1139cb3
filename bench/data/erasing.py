"""Random erasing: a box of the image is painted over, so that no single part of an object can be relied on.

Boxes are drawn as timm draws them: ten tries at an area and a shape, and nothing is erased where none of them
fits. What is painted is normal noise in every pixel and channel (timm's `pixel`, close to the paper's random
values) or 0, the mean of normalised images (timm's `const`).

Reference: Zhong et al. (2020), "Random Erasing Data Augmentation", AAAI.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import torch
from torch import Tensor

from architectures.counter import hash32, mix32
from bench.data.tables import WORD_SHIFT, Table, midpoints
from bench.study.specs import ErasingSpec

TRIES = 10

_FIRST_COUNTER = 32
"""Names of the draws under a sample's key begin here; the other augmentations' lie below."""

_WHETHER, _AREAS, _RATIOS, _TOP, _LEFT, _NOISE = 0, 1, 1 + TRIES, 1 + 2 * TRIES, 2 + 2 * TRIES, 3 + 2 * TRIES
_N_WORDS = 4 + 2 * TRIES


class Erasing:
    """Paint over a box of some images.

    Args:
        spec: How often, how large, in which shapes, with what.
    """

    def __init__(self, spec: ErasingSpec) -> None:
        self.spec = spec
        low, high = (math.log(ratio) for ratio in spec.ratio)
        self._ratios = Table([math.exp(low + (high - low) * p) for p in midpoints()], torch.float64)
        self._normal = Table([NormalDist().inv_cdf(p) for p in midpoints()], torch.float32)

    def draw(self, keys: Tensor) -> Tensor:
        """Words from which box and noise are made, (N, 24)."""
        return torch.stack([hash32(keys, _FIRST_COUNTER + place) for place in range(_N_WORDS)], dim=1)

    def boxes(self, drawn: Tensor, height: int, width: int) -> Tensor:
        """Top, left, height and width of each box, (N, 4); height and width are 0 where nothing is erased."""
        low, high = self.spec.area
        area = drawn[:, _AREAS:_RATIOS].to(torch.float64) * 2.0**-32 * (high - low)
        area = (area + low) * float(height * width)
        ratio = self._ratios.on(drawn.device)[drawn[:, _RATIOS:_TOP] >> WORD_SHIFT]
        heights = torch.round(torch.sqrt(area * ratio)).long()
        widths = torch.round(torch.sqrt(area / ratio)).long()
        fits = (heights < height) & (widths < width)
        first = fits.to(torch.uint8).argmax(dim=1, keepdim=True)
        erased = drawn[:, _WHETHER, None] < round(self.spec.probability * 2**32)
        erased = erased & fits.gather(1, first)
        tall = torch.where(erased, heights.gather(1, first), 0)
        wide = torch.where(erased, widths.gather(1, first), 0)
        top = (drawn[:, _TOP, None] * (height - tall + 1)) >> 32
        left = (drawn[:, _LEFT, None] * (width - wide + 1)) >> 32
        return torch.cat([top, left, tall, wide], dim=1)

    def apply(self, images: Tensor, drawn: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        height, width = images.shape[2:]
        inside = in_boxes(self.boxes(drawn, height, width), height, width)
        if self.spec.mode == "const":
            return images.masked_fill(inside, 0.0)
        places = mix32(torch.arange(images[0].numel(), device=images.device))
        # Uniform for each pixel whatever is added, and another value in every image and epoch.
        words = (drawn[:, _NOISE, None] + places) & 0xFFFFFFFF
        noise = self._normal.on(images.device)[words >> WORD_SHIFT].view(images.shape)
        return torch.where(inside, noise, images)


def in_boxes(boxes: Tensor, height: int, width: int) -> Tensor:
    """Which pixels lie in the box of their image.

    Args:
        boxes: Top, left, height and width, int64 (N, 4).
        height: H.
        width: W.

    Returns:
        bool (N, 1, H, W).
    """
    top, left, tall, wide = (side[:, None, None, None] for side in boxes.unbind(1))
    rows = torch.arange(height, device=boxes.device)[:, None]
    columns = torch.arange(width, device=boxes.device)
    return (rows >= top) & (rows < top + tall) & (columns >= left) & (columns < left + wide)
