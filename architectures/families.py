"""Every network that has a name here, as data: its options with type, default and rule, and its source."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from architectures import counts
from architectures.options import INTEGERS, FamilySpec, Option, OptionFault, Options


def _six_n_plus_two(depth: int) -> str | None:
    if depth >= 8 and (depth - 2) % 6 == 0:
        return None
    return f"is not 6n+2; nearest {max(8, 6 * round((depth - 2) / 6) + 2)}"


def _positive(value: int) -> str | None:
    return None if value >= 1 else "is not positive; at least 1"


def _share(value: float) -> str | None:
    return None if 0 <= value < 1 else "is no probability below 1; from 0 on"


def _block_counts(layers: list[int]) -> str | None:
    if 1 <= len(layers) <= 4 and all(n >= 1 for n in layers):
        return None
    return "is not one to four positive block counts, as [3, 4, 6, 3]"


def _sizes(hidden: list[int]) -> str | None:
    return None if hidden and all(n >= 1 for n in hidden) else "is not one or more positive sizes"


def _two_sizes(hidden: list[int]) -> str | None:
    return None if len(hidden) == 2 and all(n >= 1 for n in hidden) else "is not two positive sizes"


DROP_PATH = Option(
    "drop_path_rate",
    float,
    "Share of images for which the last block's residue is left out in training, rising from 0 at the first "
    "block (Huang et al. 2016, section 3).",
    default=0.0,
    rule=_share,
)


def _deep_stem_halves(options: Options) -> Iterator[OptionFault]:
    if options["stem"] == "deep" and options["width"] % 2:
        nearest = f"is odd, and the deep stem halves it; nearest {options['width'] + 1}"
        yield OptionFault("width", options["width"], nearest)


def _plain_has_no_shortcut(options: Options) -> Iterator[OptionFault]:
    for key, unused, told in (
        ("shortcut", "A", "A"),
        ("drop_path_rate", 0, "0"),
        ("zero_init_last", False, "false"),
    ):
        if not options["residual"] and options[key] != unused:
            yield OptionFault(key, options[key], f"has no meaning with residual: false; leave {told}")
    if options["preact"] and options["zero_init_last"]:
        rule = "has no meaning with preact: true, whose blocks end in a convolution; leave false"
        yield OptionFault("zero_init_last", options["zero_init_last"], rule)


RESNET = FamilySpec(
    name="resnet",
    module="resnet",
    doc="ResNet v1.5 with free depth, width and stem (He et al. 2016, table 1).",
    options=(
        Option(
            "layers",
            INTEGERS,
            "Blocks of each stage, as [3, 4, 23, 3].",
            required=True,
            rule=_block_counts,
        ),
        Option(
            "block",
            str,
            "Two 3×3 convolutions, or 1×1, 3×3, 1×1 with four times the channels behind.",
            required=True,
            choices=("basic", "bottleneck"),
        ),
        Option(
            "width",
            int,
            "Channels of the stem and of layer1's 3×3 convolutions; each later stage doubles them.",
            default=64,
            rule=_positive,
        ),
        Option(
            "stem",
            str,
            "7×7 with stride 2 and max pooling; 3×3 with neither; or three 3×3 for the 7×7 (ResNet-C).",
            default="imagenet",
            choices=("imagenet", "cifar", "deep"),
        ),
        Option(
            "zero_init_last",
            bool,
            "Whether the last batch norm of each block starts at zero, so that each block starts as its "
            "shortcut (Goyal et al. 2017, section 5.1).",
            default=False,
        ),
        DROP_PATH,
    ),
    counts=counts.resnet,
    rule=_deep_stem_halves,
)

CIFAR_RESNET = FamilySpec(
    name="cifar_resnet",
    module="cifar_resnet",
    doc="ResNet for small images, with or without shortcuts (He et al. 2016, section 4.2).",
    options=(
        Option(
            "depth",
            int,
            "Layers with weights, 6n+2: 8, 14, 20, 32, 44, 56, 110.",
            required=True,
            rule=_six_n_plus_two,
        ),
        Option(
            "residual",
            bool,
            "Shortcuts (option A, without parameters), or none: a plain network of equal size.",
            default=True,
        ),
        Option(
            "shortcut",
            str,
            "A: identity, zero channels where they grow; B: 1×1 convolution where the shape changes; "
            "C: everywhere.",
            default="A",
            choices=("A", "B", "C"),
        ),
        Option(
            "preact",
            bool,
            "Whether norm and ReLU stand before each convolution (He et al. 2016b).",
            default=False,
        ),
        Option(
            "width",
            int,
            "Channels of the stages in multiples of 16, 32, 64 (Zagoruyko & Komodakis 2016).",
            default=1,
            rule=_positive,
        ),
        Option(
            "zero_init_last",
            bool,
            "Whether the last batch norm of each block starts at zero, so that each block starts as its "
            "shortcut (Goyal et al. 2017, section 5.1); not with preact, whose blocks end in a convolution.",
            default=False,
        ),
        DROP_PATH,
    ),
    counts=counts.cifar_resnet,
    rule=_plain_has_no_shortcut,
    min_img_size=4,
)

SIMPLE_CNN = FamilySpec(
    name="simple_cnn",
    module="simple_cnn",
    doc="Four blocks of convolution, norm, ReLU and max pooling, then three dense layers; made for 32×32.",
    options=(
        Option(
            "width",
            int,
            "Channels of the first block; each later one doubles them.",
            default=32,
            rule=_positive,
        ),
        Option(
            "hidden", INTEGERS, "Sizes of the two hidden dense layers.", default=[256, 128], rule=_two_sizes
        ),
        Option(
            "dropout", float, "Share of hidden dense units dropped in training.", default=0.0, rule=_share
        ),
    ),
    counts=counts.simple_cnn,
    min_img_size=16,
)

MLP = FamilySpec(
    name="mlp",
    module="mlp",
    doc="Dense layers with ReLU and dropout, 784-128-64-10 on MNIST.",
    options=(
        Option("hidden", INTEGERS, "Sizes of the hidden layers.", default=[128, 64], rule=_sizes),
        Option("dropout", float, "Share of hidden units dropped in training.", default=0.2, rule=_share),
    ),
    counts=counts.mlp,
)


def _resnet_n(depth: int, *layers: int, block: str) -> FamilySpec:
    doc = f"ResNet-{depth} v1.5 (He et al. 2016, table 1)."
    fixed: dict[str, Any] = {"layers": list(layers), "block": block}
    return RESNET.named(f"resnet{depth}", doc, **fixed)


def _cifar_resnet_n(depth: int) -> FamilySpec:
    doc = f"ResNet-{depth} for small images (He et al. 2016, section 4.2, table 6)."
    return CIFAR_RESNET.named(f"cifar_resnet{depth}", doc, depth=depth)


FAMILIES = {
    spec.name: spec
    for spec in (
        RESNET,
        _resnet_n(18, 2, 2, 2, 2, block="basic"),
        _resnet_n(34, 3, 4, 6, 3, block="basic"),
        _resnet_n(50, 3, 4, 6, 3, block="bottleneck"),
        _resnet_n(101, 3, 4, 23, 3, block="bottleneck"),
        _resnet_n(152, 3, 8, 36, 3, block="bottleneck"),
        CIFAR_RESNET,
        *(_cifar_resnet_n(depth) for depth in (20, 32, 44, 56, 110, 1202)),
        SIMPLE_CNN,
        MLP,
    )
}
