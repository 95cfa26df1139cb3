"""Normalisation and its statistics."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from bench.data.normalising import channel_statistics, fit
from bench.errors import EnvironmentFault
from bench.study.specs import DataSpec, NormalizeSpec

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (50, 6, 6, 3), dtype=np.uint8)
ROWS = np.arange(0, 50, 2)


def normalised(how: Any, images: np.ndarray = IMAGES) -> np.ndarray:
    normaliser = fit(DataSpec(name="digits", normalize=how), IMAGES, ROWS)
    x = normaliser(torch.from_numpy(images))
    assert x.dtype == torch.float32
    assert x.is_contiguous()
    return x.numpy().transpose(0, 2, 3, 1)


def test_train_statistics_are_those_of_the_training_rows_alone() -> None:
    chosen = IMAGES[ROWS].astype(np.float64) / 255
    mean, std = channel_statistics(IMAGES, ROWS)
    np.testing.assert_allclose(mean, chosen.mean(axis=(0, 1, 2)), rtol=1e-14)
    np.testing.assert_allclose(std, chosen.std(axis=(0, 1, 2)), rtol=1e-13)
    changed = IMAGES.copy()
    changed[1::2] = 0
    np.testing.assert_array_equal(channel_statistics(changed, ROWS), (mean, std))


def test_train_centres_and_scales_each_channel() -> None:
    x = normalised("train")[ROWS]
    np.testing.assert_allclose(x.mean(axis=(0, 1, 2)), 0, atol=1e-6)
    np.testing.assert_allclose(x.std(axis=(0, 1, 2)), 1, rtol=1e-5)


def test_per_pixel_subtracts_the_mean_image_and_divides_by_nothing() -> None:
    expected = IMAGES / 255 - (IMAGES[ROWS] / 255).mean(axis=0)
    np.testing.assert_allclose(normalised("per_pixel"), expected, atol=1e-6)


def test_none_only_scales_to_one() -> None:
    np.testing.assert_array_equal(normalised("none"), IMAGES.astype(np.float32) / np.float32(255))


def test_given_numbers_are_used() -> None:
    how = NormalizeSpec(mean=(0.5, 0.4, 0.3), std=(0.1, 0.2, 0.3))
    expected = (IMAGES / 255 - np.array(how.mean)) / np.array(how.std)
    np.testing.assert_allclose(normalised(how), expected, atol=1e-5)


def test_a_constant_channel_is_refused() -> None:
    flat = IMAGES.copy()
    flat[..., 1] = 7
    with pytest.raises(EnvironmentFault, match="channel 1 of the training images is constant"):
        fit(DataSpec(name="digits"), flat, ROWS)


def test_statistics_do_not_lose_digits_in_large_sets() -> None:
    """Naive E[x²] - E[x]² in floating point goes wrong for nearly constant images; whole numbers do not."""
    images = np.full((400, 16, 16, 1), 200, dtype=np.uint8)
    images[0, 0, 0, 0] = 201
    n = images.size
    _, std = channel_statistics(images, np.arange(400))
    assert std[0] * 255 == pytest.approx(np.sqrt((n - 1) / n**2), rel=1e-12)
