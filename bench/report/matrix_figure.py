"""Speed over precision, compiler and layout as heat maps, where a study has such a square.

A square is found, not declared: cells that differ in nothing but precision, mode and layout, cut to the
levels of which every combination was planned. So a centre with spokes beside a square is drawn as the square.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from bench import units
from bench.analyse.cell_traits import LAYOUTS, MODES, PRECISIONS, rest_key
from bench.analyse.cells import CellSummary
from bench.report import style
from bench.report.cells_table import speed_text

MOST_SQUARES: Final = 4

_AXES: Final = (
    "execution.amp",
    "execution.fp32_precision",
    "execution.compile",
    "execution.graph",
    "execution.channels_last",
)
"""Keys that a square may vary, and nothing else."""

_ORDERS: Final = (PRECISIONS, MODES, LAYOUTS)
_EVEN_CONTRAST: Final = 0.179
"""Luminance on which white and black are equally well read (WCAG 2)."""

_ROW_IN: Final = 0.36
_PRECISION_WORDS: Final = {"bf16": "bf16 AMP", "fp16": "fp16 AMP"}

Key = tuple[str, str, str]
"""Precision, mode and layout."""


@dataclass(frozen=True)
class Square:
    """A full square: one cell for each precision, mode and layout."""

    title: str
    cells: Mapping[Key, CellSummary]
    precisions: tuple[str, ...]
    modes: tuple[str, ...]
    layouts: tuple[str, ...]

    @property
    def base(self) -> float | None:
        """Speed of the first combination: fp32, eager, NCHW where the square has them."""
        return self.cells[self.precisions[0], self.modes[0], self.layouts[0]].median_img_s


def squares_of(cells: Sequence[CellSummary]) -> list[Square]:
    """The squares of a study with at least two levels of two of the three, the largest first."""
    groups: dict[str, dict[Key, CellSummary]] = {}
    for cell in cells:
        if cell.traits is not None:
            key = (cell.traits.precision, cell.traits.mode, cell.traits.layout)
            groups.setdefault(rest_key(cell.config, _AXES), {}).setdefault(key, cell)
    found = [square for own in groups.values() if (square := _full(own)) is not None]
    return sorted(found, key=lambda square: -len(square.cells))


def draw_matrix(figure: Figure, squares: Sequence[Square]) -> None:
    """One row of heat maps a square, one heat map a layout, all in one scale of colour.

    Args:
        figure: Empty.
        squares: At least one.
    """
    speeds = [
        speed
        for square in squares
        for cell in square.cells.values()
        if (speed := cell.median_img_s) is not None
    ]
    norm = LogNorm(min(speeds), max(*speeds, 1.01 * min(speeds)))
    colours = sns.color_palette("crest", as_cmap=True)
    n_columns = max(len(square.layouts) for square in squares)
    heights = [len(square.precisions) for square in squares]
    grid = figure.subplots(
        len(squares), n_columns, squeeze=False, gridspec_kw={"height_ratios": heights}, sharey="row"
    )
    for row, square in zip(grid, squares, strict=True):
        for column, axes in enumerate(row):
            if column < len(square.layouts):
                _draw(axes, square, square.layouts[column], norm, colours)
                title = square.layouts[column]
                axes.set_title(style.drawable(f"{square.title}, {title}" if len(squares) > 1 else title))
            else:
                axes.set_axis_off()
    for axes in grid[-1]:
        axes.set_xlabel("compile")


def height_in(squares: Sequence[Square]) -> float:
    """Inches for all rows."""
    return 0.75 + sum(0.35 + _ROW_IN * len(square.precisions) for square in squares)


def explanation(squares: Sequence[Square]) -> str:
    """The line below: what the numbers are and what they are multiples of."""
    first = squares[0]
    base = f"{first.precisions[0]}, {_mode_text(first.modes[0])}, {first.layouts[0]}"
    of = f"{first.title}: " if len(squares) == 1 else ""
    noisy = "; *: flagged as noisy" if any(c.noise for one in squares for c in one.cells.values()) else ""
    return f"{of}images/s, median over repeats (darker: faster, log), and the multiple of {base}{noisy}"


def _draw(axes: Axes, square: Square, layout: str, norm: LogNorm, colours: Colormap) -> None:
    for (row, precision), (column, mode) in product(enumerate(square.precisions), enumerate(square.modes)):
        cell = square.cells[precision, mode, layout]
        speed = cell.median_img_s
        face = colours(norm(speed)) if speed is not None else (0.93, 0.93, 0.93, 1.0)
        axes.add_patch(
            Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=face, edgecolor="white", linewidth=1)
        )
        ink = "white" if _luminance(face) < _EVEN_CONTRAST else "black"
        base = square.base
        if speed is None or base is None:
            text = speed_text(cell).replace("out of memory", "out of\nmemory")
            axes.text(column, row, text, ha="center", va="center", fontsize=6.5, color=ink)
            continue
        mark = "*" if cell.noise else ""
        axes.text(
            column, row - 0.13, f"{speed_text(cell)}{mark}", ha="center", va="center", fontsize=7, color=ink
        )
        times = f"× {units.significant(speed / base)}"
        axes.text(column, row + 0.23, times, ha="center", va="center", fontsize=5.8, color=ink)
    axes.set_xlim(-0.5, len(square.modes) - 0.5)
    axes.set_ylim(len(square.precisions) - 0.5, -0.5)
    axes.set_xticks(range(len(square.modes)), [_mode_text(mode, wrap=True) for mode in square.modes])
    axes.set_yticks(range(len(square.precisions)), [_PRECISION_WORDS.get(p, p) for p in square.precisions])
    axes.tick_params(length=0)
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _full(cells: Mapping[Key, CellSummary]) -> Square | None:
    """The largest full square among cells, found by leaving out the emptiest level again and again."""
    levels = [
        [level for level in order if any(key[i] == level for key in cells)] for i, order in enumerate(_ORDERS)
    ]
    while any(key not in cells for key in product(*levels)):
        emptiness = [
            (_missing(cells, levels, axis, level), axis, position)
            for axis, own in enumerate(levels)
            for position, level in enumerate(own)
        ]
        _, axis, position = max(emptiness)
        levels[axis].pop(position)
        if not levels[axis]:
            return None
    if sum(len(own) > 1 for own in levels) < 2:
        return None
    kept = {(p, m, o): cells[p, m, o] for p, m, o in product(*levels)}
    if not any(cell.n_done for cell in kept.values()):
        return None
    first = next(iter(kept.values())).traits
    assert first is not None
    title = f"{first.image}, {first.work}, batch {first.batch_size}"
    return Square(title, kept, tuple(levels[0]), tuple(levels[1]), tuple(levels[2]))


def _missing(
    cells: Mapping[Key, CellSummary], levels: Sequence[Sequence[str]], axis: int, level: str
) -> float:
    """Share of a level's combinations that no cell has."""
    own = [[level] if index == axis else list(other) for index, other in enumerate(levels)]
    keys = list(product(*own))
    return sum(key not in cells for key in keys) / len(keys)


def _mode_text(mode: str, *, wrap: bool = False) -> str:
    if not wrap:
        return "eager" if mode == "none" else mode
    return (
        mode.replace(" + ", "\n+ ").replace("reduce-overhead", "reduce-\noverhead").replace("max-", "max-\n")
    )


def _luminance(colour: Sequence[float]) -> float:
    """Relative luminance of sRGB (WCAG 2), so that text contrasts with its ground."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour[:3]]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
