"""A plain convolutional network, the usual first baseline beside a ResNet.

Four blocks of 3×3 convolution, batch norm, ReLU and 2×2 max pooling, which halve the sides and double the
channels (32, 64, 128, 256), then dense layers of 256 and 128 and the logits: at 32×32 the last block leaves
2×2 pixels. The plan is that of VGG (Simonyan & Zisserman 2015, 1409.1556, section 2.1) in small, with batch
norm (Ioffe & Szegedy 2015, 1502.03167).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from architectures.counts import CNN_WIDTHS
from architectures.noise import Dropout, NoiseState
from architectures.tail import Staged


class ConvBlock(nn.Module):
    """Convolution, norm, ReLU, and the greatest of each 2×2 pixels."""

    def __init__(self, in_chans: int, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_chans, width, kernel_size=3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, width, H/2, W/2)."""
        return F.max_pool2d(F.relu(self.bn(self.conv(x)), inplace=True), 2)


class SimpleCNN(Staged):
    """Four blocks and three dense layers."""

    def __init__(
        self,
        *,
        width: int,
        hidden: Sequence[int],
        dropout: float,
        num_classes: int,
        in_chans: int,
        img_size: int,
    ) -> None:
        super().__init__()
        widths = [width * multiple for multiple in CNN_WIDTHS]
        self.stem = ConvBlock(in_chans, widths[0])
        self.layer1 = ConvBlock(widths[0], widths[1])
        self.layer2 = ConvBlock(widths[1], widths[2])
        self.layer3 = ConvBlock(widths[2], widths[3])
        noise = NoiseState()
        self.fc1 = nn.Linear(widths[3] * (img_size // 16) ** 2, hidden[0])
        self.drop1 = Dropout(dropout, noise)
        self.fc2 = nn.Linear(hidden[0], hidden[1])
        self.drop2 = Dropout(dropout, noise)
        self.fc = nn.Linear(hidden[1], num_classes)

    def stages(self) -> Mapping[str, tuple[str, ...]]:
        """Stage names with their modules: the first block, three more, the hidden dense layers, the head."""
        return {
            "stem": ("stem",),
            "layer1": ("layer1",),
            "layer2": ("layer2",),
            "layer3": ("layer3",),
            "layer4": ("fc1", "drop1", "fc2", "drop2"),
            "head": ("fc",),
        }

    def passes(self) -> Mapping[str, Callable[[Tensor], Tensor]]:
        """What each stage does; the dense layers flatten what the blocks found."""
        return {
            "stem": self.stem,
            "layer1": self.layer1,
            "layer2": self.layer2,
            "layer3": self.layer3,
            "layer4": self._layer4,
            "head": self.fc,
        }

    def _layer4(self, x: Tensor) -> Tensor:
        x = self.drop1(F.relu(self.fc1(x.flatten(1))))
        hidden: Tensor = self.drop2(F.relu(self.fc2(x)))
        return hidden


def build(
    *, width: int, hidden: Sequence[int], dropout: float, num_classes: int, in_chans: int, img_size: int
) -> SimpleCNN:
    """A simple CNN; called through `architectures.build`."""
    return SimpleCNN(
        width=width,
        hidden=hidden,
        dropout=dropout,
        num_classes=num_classes,
        in_chans=in_chans,
        img_size=img_size,
    )
