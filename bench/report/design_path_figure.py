"""A greedy path: what each step's candidates scored on validation, and what the chosen brought on the metric.

The upper panel is what chose: validation accuracy of every candidate, the chosen ones joined. The lower one
is what was found: the study's metric at each station with its seeds and interval, without part in the choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bench import units
from bench.analyse.design_walk import Step
from bench.report import style
from bench.report.design_contributions_figure import contribution_text

BLUE: Final = (0.01, 0.45, 0.70)
PALE: Final = (0.55, 0.55, 0.55)


def draw_path(figure: Figure, steps: Sequence[Step], quantity: units.Quantity) -> None:
    """Draw the stations from the bare recipe on.

    Args:
        figure: Empty.
        steps: At least two, the bare recipe first.
        quantity: The study's metric.
    """
    upper, lower = figure.subplots(2, 1, sharex=True)
    _choices(upper, steps)
    _results(lower, steps)
    labels = ["bare", *(f"+ {step.component}" for step in steps[1:])]
    lower.set_xticks(range(len(steps)), [style.drawable(label, longest=24) for label in labels])
    if max(map(len, labels)) * len(labels) > 70:
        lower.tick_params(axis="x", labelrotation=30)
        for label in lower.get_xticklabels():
            label.set_horizontalalignment("right")
    lower.set_xlim(-0.4, len(steps) - 0.5)
    upper.set_ylabel("validation top-1 (%)")
    lower.set_ylabel(quantity.header)
    for axes in (upper, lower):
        style.tidy(axes)
        axes.margins(y=0.16)
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10]))
    upper.tick_params(axis="x", length=0)
    style.legend_above(figure, upper)
    figure.draw_without_rendering()
    for x in range(len(steps)):
        _name(upper, [one for one in _passed(steps) if one[0] == x])


def figure_size(steps: Sequence[Step]) -> tuple[float, float]:
    """Inches that the figure takes."""
    return (style.PAGE_IN if len(steps) > 4 else style.COLUMN_IN * 1.4), 4.6


def _choices(axes: Axes, steps: Sequence[Step]) -> None:
    passed = _passed(steps)
    axes.plot(
        [x for x, *_ in passed],
        [y for _, y, _ in passed],
        linestyle="none",
        marker="o",
        markersize=4.2,
        markerfacecolor="white",
        markeredgecolor=PALE,
        label="candidate, mean over seeds",
        zorder=3,
    )
    known = [
        (x, step.mean_val_top1_pct) for x, step in enumerate(steps) if step.mean_val_top1_pct is not None
    ]
    axes.plot(
        [x for x, _ in known],
        [y for _, y in known],
        color=BLUE,
        marker="o",
        markersize=5,
        label="chosen",
        zorder=4,
    )


def _name(axes: Axes, passed: Sequence[tuple[float, float, str]]) -> None:
    """Names beside the candidates of one step, in the order of their marks and apart from each other."""
    line_px = 8.0 * axes.figure.dpi / 72
    above = float("-inf")
    for x, y, name in sorted(passed, key=lambda one: one[1]):
        place = float(axes.transData.transform((x, y))[1])
        above = max(place, above + line_px)
        axes.annotate(
            style.drawable(name, longest=20),
            (x, y),
            xytext=(6, 72 * (above - place) / axes.figure.dpi),
            textcoords="offset points",
            va="center",
            fontsize=6.5,
            color="#333333",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.75},
            zorder=5,
        )


def _passed(steps: Sequence[Step]) -> list[tuple[float, float, str]]:
    """Candidates that were not chosen."""
    return [
        (float(x), one.mean_val_top1_pct, one.component)
        for x, step in enumerate(steps)
        for one in step.tried
        if one.component != step.component and one.mean_val_top1_pct is not None
    ]


def _results(axes: Axes, steps: Sequence[Step]) -> None:
    means = [step.arm.estimate.mean for step in steps]
    known = [(x, mean) for x, mean in enumerate(means) if mean is not None]
    axes.plot([x for x, _ in known], [mean for _, mean in known], color=BLUE, linewidth=1.1, zorder=2)
    axes.plot(
        [x for x, _ in known],
        [mean for _, mean in known],
        color=BLUE,
        linestyle="none",
        marker="_",
        markersize=9,
        markeredgewidth=1.6,
        zorder=4,
    )
    for x, step in enumerate(steps):
        estimate = step.arm.estimate
        values = [point.value for point in step.arm.points]
        axes.plot(
            [x] * len(values),
            values,
            linestyle="none",
            marker="o",
            markersize=3.0,
            markerfacecolor="white",
            markeredgecolor=BLUE,
            markeredgewidth=0.7,
            zorder=3,
        )
        if estimate.ci95_low is not None and estimate.ci95_high is not None:
            axes.plot([x, x], [estimate.ci95_low, estimate.ci95_high], color=BLUE, linewidth=1.3, zorder=3)
        if step.gain is not None:
            axes.annotate(
                contribution_text(step.gain, step.arm.one_image).partition(" ")[0],
                (x - 0.5, 1.0),
                xycoords=("data", "axes fraction"),
                ha="center",
                va="top",
                fontsize=7,
                color=style.GREY,
            )
