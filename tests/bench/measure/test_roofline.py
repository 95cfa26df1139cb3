"""Costs on paper against a table worked out by hand (He et al. 2016's networks at 2 bytes an element)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import architectures
from bench.measure.network import gmacs
from bench.measure.roofline import Cost, cost, element_bytes
from bench.study.specs import FreezeSpec, OptimizerSpec, TrainSpec
from bench.train.freeze import Freezer


def network(name: str, size: int, **options: Any) -> Callable[[], nn.Module]:
    classes = 10 if size == 32 else 1000
    return lambda: architectures.build(name, num_classes=classes, in_chans=3, img_size=size, **options)


def of(build: Callable[[], nn.Module], size: int, *, trains: bool = True) -> Cost:
    classes = 10 if size == 32 else 1000
    return cost(build, in_chans=3, image_size=size, num_classes=classes, trains=trains)


@pytest.mark.parametrize(
    ("name", "size", "options", "gflops", "eager_mb", "fused_mb"),
    [
        pytest.param("cifar_resnet", 32, {"depth": 20}, 0.242, 8.2, 5.6, id="resnet20"),
        pytest.param("cifar_resnet", 32, {"depth": 56}, 0.752, 23.3, 15.9, id="resnet56"),
        pytest.param("resnet18", 224, {}, 10.65, 102, 71, id="resnet18"),
        pytest.param("resnet50", 224, {}, 24.3, 486, 331, id="resnet50"),
    ],
)
def test_a_training_step_costs_what_the_table_says(
    name: str, size: int, options: dict[str, Any], gflops: float, eager_mb: float, fused_mb: float
) -> None:
    """The table leaves out pooling and padding, hence 6 %."""
    found = of(network(name, size, **options), size)
    n_bytes = element_bytes("bf16")
    assert found.flops / 1e9 == pytest.approx(gflops, rel=0.002)
    assert found.eager_elements * n_bytes / 1e6 == pytest.approx(eager_mb, rel=0.06)
    assert found.fused_elements * n_bytes / 1e6 == pytest.approx(fused_mb, rel=0.06)


def test_training_is_three_forward_passes_less_the_gradient_of_the_images() -> None:
    """FLOPs = 2 (3 MAC - MAC of the first convolution): its input needs no gradient."""
    macs = 1e9 * gmacs(network("cifar_resnet", 32, depth=20), 3, 32)
    first = 16 * 3 * 9 * 32 * 32
    assert of(network("cifar_resnet", 32, depth=20), 32).flops == pytest.approx(2 * (3 * macs - first))


def test_inference_costs_the_forward_pass_alone() -> None:
    build = network("cifar_resnet", 32, depth=20)
    found = of(lambda: build().eval(), 32, trains=False)
    assert found.flops == pytest.approx(2e9 * gmacs(build, 3, 32))
    assert found.fused_elements < found.eager_elements < of(build, 32).eager_elements / 2


def test_frozen_stages_cost_no_backward_pass() -> None:
    build = network("cifar_resnet", 32, depth=20)
    recipe = TrainSpec(epochs=1, optimizer=OptimizerSpec(lr=0.1), freeze=FreezeSpec(through="layer3"))

    def frozen() -> nn.Module:
        model = build()
        Freezer(model, recipe).start_epoch(1)
        return model

    forward = of(lambda: build().eval(), 32, trains=False).flops
    assert of(frozen, 32).flops == pytest.approx(forward, rel=0.001)


def test_a_network_with_dropout_and_no_norm_is_counted_too() -> None:
    found = of(network("mlp", 32, hidden=[64, 64], dropout=0.5), 32)
    macs = 3072 * 64 + 64 * 64 + 64 * 10
    assert found.flops == pytest.approx(2 * (3 * macs - 3072 * 64))
    assert 0 < found.fused_elements < found.eager_elements


def test_counting_leaves_no_mark_on_how_gradients_are_taken() -> None:
    of(network("mlp", 32, hidden=[8]), 32, trains=False)
    assert torch.is_grad_enabled()
