"""ResNets for ImageNet, v1.5.

He, Zhang, Ren, Sun (2016), "Deep Residual Learning for Image Recognition", CVPR (1512.03385), table 1: a
stem, four stages of residual blocks with 64, 128, 256 and 512 channels, global average pooling, one linear
layer. Basic blocks for 18 and 34 layers (figure 5, left), bottlenecks for 50, 101 and 152 (right). Where the
shape changes, the shortcut is a 1×1 convolution with a norm (option B, section 3.3).

Dialect: "v1.5", the bottleneck halves the sides in its 3×3 convolution, not in the first 1×1, as in timm and
torchvision (Goyal et al. 2017, 1706.02677, section 5.1).

Names are timm's: conv1, bn1, layer1..layer4, fc; conv1..conv3, bn1..bn3, downsample.0 and .1 in a block.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch.nn.functional as F
from torch import Tensor, nn

from architectures.init import ZeroGamma
from architectures.noise import drop_paths
from architectures.tail import Staged

_conv3x3 = partial(nn.Conv2d, kernel_size=3, padding=1, bias=False)
_conv1x1 = partial(nn.Conv2d, kernel_size=1, bias=False)


class BasicBlock(nn.Module):
    """Two 3×3 convolutions inside a shortcut.

    Args:
        in_chans: Channels that enter.
        width: Channels of the 3×3 convolutions.
        stride: Of the first convolution.
        last_norm: Makes the norm that ends the residue.
        drop_path: What the residue passes before it is added.
    """

    expansion = 1

    def __init__(
        self, in_chans: int, width: int, stride: int, last_norm: type[nn.BatchNorm2d], drop_path: nn.Module
    ) -> None:
        super().__init__()
        self.conv1 = _conv3x3(in_chans, width, stride=stride)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _conv3x3(width, width)
        self.bn2 = last_norm(width)
        self.downsample = _projection(in_chans, width, stride)
        self.drop_path = drop_path

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_chans, H, W) to (N, width, H/stride, W/stride)."""
        out = F.relu(self.bn1(self.conv1(x)), inplace=True)
        out = self.drop_path(self.bn2(self.conv2(out)))
        out += self.downsample(x)
        return F.relu(out, inplace=True)


class Bottleneck(nn.Module):
    """A 3×3 convolution between two 1×1, the second of which has four times the channels.

    Args:
        in_chans: Channels that enter.
        width: Channels of the 3×3 convolution.
        stride: Of the 3×3 convolution.
        last_norm: Makes the norm that ends the residue.
        drop_path: What the residue passes before it is added.
    """

    expansion = 4

    def __init__(
        self, in_chans: int, width: int, stride: int, last_norm: type[nn.BatchNorm2d], drop_path: nn.Module
    ) -> None:
        super().__init__()
        out_chans = width * self.expansion
        self.conv1 = _conv1x1(in_chans, width)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _conv3x3(width, width, stride=stride)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = _conv1x1(width, out_chans)
        self.bn3 = last_norm(out_chans)
        self.downsample = _projection(in_chans, out_chans, stride)
        self.drop_path = drop_path

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_chans, H, W) to (N, 4 width, H/stride, W/stride)."""
        out = F.relu(self.bn1(self.conv1(x)), inplace=True)
        out = F.relu(self.bn2(self.conv2(out)), inplace=True)
        out = self.drop_path(self.bn3(self.conv3(out)))
        out += self.downsample(x)
        return F.relu(out, inplace=True)


class ResNet(Staged):
    """Stem, stages, average over the pixels, logits.

    Args:
        layers: Blocks of each stage.
        block: BasicBlock or Bottleneck.
        width: Channels of the stem and of the first stage's 3×3 convolutions; each later stage doubles them.
        stem: `imagenet`, `cifar` or `deep`.
        zero_init_last: Whether each block starts as its shortcut.
        drop_path_rate: Of the last block; rises linearly from 0 at the first.
        num_classes: Width of the last layer.
        in_chans: Channels of the images.
    """

    def __init__(
        self,
        *,
        layers: Sequence[int],
        block: type[BasicBlock | Bottleneck],
        width: int,
        stem: str,
        zero_init_last: bool,
        drop_path_rate: float,
        num_classes: int,
        in_chans: int,
    ) -> None:
        super().__init__()
        self.conv1 = _stem(stem, in_chans, width)
        self.bn1 = nn.BatchNorm2d(width)
        self.maxpool = nn.Identity() if stem == "cifar" else nn.MaxPool2d(3, stride=2, padding=1)
        paths = iter(drop_paths(drop_path_rate, sum(layers)))
        make = partial(block, last_norm=ZeroGamma if zero_init_last else nn.BatchNorm2d)
        chans = width
        for n, n_blocks in enumerate(layers):
            planes = width << n
            blocks = [make(chans, planes, 1 if n == 0 else 2, drop_path=next(paths))]
            chans = planes * block.expansion
            blocks += [make(chans, planes, 1, drop_path=next(paths)) for _ in range(n_blocks - 1)]
            self.add_module(f"layer{n + 1}", nn.Sequential(*blocks))
        self.layer_names = tuple(f"layer{n + 1}" for n in range(len(layers)))
        self.fc = nn.Linear(chans, num_classes)

    def stages(self) -> Mapping[str, tuple[str, ...]]:
        """Stage names with their modules, from the images to the logits."""
        layers = {name: (name,) for name in self.layer_names}
        return {"stem": ("conv1", "bn1", "maxpool"), **layers, "head": ("fc",)}

    def passes(self) -> Mapping[str, Callable[[Tensor], Tensor]]:
        """What each stage does; the average over the pixels closes the last layer."""
        layers = {name: getattr(self, name) for name in self.layer_names[:-1]}
        return {"stem": self._stem, **layers, self.layer_names[-1]: self._last_layer, "head": self.fc}

    def _stem(self, x: Tensor) -> Tensor:
        features: Tensor = self.maxpool(F.relu(self.bn1(self.conv1(x)), inplace=True))
        return features

    def _last_layer(self, x: Tensor) -> Tensor:
        features: Tensor = getattr(self, self.layer_names[-1])(x)
        return features.mean((2, 3))


def build(
    *,
    layers: Sequence[int],
    block: str,
    width: int,
    stem: str,
    zero_init_last: bool,
    drop_path_rate: float,
    num_classes: int,
    in_chans: int,
    img_size: int,  # noqa: ARG001 - every family is built for an image size; this one takes any
) -> ResNet:
    """A ResNet, He et al. (2016), table 1; called through `architectures.build`."""
    return ResNet(
        layers=layers,
        block=BasicBlock if block == "basic" else Bottleneck,
        width=width,
        stem=stem,
        zero_init_last=zero_init_last,
        drop_path_rate=drop_path_rate,
        num_classes=num_classes,
        in_chans=in_chans,
    )


def _projection(in_chans: int, out_chans: int, stride: int) -> nn.Module:
    """Option B: a 1×1 convolution where the shape changes, else the identity."""
    if stride == 1 and in_chans == out_chans:
        return nn.Identity()
    return nn.Sequential(_conv1x1(in_chans, out_chans, stride=stride), nn.BatchNorm2d(out_chans))


def _stem(stem: str, in_chans: int, width: int) -> nn.Module:
    """The first convolution: 7×7, 3×3, or three 3×3 (ResNet-C: He T. et al. 2019, 1812.01187, figure 2b)."""
    if stem == "imagenet":
        return nn.Conv2d(in_chans, width, kernel_size=7, stride=2, padding=3, bias=False)
    if stem == "cifar":
        return _conv3x3(in_chans, width)
    half = width // 2
    return nn.Sequential(
        _conv3x3(in_chans, half, stride=2),
        nn.BatchNorm2d(half),
        nn.ReLU(inplace=True),
        _conv3x3(half, half),
        nn.BatchNorm2d(half),
        nn.ReLU(inplace=True),
        _conv3x3(half, width),
    )
