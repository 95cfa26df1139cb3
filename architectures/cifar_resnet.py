"""ResNets of 6n+2 layers for small images: plain, residual, pre-activated, wide.

He, Zhang, Ren, Sun (2016), "Deep Residual Learning for Image Recognition", CVPR (1512.03385), section 4.2 and
table 6: a 3×3 convolution, three stages of n blocks with 16, 32 and 64 channels, global average pooling, one
linear layer. The first block of stages 2 and 3 halves the sides with its first convolution. Where the shape
changes, a shortcut of option A takes every other pixel and adds zero channels around, so a plain network has
exactly the same parameters; options B and C are theirs too (section 4.1, table 3).

`preact`: He, Zhang, Ren, Sun (2016b), "Identity Mappings in Deep Residual Networks", ECCV (1603.05027),
section 4 and figure 4 (e): norm and ReLU before each convolution, one more pair after the last block. The
first block of a stage forks behind its first ReLU, as in the authors' code.

`width`: Zagoruyko & Komodakis (2016), "Wide Residual Networks", BMVC (1605.07146), table 1. They count
projections as layers: their WRN-28-10 is depth 26, width 10, preact, shortcut B.

Names are timm's (conv1, bn1, layer1..layer3, fc; downsample.0 and .1 in a block).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import torch.nn.functional as F
from torch import Tensor, nn

from architectures.counts import CIFAR_WIDTHS
from architectures.init import ZeroGamma
from architectures.noise import drop_paths
from architectures.tail import Staged

_conv3x3 = partial(nn.Conv2d, kernel_size=3, padding=1, bias=False)
_conv1x1 = partial(nn.Conv2d, kernel_size=1, bias=False)


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
    """The same with a shortcut around it, added before the last ReLU."""

    def __init__(
        self,
        in_chans: int,
        width: int,
        stride: int,
        downsample: nn.Module,
        drop_path: nn.Module,
        last_norm: type[nn.BatchNorm2d] = nn.BatchNorm2d,
    ) -> None:
        super().__init__(in_chans, width, stride)
        self.bn2 = last_norm(width)
        self.downsample = downsample
        self.drop_path = drop_path

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, width, H/stride, W/stride)."""
        out = F.relu(self.bn1(self.conv1(x)), inplace=True)
        out = self.drop_path(self.bn2(self.conv2(out)))
        out += self.downsample(x)
        return F.relu(out, inplace=True)


class PreactPlainBlock(nn.Module):
    """Norm, ReLU and 3×3 convolution, twice."""

    def __init__(self, in_chans: int, width: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(in_chans)
        self.conv1 = _conv3x3(in_chans, width, stride=stride)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv2 = _conv3x3(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, width, H/stride, W/stride)."""
        x = self.conv1(F.relu(self.bn1(x), inplace=True))
        return self.conv2(F.relu(self.bn2(x), inplace=True))  # type: ignore[no-any-return] # a module's call


class PreactBlock(PreactPlainBlock):
    """The same with a shortcut around it, which stays as it is from block to block."""

    def __init__(
        self, in_chans: int, width: int, stride: int, downsample: nn.Module, drop_path: nn.Module
    ) -> None:
        super().__init__(in_chans, width, stride)
        self.downsample = downsample
        self.drop_path = drop_path

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, width, H/stride, W/stride)."""
        out: Tensor = self.drop_path(super().forward(x))
        out += self.downsample(x)
        return out


class PreactFirstBlock(PreactBlock):
    """The first of a stage: its first norm and ReLU stand before the fork and serve the shortcut too."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, width, H/stride, W/stride)."""
        x = F.relu(self.bn1(x), inplace=True)
        out: Tensor = self.conv2(F.relu(self.bn2(self.conv1(x)), inplace=True))
        out = self.drop_path(out)
        out += self.downsample(x)
        return out


class ZeroPad(nn.Module):
    """Option A: every other pixel where the sides halve, zero channels on both sides where channels grow.

    He et al. (2016) leave open where the zeros stand. Networks that differ in it differ in the order of
    their channels only; this is the order of the weights that were published for these networks.
    """

    def __init__(self, in_chans: int, width: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        before = (width - in_chans) // 2
        self.n_zero_chans = (before, width - in_chans - before)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, width, H/stride, W/stride)."""
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, *self.n_zero_chans))


class Stages:
    """The three stages of n blocks each, and the channels that leave them.

    Args:
        n_blocks: Blocks a stage.
        width: Channels in multiples of 16, 32, 64.
        residual: Whether the blocks have shortcuts.
        preact: Whether norm and ReLU stand before the convolutions.
        shortcut: A, B or C.
        drop_path_rate: Of the last block.
        zero_init_last: Whether each block starts as its shortcut; not with `preact`, whose blocks end in a
            convolution.
    """

    def __init__(
        self,
        n_blocks: int,
        *,
        width: int,
        residual: bool,
        preact: bool,
        shortcut: str,
        drop_path_rate: float,
        zero_init_last: bool,
    ) -> None:
        plain = PreactPlainBlock if preact else PlainBlock
        basic = partial(BasicBlock, last_norm=ZeroGamma if zero_init_last else nn.BatchNorm2d)
        first = PreactFirstBlock if preact else basic
        rest = PreactBlock if preact else basic
        paths = iter(drop_paths(drop_path_rate, 3 * n_blocks))
        self.modules: list[nn.Sequential] = []
        self.width = CIFAR_WIDTHS[0]
        for n, base in enumerate(CIFAR_WIDTHS):
            before, self.width = self.width, base * width
            shapes = [(before, self.width, 1 if n == 0 else 2)]
            shapes += [(self.width, self.width, 1)] * (n_blocks - 1)
            if residual:
                blocks: list[nn.Module] = [
                    kind(*shape, _downsample(shortcut, *shape, preact=preact), next(paths))
                    for kind, shape in zip([first, *[rest] * (n_blocks - 1)], shapes, strict=True)
                ]
            else:
                blocks = [plain(*shape) for shape in shapes]
            self.modules.append(nn.Sequential(*blocks))


class CifarResNet(Staged):
    """Convolution, norm and ReLU, three stages, average over the pixels, logits."""

    def __init__(self, stages: Stages, num_classes: int, in_chans: int) -> None:
        super().__init__()
        self.conv1 = _conv3x3(in_chans, CIFAR_WIDTHS[0])
        self.bn1 = nn.BatchNorm2d(CIFAR_WIDTHS[0])
        self.layer1, self.layer2, self.layer3 = stages.modules
        self.fc = nn.Linear(stages.width, num_classes)

    def stages(self) -> Mapping[str, tuple[str, ...]]:
        """Stage names with their modules, from the images to the logits."""
        return {
            "stem": ("conv1", "bn1"),
            "layer1": ("layer1",),
            "layer2": ("layer2",),
            "layer3": ("layer3",),
            "head": ("fc",),
        }

    def passes(self) -> Mapping[str, Callable[[Tensor], Tensor]]:
        """What each stage does; the average over the pixels closes layer3."""
        return {
            "stem": self._stem,
            "layer1": self.layer1,
            "layer2": self.layer2,
            "layer3": self._layer3,
            "head": self.fc,
        }

    def _stem(self, x: Tensor) -> Tensor:
        return F.relu(self.bn1(self.conv1(x)), inplace=True)

    def _layer3(self, x: Tensor) -> Tensor:
        features: Tensor = self.layer3(x)
        return features.mean((2, 3))


class PreactCifarResNet(Staged):
    """Convolution, three stages, norm and ReLU, average over the pixels, logits."""

    def __init__(self, stages: Stages, num_classes: int, in_chans: int) -> None:
        super().__init__()
        self.conv1 = _conv3x3(in_chans, CIFAR_WIDTHS[0])
        self.layer1, self.layer2, self.layer3 = stages.modules
        self.norm = nn.BatchNorm2d(stages.width)
        self.fc = nn.Linear(stages.width, num_classes)

    def stages(self) -> Mapping[str, tuple[str, ...]]:
        """Stage names with their modules, from the images to the logits; the last norm closes layer3."""
        return {
            "stem": ("conv1",),
            "layer1": ("layer1",),
            "layer2": ("layer2",),
            "layer3": ("layer3", "norm"),
            "head": ("fc",),
        }

    def passes(self) -> Mapping[str, Callable[[Tensor], Tensor]]:
        """What each stage does; the last norm and the average over the pixels close layer3."""
        return {
            "stem": self.conv1,
            "layer1": self.layer1,
            "layer2": self.layer2,
            "layer3": self._layer3,
            "head": self.fc,
        }

    def _layer3(self, x: Tensor) -> Tensor:
        features = F.relu(self.norm(self.layer3(x)), inplace=True)
        return features.mean((2, 3))


def _downsample(shortcut: str, in_chans: int, width: int, stride: int, *, preact: bool) -> nn.Module:
    """What stands in a shortcut: nothing where the shape stays, but for option C."""
    if in_chans == width and stride == 1 and shortcut != "C":
        return nn.Identity()
    if shortcut == "A":
        return ZeroPad(in_chans, width, stride)
    convolution = _conv1x1(in_chans, width, stride=stride)
    return nn.Sequential(convolution) if preact else nn.Sequential(convolution, nn.BatchNorm2d(width))


def build(
    *,
    depth: int,
    residual: bool,
    shortcut: str,
    preact: bool,
    width: int,
    drop_path_rate: float,
    zero_init_last: bool,
    num_classes: int,
    in_chans: int,
    img_size: int,  # noqa: ARG001 - every family is built for an image size; this one takes any from 4 on
) -> CifarResNet | PreactCifarResNet:
    """A CIFAR ResNet, He et al. (2016), section 4.2; called through `architectures.build`."""
    stages = Stages(
        (depth - 2) // 6,
        width=width,
        residual=residual,
        preact=preact,
        shortcut=shortcut,
        drop_path_rate=drop_path_rate,
        zero_init_last=zero_init_last,
    )
    network = PreactCifarResNet if preact else CifarResNet
    return network(stages, num_classes, in_chans)
