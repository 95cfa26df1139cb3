"""Initial weights: keyed by name, of the declared spread, and independent of everything else."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import architectures

GOLDEN = [-0.08676427602767944, -0.028187554329633713, 0.19189147651195526]


def _network(depth: int = 8, key: int = 1, **options) -> dict[str, torch.Tensor]:
    model = architectures.build(
        "cifar_resnet", depth=depth, num_classes=10, in_chans=3, img_size=8, **options
    )
    architectures.initialise(model, key)
    return model.state_dict()


def test_one_key_gives_one_network_whatever_the_global_generator_did():
    torch.manual_seed(1)
    first = _network()
    torch.manual_seed(2)
    second = _network()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_initialising_leaves_the_global_generator_alone():
    model = nn.Conv2d(3, 4, 3, bias=False)
    before = torch.get_rng_state()
    architectures.initialise(model, 5)
    assert torch.equal(before, torch.get_rng_state())


def test_other_keys_give_other_weights_and_other_names_other_draws():
    first, second = _network(key=1), _network(key=2)
    assert not torch.equal(first["conv1.weight"], second["conv1.weight"])
    assert not torch.equal(first["layer1.0.conv1.weight"], first["layer1.0.conv2.weight"])


def test_layers_shared_by_two_depths_or_kinds_start_equal():
    shallow = _network(8)
    for other in (_network(14), _network(8, residual=False)):
        assert all(torch.equal(shallow[name], other[name]) for name in shallow)


def test_convolutions_are_he_normal_over_the_fan_out():
    weight = _network(20)["layer3.1.conv1.weight"]
    assert float(weight.std()) == pytest.approx((2 / (64 * 9)) ** 0.5, rel=0.02)
    assert abs(float(weight.mean())) < 1e-3


def test_norms_start_as_the_identity_and_the_head_within_its_bound():
    weights = _network()
    assert weights["bn1.weight"].eq(1).all()
    assert not weights["bn1.bias"].any()
    assert weights["bn1.running_var"].eq(1).all()
    assert float(weights["fc.weight"].abs().max()) <= 1 / 8
    assert float(weights["fc.weight"].std()) == pytest.approx(1 / 8 / 3**0.5, rel=0.1)


def test_initial_weights_have_the_moments_of_timms():
    """timm's `init_weights(zero_init_last=False)`: He normal over the fan-out, linear layers as torch's."""
    timm = pytest.importorskip("timm")
    theirs = timm.create_model("resnet18", zero_init_last=False, num_classes=100).state_dict()
    model = architectures.build("resnet18", num_classes=100, in_chans=3, img_size=224)
    architectures.initialise(model, 3)
    for name, ours in model.state_dict().items():
        other = theirs[name].float()
        if ours.dim() < 2 and name != "fc.bias":
            assert torch.equal(ours.float(), other), name
            continue
        mine, n = ours.double(), ours.numel()
        std = float(other.double().std())
        assert abs(float(mine.mean()) - float(other.mean())) < 6 * std * (2 / n) ** 0.5, name
        assert float(mine.std()) == pytest.approx(std, rel=6 / n**0.5), name
        assert float(mine.abs().pow(4).mean()) == pytest.approx(
            float(other.double().abs().pow(4).mean()), rel=30 / n**0.5
        ), name


def test_golden_initial_weights_never_move():
    """Results of every study hang on these; a change raises ENGINE."""
    weight = _network(key=1)["conv1.weight"]
    assert weight.flatten()[:3].tolist() == pytest.approx(GOLDEN, abs=1e-7)


def test_a_layer_without_a_rule_is_refused_by_name():
    with pytest.raises(TypeError, match=r"0\.weight: no rule to initialise PReLU"):
        architectures.initialise(nn.Sequential(nn.PReLU()), 1)
