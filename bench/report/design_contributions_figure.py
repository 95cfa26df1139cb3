"""What each component or level is worth: a bar from the reference to where its change leads.

One row a change, the largest gain on top. The bar runs from the reference's mean to the arm's; dots are
seeds, the line through the bar's end is the 95 % interval of the difference.
"""

from __future__ import annotations

from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from bench import units
from bench.analyse.contrast import Contrast
from bench.analyse.design_contributions import LEAVE_ONE_OUT, Contribution, Contributions, Standing
from bench.report import style, words

MOST_ROWS: Final = 40
"""Changes that one page holds."""

OPEN: Final = (0.60, 0.60, 0.60)

COLOURS: Final[dict[Standing, tuple[float, float, float]]] = {
    "helps": (0.01, 0.45, 0.70),
    "harms": (0.84, 0.37, 0.0),
    "no difference that matters": (0.0, 0.62, 0.45),
    "undecided": OPEN,
}
"""Of the bars, by verdict."""


def draw_contributions(figure: Figure, found: Contributions, quantity: units.Quantity) -> None:
    """Draw the changes below their reference.

    Args:
        figure: Empty.
        found: Of one block.
        quantity: What was measured.
    """
    axes = figure.subplots()
    rows = found.ranked
    reference = found.reference.estimate.mean
    assert reference is not None, "a reference without a result has no contributions"
    axes.axvline(reference, color="#333333", linewidth=0.9, zorder=2)
    _dots(axes, [point.value for point in found.reference.points], 0, "#333333")
    for index, one in enumerate(rows, start=1):
        _row(axes, one, index, reference, sign=-1 if found.kind == LEAVE_ONE_OUT else 1)
    first = "full recipe" if found.kind == LEAVE_ONE_OUT else f"baseline ({found.reference.label})"
    if found.reference.label == "baseline":
        first = "baseline"
    lead = "− " if found.kind == LEAVE_ONE_OUT else ""
    labels = [first, *(f"{lead}{one.name}" for one in rows)]
    axes.set_yticks(range(len(labels)), [style.drawable(label, longest=44) for label in labels])
    axes.set_ylim(len(labels) - 0.5, -0.6)
    axes.margins(x=0.08)
    if quantity.unit == "%":
        # Seeds laid at the reference's mean may come to lie beyond 100; they are drawn, but no tick is.
        low, high = max(axes.get_xlim()[0], 0.0), axes.get_xlim()[1]
        axes.set_xticks([tick for tick in axes.get_xticks() if low <= tick <= min(high, 100.0)])
        axes.set_xlim(low, high)
    axes.set_xlabel(quantity.header)
    style.tidy(axes, grid="x")
    axes.tick_params(axis="y", length=0)
    _heading(axes, found)
    kinds = {one.standing for one in rows if one.contrast.estimate is not None}
    handles = [
        Patch(color=colour, alpha=0.55, linewidth=0, label=standing)
        for standing, colour in COLOURS.items()
        if standing in kinds
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))


def figure_size(found: Contributions) -> tuple[float, float]:
    """Inches that the figure takes."""
    return style.PAGE_IN * 0.85, min(9.2, 1.25 + 0.27 * len(found.changes))


def contribution_text(one: Contrast, one_image: float | None) -> str:
    """`+2.3 [+1.1, +3.5]`, or why there is no number."""
    if one.estimate is None:
        return words.NONE
    bounds = words.of_contrast(one)
    interval = words.difference_interval_text(bounds, one_image)
    value = words.difference_text(bounds, one_image)
    return value if interval == words.NONE else f"{value} {interval}"


def _row(axes: Axes, one: Contribution, index: int, reference: float, *, sign: int) -> None:
    estimate, ends = one.contrast.estimate, one.contrast.student.interval()
    if estimate is None:
        reason = words.listed(dict.fromkeys(gap.words for gap in one.arm.gaps)) or "no result"
        axes.annotate(
            reason, (reference, index), xytext=(5, 0), textcoords="offset points", va="center", fontsize=7
        )
        return
    colour = COLOURS[one.standing]
    end = reference + sign * estimate
    axes.barh(
        index, end - reference, left=reference, height=0.56, color=colour, alpha=0.45, linewidth=0, zorder=1
    )
    if ends is not None:
        low, high = sorted(reference + sign * bound for bound in ends)
        axes.plot([low, high], [index, index], color=colour, linewidth=1.4, solid_capstyle="butt", zorder=3)
    axes.plot([end, end], [index - 0.28, index + 0.28], color=colour, linewidth=1.6, zorder=3)
    _dots(axes, one.placed, index, colour)
    axes.annotate(
        contribution_text(one.contrast, one.arm.one_image),
        (1.0, index),
        xycoords=("axes fraction", "data"),
        xytext=(6, 0),
        textcoords="offset points",
        va="center",
        fontsize=7,
    )


def _heading(axes: Axes, found: Contributions) -> None:
    """What the numbers beside the rows are."""
    unit = f" ({found.changes[0].contrast.unit})" if found.changes[0].contrast.unit else ""
    what = f"it brings{unit}" if found.kind == LEAVE_ONE_OUT else f"difference{unit}"
    axes.annotate(
        what,
        (1.0, 0),
        xycoords=("axes fraction", "data"),
        xytext=(6, 0),
        textcoords="offset points",
        va="center",
        fontsize=7,
        color=style.GREY,
    )


def _dots(axes: Axes, values: tuple[float, ...] | list[float], index: int, colour: Any) -> None:
    axes.plot(
        values,
        [index] * len(values),
        linestyle="none",
        marker="o",
        markersize=3.2,
        markerfacecolor="white",
        markeredgecolor=colour,
        markeredgewidth=0.8,
        zorder=4,
    )
