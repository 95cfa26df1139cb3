"""TrivialAugment: every operation at every strength against torchvision's, and how evenly they are drawn."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torchvision.transforms import v2

from bench.data.augmenting import sample_keys
from bench.data.trivial import N_STRENGTHS, OPERATIONS, TrivialAugment, choice
from bench.study.specs import TrivialAugmentSpec

THEIR_NAMES = {
    "identity": "Identity",
    "shear_x": "ShearX",
    "shear_y": "ShearY",
    "translate_x": "TranslateX",
    "translate_y": "TranslateY",
    "rotate": "Rotate",
    "brightness": "Brightness",
    "color": "Color",
    "contrast": "Contrast",
    "sharpness": "Sharpness",
    "posterize": "Posterize",
    "solarize": "Solarize",
    "auto_contrast": "AutoContrast",
    "equalize": "Equalize",
}
MOVES = OPERATIONS[1:6]


def smooth(n: int, size: int, channels: int) -> Tensor:
    """Images with edges, gradients and noise, uint8 (N, S, S, C)."""
    draws = torch.Generator().manual_seed(size + channels)
    coarse = torch.rand(n, channels, 4, 4, generator=draws) * 220
    images = torch.nn.functional.interpolate(coarse, size=size, mode="bilinear") + 5
    images += 30 * torch.rand(n, channels, size, size, generator=draws)
    return images.clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def applied(images: Tensor, *choices: int) -> Tensor:
    return TrivialAugment(TrivialAugmentSpec()).apply(images, torch.tensor(choices)[:, None])


def theirs(image: Tensor, operation: str, strength: int, *, negative: bool) -> Tensor:
    """torchvision's, for uint8 (S, S, C)."""
    policy, name = v2.TrivialAugmentWide(), THEIR_NAMES[operation]
    magnitudes, signed = policy._AUGMENTATION_SPACE[name]
    scale = magnitudes(N_STRENGTHS, *image.shape[:2])
    magnitude = 0.0 if scale is None else float(scale[strength]) * (-1 if signed and negative else 1)
    chw = image.permute(2, 0, 1)
    made = policy._apply_image_or_video_transform(
        chw, name, magnitude, interpolation=policy.interpolation, fill={}
    )
    return made.permute(1, 2, 0)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_strength_is_torchvisions(operation: str, channels: int) -> None:
    """Moves: but where two pixels are equally near. Values: but for one level, where fractions are cut."""
    n_pixels = n_apart = 0
    for strength in range(N_STRENGTHS):
        for negative in (False, True):
            (image,) = smooth(1, 33, channels)
            (ours,) = applied(image[None], choice(operation, strength, negative=negative))
            expected = theirs(image, operation, strength, negative=negative)
            apart = (ours.int() - expected.int()).abs()
            if operation not in MOVES:
                assert apart.max() <= 1, (strength, negative)
            n_apart += int((apart > 0).sum())
            n_pixels += apart.numel()
    assert n_apart <= n_pixels * {"auto_contrast": 0.1, "sharpness": 0.015}.get(operation, 0.005)


def test_a_batch_is_its_images_one_by_one() -> None:
    trivial = TrivialAugment(TrivialAugmentSpec())
    images = smooth(200, 16, 3)
    drawn = trivial.draw(sample_keys(1, 0, torch.arange(200)))
    assert len({int(row) // (2 * N_STRENGTHS) for row in drawn}) == len(OPERATIONS)
    whole = trivial.apply(images, drawn)
    alone = torch.cat([trivial.apply(images[n : n + 1], drawn[n : n + 1]) for n in range(200)])
    assert torch.equal(whole, alone)


@pytest.mark.parametrize("operation", OPERATIONS[1:10])
def test_strength_zero_changes_nothing(operation: str) -> None:
    images = smooth(1, 12, 3)
    assert torch.equal(applied(images, choice(operation, 0)), images)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_images_of_one_colour_have_no_edges(operation: str, channels: int) -> None:
    """Nothing to stretch, to equalise or to divide by."""
    images = torch.full((1, 9, 9, channels), 100, dtype=torch.uint8)
    made = applied(images, choice(operation, N_STRENGTHS - 1))
    expected = theirs(images[0], operation, N_STRENGTHS - 1, negative=False)
    if operation not in MOVES:
        assert (made[0].int() - expected.int()).abs().max() <= 1


def test_translations_reach_the_side_of_a_small_image() -> None:
    """8 pixels at most on an image of 8, where torchvision's 32 would blank all but a few strengths."""
    images = torch.full((1, 8, 8, 1), 200, dtype=torch.uint8)
    left = [int((applied(images, choice("translate_x", k)) > 0).sum()) // 8 for k in range(N_STRENGTHS)]
    assert left[0] == 8
    assert left[-1] == 0
    assert sorted(left, reverse=True) == left
    assert len(set(left)) == 9


def test_operations_strengths_and_signs_are_drawn_evenly() -> None:
    """Chi-square at its 99.9 % point."""
    n = 86_800
    drawn = TrivialAugment(TrivialAugmentSpec()).draw(sample_keys(3, 1, torch.arange(n)))
    assert drawn.shape == (n, 1)
    counts = torch.bincount(drawn[:, 0], minlength=14 * 62).double()
    assert len(counts) == 14 * 62
    assert ((counts - n / 868) ** 2 / (n / 868)).sum() < 1000  # 867 degrees of freedom: 999.7


@pytest.mark.parametrize("probability", [0.0, 0.3])
def test_probability_is_the_share_of_images_that_are_handed_over(probability: float) -> None:
    n = 20_000
    drawn = TrivialAugment(TrivialAugmentSpec(probability=probability)).draw(
        sample_keys(3, 1, torch.arange(n))
    )
    share = float((drawn > 2 * N_STRENGTHS - 1).double().mean())
    assert share == pytest.approx(probability * 13 / 14, abs=0.013 * (probability > 0))
