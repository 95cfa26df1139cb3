"""When compiling pays: the images after which the seconds that it took are won back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class BreakEven:
    """From how many images on compilation has paid for itself, against the equal cell without it."""

    against: str
    """Name of the equal cell without compilation."""
    cold_images: float | None
    """Compiling with empty caches; None where the compiled cell is not the faster one."""
    warm_images: float | None
    is_faster: bool
    """Whether the compiled cell's median is the higher one."""
    is_certain: bool
    """Whether every repeat of the one cell is on the same side of every repeat of the other."""


def break_even(
    against: str,
    *,
    compiled_img_s: Sequence[float],
    eager_img_s: Sequence[float],
    cold_s: float | None,
    warm_s: float | None,
) -> BreakEven:
    """The break-even of one cell.

    Args:
        against: Name of the equal cell without compilation.
        compiled_img_s: Speeds of the compiled cell's repeats.
        eager_img_s: Speeds of the other's.
        cold_s: Seconds to compile with empty caches; None where they were not measured.
        warm_s: The same with filled ones.
    """
    won_s = 1 / median(eager_img_s) - 1 / median(compiled_img_s)  # seconds an image
    cold, warm = (None if seconds is None or won_s <= 0 else seconds / won_s for seconds in (cold_s, warm_s))
    is_certain = max(eager_img_s) < min(compiled_img_s) or max(compiled_img_s) < min(eager_img_s)
    return BreakEven(against, cold, warm, won_s > 0, is_certain)
