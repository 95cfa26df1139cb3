"""CIFAR ResNets against the paper's counts, and against the definition of a plain network."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

import architectures
from architectures.cifar_resnet import BasicBlock, PlainBlock, ZeroPad

CIFAR = {"num_classes": 10, "in_chans": 3, "img_size": 32}

# Parameters and MACs by depth: counted from He et al. 2016, table 6, option A.
COUNTS = {
    8: (75_290, 12_239_488),
    20: (269_722, 40_551_040),
    32: (464_154, 68_862_592),
    44: (658_586, 97_174_144),
    56: (853_018, 125_485_696),
    110: (1_727_962, 252_887_680),
}


@pytest.mark.parametrize("residual", [True, False], ids=["residual", "plain"])
@pytest.mark.parametrize("depth", COUNTS)
def test_parameters_and_macs_equal_the_published_counts(depth, residual):
    with torch.device("meta"):
        model = architectures.build("cifar_resnet", depth=depth, residual=residual, **CIFAR)
        images = torch.empty(1, 3, 32, 32)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(images)
    n_params = sum(parameter.numel() for parameter in model.parameters())
    assert (n_params, counter.get_total_flops() // 2) == COUNTS[depth]


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
    expected[:, :2] = x[:, :, ::2, ::2]
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
