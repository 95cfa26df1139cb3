"""Every augmentation against a naive loop over images."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from architectures.counter import hash32
from bench.data.augmenting import (
    BOX_TRIES,
    Crop,
    Flip,
    ResizedCrop,
    augmentations,
    crop_pad,
    sample_keys,
)
from bench.errors import UsageError


def keys(n: int, epoch: int = 0) -> Tensor:
    return sample_keys(123, epoch, torch.arange(n))


def images(n: int, size: int, channels: int = 3) -> Tensor:
    return torch.rand(n, channels, size, size, generator=torch.Generator().manual_seed(1))


def test_keys_are_int64_below_two_to_63_and_differ() -> None:
    found = torch.cat([keys(5000, epoch) for epoch in range(3)])
    assert found.dtype == torch.int64
    assert found.min() >= 0
    assert len(found.unique()) == 15_000
    assert (found > 2**62).float().mean() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(("size", "pad"), [(8, 1), (4, 1), (28, 4), (32, 4), (64, 8)])
def test_crop_pads_by_an_eighth_at_least_one(size: int, pad: int) -> None:
    assert crop_pad(size) == pad


def test_crop_equals_a_loop_over_images() -> None:
    x, crop = images(64, 8), Crop(2)
    drawn = crop.draw(keys(64))
    padded = np.pad(x.numpy(), ((0, 0), (0, 0), (2, 2), (2, 2)))
    expected = np.stack([padded[i, :, y : y + 8, x0 : x0 + 8] for i, (y, x0) in enumerate(drawn.tolist())])
    np.testing.assert_array_equal(crop.apply(x, drawn).numpy(), expected)


def test_crop_reaches_every_place_equally_often() -> None:
    """Chi-square with 8 degrees of freedom: 26.1 is its 99.9 % point."""
    drawn = Crop(4).draw(keys(90_000))
    for places in drawn.T:
        counts = torch.bincount(places, minlength=9).double()
        assert len(counts) == 9
        assert ((counts - 10_000) ** 2 / 10_000).sum() < 26.1
    assert abs(torch.corrcoef(drawn.T.double())[0, 1]) < 0.015


def test_flip_mirrors_half_of_the_images() -> None:
    x, flip = images(400, 5), Flip()
    drawn = flip.draw(keys(400))
    y = flip.apply(x, drawn)
    for i, flipped in enumerate(drawn[:, 0].tolist()):
        assert torch.equal(y[i], x[i].flip(2) if flipped else x[i])
    assert Flip().draw(keys(40_000)).double().mean() == pytest.approx(0.5, abs=0.01)


def naive_box(words: list[int], stored: int) -> tuple[int, int, int, int]:
    """As torchvision's RandomResizedCrop.get_params, from given words."""
    for attempt in range(BOX_TRIES):
        area = (words[attempt] / 2**32 * 0.92 + 0.08) * stored * stored
        step = words[BOX_TRIES + attempt] >> 20
        ratio = math.exp(math.log(3 / 4) + (math.log(4 / 3) - math.log(3 / 4)) * (step + 0.5) / 4096)
        width, height = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < width <= stored and 0 < height <= stored:
            break
    else:
        width = height = stored
    return (
        words[-2] * (stored - height + 1) // 2**32,
        words[-1] * (stored - width + 1) // 2**32,
        height,
        width,
    )


def test_boxes_equal_a_loop_and_lie_in_the_image() -> None:
    crop = ResizedCrop(24)
    drawn = crop.draw(keys(3000))
    boxes = crop.boxes(drawn, 32)
    assert boxes.tolist() == [list(naive_box(words, 32)) for words in drawn.tolist()]
    top, left, height, width = boxes.T
    assert (top >= 0).all()
    assert (left >= 0).all()
    assert (top + height <= 32).all()
    assert (left + width <= 32).all()
    area = (height * width).double() / 32**2
    assert area.min() < 0.12
    assert area.max() == 1
    assert 0.7 < (height / width).min() < (height / width).max() < 1.43


def test_a_box_that_never_fits_is_the_whole_image() -> None:
    crop = ResizedCrop(8)
    words = torch.full((1, 2 * BOX_TRIES + 2), 2**32 - 1)  # full area, 4:3: too wide at every try
    assert crop.boxes(words, 32).tolist() == [[0, 0, 32, 32]]


def test_resized_crop_equals_torchs_bilinear_resize_of_each_box() -> None:
    x, crop = images(50, 32), ResizedCrop(24)
    drawn = crop.draw(keys(50))
    y = crop.apply(x, drawn)
    for i, (top, left, height, width) in enumerate(crop.boxes(drawn, 32).tolist()):
        box = x[i : i + 1, :, top : top + height, left : left + width]
        expected = torch.nn.functional.interpolate(box, size=(24, 24), mode="bilinear", align_corners=False)
        torch.testing.assert_close(y[i : i + 1], expected, atol=2e-5, rtol=0)


def test_resized_crop_of_the_whole_image_at_its_size_changes_nothing() -> None:
    x, crop = images(2, 16), ResizedCrop(16)
    words = torch.full((2, 2 * BOX_TRIES + 2), 2**32 - 1)
    torch.testing.assert_close(crop.apply(x, words), x, atol=0, rtol=0)


@pytest.mark.parametrize("name", ["crop", "flip", "resized_crop"])
def test_a_sample_is_augmented_alike_in_every_batch(name: str) -> None:
    x, k = images(32, 16), keys(32)
    (augmentation,) = augmentations((name,), 16)
    whole = augmentation.apply(x, augmentation.draw(k))
    order = hash32(5, torch.arange(32)).argsort()
    for rows in order.split(5):
        assert torch.equal(augmentation.apply(x[rows], augmentation.draw(k[rows])), whole[rows])


@pytest.mark.parametrize("name", ["crop", "flip", "resized_crop"])
def test_another_epoch_draws_anew(name: str) -> None:
    (augmentation,) = augmentations((name,), 16)
    assert not torch.equal(augmentation.draw(keys(32, 0)), augmentation.draw(keys(32, 1)))


def test_no_global_generator_is_touched() -> None:
    before = torch.get_rng_state()
    state = np.random.get_state()[1]  # noqa: NPY002 - it is the global state that is watched
    x = images(8, 16)
    for augmentation in augmentations(("crop", "flip"), 16):
        x = augmentation.apply(x, augmentation.draw(keys(8)))
    assert torch.equal(torch.get_rng_state(), before)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002 - as above


def negative(x: Tensor, k: Tensor) -> Tensor:
    assert k.shape == (len(x),)
    return -x


def halved(x: Tensor, k: Tensor) -> Tensor:
    return x[:, :, ::2]


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> str:
    import sys
    import types

    made = types.ModuleType("their_augment")
    made.__dict__.update(negative=negative, halved=halved, number=3)
    monkeypatch.setitem(sys.modules, "their_augment", made)
    return "their_augment"


def test_a_users_callable_gets_images_and_keys(module: str) -> None:
    (own,) = augmentations((f"{module}:negative",), 8)
    x = images(4, 8)
    assert torch.equal(own.apply(x, own.draw(keys(4))), -x)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_module:f", "cannot be imported"),
        ("their_augment:missing", "cannot be imported"),
        ("their_augment:number", "is no function"),
    ],
)
def test_a_callable_that_cannot_be_had_is_a_fault(name: str, message: str, module: str) -> None:
    with pytest.raises(UsageError, match=message):
        augmentations((name,), 8)


def test_a_callable_that_changes_the_shape_is_a_fault(module: str) -> None:
    (own,) = augmentations((f"{module}:halved",), 8)
    with pytest.raises(UsageError, match=r"returned torch.float32 \(4, 3, 4, 8\); it must return float32"):
        own.apply(images(4, 8), own.draw(keys(4)))
