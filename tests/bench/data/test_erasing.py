"""Random erasing against a loop over images, and its boxes against timm's."""

from __future__ import annotations

import random

import pytest
import torch
from timm.data.random_erasing import RandomErasing
from torch import Tensor

from bench.data.augmenting import sample_keys
from bench.data.erasing import Erasing
from bench.study.specs import ErasingSpec


def keys(n: int, epoch: int = 0) -> Tensor:
    return sample_keys(5, epoch, torch.arange(n))


def images(n: int, size: int = 16, channels: int = 3) -> Tensor:
    return torch.rand(n, channels, size, size, generator=torch.Generator().manual_seed(1)) + 10


@pytest.mark.parametrize("mode", ["const", "pixel"])
def test_a_box_is_painted_over_and_nothing_else(mode: str) -> None:
    erasing = Erasing(ErasingSpec(probability=1.0, mode=mode))
    x, drawn = images(300), erasing.draw(keys(300))
    found = erasing.apply(x, drawn)
    for image, made, (top, left, height, width) in zip(
        x, found, erasing.boxes(drawn, 16, 16).tolist(), strict=True
    ):
        inside = made[:, top : top + height, left : left + width]
        assert (inside < 9).all()
        assert mode == "pixel" or (inside == 0).all()
        expected = image.clone()
        expected[:, top : top + height, left : left + width] = inside
        assert torch.equal(made, expected)


def test_noise_is_normal_and_every_pixels_own() -> None:
    erasing = Erasing(ErasingSpec(probability=1.0, area=(0.3, 0.3)))
    x = torch.full((400, 3, 16, 16), 100.0)
    noise = erasing.apply(x, erasing.draw(keys(400)))
    noise = noise[noise < 50]
    assert len(noise) > 80_000
    assert noise.mean() == pytest.approx(0, abs=0.02)
    assert noise.std() == pytest.approx(1, abs=0.01)
    # Independent normal values lie beyond 1.96 in 5 % of all cases.
    assert (noise.abs() > 1.96).float().mean() == pytest.approx(0.05, abs=0.004)
    first, second = (erasing.apply(x, erasing.draw(keys(400, epoch))) for epoch in (0, 1))
    assert not torch.equal(first, second)


def test_boxes_are_drawn_as_timm_draws_them() -> None:
    """Mean area, share of erased images and mean place against timm's own code, within 5 standard errors."""
    n, size = 6_000, 32
    spec = ErasingSpec(probability=0.5, mode="const")
    ours = Erasing(spec).boxes(Erasing(spec).draw(keys(n)), size, size).double()
    random.seed(1)
    timms = RandomErasing(probability=0.5, mode="const", device="cpu")
    theirs = (torch.cat([timms(torch.ones(1, size, size)) for _ in range(n)]) == 0).double()
    areas = torch.stack([ours[:, 2] * ours[:, 3], theirs.sum((1, 2))])
    erased = areas > 0
    assert erased.double().mean(1).tolist() == pytest.approx([0.5, 0.5], abs=5 * 0.0065)
    means = [float(area[erased[i]].mean()) for i, area in enumerate(areas)]
    error = float(areas[0][erased[0]].std()) * (2 / (n / 2)) ** 0.5
    assert means[0] == pytest.approx(means[1], abs=5 * error)
    rows = torch.arange(size) + 0.5
    covered = theirs.amax(2)
    middles = (covered * rows).sum(1) / covered.sum(1)
    ours_middles = (ours[:, 0] + ours[:, 2] / 2)[erased[0]]
    assert float(ours_middles.mean()) == pytest.approx(float(middles[erased[1]].mean()), abs=0.6)
    assert float(ours_middles.std()) == pytest.approx(float(middles[erased[1]].std()), abs=0.3)


def test_probability_zero_erases_nothing() -> None:
    erasing = Erasing(ErasingSpec(probability=0))
    x = images(50)
    assert torch.equal(erasing.apply(x, erasing.draw(keys(50))), x)
