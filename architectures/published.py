"""What each network must amount to: parameters and multiply-adds from the literature, and its twin in timm.

Torch-free. Counts of the ImageNet networks are torchvision's (`num_params` and `_ops` of its weights, which
count convolutions and the linear layer); those of the CIFAR networks follow by hand from He et al. (2016),
section 4.2, whose table 6 rounds them to 0.27M, 0.46M, 0.66M, 0.85M, 1.7M and 19.4M.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

IMAGENET = {"num_classes": 1000, "in_chans": 3, "img_size": 224}
CIFAR = {"num_classes": 10, "in_chans": 3, "img_size": 32}
MNIST = {"num_classes": 10, "in_chans": 1, "img_size": 28}

ODD_SIZE = 97
"""Pixels a side that no stride divides."""

IMAGE_SIZES = (224, 160, ODD_SIZE)


@dataclass(frozen=True)
class Case:
    """One network with what is known of it.

    Attributes:
        name: As `architectures.build` takes it.
        shape: num_classes, in_chans, img_size.
        n_params: Parameters.
        source: Who says so.
        options: Of the builder.
        macs: Multiply-adds of convolutions and linear layers on one image; None where unpublished.
        gmacs: The same in 1e9 and to three decimals, where no more is published.
        twin: Name of the same network in timm.
        img_sizes: Where the two are compared.
    """

    name: str
    shape: Mapping[str, int]
    n_params: int
    source: str
    options: Mapping[str, Any] = field(default_factory=dict)
    macs: int | None = None
    gmacs: float | None = None
    twin: str | None = None
    img_sizes: tuple[int, ...] = IMAGE_SIZES

    @property
    def label(self) -> str:
        """The builder with its options, as `python -m architectures` takes them."""
        return " ".join([self.name, *(f"{key}={_plain(value)}" for key, value in self.options.items())])


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value).replace(" ", "")


_PROJECTION_MACS = 32 * 32 * 16 * 16
"""Of a 1×1 convolution inside a stage, in each of the three; the two that open a stage have half of it."""


def _imagenet(depth: int, n_params: int, gmacs: float) -> Case:
    name = f"resnet{depth}"
    return Case(name, IMAGENET, n_params, "torchvision", gmacs=gmacs, twin=name)


def _cifar(depth: int, n_params: int, macs: int, shortcut: str = "A") -> Case:
    n_blocks = (depth - 2) // 6
    more_macs = {"A": 0, "B": _PROJECTION_MACS, "C": (3 * n_blocks - 1) * _PROJECTION_MACS}[shortcut]
    return Case(
        f"cifar_resnet{depth}",
        CIFAR,
        n_params,
        "He et al. 2016",
        {} if shortcut == "A" else {"shortcut": shortcut},
        macs=macs + more_macs,
    )


_OPTION_A = {
    20: (269_722, 40_551_040),
    32: (464_154, 68_862_592),
    44: (658_586, 97_174_144),
    56: (853_018, 125_485_696),
    110: (1_727_962, 252_887_680),
    1202: (19_421_274, 2_829_238_912),
}

_OPTION_C = {20: 283_962, 56: 900_858, 110: 1_826_202}

CASES: tuple[Case, ...] = (
    _imagenet(18, 11_689_512, 1.814),
    _imagenet(34, 21_797_672, 3.664),
    _imagenet(50, 25_557_032, 4.089),
    _imagenet(101, 44_549_160, 7.801),
    _imagenet(152, 60_192_808, 11.514),
    Case(
        "resnet",
        IMAGENET,
        25_576_264,
        "",
        {"layers": [3, 4, 6, 3], "block": "bottleneck", "stem": "deep"},
        twin="resnet50c",
        img_sizes=(ODD_SIZE,),
    ),
    *(_cifar(depth, *counts) for depth, counts in _OPTION_A.items()),
    # Option B has 16·32 + 32·64 weights more, and two norms.
    *(_cifar(depth, n + 2_752, macs, "B") for depth, (n, macs) in _OPTION_A.items() if depth <= 110),
    *(_cifar(depth, n, _OPTION_A[depth][1], "C") for depth, n in _OPTION_C.items()),
    Case(
        "cifar_resnet", CIFAR, 853_018, "He et al. 2016", {"depth": 56, "residual": False}, macs=125_485_696
    ),
    # They count the two projections as layers: 26 + 2 is their 28, with 36.5M parameters.
    Case(
        "cifar_resnet",
        CIFAR,
        36_479_194,
        "Zagoruyko & Komodakis 2016",
        {"depth": 26, "width": 10, "preact": True, "shortcut": "B"},
    ),
    # Convolutions 864 + 18,432 + 73,728 + 294,912, norms 960, dense layers 262,400 + 32,896 + 1,290.
    Case("simple_cnn", CIFAR, 685_482, "by hand", macs=15_336_704),
    # 784·128 + 128·64 + 64·10 weights, 202 biases.
    Case("mlp", MNIST, 109_386, "by hand", macs=109_184),
)
