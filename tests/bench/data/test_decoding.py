"""One image at a time."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pytest
from PIL import Image

from bench.data.decoding import UnreadableImage, decode, decode_all

from .conftest import encoded, picture


def test_an_image_of_the_right_size_keeps_its_pixels() -> None:
    pixels = picture(1, (10, 10))
    np.testing.assert_array_equal(decode(encoded(pixels), size=10), pixels)


@pytest.mark.parametrize("size", [(40, 20), (20, 40), (33, 20)])
def test_the_short_side_is_resized_and_the_centre_cut(size: tuple[int, int]) -> None:
    image = Image.fromarray(picture(2, size))
    width, height = (round(side * 10 / min(size)) for side in size)
    scaled = image.resize((width, height), Image.Resampling.BILINEAR)
    left, top = (width - 10) // 2, (height - 10) // 2
    expected = np.asarray(scaled)[top : top + 10, left : left + 10]
    np.testing.assert_array_equal(decode(encoded(picture(2, size)), size=10), expected)


def test_small_images_are_enlarged() -> None:
    assert decode(encoded(picture(3, (5, 7))), size=16).shape == (16, 16, 3)


def test_channels_follow_the_section() -> None:
    grey, colour = picture(4, mode="L"), picture(5)
    assert decode(encoded(grey)).shape == (10, 12, 1)
    tripled = decode(encoded(grey), channels=3)
    np.testing.assert_array_equal(tripled, np.repeat(grey[..., None], 3, axis=2))
    luminance = np.asarray(Image.fromarray(colour).convert("L"))
    np.testing.assert_array_equal(decode(encoded(colour), channels=1)[..., 0], luminance)


def test_sixteen_bit_grey_is_scaled_and_not_clipped() -> None:
    deep = (np.arange(120, dtype=np.uint16) * 500).reshape(10, 12)
    np.testing.assert_array_equal(decode(encoded(deep))[..., 0], deep >> 8)


def test_palettes_with_transparency_become_colours_without_a_warning() -> None:
    image = Image.fromarray(picture(6)).quantize(8)
    out = io.BytesIO()
    image.save(out, "PNG", transparency=bytes([0, 255, 128, 255, 255, 255, 255, 255]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(decode(out.getvalue()), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize(
    "raw", [b"", b"nonsense", encoded(picture(7), "JPEG")[:200], encoded(picture(7))[:-30], None]
)
def test_broken_images_are_unreadable_with_a_reason(raw: bytes | None) -> None:
    with pytest.raises(UnreadableImage, match=r"\w"):
        decode(raw)


def test_decode_all_keeps_the_order_of_more_than_one_chunk() -> None:
    values = [bytes([value % 256, value // 256]) for value in range(1300)]
    assert list(decode_all(iter(values), lambda raw: raw)) == values
