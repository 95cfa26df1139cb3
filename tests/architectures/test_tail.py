"""A network cut in two is the network, and it is nothing but its stages in order."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import architectures
from architectures.tail import Staged, split

NETWORKS = {
    "residual": ("cifar_resnet", {"depth": 8}),
    "plain": ("cifar_resnet", {"depth": 8, "residual": False}),
    "preact": ("cifar_resnet", {"depth": 8, "preact": True, "shortcut": "B"}),
    "drop-path": ("cifar_resnet", {"depth": 8, "drop_path_rate": 0.5}),
    "resnet18": ("resnet18", {"width": 8}),
    "one layer": ("resnet", {"layers": [1], "block": "bottleneck", "stem": "deep", "width": 8}),
    "simple_cnn": ("simple_cnn", {"width": 4, "dropout": 0.2}),
    "mlp": ("mlp", {"hidden": [8, 7, 6]}),
    "flat mlp": ("mlp", {"hidden": [8]}),
}
REQUIRED = {"cifar_resnet": {"depth": 8}, "resnet": {"layers": [1, 1], "block": "basic"}}
by_network = pytest.mark.parametrize("name", NETWORKS)


def built(name, key=3):
    network, options = NETWORKS[name]
    model = architectures.build(network, num_classes=5, in_chans=3, img_size=16, **options)
    architectures.initialise(model, key)
    return model


def images(n=3):
    return torch.randn(n, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def test_every_family_of_ours_can_be_cut():
    for name in architectures.names():
        options = REQUIRED.get(name, {})
        with torch.device("meta"):
            model = architectures.build(name, num_classes=5, in_chans=3, img_size=32, **options)
        assert isinstance(model, Staged)
        assert tuple(model.passes()) == tuple(architectures.stages(model))


@by_network
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("channels_last", [True, False], ids=["nhwc", "nchw"])
def test_the_halves_are_the_network_bit_for_bit(name, training, channels_last):
    layout = torch.channels_last if channels_last else torch.contiguous_format
    for stage in list(architectures.stages(built(name)))[:-1]:
        whole, model = (built(name).train(training).to(memory_format=layout) for _ in range(2))
        before, behind = split(model, stage)
        x = images().to(memory_format=layout)
        expected, found = whole(x), behind(before(x))
        assert torch.equal(found, expected), stage
        expected.sum().backward()
        found.sum().backward()
        pairs = zip(whole.parameters(), model.parameters(), strict=True)
        assert all(torch.equal(ours.grad, theirs.grad) for theirs, ours in pairs), stage
        pairs = zip(whole.buffers(), model.buffers(), strict=True)
        assert all(torch.equal(ours, theirs) for theirs, ours in pairs), stage


@by_network
def test_a_stage_uses_the_modules_that_it_names_and_no_others(name):
    model = built(name)
    used = []
    for module_name, module in model.named_modules():
        if not list(module.children()):
            module.register_forward_hook(lambda *_, module_name=module_name: used.append(module_name))
    x = images()
    for stage, run in model.passes().items():
        used.clear()
        x = run(x)
        prefixes = architectures.stages(model)[stage]
        assert used
        for module_name in used:
            assert any(f"{module_name}.".startswith(f"{prefix}.") for prefix in prefixes)


@by_network
def test_the_average_over_the_pixels_is_done_before_the_cut(name):
    model = built(name)
    last = list(architectures.stages(model))[-2]
    assert split(model, last)[0](images()).ndim == 2


@by_network
def test_network_and_halves_compile_to_one_graph(name):
    model = built(name).eval()
    before, behind = split(model, next(iter(architectures.stages(model))))
    features = before(images()).detach()
    torch.compiler.reset()
    for part, x in ((model, images()), (before, images()), (behind, features)):
        compiled = torch.compile(part, backend="eager", fullgraph=True)
        assert torch.equal(compiled(x), part(x))


def test_the_halves_have_the_networks_own_modes_and_weights():
    model = built("residual")
    before, behind = split(model, "layer1")
    behind.eval()
    assert not any(module.training for module in model.modules())
    assert {id(p) for p in before.parameters()} == {id(p) for p in model.parameters()}


@pytest.mark.parametrize("stage", ["head", "fc", "layer9"])
def test_a_cut_behind_no_stage_is_refused(stage):
    with pytest.raises(ValueError, match=rf"'{stage}' is no stage to cut behind; one of stem, layer1, "):
        split(built("residual"), stage)


def test_a_network_that_is_not_ours_is_not_cut():
    class Own(nn.Sequential):
        def stages(self):
            return {"stem": ("0",), "head": ("1",)}

    assert split(Own(nn.Flatten(), nn.Linear(4, 2)), "stem") is None
