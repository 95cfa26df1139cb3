"""What a figure shows, apart from how it is drawn: a digest of its data, carried inside its files.

Another version of a plotting library moves a tick by a hair and changes every byte, though the figure says
the same. So each file tells in its metadata the digest of the data drawn and the libraries that drew it, and
`bench verify` compares bytes where these libraries are the present ones, and the data where they are not.
Where texts stand is left out, since the layout decides on that; what they say is not.
"""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import Collection
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.spines import Spine
from matplotlib.text import Annotation, Text
from matplotlib.ticker import FixedFormatter

from bench.report.strands import Strands

_DIGITS: Final = 9
"""Significant digits of a number drawn: more than ink can show, fewer than another library's rounding."""

_STAMP: Final = re.compile(rb"data sha256=([0-9a-f]{64}), drawn with ([A-Za-z0-9 .,+-]+?)(?=[<)\x00;]|$)")
_UNNAMED: Final = re.compile(r"_child\d+")


@dataclass(frozen=True)
class Stamp:
    """What a figure's file tells of itself."""

    data_sha256: str
    libraries: str
    """Names and versions, as `matplotlib 3.11.2, …`."""

    @property
    def text(self) -> str:
        """As it stands in the file's metadata."""
        return f"data sha256={self.data_sha256}, drawn with {self.libraries};"


def stamp(figure: Figure) -> Stamp:
    """The stamp of a figure that the present libraries draw."""
    text = json.dumps(drawn_data(figure), ensure_ascii=False, separators=(",", ":"))
    return Stamp(hashlib.sha256(text.encode()).hexdigest(), present_libraries())


def read_stamp(data: bytes) -> Stamp | None:
    """The stamp in the bytes of an SVG, PDF or PNG file; None where there is none."""
    found = _STAMP.search(data)
    return Stamp(found.group(1).decode(), found.group(2).decode()) if found else None


def present_libraries() -> str:
    """What decides on a figure's bytes, with versions."""
    versions = {
        "matplotlib": mpl.__version__,
        "seaborn": sns.__version__,
        "numpy": np.__version__,
        "zlib": zlib.ZLIB_RUNTIME_VERSION,
    }
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def drawn_data(figure: Figure) -> list[Any]:
    """Series, marks, words and scales of a figure, as plain data in drawing order."""
    words = [text.get_text() for text in figure.texts]
    return [words, *map(_legend, figure.legends), *map(_axes, figure.axes)]


def _axes(axes: Axes) -> dict[str, Any]:
    formatters = [axis.get_major_formatter() for axis in (axes.xaxis, axes.yaxis)]
    return {
        "title": axes.get_title(),
        "labels": [axes.get_xlabel(), axes.get_ylabel()],
        "scales": [axes.get_xscale(), axes.get_yscale()],
        "ticks": [list(map(str, each.seq)) for each in formatters if isinstance(each, FixedFormatter)],
        "shown": _shown(axes),
    }


def _shown(axes: Axes) -> list[list[Any]]:
    """Every mark, lines of one artist each by itself.

    Matplotlib names a mark without a label by its place among the others, so such a name is told by the
    place that it has where each line counts.
    """
    shown, place = [], 0
    for child in axes.get_children():
        if isinstance(child, Strands):
            if child.get_visible():
                shown += [
                    ["Line2D", f"_child{place + i}", _numbers(line)] for i, line in enumerate(child.lines)
                ]
            place += len(child.lines)
            continue
        told = _artist(child)
        if told is not None:
            label = str(child.get_label())
            is_unnamed = _UNNAMED.fullmatch(label) is not None
            shown.append([f"_child{place}" if is_unnamed and part == label else part for part in told])
        place += 1
    return shown


def _artist(artist: Artist) -> list[Any] | None:
    """One mark; None for what every axes has (spines, axes, their background) and for what is hidden."""
    for kind, tell in _TELLERS:
        if isinstance(artist, kind):
            is_ground = artist is getattr(artist.axes, "patch", None) or isinstance(artist, Spine)
            return [type(artist).__name__, *tell(artist)] if artist.get_visible() and not is_ground else None
    return None


def _line(line: Line2D) -> list[Any]:
    return [str(line.get_label()), _numbers(line.get_xydata())]


def _annotation(note: Annotation) -> list[Any]:
    return [note.get_text(), _numbers(note.xy) if note.xycoords == "data" else []]


def _collection(marks: Collection) -> list[Any]:
    places, values = _numbers(marks.get_offsets()), _numbers(marks.get_array())
    return [str(marks.get_label()), places, values, [_numbers(path.vertices) for path in marks.get_paths()]]


def _patch(patch: Patch) -> list[Any]:
    path = patch.get_path().transformed(patch.get_patch_transform())
    return [str(patch.get_label()), _numbers(path.vertices)]


def _legend(legend: Legend) -> list[Any]:
    return [text.get_text() for text in legend.get_texts()]


_TELLERS: Final[tuple[tuple[type[Artist], Callable[[Any], list[Any]]], ...]] = (
    (Line2D, _line),
    (Annotation, _annotation),
    (Text, lambda text: [text.get_text()]),
    (AxesImage, lambda image: [_numbers(image.get_array())]),
    (Collection, _collection),
    (Patch, _patch),
    (Legend, _legend),
)
"""How each kind of mark is told; the first that fits."""


def _numbers(values: Any) -> list[str]:
    if values is None:
        return []
    flat: list[float] = np.ma.filled(np.ma.asarray(values, dtype=float), np.nan).ravel().tolist()
    return [f"{value:.{_DIGITS}g}" for value in flat]
