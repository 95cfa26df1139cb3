"""One decoder for every encoded image: Pillow, to a uint8 square of one size, in parallel threads.

Pillow lets go of the interpreter while it decodes and resizes, so threads are enough. The short side is
resized to `resize` (bilinear with antialiasing, as torchvision's default), then the centre square is cut.
"""

from __future__ import annotations

import io
import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

Raw = bytes | Path | NDArray[np.uint8] | None
"""One image as it is stored: an encoded file's bytes, its path, pixels (H, W, C), or nothing."""

Pixels = NDArray[np.uint8]

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many are done and how many there are."""

Made = TypeVar("Made")

_AT_A_TIME = 512
"""Images in flight; bounds the memory that encoded images take."""


class UnreadableImage(ValueError):
    """An image that Pillow cannot decode; the message says why."""


def decode(raw: Raw, *, size: int | None = None, channels: int | None = None) -> Pixels:
    """One image as pixels.

    Args:
        raw: The stored image.
        size: Side of the square in pixels; None keeps the image's own size.
        channels: 1 for grey, 3 for colour; None keeps grey images grey and makes others colour.

    Returns:
        uint8 of shape (H, W, C).

    Raises:
        UnreadableImage: The bytes are no image, or a broken one.
    """
    if raw is None:
        raise UnreadableImage("no bytes")
    try:
        with _open(raw) as opened:
            image = _as_mode(opened, channels)
            if size is not None:
                image = _square(image, size)
            pixels: Pixels = np.asarray(image, dtype=np.uint8)
    except (OSError, SyntaxError, ValueError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        # Pillow's plugins raise SyntaxError and ValueError for broken files too.
        raise UnreadableImage(str(error) or type(error).__name__) from error
    return pixels if pixels.ndim == 3 else pixels[:, :, None]  # grey is (H, W) to Pillow


def decode_all(items: Iterable[Raw], one: Callable[[Raw], Made]) -> Iterator[Made]:
    """Apply `one` to every item in threads, in order, a bounded number at a time."""
    source = iter(items)
    with ThreadPoolExecutor(max_workers=decoding_threads()) as pool:
        while chunk := list(itertools.islice(source, _AT_A_TIME)):
            yield from pool.map(one, chunk)


def _open(raw: bytes | Path | Pixels) -> Image.Image:
    if isinstance(raw, np.ndarray):
        return Image.fromarray(raw[:, :, 0] if raw.shape[2] == 1 else raw)
    return Image.open(io.BytesIO(raw) if isinstance(raw, bytes) else raw)


def _as_mode(image: Image.Image, channels: int | None) -> Image.Image:
    if image.mode.startswith("I"):  # 16-bit grey; Pillow's own conversion clips instead of scaling
        high = np.asarray(image).astype(np.int64) >> 8
        image = Image.fromarray(np.clip(high, 0, 255).astype(np.uint8))
    if channels is None:
        channels = 1 if image.mode in ("1", "L", "LA") else 3
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")  # straight to RGB would warn, and keeps the same colours
    mode = "L" if channels == 1 else "RGB"
    return image if image.mode == mode else image.convert(mode)


def _square(image: Image.Image, size: int) -> Image.Image:
    width, height = image.size
    short = min(width, height)
    if short != size:
        scaled = (max(size, round(width * size / short)), max(size, round(height * size / short)))
        image = image.resize(scaled, Image.Resampling.BILINEAR)
    left, top = (image.width - size) // 2, (image.height - size) // 2
    return image if image.size == (size, size) else image.crop((left, top, left + size, top + size))


def decoding_threads() -> int:
    """Threads that decode side by side: one a core that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
