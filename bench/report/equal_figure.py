"""Accuracy on validation at equal epochs, equal seconds and equal operations, in small multiples.

The same runs on every clock: what leads at equal epochs may trail at equal time. A vertical line marks the
budget that all arms were given; the table `equal` has the numbers there.
"""

from __future__ import annotations

from matplotlib.figure import Figure

from bench.analyse.equal_budget import EqualBudgets
from bench.analyse.equal_clocks import CLOCKS, Clock
from bench.report import reference, style
from bench.report.arm_lines import FEW_PLACES, Columns, add_legend, draw_line, fit_to_lines, panels_of
from bench.report.clock_axis import dress_clock, flops_unit


def clock_labels(budgets: EqualBudgets) -> dict[Clock, tuple[float, str]]:
    """What a clock's numbers are divided by, and how its axis is called."""
    largest = max(
        (end for one in budgets.curves.get("flops", {}).values() for track in one.seeds for end in track.at),
        default=1e9,
    )
    size, unit = flops_unit(largest)
    return {
        "epochs": (1.0, "epochs"),
        "seconds": (1.0, "training time (s)"),
        "flops": (size, f"operations ({unit})"),
    }


def draw_equal(columns: Columns, budgets: EqualBudgets) -> Figure:
    """A row (or, with one column of arms, a panel) a clock.

    Args:
        columns: Which arms share a panel.
        budgets: Curves by clock and arm.
    """
    clocks = [clock for clock in CLOCKS if clock in budgets.curves]
    figure, rows = panels_of(columns, len(clocks), same_x=False, same_y=True, row_in=1.75)
    units = clock_labels(budgets)
    for panels, clock in zip(rows, clocks, strict=True):
        size, label = units[clock]
        by_arm = budgets.curves[clock]
        for axes, (title, lines) in zip(panels, columns.lines.items(), strict=True):
            for line in (line for line in lines if line.arm in by_arm):
                own = by_arm[line.arm]
                few = max((len(track.at) for track in own.seeds), default=0) <= FEW_PLACES
                traces = [
                    (_over(track.at, size), track.values, track.status == "done") for track in own.seeds
                ]
                mean = (_over(own.mean_at, size), own.mean_values)
                draw_line(axes, traces, mean, None, (line.colour, line.dash), few=few)
            if title is not None and panels is rows[0]:
                axes.set_title(style.drawable(title))
            style.tidy(axes)
        ends = [max(track.at) / size for one in by_arm.values() for track in one.seeds]
        first = [min(track.at) / size for one in by_arm.values() for track in one.seeds]
        for axes in panels:
            dress_clock(axes, clock, label, first, ends)
        if not columns.is_single or panels is rows[0]:
            panels[0].set_ylabel("validation top-1 (%)")
    fit_to_lines([axes for panels in rows for axes in panels], share=True)
    for panels, clock in zip(rows, clocks, strict=True):
        for axes in panels:
            place = budgets.common[clock] / units[clock][0]
            axes.axvline(place, color=reference.COLOUR, linestyle=":", linewidth=0.9, zorder=1)
    add_legend(figure, columns)
    return figure


def _over(values: tuple[float, ...], size: float) -> list[float]:
    return [value / size for value in values]
