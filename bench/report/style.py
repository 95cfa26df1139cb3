"""How every figure looks, fixed once: size, one font, colours that colour-blind readers tell apart.

Nothing of the user's matplotlib set-up leaks in, so that equal records give equal bytes on every machine
with the same libraries. Figures are built through the object interface and drawn by Agg, SVG and PDF
backends: no display, no global state left behind.
"""

from __future__ import annotations

import functools
import io
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Literal

import matplotlib as mpl
import seaborn as sns
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font

from bench.report.drawn import stamp
from bench.report.layout import Axis
from bench.report.table import printable

COLUMN_IN: Final = 85 / 25.4
"""Width of one column of a paper, 85 mm, in inches."""

PAGE_IN: Final = 7.0
"""Width of its two columns."""

GREY: Final = "#595959"
MARKERS: Final = ("o", "s", "D", "^", "v", "P", "X", "<", ">", "h")
Dash = Literal["-", "--", ":", "-."] | tuple[float, tuple[float, ...]]
DASHES: Final[tuple[Dash, ...]] = ("-", "--", ":", "-.", (0, (6, 1.2)), (0, (4, 1.2, 1, 1.2, 1, 1.2)))
FORMATS: Final = ("svg", "pdf", "png")

_UNDATED: Final[dict[str, dict[str, None]]] = {
    "svg": {"Date": None},
    "pdf": {"CreationDate": None},
    "png": {},
}
_STAMPED: Final = {"svg": "Description", "pdf": "Subject", "png": "Description"}
"""Where each format tells what was drawn, and with which libraries."""
_STYLE: Final[dict[Any, Any]] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial"],  # the others are for readers of an SVG
    "font.size": 8.0,
    "axes.labelsize": 8.0,
    "axes.titlesize": 8.0,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "axes.linewidth": 0.7,
    "axes.edgecolor": "#333333",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e3e3e3",
    "grid.linewidth": 0.6,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "lines.linewidth": 1.2,
    "svg.hashsalt": "bench",
    "svg.fonttype": "none",  # text stays text, to be edited, searched and read aloud
    "pdf.fonttype": 42,
    "pdf.compression": 6,
    "savefig.dpi": 300,
    "figure.dpi": 300,  # layout is computed at the resolution at which it is drawn
    "text.hinting": "none",  # so that a text is equally wide at every resolution and in every format
}


@contextmanager
def fixed_style() -> Iterator[None]:
    """Matplotlib's defaults and this module's settings, whatever the user's are; restored afterwards."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        yield


def new_figure(width_in: float, height_in: float) -> Figure:
    """An empty figure with an Agg canvas."""
    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def settle(figure: Figure) -> None:
    """Compute the layout here and drop its engine, so that no format computes it or draws twice for it.

    Twice, since the first pass moves ticks whose labels the second then makes room for.
    """
    engine = figure.get_layout_engine()
    assert engine is not None
    for _ in range(2):
        engine.execute(figure)
    figure.set_layout_engine(None)


def saved(figure: Figure) -> dict[str, bytes]:
    """The figure in every format, without dates, each with the digest of the data drawn."""
    files, told = {}, stamp(figure).text
    for name in FORMATS:
        buffer = io.BytesIO()
        figure.savefig(buffer, format=name, metadata={**_UNDATED[name], _STAMPED[name]: told})
        files[name] = buffer.getvalue()
    return files


def colours(axis: Axis | None, count: int) -> list[tuple[float, float, float]]:
    """Colours for `count` levels: a dark-to-light row for an ordered factor, distinct ones for categories."""
    if axis is not None and axis.is_ordered and count > 2:
        return list(sns.color_palette("viridis", count + 1))[:count]  # the last, yellow, is too pale
    palette = sns.color_palette("colorblind", 10)
    order = (0, 1, 2, 4, 3, 5, 7, 6, 9, 8)  # pale ones last
    return [palette[order[index % 10]] for index in range(count)]


def drawable(text: str, *, longest: int = 60) -> str:
    """Text for a figure: shown as it is, no mathematics, no character that the font lacks, not endless."""
    plain = printable(text)
    if len(plain) > longest:
        plain = f"{plain[: longest - 1]}\N{HORIZONTAL ELLIPSIS}"
    font = _font()
    shown = "".join(char if font.get_char_index(ord(char)) else "?" for char in plain)
    return shown.replace("$", r"\$")


def note(figure: Figure, text: str) -> None:
    """A small line below the axes that says what dots and bars are."""
    lines = textwrap.wrap(drawable(text, longest=1000), width=int(18.5 * figure.get_figwidth()))
    figure.supxlabel("\n".join(lines), x=0.01, ha="left", fontsize=6.5, color=GREY)


def legend_above(figure: Figure, axes: Axes) -> None:
    """The axes' legend above them, where it covers nothing, in as many columns as the width holds."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        entries_in = [0.5 + 0.062 * len(label) for label in labels]
        one_row = sum(entries_in) <= figure.get_figwidth()
        columns = len(handles) if one_row else max(1, int(figure.get_figwidth() / max(entries_in)))
        figure.legend(handles, labels, loc="outside upper center", ncols=columns)


def tidy(axes: Axes, *, grid: str = "y") -> None:
    """No box, and grid lines across the direction in which one reads."""
    sns.despine(ax=axes)
    axes.grid(visible=False, axis="x" if grid == "y" else "y")


@functools.cache
def _font() -> FT2Font:
    return FT2Font(font_manager.findfont("DejaVu Sans"))
