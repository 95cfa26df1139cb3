"""Which arms no other beats in both accuracy and cost: the front on which a choice is a matter of taste."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)


def front(points: Mapping[Key, tuple[float, float]]) -> tuple[Key, ...]:
    """Keys of the points that no other is at least as good as in both and better in one.

    Args:
        points: Cost and benefit by key: of the cost less is better, of the benefit more.

    Returns:
        The front by rising cost; equal points stand on it together.
    """
    kept = [
        key
        for key, (cost, benefit) in points.items()
        if not any(c <= cost and b >= benefit and (c, b) != (cost, benefit) for c, b in points.values())
    ]
    return tuple(sorted(kept, key=lambda key: (points[key][0], points[key][1])))
