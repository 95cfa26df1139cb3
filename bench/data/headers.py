"""Size and mode of images by their file headers, which Pillow reads without decoding."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, Literal

from PIL import Image, UnidentifiedImageError

PEEKED = 32
"""Images whose headers decide a set's default size and channels."""


def peek(files: Iterator[Any]) -> tuple[int | None, Literal[1, 3]]:
    """What the first images share.

    Args:
        files: Paths or open files; at most `PEEKED` are looked at.

    Returns:
        Their short side in pixels, None where it differs; and 1 if all are grey, else 3.
    """
    sides: set[int] = set()
    modes: set[str] = set()
    for file in itertools.islice(files, PEEKED):
        try:
            with Image.open(file) as image:
                sides.add(min(image.size))
                modes.add(image.mode)
        except (UnidentifiedImageError, OSError):
            continue  # loading and `bench data check` name every unreadable image
    grey = bool(modes) and all(mode in ("1", "L", "LA") or mode.startswith("I") for mode in modes)
    return (sides.pop() if len(sides) == 1 else None), (1 if grey else 3)
