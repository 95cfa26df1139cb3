"""What freezing saves: trainable parameters and training speed, beside the metric figure and in its colours.

Parameters are exact and have no interval; the speed is the probe's median with the quartiles of its windows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from bench.analyse.summary import ArmSummary
from bench.report import reference, style
from bench.report.layout import Layout
from bench.report.metric_figure import axis_label, dash_of, level_ticks, series_of, slots

_MOST_LINEAR: Final = 4
"""Ratio of largest to smallest value from which an axis is logarithmic."""


@dataclass(frozen=True)
class _Cost:
    """One quantity: its axis, and each arm's value with what lies below and above it."""

    header: str
    of: Callable[[ArmSummary], tuple[float, float, float] | None]
    from_zero: bool = False


def draw_cost(figure: Figure, arms: Sequence[ArmSummary], layout: Layout) -> None:
    """Parameters beside speed, where any arm has a probe; with panels, one above the other.

    Args:
        figure: Empty.
        arms: Arms of one block.
        layout: With an ordered x axis.
    """
    costs = [_Cost("trainable parameters (M)", _parameters, from_zero=True)]
    if any(arm.speed is not None for arm in arms):
        costs.append(_Cost("training speed (images/s)", _speed))
    panels = layout.panels(arms)
    across = len(panels) > 1
    grid = figure.subplots(
        *((len(costs), len(panels)) if across else (1, len(costs))),
        squeeze=False,
        sharey="row" if across else False,
    )
    for row, cost in enumerate(costs):
        for column, (title, own) in enumerate(panels):
            axes = grid[row, column] if across else grid[0, row]
            _draw(axes, own, layout, cost)
            axes.set_ylabel(cost.header if column == 0 else "")
            if across and row == 0 and title is not None:
                axes.set_title(style.drawable(title))
            if across and row < len(costs) - 1:
                axes.set_xlabel("")
        _scale(grid[row, 0] if across else grid[0, row], arms, cost)
    style.legend_above(figure, grid[0, 0])


def _draw(axes: Axes, arms: Sequence[ArmSummary], layout: Layout, cost: _Cost) -> None:
    x = layout.x
    assert x is not None
    series = series_of(arms, layout)
    palette = style.colours(layout.hue, len(series))
    for index, ((label, own), centre) in enumerate(zip(series, slots(x, len(series)), strict=True)):
        found = [(x.shifted(arm.levels[x.key], centre), cost.of(arm)) for arm in own]
        told = [(at, *value) for at, value in found if value is not None]
        places, values = [at for at, *_ in told], [value for _, value, *_ in told]
        axes.plot(
            places,
            values,
            color=palette[index],
            linestyle=dash_of(index, len(series)),
            marker=style.MARKERS[index],
            markersize=4.5,
            markeredgecolor="white",
            markeredgewidth=0.5,
            label=None if label is None else style.drawable(label),
            zorder=4,
        )
        if any(below or above for *_, below, above in told):
            spread = [[below for *_, below, _ in told], [above for *_, above in told]]
            axes.errorbar(
                places, values, spread, color=palette[index], fmt="none", elinewidth=1.1, capsize=2.2
            )
    _line_across(axes, layout.across(arms), cost)
    level_ticks(axes, x)
    axes.set_xlabel(axis_label(x))
    style.tidy(axes)


def _line_across(axes: Axes, arm: ArmSummary | None, cost: _Cost) -> None:
    value = None if arm is None else cost.of(arm)
    if arm is not None and value is not None:
        axes.axhline(
            value[0],
            color=reference.COLOUR,
            linestyle=reference.DASH,
            linewidth=1.0,
            label=reference.label(arm),
            zorder=1.5,
        )


def _scale(axes: Axes, arms: Sequence[ArmSummary], cost: _Cost) -> None:
    """Logarithmic where values differ by factors, with plain numbers at the ticks."""
    values = [value[0] for arm in arms if (value := cost.of(arm)) is not None]
    if values and min(values) > 0 and max(values) / min(values) >= _MOST_LINEAR:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(base=10, subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.set_ylabel(f"{cost.header[:-1]}, log)")
    else:
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10]))
        if cost.from_zero and values:
            axes.set_ylim(0, 1.08 * max(values))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))


def _parameters(arm: ArmSummary) -> tuple[float, float, float] | None:
    count = arm.n_trainable_params
    return None if count is None else (count / 1e6, 0.0, 0.0)


def _speed(arm: ArmSummary) -> tuple[float, float, float] | None:
    speed = arm.speed
    if speed is None:
        return None
    median = speed.median_img_s
    return median, max(0.0, median - speed.q1_img_s), max(0.0, speed.q3_img_s - median)
