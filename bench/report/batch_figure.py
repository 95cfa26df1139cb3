"""Throughput against batch size: from where on a larger batch brings nothing, and where memory ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

from bench.analyse.cell_traits import CellTraits, rest_key
from bench.analyse.cells import CellSummary
from bench.report import style

MOST_SERIES: Final = 6

_BATCH: Final = ("train.batch_size",)
_MOST_LINEAR: Final = 4
_TRAITS: Final = tuple(field.name for field in fields(CellTraits) if field.name != "batch_size")


@dataclass(frozen=True)
class Series:
    """Cells that differ in their batch size alone, ascending."""

    label: str
    """What tells it from the other series; empty for the only one."""
    cells: tuple[CellSummary, ...]


def series_of(cells: Sequence[CellSummary]) -> list[Series]:
    """Cells by everything but their batch, where at least two batches have a result."""
    groups: dict[str, dict[int, CellSummary]] = {}
    for cell in cells:
        if cell.traits is not None and cell.traits.batch_size is not None:
            own = groups.setdefault(rest_key(cell.config, _BATCH), {})
            own.setdefault(cell.traits.batch_size, cell)
    found = [
        tuple(own[size] for size in sorted(own))
        for own in groups.values()
        if sum(cell.n_done > 0 for cell in own.values()) > 1
    ]
    told = _varied([own[0].traits for own in found if own[0].traits is not None])
    return [Series(label, own) for label, own in zip(told, found, strict=True)]


def draw_batch(figure: Figure, series: Sequence[Series]) -> None:
    """The median over repeats with their range, a line a series; a cross where memory ended.

    Args:
        figure: Empty.
        series: At least one, at most `MOST_SERIES`.
    """
    axes = figure.subplots()
    palette = style.colours(None, len(series))
    for index, (one, colour) in enumerate(zip(series, palette, strict=True)):
        done = [cell for cell in one.cells if cell.n_done]
        sizes, speeds = [_size(cell) for cell in done], [_speed(cell) for cell in done]
        low = [speed - (cell.low_img_s or 0) for speed, cell in zip(speeds, done, strict=True)]
        high = [(cell.high_img_s or 0) - speed for speed, cell in zip(speeds, done, strict=True)]
        axes.errorbar(
            sizes, speeds, [low, high], color=colour, fmt="none", elinewidth=1.1, capsize=2.2, zorder=3
        )
        axes.plot(
            sizes,
            speeds,
            color=colour,
            linestyle=style.DASHES[index % len(style.DASHES)] if len(series) > 2 else "-",
            marker=style.MARKERS[index],
            markersize=4.5,
            markeredgecolor="white",
            markeredgewidth=0.5,
            label=style.drawable(one.label) or None,
            zorder=4,
        )
    _scales(axes, series)
    for index, (one, colour) in enumerate(zip(series, palette, strict=True)):
        _mark_ends(axes, one, colour, index)
    axes.set_xlabel("batch size (images)")
    style.tidy(axes)
    style.legend_above(figure, axes)


def explanation(series: Sequence[Series]) -> str:
    """The line below: what is shared by all cells, what points and bars are."""
    cells = [cell for one in series for cell in one.cells]
    traits = [cell.traits for cell in cells if cell.traits is not None]
    shared = [key for key in _TRAITS if len({getattr(one, key) for one in traits}) == 1]
    told = _told(traits[0], shared)
    ends = any(not cell.n_done for cell in cells)
    repeats = sorted({cell.n_done for cell in cells if cell.n_done})
    n = f"n = {repeats[0]}" if len(repeats) == 1 else f"n = {repeats[0]} to {repeats[-1]}"
    crosses = "; ×: no result (out of memory)" if ends else ""
    return f"{told}; points and bars: median and range of repeats ({n}){crosses}"


def _scales(axes: Axes, series: Sequence[Series]) -> None:
    sizes = sorted({_size(cell) for one in series for cell in one.cells})
    speeds = [_speed(cell) for one in series for cell in one.cells if cell.n_done]
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(FixedLocator(sizes))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    if max(speeds) / min(speeds) >= _MOST_LINEAR:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(base=10, subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.set_ylabel("throughput (images/s, log)")
    else:
        axes.set_ylim(0, 1.08 * max(cell.high_img_s or 0 for one in series for cell in one.cells))
        axes.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
        axes.set_ylabel("throughput (images/s)")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))


def _mark_ends(axes: Axes, series: Series, colour: tuple[float, float, float], index: int) -> None:
    """A cross on the floor for each batch without a result, one row a series."""
    for cell in series.cells:
        if not cell.n_done:
            axes.plot(
                [_size(cell)],
                [0.04 + 0.05 * index],
                transform=axes.get_xaxis_transform(),
                color=colour,
                marker="x",
                markersize=4.5,
                linestyle="none",
                zorder=5,
            )


def _varied(all_traits: Sequence[CellTraits]) -> list[str]:
    """What tells the series apart, in words."""
    varied = [key for key in _TRAITS if len({getattr(one, key) for one in all_traits}) > 1]
    return [_told(one, varied) for one in all_traits]


def _told(traits: CellTraits, keys: Sequence[str]) -> str:
    values: Mapping[str, object] = vars(traits)
    words = []
    for key in keys:
        text = str(values[key])
        if key == "image_size":
            text = f"{text} px"
        elif key == "input":
            text = f"{text.replace('_', ' ')} input"
        elif key == "mode":
            text = _mode_text(text)
        words.append(text)
    return ", ".join(words)


def _mode_text(mode: str) -> str:
    """`eager`, `compiled`, `compiled (max-autotune)`, `compiled + graph`."""
    compiler, plus, graph = mode.partition(" + ")
    if compiler in ("none", "graph"):
        return "eager" if compiler == "none" else "graph"
    return ("compiled" if compiler == "default" else f"compiled ({compiler})") + plus + graph


def _size(cell: CellSummary) -> int:
    assert cell.traits is not None
    assert cell.traits.batch_size is not None
    return cell.traits.batch_size


def _speed(cell: CellSummary) -> float:
    assert cell.median_img_s is not None
    return cell.median_img_s
