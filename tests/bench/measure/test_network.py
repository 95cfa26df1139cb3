"""Counts on paper against the published ones."""

from __future__ import annotations

import functools

import pytest
from torch import nn

import architectures
from bench.measure.network import count_parameters, count_trainable, gmacs, mactivations


@pytest.mark.parametrize(
    ("depth", "n_params", "macs"),
    [(8, 75_290, 12_239_488), (20, 269_722, 40_551_040), (110, 1_727_962, 252_887_680)],
)
def test_counts_equal_those_of_the_paper(depth, n_params, macs):
    build = functools.partial(
        architectures.build, "cifar_resnet", depth=depth, num_classes=10, in_chans=3, img_size=32
    )
    assert count_parameters(build()) == n_params
    assert gmacs(build, 3, 32) == macs / 1e9


def test_frozen_parameters_count_but_are_not_trainable():
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    model[0].requires_grad_(False)
    assert (count_parameters(model), count_trainable(model)) == (26, 10)


def test_a_linear_layer_costs_its_weights():
    """784-128-10 has 101,632 weights and as many multiply-accumulates; biases are free."""
    assert gmacs(
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.Linear(128, 10)), 1, 28
    ) == pytest.approx(101_632 / 1e9)


@pytest.mark.parametrize(("depth", "macts"), [(18, 2.48), (50, 11.11), (101, 16.23)])
def test_activations_are_timms(depth, macts):
    """`infer_macts` of resnet18, resnet50 and resnet101 at 224 pixels in timm's published results."""
    build = functools.partial(
        architectures.build, f"resnet{depth}", num_classes=1000, in_chans=3, img_size=224
    )
    assert mactivations(build, 3, 224) == pytest.approx(macts, abs=0.005)
