"""Every cell of a throughput study as a row: its repeats, their median, the quartiles of their windows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from bench.analyse.cells import CellSummary
from bench.report import style

_MOST_LINEAR: Final = 4
_GAP_COLOUR: Final = "#a11212"


def draw_rows(axes: Axes, cells: Sequence[CellSummary]) -> None:
    """One row a cell, the baseline on top with a line down from its median.

    Args:
        axes: Where to draw.
        cells: Of one block, baseline first; at least one with a result.
    """
    colour, other = style.colours(None, 2)
    for row, cell in enumerate(cells):
        shade = other if cell.is_baseline else colour
        if cell.median_img_s is not None and cell.q1_img_s is not None and cell.q3_img_s is not None:
            axes.plot(
                [cell.q1_img_s, cell.q3_img_s], [row, row], color=shade, linewidth=3.2, alpha=0.35, zorder=2
            )
            axes.plot(
                [cell.median_img_s],
                [row],
                marker="|",
                markersize=9,
                markeredgewidth=1.3,
                color=shade,
                linestyle="none",
                zorder=4,
            )
            axes.scatter(
                [repeat.median_img_s for repeat in cell.repeats],
                [row] * cell.n_done,
                s=11,
                facecolors=["white" if repeat.noise else shade for repeat in cell.repeats],
                edgecolors=[shade],
                linewidths=0.7,
                zorder=3,
            )
        if cell.gaps:
            axes.annotate(
                style.drawable(_gap_text(cell)),
                (1.0, row),
                xycoords=("axes fraction", "data"),
                xytext=(3, 0),
                textcoords="offset points",
                fontsize=6.5,
                color=_GAP_COLOUR,
                va="center",
            )
    base = next((cell.median_img_s for cell in cells if cell.is_baseline), None)
    if base is not None:
        axes.axvline(base, color=other, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    axes.set_yticks(range(len(cells)), [style.drawable(cell.label, longest=68) for cell in cells])
    axes.set_ylim(len(cells) - 0.5, -0.6)
    axes.tick_params(axis="y", length=0)
    _speed_axis(axes, cells)
    style.tidy(axes, grid="x")


def explanation(cells: Sequence[CellSummary]) -> str:
    """The line below: what dots, ticks and bars are."""
    repeats = sorted({cell.n_done for cell in cells if cell.n_done})
    n = f"n = {repeats[0]}" if len(repeats) == 1 else f"n = {repeats[0]} to {repeats[-1]}"
    noisy = "; hollow: flagged as noisy" if any(cell.noise for cell in cells) else ""
    gaps = "; ×: repeats without a result, of those planned" if any(cell.gaps for cell in cells) else ""
    return f"dots: repeats ({n}); tick: their median; bar: quartiles of a repeat's windows{noisy}{gaps}"


def _gap_text(cell: CellSummary) -> str:
    statuses = ", ".join(dict.fromkeys(gap.words for gap in cell.gaps))
    return f"× {sum(len(gap.seeds) for gap in cell.gaps)}/{cell.n_runs} {statuses}"


def _speed_axis(axes: Axes, cells: Sequence[CellSummary]) -> None:
    """Logarithmic where speeds differ by factors, with plain numbers at the ticks."""
    speeds = [repeat.median_img_s for cell in cells for repeat in cell.repeats]
    if max(speeds) / min(speeds) >= _MOST_LINEAR:
        axes.set_xscale("log")
        decades = max(speeds) / min(speeds) > 200
        axes.xaxis.set_major_locator(LogLocator(base=10, subs=(1.0,) if decades else (1.0, 2.0, 5.0)))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlim(min(speeds) / 1.15, max(speeds) * 1.15)
        axes.set_xlabel("throughput (images/s, log)")
    else:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=5))
        axes.set_xlabel("throughput (images/s)")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
