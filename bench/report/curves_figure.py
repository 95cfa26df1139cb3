"""Convergence: training loss and validation accuracy against the epoch, means with bands over faint seeds.

Arms share axes as far as a page holds them; more arms get a small panel each, with the baseline behind it in
grey.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bench.analyse.convergence import ArmCurves
from bench.analyse.summary import ArmSummary
from bench.report import style
from bench.report.arm_lines import (
    FEW_PLACES,
    Colour,
    Columns,
    add_legend,
    columns_of,
    draw_line,
    fit_to_lines,
    panels_of,
)
from bench.report.layout import Layout

MOST_PANELS: Final = 48

_MANY_TIMES: Final = 20
"""Ratio of the largest to the smallest loss from which the axis is logarithmic."""

LABELS: Final = {
    "train_loss": "training loss",
    "val_top1_pct": "validation top-1 (%)",
    "train_top1_pct": "training top-1 (%)",
}

Curves = Mapping[str, Mapping[str, ArmCurves]]
"""By quantity (loss, then accuracy), then by arm."""


def is_logarithmic(curves: Mapping[str, ArmCurves]) -> bool:
    """Whether losses fall by factors, so that their axis is logarithmic and their means are geometric."""
    values = [value for arm in curves.values() for curve in arm.seeds for value in curve.values]
    return bool(values) and min(values) > 0 and max(values) / min(values) >= _MANY_TIMES


def draw_curves(arms: Sequence[ArmSummary], layout: Layout, curves: Curves, note: str) -> Figure:
    """The figure for these arms.

    Args:
        arms: Arms of one block, baseline first.
        layout: Of the study.
        curves: By quantity (two of them: loss, then accuracy) and arm.
        note: What is said below.
    """
    columns = columns_of(arms, layout)
    if columns is None:
        return _small_multiples(arms, list(curves.items())[-1], note)
    return _shared_axes(columns, curves, note)


def _shared_axes(columns: Columns, curves: Curves, note: str) -> Figure:
    """A row a quantity and a column a level; where there is one column, quantities stand side by side."""
    figure, rows = panels_of(columns, len(curves), same_x=True, same_y=False)
    for panels, (quantity, by_arm) in zip(rows, curves.items(), strict=True):
        for axes, (title, lines) in zip(panels, columns.lines.items(), strict=True):
            drawn = [line for line in lines if line.arm in by_arm]
            for line in drawn:
                _draw_arm(axes, by_arm[line.arm], (line.colour, line.dash), share=quantity != "train_loss")
            _dress(axes, [by_arm[line.arm] for line in drawn])
            if title is not None and panels is rows[0]:
                axes.set_title(style.drawable(title))
            if columns.is_single or panels is rows[-1]:
                axes.set_xlabel("epoch")
        panels[0].set_ylabel(LABELS[quantity])
        if quantity == "train_loss" and is_logarithmic(by_arm):
            panels[0].set_yscale("log")
            panels[0].set_ylabel(f"{LABELS[quantity]} (log)")
        fit_to_lines(panels, share=quantity != "train_loss")
    add_legend(figure, columns)
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
        _draw_arm(axes, by_arm[arm.name], (colour, "-"), share=name != "train_loss")
        _dress(axes, [by_arm[arm.name]])
        axes.set_title(_panel_title(index + 1, arm.label), fontsize=6)
    fit_to_lines([axes for axes in grid.flat if axes.lines], share=name != "train_loss")
    figure.supylabel(LABELS[name], fontsize=8)
    style.note(figure, f"x: epoch; grey: baseline; {note}")
    return figure


def _panel_title(row: int, label: str) -> str:
    lines = textwrap.wrap(f"{row}  {style.drawable(label, longest=62)}", width=34)
    return "\n".join(lines[:2])


def _draw_arm(axes: Axes, curves: ArmCurves, look: tuple[Colour, style.Dash], *, share: bool) -> None:
    draw_line(
        axes,
        [(curve.epochs, curve.values, curve.status == "done") for curve in curves.seeds],
        (curves.mean_epochs, curves.mean_values),
        curves.band,
        look,
        few=curves.last_epoch <= FEW_PLACES,
        share=share,
    )


def _dress(axes: Axes, curves: Sequence[ArmCurves]) -> None:
    style.tidy(axes)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=2))
    if curves:
        axes.margins(x=0.03)
