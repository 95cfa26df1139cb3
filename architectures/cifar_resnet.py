"""ResNets of 6n+2 layers for small images, and the same networks without shortcuts.

He, Zhang, Ren, Sun (2016), "Deep Residual Learning for Image Recognition", CVPR, section 4.2 and table 6:
a 3×3 convolution, three stages of n blocks with 16, 32 and 64 channels, global average pooling, one linear
layer. The first block of stages 2 and 3 halves the sides with its first convolution. Shortcuts are option A:
where the shape changes, every other pixel and zero channels behind, so a plain network has exactly the same
parameters. Names are timm's (conv1, bn1, layer1..layer3, fc).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import torch.nn.functional as F
from torch import Tensor, nn

WIDTHS = (16, 32, 64)
"""Channels of the three stages."""

_conv3x3 = partial(nn.Conv2d, kernel_size=3, padding=1, bias=False)


class PlainBlock(nn.Module):
    """Two 3×3 convolutions, each with batch norm and ReLU, and nothing around them."""

    def __init__(self, in_chans: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = _conv3x3(in_chans, width, stride=stride)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _conv3x3(width, width)
        self.bn2 = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, width, H/stride, W/stride)."""
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return F.relu(self.bn2(self.conv2(x)), inplace=True)


class BasicBlock(PlainBlock):
    """The same with an identity around it, added before the last ReLU."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        out = F.relu(self.bn1(self.conv1(x)), inplace=True)
        out = self.bn2(self.conv2(out))
        out += x
        return F.relu(out, inplace=True)


class DownsampleBlock(PlainBlock):
    """The first block of a stage that halves the sides, with an option A shortcut."""

    def __init__(self, in_chans: int, width: int, stride: int) -> None:
        super().__init__(in_chans, width, stride)
        self.stride = stride
        self.n_zero_chans = width - in_chans

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, width, H/stride, W/stride)."""
        out = F.relu(self.bn1(self.conv1(x)), inplace=True)
        out = self.bn2(self.conv2(out))
        out += F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.n_zero_chans))
        return F.relu(out, inplace=True)


class CifarResNet(nn.Module):
    """The whole network; `residual` decides which blocks stand in it, nothing at run time."""

    def __init__(self, *, depth: int, residual: bool, num_classes: int, in_chans: int) -> None:
        super().__init__()
        n_blocks = (depth - 2) // 6
        self.conv1 = _conv3x3(in_chans, WIDTHS[0])
        self.bn1 = nn.BatchNorm2d(WIDTHS[0])
        self.layer1 = _stage(WIDTHS[0], WIDTHS[0], 1, n_blocks, residual=residual)
        self.layer2 = _stage(WIDTHS[0], WIDTHS[1], 2, n_blocks, residual=residual)
        self.layer3 = _stage(WIDTHS[1], WIDTHS[2], 2, n_blocks, residual=residual)
        self.fc = nn.Linear(WIDTHS[2], num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (N, C, H, W) to logits (N, num_classes)."""
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        x = self.layer3(self.layer2(self.layer1(x)))
        logits: Tensor = self.fc(x.mean((2, 3)))
        return logits

    def stages(self) -> Mapping[str, tuple[str, ...]]:
        """Stage names with their modules, from the images to the logits."""
        return {
            "stem": ("conv1", "bn1"),
            "layer1": ("layer1",),
            "layer2": ("layer2",),
            "layer3": ("layer3",),
            "fc": ("fc",),
        }


def build(
    *,
    depth: int,
    residual: bool,
    num_classes: int,
    in_chans: int,
    img_size: int,  # noqa: ARG001 - every family is built for an image size; this one takes any from 4 on
) -> CifarResNet:
    """A CIFAR ResNet, He et al. (2016), section 4.2; called through `architectures.build`."""
    return CifarResNet(depth=depth, residual=residual, num_classes=num_classes, in_chans=in_chans)


def _stage(in_chans: int, width: int, stride: int, n_blocks: int, *, residual: bool) -> nn.Sequential:
    first = PlainBlock if not residual else BasicBlock if stride == 1 else DownsampleBlock
    rest = BasicBlock if residual else PlainBlock
    return nn.Sequential(
        first(in_chans, width, stride), *(rest(width, width, 1) for _ in range(n_blocks - 1))
    )
