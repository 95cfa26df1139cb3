"""An axis of epochs, seconds or operations: from 0, or logarithmic where budgets differ by factors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

_MOST_LINEAR: Final = 4
"""Ratio of the largest to the smallest budget from which the axis is logarithmic."""

_FLOPS: Final = ((1e18, "EFLOP"), (1e15, "PFLOP"), (1e12, "TFLOP"), (1e9, "GFLOP"), (1e6, "MFLOP"))


def dress_clock(
    axes: Axes, clock: str, label: str, places: Sequence[float], budgets: Sequence[float]
) -> None:
    """Scale, ticks and label of the x axis.

    Args:
        axes: Whose x axis it is.
        clock: `epochs` counts whole numbers.
        label: With its unit.
        places: Where something is drawn.
        budgets: Where arms end.
    """
    axes.grid(visible=False, axis="x")
    if is_logarithmic(budgets):
        axes.set_xscale("log")
        lowest = min([place for place in (*places, *budgets) if place > 0])
        axes.set_xlim(lowest / 1.3, max(budgets) * 1.12)
        decades = max(budgets) / lowest
        axes.xaxis.set_major_locator(LogLocator(base=10, subs=(1.0, 2.0, 5.0) if decades < 200 else (1.0,)))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
        label = f"{label[:-1]}, log)" if label.endswith(")") else f"{label} (log)"
    else:
        axes.set_xlim(0, max(budgets) * 1.03)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=clock == "epochs", min_n_ticks=2))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
    axes.set_xlabel(label)


def is_logarithmic(budgets: Sequence[float]) -> bool:
    """Whether budgets differ by factors."""
    return max(budgets) >= _MOST_LINEAR * min(budgets)


def flops_unit(largest: float) -> tuple[float, str]:
    """A unit of operations in which the largest has one to three digits before the point."""
    return next(((size, name) for size, name in _FLOPS if largest >= size), _FLOPS[-1])
