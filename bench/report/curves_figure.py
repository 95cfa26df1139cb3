"""Convergence: training loss and validation accuracy against the epoch, mean lines over faint seeds.

Arms share axes, coloured by the ordered factor and set apart in columns by the other one; stages of a network
are columns beside which the other factor gives the colour. More arms get a small panel each, with the
baseline behind it in grey.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from bench.analyse.convergence import ArmCurves
from bench.analyse.outline import level_text
from bench.analyse.summary import ArmSummary
from bench.report import reference, style
from bench.report.layout import Axis, Layout

MOST_LINES: Final = 12
MOST_COLUMNS: Final = 3
MOST_STAGES: Final = 6
"""Columns of stages that a page holds."""
MOST_PANELS: Final = 48
_MANY_EPOCHS: Final = 15
_LONGEST_SIDE_LABEL: Final = 12
_LONGEST_ABOVE: Final = 16
"""Characters of a legend's entry of which six stand side by side."""

LABELS: Final = {
    "train_loss": "training loss",
    "val_top1_pct": "validation top-1 (%)",
    "train_top1_pct": "training top-1 (%)",
}

Colour = tuple[float, float, float]
Curves = Mapping[str, Mapping[str, ArmCurves]]
"""By quantity (loss, then accuracy), then by arm."""


@dataclass(frozen=True)
class _Line:
    """One arm in a panel."""

    arm: str
    label: str
    colour: Colour
    dash: style.Dash


def draw_curves(arms: Sequence[ArmSummary], layout: Layout, curves: Curves, note: str) -> Figure:
    """The figure for these arms.

    Args:
        arms: Arms of one block, baseline first.
        layout: Of the study.
        curves: By quantity (two of them: loss, then accuracy) and arm.
        note: What is said below.
    """
    columns, colour_axis = _columns(arms, layout)
    if columns is None:
        return _small_multiples(arms, list(curves.items())[-1], note)
    return _shared_axes(columns, colour_axis, curves, note)


def _columns(
    arms: Sequence[ArmSummary], layout: Layout
) -> tuple[dict[str | None, list[_Line]] | None, Axis | None]:
    """Lines by column title, or None where there are too many for shared axes."""
    along, across = layout.x, layout.hue
    most = MOST_COLUMNS
    if layout.panel is not None:
        return None, None
    if along is not None and across is not None:
        if along.is_ordinal and len(along.levels) <= MOST_STAGES:
            along, across, most = across, along, MOST_STAGES
        elif len(across.levels) > MOST_COLUMNS:
            along, across = across, along
    if along is None:
        return ({None: _plain_lines(arms)} if len(arms) <= MOST_LINES else None), None
    if len(along.levels) > MOST_LINES or (across is not None and len(across.levels) > most):
        return None, None
    palette = style.colours(along, len(along.levels))
    columns: dict[str | None, list[_Line]] = {}
    for level in (None,) if across is None else across.levels:
        title = None if across is None else across.entry(level)
        placed = layout.placed(arms)
        own = [a for a in placed if across is None or level_text(a.levels[across.key]) == level_text(level)]
        own.sort(key=lambda arm: along.rank(arm.levels[along.key]))
        base = layout.across(arms)
        columns[title] = [] if base is None else [_reference_line(base)]
        columns[title] += [
            _Line(
                arm.name,
                level_text(arm.levels[along.key]),
                palette[along.rank(arm.levels[along.key])],
                style.DASHES[along.rank(arm.levels[along.key]) % len(style.DASHES)],
            )
            for arm in own
        ]
    return columns, along


def _reference_line(arm: ArmSummary) -> _Line:
    return _Line(arm.name, reference.label(arm), reference.COLOUR, reference.DASH)


def _plain_lines(arms: Sequence[ArmSummary]) -> list[_Line]:
    palette = style.colours(None, len(arms))
    return [
        _Line(arm.name, arm.label, palette[i], style.DASHES[(i // 10 + i) % len(style.DASHES)])
        for i, arm in enumerate(arms)
    ]


def _shared_axes(
    columns: Mapping[str | None, Sequence[_Line]], colour_axis: Axis | None, curves: Curves, note: str
) -> Figure:
    """A row a quantity and a column a level; where there is one column, quantities stand side by side."""
    side_by_side = len(columns) == 1
    labels = [line.label for lines in columns.values() for line in lines]
    names = list(dict.fromkeys(labels))
    above = 0.15 * math.ceil(len(names) / 3) if _is_legend_above(names, columns) else 0.0
    figure = style.new_figure(style.PAGE_IN, (2.5 if side_by_side else 4.2) + above)
    grid = figure.subplots(
        *((1, len(curves)) if side_by_side else (len(curves), len(columns))),
        squeeze=False,
        sharex=True,
        sharey=False if side_by_side else "row",
    )
    for row, (quantity, by_arm) in enumerate(curves.items()):
        panels = [grid[0, row]] if side_by_side else list(grid[row])
        for axes, (title, lines) in zip(panels, columns.items(), strict=True):
            drawn = [line for line in lines if line.arm in by_arm]
            for line in drawn:
                _draw_arm(axes, by_arm[line.arm], line.colour, line.dash)
            _dress(axes, [by_arm[line.arm] for line in drawn])
            if title is not None and row == 0:
                axes.set_title(style.drawable(title))
            if side_by_side or row == len(curves) - 1:
                axes.set_xlabel("epoch")
        panels[0].set_ylabel(LABELS[quantity])
        if quantity == "train_loss" and _spans_decades(by_arm.values()):
            panels[0].set_yscale("log")
            panels[0].set_ylabel(f"{LABELS[quantity]} (log)")
    _legend(figure, columns, colour_axis)
    style.note(figure, note)
    return figure


def _small_multiples(
    arms: Sequence[ArmSummary], quantity: tuple[str, Mapping[str, ArmCurves]], note: str
) -> Figure:
    """A small panel an arm, with the baseline's mean in grey behind it."""
    name, by_arm = quantity
    told = [arm for arm in arms if arm.name in by_arm][:MOST_PANELS]
    n_rows = math.ceil(len(told) / 4)
    figure = style.new_figure(style.PAGE_IN, 0.5 + 1.15 * n_rows)
    grid = figure.subplots(n_rows, 4, squeeze=False, sharex=True, sharey=True)
    (colour,) = style.colours(None, 1)
    base = next((by_arm[arm.name] for arm in told if arm.is_baseline), None)
    for index, axes in enumerate(grid.flat):
        if index >= len(told):
            axes.set_axis_off()
            continue
        arm = told[index]
        if base is not None and not arm.is_baseline:
            axes.plot(base.mean_epochs, base.mean_values, color="#9a9a9a", linewidth=1.0, zorder=2)
        _draw_arm(axes, by_arm[arm.name], colour, "-")
        _dress(axes, [by_arm[arm.name]])
        axes.set_title(_panel_title(index + 1, arm.label), fontsize=6)
    figure.supylabel(LABELS[name], fontsize=8)
    style.note(figure, f"x: epoch; grey: baseline; {note}")
    return figure


def _panel_title(row: int, label: str) -> str:
    lines = textwrap.wrap(f"{row}  {style.drawable(label, longest=62)}", width=34)
    return "\n".join(lines[:2])


def _draw_arm(axes: Axes, curves: ArmCurves, colour: Colour, dash: style.Dash) -> None:
    """Seeds faint, their mean on top; a cross where a run without a result ended."""
    few = curves.last_epoch <= _MANY_EPOCHS
    for curve in curves.seeds:
        axes.plot(curve.epochs, curve.values, color=colour, alpha=0.3, linewidth=0.6, zorder=2)
        if curve.status != "done":
            axes.plot(
                curve.epochs[-1:], curve.values[-1:], color=colour, marker="x", markersize=4.5, zorder=4
            )
    axes.plot(
        curves.mean_epochs,
        curves.mean_values,
        color=colour,
        linestyle=dash,
        linewidth=1.3,
        marker="o" if few else None,
        markersize=2.0,
        zorder=3,
    )


def _dress(axes: Axes, curves: Sequence[ArmCurves]) -> None:
    style.tidy(axes)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=2))
    if curves:
        axes.margins(x=0.03)


def _legend(figure: Figure, columns: Mapping[str | None, Sequence[_Line]], colour_axis: Axis | None) -> None:
    lines = {line.label: line for own in columns.values() for line in own}
    if colour_axis is not None:
        order = {level_text(level): rank for rank, level in enumerate(colour_axis.levels)}
        lines = dict(sorted(lines.items(), key=lambda item: order.get(item[0], len(order))))
    handles = [Line2D([], [], color=line.colour, linestyle=line.dash) for line in lines.values()]
    labels = [style.drawable(label, longest=40) for label in lines]
    title = None
    if colour_axis is not None:
        title = style.drawable(colour_axis.label if colour_axis.is_ordinal else colour_axis.header)
    if _is_legend_above(labels, columns):
        n_columns = 3 if max(map(len, labels)) > _LONGEST_ABOVE else min(6, len(labels))
        figure.legend(
            handles, labels, loc="outside upper center", ncols=n_columns, title=title, title_fontsize=7.5
        )
    else:
        figure.legend(handles, labels, loc="outside right upper", title=title, title_fontsize=7.5)


def _is_legend_above(labels: Sequence[str], columns: Mapping[str | None, object]) -> bool:
    """Whether the legend would take too much of the width beside the axes."""
    return max(map(len, labels)) > _LONGEST_SIDE_LABEL or len(columns) > MOST_COLUMNS


def _spans_decades(curves: Iterable[ArmCurves]) -> bool:
    values = [value for arm in curves for curve in arm.seeds for value in curve.values]
    return bool(values) and min(values) > 0 and max(values) / min(values) >= 20
