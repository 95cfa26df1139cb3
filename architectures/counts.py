"""How many parameters each stage of our networks has, by arithmetic and without torch.

Planning shows what a frozen prefix leaves to train before any network is built. Tests hold these sums equal
to the built networks, stage by stage.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

CIFAR_WIDTHS = (16, 32, 64)
"""Channels of the three stages of a CIFAR ResNet."""

CNN_WIDTHS = (1, 2, 4, 8)
"""Channels of the four blocks of the simple CNN, in multiples of the first."""

EXPANSION = {"basic": 1, "bottleneck": 4}
"""Channels that leave a block, in multiples of those of its 3×3 convolution."""


def conv(in_chans: int, out_chans: int, side: int) -> int:
    """A convolution without bias."""
    return in_chans * out_chans * side * side


def norm(chans: int) -> int:
    """Scale and shift of a batch norm."""
    return 2 * chans


def dense(n_in: int, n_out: int) -> int:
    """A linear layer with bias."""
    return n_in * n_out + n_out


def resnet(options: Mapping[str, Any], num_classes: int, in_chans: int, img_size: int) -> dict[str, int]:
    """He et al. (2016), table 1, for any `layers`, `block`, `width` and `stem`."""
    del img_size
    width, block = options["width"], options["block"]
    counts = {"stem": _resnet_stem(options["stem"], in_chans, width)}
    chans = width
    for n, n_blocks in enumerate(options["layers"]):
        planes = width << n
        out_chans = planes * EXPANSION[block]
        # The first block of a stage changes channels or sides, but for layer1 of basic blocks.
        projection = conv(chans, out_chans, 1) + norm(out_chans) if n > 0 or chans != out_chans else 0
        first = _resnet_block(block, chans, planes) + projection
        counts[f"layer{n + 1}"] = first + (n_blocks - 1) * _resnet_block(block, out_chans, planes)
        chans = out_chans
    return {**counts, "head": dense(chans, num_classes)}


def cifar_resnet(
    options: Mapping[str, Any], num_classes: int, in_chans: int, img_size: int
) -> dict[str, int]:
    """He et al. (2016), section 4.2, and He et al. (2016b) where `preact`."""
    del img_size
    n_blocks, preact = (options["depth"] - 2) // 6, options["preact"]
    chans = CIFAR_WIDTHS[0]
    counts = {"stem": conv(in_chans, chans, 3) + (0 if preact else norm(chans))}
    for n, base in enumerate(CIFAR_WIDTHS, start=1):
        width, total = base * options["width"], 0
        for k in range(n_blocks):
            before = chans if k == 0 else width
            total += conv(before, width, 3) + conv(width, width, 3)
            total += norm(before if preact else width) + norm(width)
            changes = before != width or (k == 0 and n > 1)
            if options["residual"] and (
                options["shortcut"] == "C" or (options["shortcut"] == "B" and changes)
            ):
                total += conv(before, width, 1) + (0 if preact else norm(width))
        counts[f"layer{n}"] = total
        chans = width
    if preact:
        counts["layer3"] += norm(chans)
    return {**counts, "head": dense(chans, num_classes)}


def simple_cnn(options: Mapping[str, Any], num_classes: int, in_chans: int, img_size: int) -> dict[str, int]:
    """Four convolutions with their norms, two hidden dense layers, one for the logits."""
    widths = [options["width"] * multiple for multiple in CNN_WIDTHS]
    blocks = [conv(*sides, 3) + norm(sides[1]) for sides in pairwise([in_chans, *widths])]
    sizes = [widths[-1] * (img_size // 16) ** 2, *options["hidden"]]
    layers = [*blocks[1:], sum(dense(*sides) for sides in pairwise(sizes))]
    return {
        "stem": blocks[0],
        **{f"layer{n}": count for n, count in enumerate(layers, start=1)},
        "head": dense(sizes[-1], num_classes),
    }


def mlp(options: Mapping[str, Any], num_classes: int, in_chans: int, img_size: int) -> dict[str, int]:
    """Dense layers from pixels to logits."""
    sizes = [in_chans * img_size**2, *options["hidden"]]
    stem, *layers = (dense(*sides) for sides in pairwise(sizes))
    return {
        "stem": stem,
        **{f"layer{n}": count for n, count in enumerate(layers, start=1)},
        "head": dense(sizes[-1], num_classes),
    }


def _resnet_stem(stem: str, in_chans: int, width: int) -> int:
    if stem == "deep":
        half = width // 2
        return (
            conv(in_chans, half, 3)
            + conv(half, half, 3)
            + 2 * norm(half)
            + conv(half, width, 3)
            + norm(width)
        )
    return conv(in_chans, width, 7 if stem == "imagenet" else 3) + norm(width)


def _resnet_block(block: str, in_chans: int, planes: int) -> int:
    if block == "basic":
        return conv(in_chans, planes, 3) + conv(planes, planes, 3) + 2 * norm(planes)
    outside = conv(in_chans, planes, 1) + conv(planes, 4 * planes, 1) + norm(4 * planes)
    return outside + conv(planes, planes, 3) + 2 * norm(planes)
