"""The baseline that stands nowhere on the x axis: a line across, on which no other arm depends.

A study of what is copied compares every stage with a network that copies nothing. That arm has no place among
the stages, so its mean is a dashed line over all of them with its interval as a band, and its seeds stand
left of the first.
"""

from __future__ import annotations

from typing import Final

from matplotlib.axes import Axes

from bench.analyse.summary import ArmSummary
from bench.report import style
from bench.report.layout import Axis

COLOUR: Final = (0.3, 0.3, 0.3)

DASH: Final = (0, (4, 2.5))

_BESIDE: Final = -0.44
"""Where the seeds stand: as a share of the distance between levels, from the first."""


def label(arm: ArmSummary) -> str:
    """How the line reads in a legend."""
    return "baseline" if arm.label == "baseline" else f"{style.drawable(arm.label)} (baseline)"


def place(x: Axis) -> float:
    """Where the seeds stand on the x axis."""
    return x.shifted(x.levels[0], _BESIDE)


def draw_reference(axes: Axes, arm: ArmSummary, x: Axis) -> None:
    """The mean across, the interval as a band, a dot a seed.

    Args:
        axes: Where to draw; its y axis shows the metric.
        arm: The baseline.
        x: The x axis that it has no place on.
    """
    estimate = arm.estimate
    if estimate.ci95_low is not None and estimate.ci95_high is not None:
        axes.axhspan(estimate.ci95_low, estimate.ci95_high, color=COLOUR, alpha=0.13, linewidth=0, zorder=1)
    if estimate.mean is not None:
        axes.axhline(estimate.mean, color=COLOUR, linestyle=DASH, linewidth=1.0, label=label(arm), zorder=1.5)
    values = [point.value for point in arm.points]
    axes.scatter([place(x)] * len(values), values, color=[COLOUR], s=11, alpha=0.65, linewidths=0, zorder=3)
