"""CIFAR ResNets against the definitions of their blocks; `test_counts.py` counts them."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

import architectures
from architectures.cifar_resnet import (
    BasicBlock,
    PlainBlock,
    PreactBlock,
    PreactFirstBlock,
    PreactPlainBlock,
    ZeroPad,
)

CIFAR = {"num_classes": 10, "in_chans": 3, "img_size": 32}


@pytest.mark.parametrize("in_chans", [1, 3])
@pytest.mark.parametrize("img_size", [4, 5, 7, 8, 28, 33])
@pytest.mark.parametrize("residual", [True, False], ids=["residual", "plain"])
def test_any_image_size_from_four_on_gives_logits(residual, img_size, in_chans):
    model = architectures.build(
        "cifar_resnet", depth=8, residual=residual, num_classes=7, in_chans=in_chans, img_size=img_size
    )
    assert model(torch.randn(2, in_chans, img_size, img_size)).shape == (2, 7)


def test_names_and_shapes_follow_timm():
    model = architectures.build("cifar_resnet", depth=8, **CIFAR)
    shapes = {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}
    assert shapes["conv1.weight"] == (16, 3, 3, 3)
    assert shapes["layer2.0.conv1.weight"] == (32, 16, 3, 3)
    assert shapes["layer3.0.bn2.weight"] == (64,)
    assert shapes["fc.weight"] == (10, 64)
    assert list(architectures.stages(model)) == ["stem", "layer1", "layer2", "layer3", "head"]
    named = [name for names in architectures.stages(model).values() for name in names]
    assert named == [name for name, _ in model.named_children()]


def test_option_a_adds_every_other_pixel_and_zero_channels():
    block = BasicBlock(2, 4, 2, ZeroPad(2, 4, 2), torch.nn.Identity())
    torch.nn.init.zeros_(block.bn2.weight)
    x = torch.randn(3, 2, 6, 6)
    expected = torch.zeros(3, 4, 3, 3)
    expected[:, 1:3] = x[:, :, ::2, ::2]
    assert torch.equal(block(x), F.relu(expected))


def test_a_residual_block_without_residue_is_the_identity_and_a_plain_one_is_not():
    x = torch.rand(2, 4, 5, 5)
    block = BasicBlock(4, 4, 1, torch.nn.Identity(), torch.nn.Identity())
    torch.nn.init.zeros_(block.bn2.weight)
    assert torch.equal(block(x), x)
    plain = PlainBlock(4, 4, 1)
    plain.load_state_dict(block.state_dict())
    assert not plain(x).any()


def test_plain_networks_hold_no_block_with_a_shortcut():
    model = architectures.build("cifar_resnet", depth=14, residual=False, **CIFAR)
    assert {type(module) for module in model.modules() if isinstance(module, PlainBlock)} == {PlainBlock}


def test_channels_last_stays_channels_last_through_the_shortcut():
    block = BasicBlock(16, 32, 2, ZeroPad(16, 32, 2), torch.nn.Identity()).to(
        memory_format=torch.channels_last
    )
    out = block(torch.randn(2, 16, 8, 8).to(memory_format=torch.channels_last))
    assert out.is_contiguous(memory_format=torch.channels_last)


def test_keys_of_the_options_b_and_c_are_timms():
    model = architectures.build("cifar_resnet", depth=14, shortcut="B", **CIFAR)
    projections = [name for name in model.state_dict() if name.endswith("downsample.0.weight")]
    assert projections == ["layer2.0.downsample.0.weight", "layer3.0.downsample.0.weight"]
    model = architectures.build("cifar_resnet", depth=14, shortcut="C", **CIFAR)
    assert sum(name.endswith("downsample.1.weight") for name in model.state_dict()) == 6


def test_a_pre_activated_block_adds_to_what_enters_untouched():
    block = PreactBlock(4, 4, 1, torch.nn.Identity(), torch.nn.Identity())
    torch.nn.init.zeros_(block.conv2.weight)
    x = torch.randn(2, 4, 5, 5)
    assert torch.equal(block(x.clone()), x)


def test_a_pre_activated_block_is_its_formula():
    """He et al. 2016b, figure 4 (e)."""
    block = PreactBlock(4, 4, 1, torch.nn.Identity(), torch.nn.Identity())
    x = torch.randn(3, 4, 5, 5)
    inner = block.conv1(F.relu(block.bn1(x)))
    assert torch.equal(block(x), block.conv2(F.relu(block.bn2(inner))) + x)
    plain = PreactPlainBlock(4, 4, 1)
    plain.load_state_dict(block.state_dict())
    assert torch.allclose(plain(x) + x, block(x))


def test_the_first_block_of_a_pre_activated_stage_forks_behind_its_relu():
    block = PreactFirstBlock(4, 8, 2, ZeroPad(4, 8, 2), torch.nn.Identity())
    torch.nn.init.zeros_(block.conv2.weight)
    x = torch.randn(3, 4, 6, 6)
    expected = torch.zeros(3, 8, 3, 3)
    expected[:, 2:6] = F.relu(block.bn1(x))[:, :, ::2, ::2]
    assert torch.equal(block(x), expected)


def test_a_pre_activated_network_has_its_last_norm_behind_the_last_stage():
    model = architectures.build("cifar_resnet", depth=14, preact=True, shortcut="B", **CIFAR)
    assert architectures.stages(model)["stem"] == ("conv1",)
    assert architectures.stages(model)["layer3"] == ("layer3", "norm")
    kinds = [type(block).__name__ for block in model.layer2]
    assert kinds == ["PreactFirstBlock", "PreactBlock"]
    assert [name for name in model.state_dict() if "downsample" in name] == [
        "layer2.0.downsample.0.weight",
        "layer3.0.downsample.0.weight",
    ]


def test_a_width_widens_the_stages_and_not_the_stem():
    model = architectures.build("cifar_resnet", depth=8, width=3, **CIFAR)
    assert model.conv1.out_channels == 16
    assert [layer[0].conv2.out_channels for layer in (model.layer1, model.layer2, model.layer3)] == [
        48,
        96,
        192,
    ]
    assert isinstance(model.layer1[0].downsample, ZeroPad)
    assert model(torch.randn(2, 3, 32, 32)).shape == (2, 10)


@pytest.mark.parametrize("depth", [20, 32, 44, 56, 110, 1202])
def test_named_depths_are_the_family_at_that_depth(depth):
    with torch.device("meta"):
        named = architectures.build(f"cifar_resnet{depth}", **CIFAR)
        free = architectures.build("cifar_resnet", depth=depth, **CIFAR)
    assert named.state_dict().keys() == free.state_dict().keys()


def test_new_options_at_their_default_change_no_initial_weight():
    first = architectures.build("cifar_resnet", depth=8, **CIFAR)
    second = architectures.build(
        "cifar_resnet", depth=8, shortcut="A", preact=False, width=1, drop_path_rate=0.0, **CIFAR
    )
    for model in (first, second):
        architectures.initialise(model, 4)
    assert all(map(torch.equal, first.state_dict().values(), second.state_dict().values()))


def test_blocks_that_start_at_zero_are_their_shortcuts_and_draw_the_same_weights():
    plain = architectures.build("cifar_resnet", depth=8, **CIFAR)
    zero = architectures.build("cifar_resnet", depth=8, zero_init_last=True, **CIFAR)
    for model in (plain, zero):
        architectures.initialise(model, 3)
    ours, theirs = dict(zero.named_parameters()), dict(plain.named_parameters())
    differ = [name for name in theirs if not torch.equal(ours[name], theirs[name])]
    assert differ == [f"layer{n}.0.bn2.weight" for n in (1, 2, 3)]
    x = torch.rand(2, 16, 8, 8)
    assert torch.equal(zero.layer1.eval()(x), x)
