"""Arms as lines: which share a panel, in what colour and dash, and how a line with its seeds is drawn.

Arms are coloured by the ordered factor and set apart in columns by the other one; stages of a network are
columns beside which the other factor gives the colour. Figures of curves differ in what their axes show and
share the rest.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bench.analyse.convergence import Band
from bench.analyse.outline import level_text
from bench.analyse.summary import ArmSummary
from bench.report import reference, style
from bench.report.layout import Axis, Layout
from bench.report.strands import draw_strands, strands_in

MOST_LINES: Final = 12
MOST_COLUMNS: Final = 3
MOST_STAGES: Final = 6
"""Columns of stages that a page holds."""

FEW_PLACES: Final = 15
"""Places up to which a mean has a marker at each."""

_LONGEST_SIDE_LABEL: Final = 12
_LONGEST_ABOVE: Final = 16
"""Characters of a legend's entry of which six stand side by side."""

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Line:
    """One arm in a panel."""

    arm: str
    label: str
    colour: Colour
    dash: style.Dash


@dataclass(frozen=True)
class Columns:
    """Lines by column title (None: the one column without a title), and what gives the colours."""

    lines: Mapping[str | None, Sequence[Line]]
    colour_axis: Axis | None

    @property
    def is_single(self) -> bool:
        """Whether all arms share one panel."""
        return len(self.lines) == 1

    @property
    def labels(self) -> list[str]:
        """Entries of the legend."""
        return list(dict.fromkeys(line.label for own in self.lines.values() for line in own))

    @property
    def is_legend_above(self) -> bool:
        """Whether the legend would take too much of the width beside the axes."""
        return max(map(len, self.labels)) > _LONGEST_SIDE_LABEL or len(self.lines) > MOST_COLUMNS

    @property
    def legend_in(self) -> float:
        """Height that the legend takes above the axes."""
        return 0.15 * math.ceil(len(self.labels) / 3) if self.is_legend_above else 0.0


def columns_of(arms: Sequence[ArmSummary], layout: Layout) -> Columns | None:
    """How the arms share panels; None where there are too many for that."""
    along, across = layout.x, layout.hue
    most = MOST_COLUMNS
    if layout.panel is not None:
        return None
    if along is not None and across is not None:
        if along.is_ordinal and len(along.levels) <= MOST_STAGES:
            along, across, most = across, along, MOST_STAGES
        elif len(across.levels) > MOST_COLUMNS:
            along, across = across, along
    if along is None:
        return Columns({None: _plain_lines(arms)}, None) if len(arms) <= MOST_LINES else None
    if len(along.levels) > MOST_LINES or (across is not None and len(across.levels) > most):
        return None
    palette = style.colours(along, len(along.levels))
    columns: dict[str | None, Sequence[Line]] = {}
    base = layout.across(arms)
    for level in (None,) if across is None else across.levels:
        title = None if across is None else across.entry(level)
        own = [
            arm
            for arm in layout.placed(arms)
            if across is None or level_text(arm.levels[across.key]) == level_text(level)
        ]
        own.sort(key=lambda arm: along.rank(arm.levels[along.key]))
        lines = [_line(arm, along, palette) for arm in own]
        columns[title] = lines if base is None else [_reference_line(base), *lines]
    return Columns(columns, along)


def _line(arm: ArmSummary, along: Axis, palette: Sequence[Colour]) -> Line:
    level = arm.levels[along.key]
    rank = along.rank(level)
    return Line(arm.name, level_text(level), palette[rank], style.DASHES[rank % len(style.DASHES)])


def _reference_line(arm: ArmSummary) -> Line:
    return Line(arm.name, reference.label(arm), reference.COLOUR, reference.DASH)


def _plain_lines(arms: Sequence[ArmSummary]) -> list[Line]:
    palette = style.colours(None, len(arms))
    return [
        Line(arm.name, arm.label, palette[i], style.DASHES[(i // 10 + i) % len(style.DASHES)])
        for i, arm in enumerate(arms)
    ]


def panels_of(
    columns: Columns, n_rows: int, *, same_x: bool, same_y: bool, row_in: float = 2.1
) -> tuple[Figure, list[list[Axes]]]:
    """A figure with a row a quantity and a column a level; with one column, quantities stand side by side.

    Args:
        columns: Of the arms.
        n_rows: Quantities.
        same_x: Whether all quantities have one x axis.
        same_y: Whether all quantities have one y axis.
        row_in: Height of a row in inches.

    Returns:
        The figure, and the axes of each quantity by column.
    """
    height = (2.5 if columns.is_single else row_in * n_rows) + columns.legend_in
    figure = style.new_figure(style.PAGE_IN, height)
    if columns.is_single:
        grid = figure.subplots(1, n_rows, squeeze=False, sharex=same_x, sharey=same_y)
        return figure, [[axes] for axes in grid[0]]
    grid = figure.subplots(
        n_rows,
        len(columns.lines),
        squeeze=False,
        sharex=True if same_x else "row",
        sharey=True if same_y else "row",
    )
    return figure, [list(row) for row in grid]


Trace = tuple[Sequence[float], Sequence[float], bool]
"""Places and values of one run, and whether it ended with a result."""


def draw_line(
    axes: Axes,
    seeds: Sequence[Trace],
    mean: tuple[Sequence[float], Sequence[float]],
    band: Band | None,
    look: tuple[Colour, style.Dash],
    *,
    few: bool,
    share: bool = True,
) -> None:
    """Seeds faint, their mean on top, its interval as a band; a cross where a run without a result ended.

    Args:
        axes: Where to draw.
        seeds: One trace a run.
        mean: Places and values of the mean.
        band: Its interval at each place.
        look: Colour and dash.
        few: Whether places are so few that each has a marker.
        share: Whether values are percents, at whose ends an interval is cut.
    """
    colour, dash = look
    waiting: list[tuple[Sequence[float], Sequence[float]]] = []
    for places, values, is_done in seeds:
        waiting.append((places, values))
        if not is_done:
            draw_strands(axes, waiting, colour)
            waiting = []
            axes.plot(places[-1:], values[-1:], color=colour, marker="x", markersize=4.5, zorder=4)
    draw_strands(axes, waiting, colour)
    places, values = mean
    if band is not None:
        low, high = band.low, band.high
        if share:
            low, high = tuple(max(0.0, v) for v in low), tuple(min(100.0, v) for v in high)
        axes.fill_between(places, low, high, color=colour, alpha=0.14, linewidth=0, zorder=1.5)
    marker = "o" if few else None
    axes.plot(
        places, values, color=colour, linestyle=dash, linewidth=1.3, marker=marker, markersize=2.0, zorder=3
    )


def fit_to_lines(axes: Sequence[Axes], *, share: bool) -> None:
    """Limits of y around seeds and means, which a band may leave; of a share within 0 to 100 and a margin."""
    drawn = [np.asarray(line.get_ydata(), dtype=float) for one in axes for line in one.lines]
    drawn += [line[:, 1] for one in axes for line in strands_in(one)]
    values = [float(y) for ys in drawn for y in ys]
    if not values:
        return
    low, high = min(values), max(values)
    if axes[0].get_yscale() == "log":
        margin = (high / low) ** 0.05
        axes[0].set_ylim(low / margin, high * margin)
        return
    margin = 0.05 * (high - low) or 1.0
    low, high = low - margin, high + margin
    axes[0].set_ylim((max(low, -4.0), min(high, 104.0)) if share else (low, high))


def add_legend(figure: Figure, columns: Columns) -> None:
    """One entry a colour, beside the axes or, where that takes too much width, above them."""
    lines = {line.label: line for own in columns.lines.values() for line in own}
    axis = columns.colour_axis
    title = None
    if axis is not None:
        order = {level_text(level): rank for rank, level in enumerate(axis.levels)}
        lines = dict(sorted(lines.items(), key=lambda item: order.get(item[0], len(order))))
        title = style.drawable(axis.label if axis.is_ordinal else axis.header)
    handles = [Line2D([], [], color=line.colour, linestyle=line.dash) for line in lines.values()]
    labels = [style.drawable(label, longest=40) for label in lines]
    if columns.is_legend_above:
        n_columns = 3 if max(map(len, labels)) > _LONGEST_ABOVE else min(6, len(labels))
        figure.legend(
            handles, labels, loc="outside upper center", ncols=n_columns, title=title, title_fontsize=7.5
        )
    else:
        figure.legend(handles, labels, loc="outside right upper", title=title, title_fontsize=7.5)
