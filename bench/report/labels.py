"""Labels beside marks: each at the first place where it covers nothing, else where it covers least."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

from bench.report import style

_PLACES: Final = tuple(
    (round(reach * across), round(reach * up))
    for reach in (6, 12, 20, 30)
    for across, up in ((0, 1), (0, -1), (1, 0), (-1, 0), (0.8, 0.8), (0.8, -0.8), (-0.8, 0.8), (-0.8, -0.8))
)
"""Where a label may stand, in points from its mark, best first."""

_N_CLOSE: Final = 16
"""Those of them at which it is plain whose label it is."""

_N_BESIDE: Final = 8
"""Those of them that touch the mark."""

Labelled = Sequence[tuple[tuple[float, float], str]]
"""Places in data coordinates, and what stands beside them."""


def seat(
    axes: Axes,
    labelled: Labelled,
    taken: Sequence[Bbox],
    *,
    only_free: bool = False,
    only_beside: bool = False,
    apart: float = 0.0,
) -> bool:
    """Label marks without covering what is there.

    Args:
        axes: Of a figure that was drawn once, so that its marks have places.
        labelled: What is labelled.
        taken: Boxes to keep off, in pixels.
        only_free: Leave out a label that finds no free place close to its mark.
        only_beside: Try the places that touch the mark alone.
        apart: Pixels to keep off the other labelled marks, so that it is plain whose label it is.

    Returns:
        Whether no label covers anything.
    """
    boxes, frame = list(taken), axes.get_window_extent()
    marks = [_around(axes, place, apart) for place, _ in labelled] if apart else []
    free = True
    for index, (place, text) in enumerate(labelled):
        others = [*boxes, *marks[:index], *marks[index + 1 :]]
        costs = []
        note = _annotate(axes, place, text)
        places = _PLACES[:_N_BESIDE] if only_beside else _PLACES[:_N_CLOSE] if only_free else _PLACES
        for offset in places:
            _move(note, offset)
            box = note.get_window_extent()
            cost = sum(_shared(box, other) for other in others) + 10 * (_area(box) - _shared(box, frame))
            costs.append(cost)
            if cost <= 0:
                break
        if only_free and min(costs) > 0:
            note.remove()
            continue
        _move(note, places[costs.index(min(costs))])
        boxes.append(note.get_window_extent())
        free = free and min(costs) <= 0
    return free


def along(axes: Axes, places: Sequence[tuple[float, float]], unit: float) -> list[Bbox]:
    """Boxes along a line of data coordinates; `unit` is a point in pixels."""
    boxes = []
    pixels = axes.transData.transform(np.asarray(places, dtype=float))
    for start, end in pairwise(pixels):
        steps = np.linspace(start, end, 1 + int(np.hypot(*(end - start)) / (4 * unit)))
        boxes += [Bbox.from_extents(a - unit, b - unit, a + unit, b + unit) for a, b in steps]
    return boxes


def _annotate(axes: Axes, place: tuple[float, float], text: str) -> Annotation:
    return axes.annotate(
        style.drawable(text, longest=32),
        place,
        xytext=(0, 0),
        textcoords="offset points",
        fontsize=6.5,
        color="#333333",
        zorder=6,
    )


def _move(note: Annotation, offset: tuple[int, int]) -> None:
    across, up = offset
    note.set_position(offset)
    note.set_horizontalalignment("left" if across > 0 else "right" if across < 0 else "center")
    note.set_verticalalignment("bottom" if up > 0 else "top" if up < 0 else "center")


def _around(axes: Axes, place: tuple[float, float], reach: float) -> Bbox:
    x, y = axes.transData.transform(place)
    return Bbox.from_extents(x - reach, y - reach, x + reach, y + reach)


def _shared(one: Bbox, other: Bbox) -> float:
    both = Bbox.intersection(one, other)
    return 0.0 if both is None else _area(both)


def _area(box: Bbox) -> float:
    return float(box.width * box.height)
