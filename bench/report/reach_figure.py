"""The share of the runs that have reached the target on validation, against epochs and seconds of training.

One step curve an arm (one minus Kaplan and Meier's estimate), a dot where a run arrived. A curve ends where
the arm's own budget ends; what it lacks to 100 % there never arrived.
"""

from __future__ import annotations

from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bench.analyse.equal_target import TIMED, Reached, Target, Timed
from bench.report import style
from bench.report.arm_lines import Columns, Line, add_legend, panels_of
from bench.report.clock_axis import dress_clock

LABELS: Final[dict[Timed, str]] = {"epochs": "epochs", "seconds": "seconds of training"}


def draw_reach(columns: Columns, target: Target) -> Figure:
    """A row (or, with one column of arms, a panel) a clock.

    Args:
        columns: Which arms share a panel.
        target: Every arm's way to the target.
    """
    clocks = [clock for clock in TIMED if clock in target.horizons]
    figure, rows = panels_of(columns, len(clocks), same_x=False, same_y=True, row_in=1.9)
    by_arm = {arm.arm: arm for arm in target.arms}
    for panels, clock in zip(rows, clocks, strict=True):
        for axes, (title, lines) in zip(panels, columns.lines.items(), strict=True):
            for rank, line in enumerate(lines):
                if line.arm in by_arm:
                    _draw(axes, by_arm[line.arm], clock, line, rank)
            if title is not None and panels is rows[0]:
                axes.set_title(style.drawable(title))
            style.tidy(axes)
            axes.set_ylim(-4, 104)
            axes.yaxis.set_major_locator(MaxNLocator(nbins=5))
        events = [step.time for arm in target.arms for step in arm.own[clock].curve]
        ends = [arm.own[clock].horizon for arm in target.arms]
        for axes in panels:
            dress_clock(axes, clock, LABELS[clock], events, ends)
        if not columns.is_single or panels is rows[0]:
            panels[0].set_ylabel(f"runs at {target.val_top1_pct:g} % or above (%)")
    add_legend(figure, columns)
    return figure


def _draw(axes: Axes, arm: Reached, clock: Timed, line: Line, rank: int) -> None:
    told = arm.own[clock]
    times = [0.0, *(step.time for step in told.curve), told.horizon]
    shares = [0.0, *(100 * (1 - step.survival) for step in told.curve)]
    shares.append(shares[-1])
    axes.plot(
        times,
        shares,
        drawstyle="steps-post",
        color=line.colour,
        linestyle=line.dash,
        linewidth=1.3,
        label=style.drawable(line.label),
        zorder=3,
    )
    arrivals = [
        (step.time, 100 * (1 - step.survival) - 100 * k / told.n)
        for step in told.curve
        for k in range(step.n_events)
    ]
    if arrivals:
        axes.scatter(
            [at for at, _ in arrivals],
            [share for _, share in arrivals],
            color=[line.colour],
            marker=style.MARKERS[rank % len(style.MARKERS)],
            s=11,
            linewidths=0,
            zorder=4,
        )
    if told.n_reached < told.n:
        axes.plot(times[-1:], shares[-1:], color=line.colour, marker="|", markersize=7, zorder=4)
