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


def test_build_refuses_what_check_refuses():
    with pytest.raises(ValueError, match="nearest 20"):
        architectures.build("cifar_resnet", depth=21, **DIGITS)


def test_names_options_and_checks_load_no_torch():
    code = (
        "import sys, architectures as a; a.names(); a.defaults('cifar_resnet');"
        "a.check('cifar_resnet', {'depth': 8}, num_classes=2, in_chans=1, img_size=8);"
        "from architectures.keys import derive; derive(1);"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
