"""Networks of timm and torchvision: what is built, what is refused."""

from __future__ import annotations

import sys

import pytest
import torch

from architectures.library import build_library

pytest.importorskip("timm")
pytest.importorskip("torchvision")


@pytest.mark.parametrize("in_chans", [1, 3])
@pytest.mark.parametrize(
    ("name", "img_size", "options"),
    [
        ("timm:resnet18", 64, {}),
        ("timm:resnet10t.c3_in1k", 64, {"drop_path_rate": 0.1}),
        ("timm:vit_tiny_patch16_224", 32, {"depth": 2}),
        ("torchvision:resnet18", 64, {"zero_init_residual": True}),
        ("torchvision:vit_b_16", 32, {}),
        ("torchvision:mobilenet_v3_small", 32, {}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_library_network_gives_logits_for_classes_and_channels(name, img_size, options, in_chans):
    model = build_library(name, num_classes=7, in_chans=in_chans, img_size=img_size, **options)
    assert model.training
    with torch.no_grad():
        assert model(torch.randn(2, in_chans, img_size, img_size)).shape == (2, 7)


def test_options_reach_the_librarys_builder():
    model = build_library("timm:resnet18", num_classes=2, in_chans=3, img_size=64, zero_init_last=True)
    assert not model.layer1[0].bn2.weight.any()
    assert (
        build_library("timm:resnet18", num_classes=2, in_chans=3, img_size=64, zero_init_last=False)
        .layer1[0]
        .bn2.weight.all()
    )


def test_training_an_inception_gives_logits_alone():
    model = build_library("torchvision:googlenet", num_classes=3, in_chans=3, img_size=64)
    assert model(torch.randn(2, 3, 64, 64)).shape == (2, 3)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("timm:resnet81", {}, r"^timm:resnet81 is no model of timm; did you mean 'resnet\d+\w?'\?$"),
        ("timm:resnet18.a9_in1k", {}, r"^timm:resnet18\.a9_in1k: no such recipe; did you mean 'a\d_in1k'\?$"),
        (
            "torchvision:resnet81",
            {},
            r"^torchvision:resnet81 is no classifier of torchvision; did you mean 'res",
        ),
        ("torchvision:fcn_resnet50", {}, r"is no classifier of torchvision; did you mean 'resnet50'\?$"),
        ("keras:resnet18", {}, r"^'keras:resnet18' names no library; timm:NAME and torchvision:NAME do$"),
        ("timm:resnet18", {"depht": 3}, r"^timm:resnet18: .*'depht'"),
        ("torchvision:resnet18", {"depht": 3}, r"^torchvision:resnet18: .*'depht'"),
    ],
)
def test_a_wrong_name_or_option_is_one_line_with_the_nearest_choice(name, options, message):
    with pytest.raises(ValueError, match=message) as caught:
        build_library(name, num_classes=2, in_chans=3, img_size=64, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("library", ["timm", "torchvision"])
def test_an_absent_library_names_its_extra(monkeypatch, library):
    monkeypatch.delitem(sys.modules, f"{library}.models", raising=False)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(
        ModuleNotFoundError, match=rf"{library} is not installed; pip install 'bench\[timm\]'"
    ):
        build_library(f"{library}:resnet18", num_classes=2, in_chans=3, img_size=64)
