"""Stages of networks that name none: complete, in order, and where a reader would put them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from architectures.library import build_library, library_stages

pytest.importorskip("timm")
pytest.importorskip("torchvision")

RESNET = {
    "stem": ("conv1", "bn1"),
    **{f"layer{n}": (f"layer{n}",) for n in (1, 2, 3, 4)},
    "head": ("fc",),
}

# Stages, or how many layers there are between the stem and the head, with modules of both.
EXPECTED = {
    "timm:resnet18": RESNET,
    "torchvision:resnet18": RESNET,
    "timm:convnext_atto": {
        "stem": ("stem",),
        **{f"layer{n}": (f"stages.{n - 1}",) for n in (1, 2, 3)},
        "layer4": ("stages.3", "head.norm"),
        "head": ("head.fc",),
    },
    "torchvision:convnext_tiny": {
        "stem": ("features.0",),
        "layer1": ("features.1",),
        "layer2": ("features.2", "features.3"),
        "layer3": ("features.4", "features.5"),
        "layer4": ("features.6", "features.7", "classifier.0"),
        "head": ("classifier.2",),
    },
    "timm:densenet121": {
        "stem": ("features.conv0", "features.norm0"),
        "layer1": ("features.denseblock1",),
        "layer2": ("features.transition1", "features.denseblock2"),
        "layer3": ("features.transition2", "features.denseblock3"),
        "layer4": ("features.transition3", "features.denseblock4", "features.norm5"),
        "head": ("classifier",),
    },
    "torchvision:vgg11": {
        "stem": ("features.0",),
        "layer1": ("features.3",),
        "layer2": ("features.6", "features.8"),
        "layer3": ("features.11", "features.13"),
        "layer4": ("features.16", "features.18"),
        "layer5": ("classifier.0", "classifier.3"),
        "head": ("classifier.6",),
    },
    "timm:regnetx_002": {
        "stem": ("stem",),
        **{f"layer{n}": (f"s{n}",) for n in (1, 2, 3, 4)},
        "head": ("head.fc",),
    },
    "torchvision:regnet_y_400mf": {
        "stem": ("stem",),
        **{f"layer{n}": (f"trunk_output.block{n}",) for n in (1, 2, 3, 4)},
        "head": ("fc",),
    },
    "timm:vit_tiny_patch16_224": (12, ("cls_token", "pos_embed", "patch_embed"), ("head",)),
    "torchvision:vit_b_16": (12, ("class_token", "conv_proj", "encoder.pos_embedding"), ("heads.head",)),
    "timm:efficientnet_b0": (7, ("conv_stem", "bn1"), ("classifier",)),
    "torchvision:mobilenet_v2": (17, ("features.0",), ("classifier.1",)),
    "timm:mobilenetv3_small_050": (5, ("conv_stem", "bn1"), ("classifier",)),
    "timm:swin_tiny_patch4_window7_224": (4, ("patch_embed",), ("head.fc",)),
    "timm:deit_tiny_distilled_patch16_224": (
        12,
        ("cls_token", "pos_embed", "dist_token", "patch_embed"),
        ("head", "head_dist"),
    ),
    "torchvision:shufflenet_v2_x0_5": (3, ("conv1",), ("fc",)),
}


def assert_covered_once(model, stages):
    named = [name for name, _ in (*model.named_parameters(), *model.named_buffers())]
    for key in named:
        holders = [
            (stage, name)
            for stage, names in stages.items()
            for name in names
            if key == name or key.startswith(f"{name}.")
        ]
        assert len(holders) == 1, (key, holders)
    assert list(stages) == ["stem", *(f"layer{n}" for n in range(1, len(stages) - 1)), "head"]


@pytest.mark.parametrize("name", EXPECTED)
def test_every_tensor_has_one_stage_and_stages_are_where_they_belong(name):
    model = build_library(name, num_classes=10, in_chans=3, img_size=224)
    stages = library_stages(model)
    assert_covered_once(model, stages)
    expected = EXPECTED[name]
    if isinstance(expected, dict):
        assert stages == expected
    else:
        n_layers, stem, head = expected
        assert (len(stages) - 2, stages["stem"], stages["head"]) == (n_layers, stem, head)


class Own(nn.Module):
    """What a user writes: blocks side by side, a norm, two linear layers."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        self.entry = nn.Conv2d(3, 8, 3)
        self.a = nn.Sequential(nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3))
        self.b = nn.Sequential(nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3))
        self.norm = nn.BatchNorm2d(8)
        self.out = nn.Linear(8, 2)
        self.register_buffer("mean", torch.zeros(1))


def test_a_network_of_ones_own_gets_stages_too():
    model = Own()
    stages = library_stages(model)
    assert_covered_once(model, stages)
    assert stages == {
        "stem": ("scale", "mean", "entry"),
        "layer1": ("a",),
        "layer2": ("b", "norm"),
        "head": ("out",),
    }


def test_a_network_without_a_classifier_has_no_stages():
    with pytest.raises(TypeError, match="Flatten has neither a linear layer nor a convolution: no head"):
        library_stages(nn.Flatten())
