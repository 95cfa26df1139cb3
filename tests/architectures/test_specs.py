"""Options without torch: what is refused, and how it is said."""

from __future__ import annotations

import subprocess
import sys

import pytest

import architectures

DIGITS = {"num_classes": 10, "in_chans": 1, "img_size": 8}


@pytest.mark.parametrize("depth", [8, 14, 20, 32, 44, 56, 110, 1202])
def test_depths_of_six_n_plus_two_are_accepted(depth):
    assert architectures.check("cifar_resnet", {"depth": depth, "residual": False}, **DIGITS) == []


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("cifar_resnet", {"depth": 19}, "depth: 19 is not 6n+2; nearest 20"),
        ("cifar_resnet", {"depth": -3}, "depth: -3 is not 6n+2; nearest 8"),
        ("cifar_resnet", {"depth": 2}, "depth: 2 is not 6n+2; nearest 8"),
        ("cifar_resnet", {"depth": True}, "depth: True is not an integer"),
        ("cifar_resnet", {"depth": "20"}, "depth: '20' is not an integer"),
        ("cifar_resnet", {"depth": 20, "residual": 1}, "residual: 1 is not true or false"),
        ("cifar_resnet", {}, "depth: is required; Layers"),
        ("cifar_resnet", {"depth": 20, "dept": 20}, "dept: unknown option; did you mean 'depth'?"),
        ("cifar_resnets", {}, "'cifar_resnets' is no architecture; did you mean 'cifar_resnet'?"),
        ("vgg", {}, "'vgg' is no architecture; one of cifar_resnet"),
        ("resnet8", {}, "'resnet8' is no architecture; did you mean 'resnet"),
        ("cifar_resnet20", {"depth": 20}, "depth: cifar_resnet20 has 20; cifar_resnet leaves it free"),
        ("resnet18", {"layers": [1]}, "layers: resnet18 has [2, 2, 2, 2]; resnet leaves it free"),
        ("resnet", {"layers": [2, 2], "block": "plain"}, "block: 'plain' is not one of basic, bottleneck"),
        ("resnet", {"layers": 18, "block": "basic"}, "layers: 18 is not a list of integers"),
        ("resnet", {"layers": [2, True], "block": "basic"}, "layers: [2, True] is not a list of integers"),
        ("resnet", {"layers": [2, 0], "block": "basic"}, "layers: [2, 0] is not one to four positive block"),
        ("resnet", {"layers": [1] * 5, "block": "basic"}, "layers: [1, 1, 1, 1, 1] is not one to four"),
        ("resnet", {"layers": [2]}, "block: is required; Two 3×3 convolutions"),
        ("resnet18", {"stem": "deep", "width": 7}, "width: 7 is odd, and the deep stem halves it; nearest 8"),
        ("resnet18", {"width": 0}, "width: 0 is not positive; at least 1"),
        ("resnet18", {"stem": "3x3"}, "stem: '3x3' is not one of imagenet, cifar, deep"),
        ("resnet18", {"drop_path_rate": 1}, "drop_path_rate: 1 is no probability below 1; from 0 on"),
        ("resnet18", {"drop_path_rate": float("nan")}, "drop_path_rate: nan is not a number"),
        ("cifar_resnet", {"depth": 8, "shortcut": "D"}, "shortcut: 'D' is not one of A, B, C"),
        (
            "cifar_resnet",
            {"depth": 8, "residual": False, "shortcut": "B"},
            "shortcut: 'B' has no meaning with residual: false; leave A",
        ),
        (
            "cifar_resnet",
            {"depth": 8, "residual": False, "drop_path_rate": 0.1},
            "drop_path_rate: 0.1 has no meaning with residual: false; leave 0",
        ),
        (
            "cifar_resnet",
            {"depth": 8, "residual": False, "zero_init_last": True},
            "zero_init_last: True has no meaning with residual: false; leave false",
        ),
        (
            "cifar_resnet",
            {"depth": 8, "preact": True, "zero_init_last": True},
            (
                "zero_init_last: True has no meaning with preact: true, whose blocks end in a convolution; "
                "leave false"
            ),
        ),
        ("mlp", {"hidden": []}, "hidden: [] is not one or more positive sizes"),
        ("mlp", {"dropout": -0.1}, "dropout: -0.1 is no probability"),
    ],
)
def test_a_fault_names_option_value_rule_and_nearest_choice(name, options, message):
    (fault,) = architectures.check(name, options, **DIGITS)
    assert str(fault).startswith(message)


def test_all_faults_are_told_at_once():
    faults = architectures.check(
        "cifar_resnet", {"depth": 9, "residual": "no"}, num_classes=1, in_chans=1, img_size=3
    )
    assert [fault.key for fault in faults] == ["depth", "residual", None, None]
    assert "at least 4" in faults[-1].rule


@pytest.mark.parametrize(("name", "least"), [("cifar_resnet20", 4), ("simple_cnn", 16), ("mlp", 1)])
def test_images_have_a_least_size(name, least):
    assert architectures.check(name, {}, num_classes=2, in_chans=1, img_size=least) == []
    (fault,) = architectures.check(name, {}, num_classes=2, in_chans=1, img_size=least - 1)
    assert str(fault) == f"{least - 1} pixels a side are too few for {name}; at least {least}"


def test_two_sizes_of_the_simple_cnn_are_two():
    (fault,) = architectures.check("simple_cnn", {"hidden": [64]}, num_classes=2, in_chans=1, img_size=32)
    assert str(fault) == "hidden: [64] is not two positive sizes"


def test_a_default_list_is_the_callers_own():
    architectures.defaults("mlp")["hidden"].append(3)
    assert architectures.defaults("mlp")["hidden"] == [128, 64]


def test_defaults_never_change():
    """Run ids leave out what is at its default, so another default would be another run under the same id."""
    resnet = {"width": 64, "stem": "imagenet", "zero_init_last": False, "drop_path_rate": 0.0}
    cifar = {"residual": True, "shortcut": "A", "preact": False, "width": 1, "drop_path_rate": 0.0}
    cifar |= {"zero_init_last": False}
    assert architectures.defaults("resnet") == architectures.defaults("resnet152") == resnet
    assert architectures.defaults("cifar_resnet") == architectures.defaults("cifar_resnet1202") == cifar
    assert architectures.defaults("simple_cnn") == {"width": 32, "hidden": [256, 128], "dropout": 0.0}
    assert architectures.defaults("mlp") == {"hidden": [128, 64], "dropout": 0.2}


def test_build_refuses_what_check_refuses():
    with pytest.raises(ValueError, match="nearest 20"):
        architectures.build("cifar_resnet", depth=21, **DIGITS)


def test_names_options_and_checks_load_no_torch():
    code = (
        "import sys, architectures as a; a.names(); a.defaults('cifar_resnet');"
        "a.check('cifar_resnet', {'depth': 8}, num_classes=2, in_chans=1, img_size=8);"
        "a.count_parameters('resnet18', {}, num_classes=2, in_chans=1, img_size=8);"
        "a.stage_names('mlp', {}); a.check('timm:x', {}, num_classes=2, in_chans=1, img_size=8);"
        "from architectures.keys import derive; derive(1);"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
