"""The ImageNet ResNets: dialect, stems, blocks. `test_reference.py` holds them against timm."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import architectures
from architectures.init import ZeroGamma
from architectures.noise import DropPath, noise_states, set_key, set_step

IMAGENET = {"num_classes": 10, "in_chans": 3, "img_size": 64}


def shapes_of_stages(model, img_size):
    """Channels and side behind each stage."""
    x, found = torch.randn(2, 3, img_size, img_size), {}
    hooks = [
        model.get_submodule(modules[-1]).register_forward_hook(
            lambda _m, _i, out, stage=stage: found.update({stage: tuple(out.shape[1:3])})
        )
        for stage, modules in architectures.stages(model).items()
        if stage != "head"
    ]
    with torch.no_grad():
        model(x)
    for hook in hooks:
        hook.remove()
    return found


@pytest.mark.parametrize(
    ("stem", "sides"),
    [("imagenet", (16, 16, 8, 4, 2)), ("deep", (16, 16, 8, 4, 2)), ("cifar", (64, 64, 32, 16, 8))],
)
def test_stages_have_the_channels_and_sides_of_table_1(stem, sides):
    model = architectures.build("resnet18", width=8, stem=stem, **IMAGENET)
    found = shapes_of_stages(model, 64)
    assert found == dict(
        zip(
            ("stem", "layer1", "layer2", "layer3", "layer4"),
            zip((8, 8, 16, 32, 64), sides, strict=True),
            strict=True,
        )
    )


def test_the_bottleneck_halves_the_sides_in_its_3x3_convolution():
    with torch.device("meta"):
        block = architectures.build("resnet50", **IMAGENET).layer2[0]
    assert [block.get_submodule(name).stride for name in ("conv1", "conv2", "conv3")] == [
        (1, 1),
        (2, 2),
        (1, 1),
    ]
    assert block.downsample[0].stride == (2, 2)


def test_keys_are_timms():
    with torch.device("meta"):
        model = architectures.build("resnet50", stem="deep", **IMAGENET)
    keys = list(model.state_dict())
    assert keys[:3] == ["conv1.0.weight", "conv1.1.weight", "conv1.1.bias"]
    assert "conv1.6.weight" in keys
    assert "layer1.0.downsample.1.running_mean" in keys
    assert keys[-2:] == ["fc.weight", "fc.bias"]


@pytest.mark.parametrize("n_stages", [1, 2, 3, 4])
def test_a_network_may_have_fewer_stages(n_stages):
    model = architectures.build("resnet", layers=[1] * n_stages, block="basic", width=4, **IMAGENET)
    assert list(architectures.stages(model)) == ["stem", *(f"layer{n + 1}" for n in range(n_stages)), "head"]
    assert model.fc.in_features == 4 * 2 ** (n_stages - 1)


def test_blocks_with_a_zero_gamma_start_as_their_shortcut():
    model = architectures.build(
        "resnet", layers=[3], block="bottleneck", width=4, zero_init_last=True, **IMAGENET
    )
    architectures.initialise(model, 1)
    x = torch.rand(2, 16, 8, 8)
    assert torch.equal(model.layer1[1](x), x)
    zeros = [name for name, module in model.named_modules() if isinstance(module, ZeroGamma)]
    assert zeros == ["layer1.0.bn3", "layer1.1.bn3", "layer1.2.bn3"]
    built = architectures.build("resnet18", width=4, zero_init_last=True, **IMAGENET)
    assert not built.layer1[0].bn2.weight.any()


def test_drop_path_skips_blocks_of_single_images_in_training_only():
    model = architectures.build(
        "resnet", layers=[2, 2], block="basic", width=4, drop_path_rate=0.6, **IMAGENET
    )
    rates = [module.rate for module in model.modules() if isinstance(module, DropPath)]
    assert rates == pytest.approx([0.2, 0.4, 0.6])
    (state,) = noise_states(model)
    set_key(model, 3)
    set_step(model, 8)
    block = model.layer2[1]
    x = torch.rand(64, 8, 4, 4)
    skipped = [torch.equal(out, image) for out, image in zip(block(x), x, strict=True)]
    assert skipped == (~state.kept(0.6, 2, 64)).tolist()
    assert 0 < sum(skipped) < 64
    assert not any(torch.equal(out, image) for out, image in zip(block.eval()(x), x, strict=True))


def test_without_drop_path_there_is_no_noise():
    assert noise_states(architectures.build("resnet18", width=4, **IMAGENET)) == []


def test_layouts_and_doubles_pass_through():
    model = architectures.build("resnet18", width=4, drop_path_rate=0.1, **IMAGENET)
    out = model.maxpool(model.conv1(torch.randn(2, 3, 32, 32).to(memory_format=torch.channels_last)))
    assert out.is_contiguous(memory_format=torch.channels_last)
    assert model.double()(torch.randn(2, 3, 33, 47, dtype=torch.float64)).dtype == torch.float64
    assert all(isinstance(layer, nn.Sequential) for layer in (model.layer1, model.layer4))
