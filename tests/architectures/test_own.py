"""Networks of the user's own, named `package.module:callable`."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import architectures

SHAPE = {"num_classes": 5, "in_chans": 1, "img_size": 8}

SOURCE = """
from torch import nn


class Tiny(nn.Module):
    def __init__(self, num_classes, in_chans, img_size, width=3):
        super().__init__()
        self.body = nn.Linear(in_chans * img_size**2, width)
        self.classifier = nn.Linear(width, num_classes)

    def forward(self, x):
        return self.classifier(self.body(x.flatten(1)))

    def stages(self):
        return {"stem": ("body",), "head": ("classifier",)}


def frozen(**arguments):
    return Tiny(**arguments).eval()


def text(**arguments):
    return "no network"


number = 3
"""


@pytest.fixture(autouse=True)
def nets(tmp_path, monkeypatch):
    (tmp_path / "own_nets.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)


def test_a_class_of_the_users_is_built_with_its_options_and_names_its_stages():
    model = architectures.build("own_nets:Tiny", width=4, **SHAPE)
    assert model(torch.randn(2, 1, 8, 8)).shape == (2, 5)
    assert model.body.out_features == 4
    assert architectures.stages(model) == {"stem": ("body",), "head": ("classifier",)}
    assert architectures.defaults("own_nets:Tiny") == {}


def test_what_a_function_makes_is_in_training_mode():
    assert architectures.build("own_nets:frozen", **SHAPE).training


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("no_such_nets:Tiny", {}, "No module named 'no_such_nets'; is its folder on PYTHONPATH?"),
        ("own_nets:tiny", {}, "own_nets:tiny: module own_nets has no 'tiny'"),
        ("own_nets:number", {}, "is of type int; a function or a class is due"),
        ("own_nets:Tiny", {"depth": 3}, "unexpected keyword argument 'depth'; it is called with num_classes"),
        ("own_nets:text", {}, "makes an object of type str; a torch.nn.Module is due"),
    ],
)
def test_what_cannot_be_built_is_told_in_one_line(name, options, message):
    with pytest.raises(ValueError, match=r"(own|no_such)_nets") as caught:
        architectures.build(name, **SHAPE, **options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_error_inside_the_users_code_stays_the_users():
    with pytest.raises(RuntimeError):
        architectures.build("own_nets:Tiny", width=-1, **SHAPE)


def test_the_form_of_the_name_and_the_shape_are_judged_without_loading_it():
    assert architectures.check("nowhere.nets:anything", {"x": [1, "y"]}, **SHAPE) == []
    (fault,) = architectures.check("nowhere.nets:any thing", {}, **SHAPE)
    assert str(fault).endswith("write timm:NAME, torchvision:NAME or package.module:callable")
    (fault,) = architectures.check("nowhere:net", {}, num_classes=1, in_chans=1, img_size=8)
    assert fault.rule == "classes are too few for nowhere:net; at least 2"
    assert architectures.is_external("timm:vit_tiny_patch16_224.augreg_in21k")
    assert not architectures.is_external("resnet18")


def test_a_module_that_merely_has_an_attribute_named_stages_is_not_asked():
    """ConvNeXt and others of timm keep their blocks in `self.stages`."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Conv2d(1, 2, 3)
            self.stages = nn.Sequential(nn.Conv2d(2, 2, 3))
            self.head = nn.Linear(2, 3)

    assert "head" in architectures.stages(Net())
