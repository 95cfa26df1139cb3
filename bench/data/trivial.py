"""TrivialAugment: one operation at one strength an image, both drawn evenly, nothing to tune.

The 14 operations and 31 strengths are those of torchvision's `TrivialAugmentWide`, on the stored bytes,
before anything else happens to an image (as in the paper). A batch holds every operation at once and a step
may not branch on a value, so the operations are three mechanisms that leave an image alone where another is
drawn: where each pixel comes from (shear, translate, rotate), which value becomes which (a table of 256 an
image and channel: brightness, contrast, posterise, solarise, auto-contrast, equalise), and a blend with
another image (colour, sharpness). Whole numbers wherever possible, else single products and sums, so that
the bits are the same on CPU and CUDA.

Reference: Müller & Hutter (2021), "TrivialAugment: Tuning-free Yet State-of-the-Art Data Augmentation", ICCV.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import TypeVar

import torch
from torch import Tensor

from architectures.counter import hash32
from bench.data.tables import Table
from bench.study.specs import TrivialAugmentSpec

OPERATIONS = (
    "identity",
    "shear_x",
    "shear_y",
    "translate_x",
    "translate_y",
    "rotate",
    "brightness",
    "color",
    "contrast",
    "sharpness",
    "posterize",
    "solarize",
    "auto_contrast",
    "equalize",
)

N_STRENGTHS = 31

_SHEAR, _DEGREES, _BLEND, _PIXELS = 0.99, 135.0, 0.99, 32
"""The strongest of each: slope, angle, distance of a factor from 1, pixels (at most the image's side)."""

_PER_OPERATION = 2 * N_STRENGTHS

_FIRST_COUNTER = 64
"""Names of the draws under a sample's key begin here; the other augmentations' lie below."""

_WHETHER, _OPERATION, _STRENGTH, _SIGN = range(_FIRST_COUNTER, _FIRST_COUNTER + 4)

Entry = TypeVar("Entry")

_GREY = (2989, 5870, 1140)
"""Ten-thousandths of red, green and blue (ITU-R BT.601, as torchvision rounds them)."""


def choice(operation: str, strength: int, *, negative: bool = False) -> int:
    """The row of the tables that stands for an operation at a strength in [0, 30]."""
    return OPERATIONS.index(operation) * _PER_OPERATION + 2 * strength + negative


class TrivialAugment:
    """One operation an image.

    Args:
        spec: How often.
    """

    def __init__(self, spec: TrivialAugmentSpec) -> None:
        self.spec = spec

    def draw(self, keys: Tensor) -> Tensor:
        """What each image gets, as a row of the tables, (N, 1); row 0 leaves it as it is."""
        operation = (hash32(keys, _OPERATION) * len(OPERATIONS)) >> 32
        strength = (hash32(keys, _STRENGTH) * N_STRENGTHS) >> 32
        drawn = operation * _PER_OPERATION + 2 * strength + (hash32(keys, _SIGN) >> 31)
        changed = hash32(keys, _WHETHER) < round(self.spec.probability * 2**32)
        return torch.where(changed, drawn, 0)[:, None]

    def apply(self, images: Tensor, drawn: Tensor) -> Tensor:
        """uint8 (N, S, S, C) -> uint8 (N, S, S, C)."""
        rows = drawn.squeeze(1)
        pixels = _mapped(_moved(images.permute(0, 3, 1, 2), rows), rows)
        if images.shape[3] == len(_GREY):
            pixels = _blend(pixels, _grey(pixels), _factors_of("color", rows))
        if images.shape[1] > 2:
            pixels = _sharpened(pixels, _factors_of("sharpness", rows))
        return pixels.permute(0, 2, 3, 1).contiguous()


def _factors_of(name: str, rows: Tensor) -> Tensor:
    """By which an image differs from what it is blended with, (N, 1, 1, 1); 1 leaves it alone."""
    return _factors(name).on(rows.device)[rows].view(-1, 1, 1, 1)


def _moved(images: Tensor, rows: Tensor) -> Tensor:
    """Each pixel from the nearest one of where it comes from; black from outside."""
    n, channels, height, width = images.shape
    origin = _origins(width).on(rows.device)[rows][:, :, None, None]  # (N, 6, 1, 1)
    y = torch.arange(height, device=images.device, dtype=torch.float64)[:, None] + 0.5
    x = torch.arange(width, device=images.device, dtype=torch.float64) + 0.5
    column, row = (
        (origin[:, at] * x + origin[:, at + 1] * y + origin[:, at + 2]).floor().long() for at in (0, 3)
    )
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    places = torch.where(inside, row * width + column, 0).view(n, 1, -1).expand(n, channels, -1)
    found = images.flatten(2).gather(2, places).view(images.shape)
    return found * inside[:, None]


def _mapped(pixels: Tensor, rows: Tensor) -> Tensor:
    """Each value by its image's table."""
    n, channels = pixels.shape[:2]
    grey = _grey(pixels).flatten(1)
    mean = grey.sum(1).to(torch.float64) / torch.full((n,), grey.shape[1], device=rows.device)
    table = _values().on(rows.device)[rows].view(n, 1, 1, 256)
    table = _blend(table, mean.to(torch.float32).view(n, 1, 1, 1), _factors_of("contrast", rows))
    table = table.view(n, 1, 256).expand(n, channels, 256)
    operation = (rows // _PER_OPERATION).view(n, 1, 1)
    values = pixels.flatten(2)
    for name, made in (("auto_contrast", _stretching), ("equalize", _equalising)):
        table = torch.where(operation == OPERATIONS.index(name), made(values), table)
    return table.gather(2, values.long()).view(pixels.shape)


def _grey(pixels: Tensor) -> Tensor:
    """Luminance in whole levels, int32 (N, 1, H, W)."""
    if pixels.shape[1] != len(_GREY):
        return pixels.sum(1, keepdim=True, dtype=torch.int32) // pixels.shape[1]
    red, green, blue = (pixels[:, n : n + 1].to(torch.int32) * part for n, part in enumerate(_GREY))
    return (red + green + blue) // 10_000


def _blend(pixels: Tensor, other: Tensor, factor: Tensor) -> Tensor:
    """`pixels` times the factor, `other` times what it lacks to 1, cut to whole levels as in torchvision."""
    mixed = pixels.to(torch.float32) * factor + other.to(torch.float32) * (1 - factor)
    return mixed.clamp_(0, 255).to(torch.uint8)


def _sharpened(pixels: Tensor, factor: Tensor) -> Tensor:
    """A blend with the smoothed image; its border stays."""
    smooth = pixels.to(torch.int16)
    of_three = smooth[:, :, :-2] + smooth[:, :, 1:-1] + smooth[:, :, 2:]
    of_nine = of_three[..., :-2] + of_three[..., 1:-1] + of_three[..., 2:]
    # The middle counts five times, its eight neighbours once.
    smooth[:, :, 1:-1, 1:-1] = (2 * (of_nine + 4 * smooth[:, :, 1:-1, 1:-1]) + 13) // 26
    return _blend(pixels, smooth, factor)


def _stretching(values: Tensor) -> Tensor:
    """Tables that spread an image's values over all of 0…255, (N, C, 256), from uint8 (N, C, pixels)."""
    low, high = (value.long() for value in values.aminmax(dim=2, keepdim=True))
    levels = torch.arange(256, device=values.device)
    stretched = ((levels - low) * 255 // (high - low).clamp(min=1)).clamp(0, 255)
    return torch.where(high > low, stretched, levels).to(torch.uint8)


def _equalising(values: Tensor) -> Tensor:
    """Tables that use every level alike, as PIL makes them, (N, C, 256), from uint8 (N, C, pixels)."""
    n, channels = values.shape[:2]
    sets = torch.arange(n * channels, device=values.device).view(n, channels, 1) * 256
    # Whole numbers add up exactly in any order; in one dimension this may run in deterministic mode.
    places = (sets + values).flatten()
    counts = torch.zeros(n * channels * 256, dtype=torch.int64, device=values.device)
    counts = counts.scatter_add_(0, places, torch.ones_like(places)).view(n, channels, 256)
    below = counts.cumsum(2) - counts
    highest = values.amax(2, keepdim=True).long()
    step = below.gather(2, highest) // 255
    table = ((below + step // 2) // step.clamp(min=1)).clamp(0, 255)
    return torch.where(step > 0, table, torch.arange(256, device=values.device)).to(torch.uint8)


def _by_choice(of: Callable[[str, int, int], Entry]) -> list[Entry]:
    """One entry for every operation, strength and sign, in the order of `choice`."""
    return [
        of(operation, strength, sign)
        for operation in OPERATIONS
        for strength in range(N_STRENGTHS)
        for sign in (1, -1)
    ]


def _strengths(weakest: float, strongest: float) -> list[float]:
    """Even steps, with the rounding of torchvision's: some of them end next to a whole number."""
    steps: list[float] = torch.linspace(weakest, strongest, N_STRENGTHS).tolist()
    return steps


def _factor(strength: int, sign: int) -> float:
    return 1.0 + sign * _strengths(0, _BLEND)[strength]


@cache
def _factors(name: str) -> Table:
    """By which an image differs from what it is blended with in one operation; 1 in all others."""
    return Table(_by_choice(lambda its, *at: _factor(*at) if its == name else 1.0), torch.float32)


@cache
def _values() -> Table:
    """Which value becomes which, where that depends on no image."""
    return Table(_by_choice(_values_of), torch.uint8)


def _values_of(operation: str, strength: int, sign: int) -> list[int]:
    if operation == "brightness":
        factor = torch.tensor(_factor(strength, sign), dtype=torch.float32)
        return (torch.arange(256) * factor).clamp_(0, 255).to(torch.uint8).tolist()
    if operation == "posterize":
        dropped = round(strength / 5)
        return [value >> dropped << dropped for value in range(256)]
    if operation == "solarize":
        values = torch.arange(256)
        return torch.where(values >= 255 * _strengths(1, 0)[strength], 255 - values, values).tolist()
    return list(range(256))


@cache
def _origins(size: int) -> Table:
    """Where a pixel comes from: column = a·x + b·y + c and row = d·x + e·y + f, as [a, b, c, d, e, f].

    Shears leave the upper left corner where it is, rotations the centre; positive angles turn to the left.
    """

    def origin(operation: str, strength: int, sign: int) -> list[float]:
        slope = sign * _strengths(0, _SHEAR)[strength]
        shift = sign * int(_strengths(0, min(_PIXELS, size))[strength])
        if operation == "rotate":
            angle, middle = math.radians(sign * _strengths(0, _DEGREES)[strength]), size / 2
            cos, sin = math.cos(angle), math.sin(angle)
            return [cos, -sin, middle * (1 - cos + sin), sin, cos, middle * (1 - cos - sin)]
        return {
            "shear_x": [1.0, slope, 0.0, 0.0, 1.0, 0.0],
            "shear_y": [1.0, 0.0, 0.0, slope, 1.0, 0.0],
            "translate_x": [1.0, 0.0, -shift, 0.0, 1.0, 0.0],
            "translate_y": [1.0, 0.0, 0.0, 0.0, 1.0, -shift],
        }.get(operation, [1.0, 0.0, 0.0, 0.0, 1.0, 0.0])

    return Table(_by_choice(origin), torch.float64)
