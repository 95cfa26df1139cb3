"""Effects of a factorial as a forest, and its interactions as lines: parallel lines are no interaction."""

from __future__ import annotations

from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bench import units
from bench.analyse.design_factorial import Effect, Effects
from bench.analyse.outline import level_text
from bench.report import style
from bench.report.design_contributions_figure import OPEN, contribution_text

MOST_EFFECTS: Final = 40
"""Rows that one page holds."""

MOST_FACTORS: Final = 6
"""Factors whose pairs fit on a page."""

BLUE: Final = (0.01, 0.45, 0.70)


def draw_effects(figure: Figure, found: Effects, quantity: units.Quantity) -> None:
    """Draw every effect with its interval and its seeds, main effects above interactions.

    Args:
        figure: Empty.
        found: Of one block.
        quantity: What was measured.
    """
    axes = figure.subplots()
    axes.axvline(0, color="#333333", linewidth=0.8, zorder=1)
    one_image = max((arm.one_image for arm in found.arms if arm.one_image is not None), default=None)
    for index, one in enumerate(found.effects):
        _row(axes, one, index, one_image)
    n_main = sum(one.is_main for one in found.effects)
    if n_main < len(found.effects):
        axes.axhline(n_main - 0.5, color="#cccccc", linewidth=0.7, zorder=0)
    labels = [style.drawable(one.chain.text, longest=70) for one in found.effects]
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.5, -0.6)
    axes.margins(x=0.08)
    unit = f" ({quantity.delta_unit})" if quantity.delta_unit else ""
    axes.set_xlabel(f"effect on {quantity.short}{unit}")
    style.tidy(axes, grid="x")
    axes.tick_params(axis="y", length=0)


def effects_size(found: Effects) -> tuple[float, float]:
    """Inches that the figure takes."""
    return style.PAGE_IN, min(9.2, 1.0 + 0.24 * len(found.effects))


def draw_interactions(figure: Figure, found: Effects, quantity: units.Quantity) -> None:
    """Draw each pair of factors as two lines, a panel a pair.

    Args:
        figure: Empty.
        found: Of one block.
        quantity: What was measured.
    """
    n = len(found.factors)
    grid = figure.subplots(n - 1, n - 1, squeeze=False, sharey=True, sharex="col")
    palette = style.colours(None, 2)
    for row in range(1, n):
        for column in range(n - 1):
            axes = grid[row - 1, column]
            if column >= row:
                axes.set_axis_off()
                continue
            for index, sign in enumerate((-1, 1)):
                _line(axes, found, (column, row), sign, palette[index])
            low, high = (level_text(level) for level in found.factors[column].levels)
            axes.set_xticks((0, 1), [style.drawable(text, longest=10) for text in (low, high)])
            axes.set_xlim(-0.3, 1.3)
            style.tidy(axes)
            axes.yaxis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 5, 10]))
            axes.legend(
                title=style.drawable(found.names[row], longest=20), fontsize=6, title_fontsize=6, loc="best"
            )
            if row == n - 1:
                axes.set_xlabel(style.drawable(found.names[column], longest=20))
    figure.supylabel(quantity.header, fontsize=8)


def interactions_size(found: Effects) -> tuple[float, float]:
    """Inches that the figure takes."""
    n = len(found.factors) - 1
    return min(style.PAGE_IN, 1.0 + 1.9 * n), min(9.0, 0.8 + 1.45 * n)


def _row(axes: Axes, one: Effect, index: int, one_image: float | None) -> None:
    found = one.contrast
    if found.estimate is None:
        return
    colour = BLUE if one.is_found else OPEN
    ends = found.student.interval()
    if ends is not None:
        axes.plot(ends, [index, index], color=colour, linewidth=1.4, solid_capstyle="butt", zorder=3)
    axes.plot(
        found.by_seed,
        [index] * len(found.by_seed),
        linestyle="none",
        marker="o",
        markersize=3.0,
        markerfacecolor="white",
        markeredgecolor=colour,
        markeredgewidth=0.7,
        zorder=4,
    )
    axes.plot(
        [found.estimate],
        [index],
        color=colour,
        marker="D" if one.is_main else "s",
        markersize=4.6,
        markerfacecolor=colour if one.is_found else "white",
        zorder=5,
    )
    axes.annotate(
        contribution_text(found, one_image),
        (1.0, index),
        xycoords=("axes fraction", "data"),
        xytext=(6, 0),
        textcoords="offset points",
        va="center",
        fontsize=7,
    )


def _line(axes: Axes, found: Effects, pair: tuple[int, int], sign: int, colour: Any) -> None:
    """Means at both levels of the first factor, where the second has one."""
    of, by = pair
    cells = [found.mean_at({of: at, by: sign}) for at in (-1, 1)]
    shift = 0.03 * sign
    marker, dash = (("o", "-"), ("s", "--"))[sign > 0]
    axes.plot(
        [0 + shift, 1 + shift],
        [mean for _, mean in cells],
        color=colour,
        marker=marker,
        linestyle=dash,
        markersize=4,
        label=style.drawable(level_text(found.factors[by].levels[sign > 0]), longest=14),
        zorder=3,
    )
    for x, (values, _) in enumerate(cells):
        axes.plot(
            [x + 3 * shift] * len(values),
            values,
            linestyle="none",
            marker=".",
            markersize=2.4,
            color=colour,
            alpha=0.7,
            zorder=2,
        )
