"""The metric against the study's factors: every seed a dot, beside it the mean with its interval.

One panel function serves the main figure and the two errors beside each other; which of its two forms is
drawn (an axis of levels, or a list of arms) comes from the layout, as does a baseline that is a line across.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator

from bench import units
from bench.analyse.outline import level_text
from bench.analyse.summary import ArmSummary
from bench.report import reference, style
from bench.report.layout import Axis, Layout

MOST_ROWS: Final = 60
"""Arms that a list can show on one page."""

_SLOT: Final = 0.2
"""Width that one hue takes beside a level, as a share of the distance between levels."""

_NEAR: Final = 0.35
"""Where the mean of one of two hues stands beside its level, in slots: as near as two marks can."""

_STAGE_SLOT: Final = 0.2
"""The same beside a stage: few stages make long distances."""

MOST_UNNUMBERED: Final = 12
"""Arms above which a list numbers its rows, so that other figures can name an arm by its number."""

_GAP_COLOUR: Final = "#a11212"

Colour = tuple[float, float, float]


def draw_levels(axes: Axes, arms: Sequence[ArmSummary], layout: Layout, quantity: units.Quantity) -> None:
    """Dots, means and intervals over an axis of levels; lines join the means of an ordered factor.

    Args:
        axes: Where to draw.
        arms: Arms of one block.
        layout: With an x axis.
        quantity: What the y axis shows.
    """
    x, hue = layout.x, layout.hue
    assert x is not None
    series = series_of(arms, layout)
    palette = style.colours(hue, len(series))
    for index, ((label, own), colour) in enumerate(zip(series, palette, strict=True)):
        look = (colour, style.MARKERS[index], dash_of(index, len(series)) if x.is_ordered else "none")
        _draw_series(axes, own, x, _beside(x, index, len(series)), look, label)
    base = layout.across(arms)
    if base is not None:
        reference.draw_reference(axes, base, x)
        if base.gaps:
            _mark_gap(axes, base, reference.place(x), reference.COLOUR)
    level_ticks(axes, x)
    axes.set_xlabel(axis_label(x))
    axes.set_ylabel(style.drawable(quantity.header))
    style.tidy(axes)
    axes.grid(visible=x.is_number, axis="x")
    fit(axes, arms, quantity, "y")


def draw_list(
    axes: Axes,
    arms: Sequence[ArmSummary],
    quantity: units.Quantity,
    *,
    tell_gaps: bool = True,
    labels: Sequence[str] | None = None,
) -> None:
    """One row an arm, the baseline on top with a line down from its mean.

    Args:
        axes: Where to draw.
        arms: Arms of one block, baseline first.
        quantity: What the x axis shows.
        tell_gaps: Say on the right how many runs of a row have no result.
        labels: Of the rows; absent: the arms' own, numbered where there are many.
    """
    colour, other = style.colours(None, 2)
    for row, arm in enumerate(arms):
        shade = other if arm.is_baseline else colour
        _dots(axes, [p.value for p in arm.points], [row + 0.2] * arm.n_done, shade)
        _mean_mark(axes, arm, row - 0.12, shade, "o", horizontal=True)
        if arm.gaps and tell_gaps:
            axes.annotate(
                _gap_label(arm),
                (1.0, row),
                xycoords=("axes fraction", "data"),
                xytext=(3, 0),
                textcoords="offset points",
                fontsize=6.5,
                color=_GAP_COLOUR,
                va="center",
            )
    base = next((arm for arm in arms if arm.is_baseline and arm.estimate.mean is not None), None)
    if base is not None and base.estimate.mean is not None:
        axes.axvline(base.estimate.mean, color=other, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    axes.set_yticks(range(len(arms)), row_labels(arms) if labels is None else [*map(style.drawable, labels)])
    axes.set_ylim(len(arms) - 0.5, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(style.drawable(quantity.header))
    style.tidy(axes, grid="x")
    fit(axes, arms, quantity, "x")


def series_of(arms: Sequence[ArmSummary], layout: Layout) -> list[tuple[str | None, list[ArmSummary]]]:
    """Arms by hue, in the order of the hue's levels, each ordered along x; without the line across."""
    x, hue = layout.x, layout.hue
    assert x is not None
    along = sorted(layout.placed(arms), key=lambda arm: x.rank(arm.levels[x.key]))
    if hue is None:
        return [(None, along)]
    return [
        (hue.entry(level), [a for a in along if level_text(a.levels[hue.key]) == level_text(level)])
        for level in hue.levels
    ]


def slots(x: Axis, count: int) -> list[float]:
    """Where the hues stand beside a level, as shares of the distance between levels."""
    return [(index - (count - 1) / 2) * _slot(x, count) for index in range(count)]


def _beside(x: Axis, index: int, count: int) -> tuple[float, float]:
    """Where a hue's mean stands beside a level, and its dots beside the mean, in shares of the distance.

    Up to two means keep as close to their level as their marks allow, with the dots outside of them; of more
    each has a slot to itself.
    """
    slot = _slot(x, count)
    if count == 1:
        return 0.0, -0.6 * slot
    if count == 2:
        side = (-1, 1)[index]
        return side * _NEAR * slot, side * 0.6 * slot
    return slots(x, count)[index] + 0.25 * slot, -0.5 * slot


def axis_label(x: Axis) -> str:
    """The axis with its unit, and that it is logarithmic where it is."""
    if x.scale != "log":
        return style.drawable(x.header)
    told = f"{x.header[:-1]}, log)" if x.header.endswith(")") else f"{x.header} (log)"
    return style.drawable(told)


def dash_of(index: int, count: int) -> style.Dash:
    """The line of a hue: of more than two, each has its own."""
    return style.DASHES[index % len(style.DASHES)] if count > 2 else "-"


def _slot(x: Axis, count: int) -> float:
    return min(_STAGE_SLOT, 0.6 / count) if x.is_ordinal else min(_SLOT, 0.75 / count)


def row_labels(arms: Sequence[ArmSummary]) -> list[str]:
    """Labels of a list's rows, numbered where there are many."""
    labels = [style.drawable(arm.label, longest=68) for arm in arms]
    if len(arms) <= MOST_UNNUMBERED:
        return labels
    return [f"{label}  {row}" for row, label in enumerate(labels, start=1)]


def explanation(
    arms: Sequence[ArmSummary], selection: str, *, crosses: bool = True, band: bool = False
) -> str:
    """What dots, bars, band and crosses are, and which weights were tested."""
    counts = sorted({arm.n_done for arm in arms})
    if not counts or counts[-1] == 0:
        return selection
    n = f"n = {counts[0]}" if len(counts) == 1 else f"n = {counts[0]} to {counts[-1]}"
    drawn = "bars and band" if band else "bars"
    bars = f"; {drawn}: mean, 95 % t-interval" if any(arm.estimate.half_width for arm in arms) else ""
    gaps = "; ×: runs without a result, of those planned"
    told = gaps if crosses and any(arm.gaps for arm in arms) else ""
    return f"dots: seeds ({n}){bars}; {selection}{told}"


def _draw_series(
    axes: Axes,
    arms: Sequence[ArmSummary],
    x: Axis,
    place: tuple[float, float],
    look: tuple[Colour, str, style.Dash | Literal["none"]],
    label: str | None,
) -> None:
    """Dots, bars and the line of one hue: `place` is its mean's beside a level, and its dots' beside that."""
    (centre, side), (colour, marker, dash) = place, look
    means_x, means_y = [], []
    for arm in arms:
        level = arm.levels[x.key]
        beside = x.shifted(level, centre + side)
        _dots(axes, [beside] * arm.n_done, [p.value for p in arm.points], colour)
        at = x.shifted(level, centre)
        _mean_mark(axes, arm, at, colour, marker, horizontal=False)
        if arm.estimate.mean is not None:
            means_x.append(at)
            means_y.append(arm.estimate.mean)
        if arm.gaps:
            _mark_gap(axes, arm, at, colour)
    axes.plot(
        means_x,
        means_y,
        color=colour,
        linestyle=dash,
        marker=marker,
        markersize=4.5,
        markeredgecolor="white",
        markeredgewidth=0.5,
        label=None if label is None else style.drawable(label),
        zorder=4,
    )


def _dots(axes: Axes, xs: Sequence[float], ys: Sequence[float], colour: Colour) -> None:
    """One dot a seed."""
    axes.scatter(xs, ys, color=[colour], s=11, alpha=0.65, linewidths=0, zorder=3)


def _mean_mark(
    axes: Axes, arm: ArmSummary, at: float, colour: Colour, marker: str, *, horizontal: bool
) -> None:
    """The interval's bar; in a list the mean's marker too, which levels draw with their line."""
    mean, half = arm.estimate.mean, arm.estimate.half_width
    if mean is None:
        return
    place = (mean, at) if horizontal else (at, mean)
    axes.errorbar(
        *place,
        xerr=half if horizontal else None,
        yerr=None if horizontal else half,
        color=colour,
        marker=marker if horizontal else "none",
        markersize=4.5,
        markeredgecolor="white",
        markeredgewidth=0.5,
        elinewidth=1.1,
        capsize=2.2,
        capthick=1.1,
        zorder=4,
    )


def _mark_gap(axes: Axes, arm: ArmSummary, at: float, colour: Colour) -> None:
    """A cross on the floor of the axes with how many runs have no result."""
    floor = axes.get_xaxis_transform()
    axes.plot(
        [at], [0.03], transform=floor, color=colour, marker="x", markersize=4.5, linestyle="none", zorder=5
    )
    count = sum(len(gap.seeds) for gap in arm.gaps)
    axes.annotate(
        f"{count}/{arm.n_runs}",
        (at, 0.03),
        xycoords=floor,
        xytext=(0, 5),
        textcoords="offset points",
        ha="center",
        fontsize=6.5,
        color=colour,
    )


def _gap_label(arm: ArmSummary) -> str:
    statuses = ", ".join(dict.fromkeys(gap.words for gap in arm.gaps))
    count = sum(len(gap.seeds) for gap in arm.gaps)
    return style.drawable(f"× {count}/{arm.n_runs} {statuses}")


def level_ticks(axes: Axes, x: Axis) -> None:
    """A tick at each level, and half a distance beside the outer ones."""
    places = [x.place(level) for level in x.levels]
    if x.scale == "log":
        axes.set_xscale("log", base=x.log_base)
    axes.xaxis.set_major_locator(FixedLocator(places))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(places, [style.drawable(level_text(level)) for level in x.levels])
    axes.set_xlim(x.shifted(x.levels[0], -0.5), x.shifted(x.levels[-1], 0.5))


def fit(axes: Axes, arms: Sequence[ArmSummary], quantity: units.Quantity, direction: str) -> None:
    """Around the data, within 0 to 100 and a margin: an interval may leave that range, the axis does not."""
    values = [point.value for arm in arms for point in arm.points]
    for arm in arms:
        values += [v for v in (arm.estimate.ci95_low, arm.estimate.ci95_high) if v is not None]
    if not values:
        return
    low, high = min(values), max(values)
    if quantity.unit == "%":
        low, high = max(low, 0.0), min(high, 100.0)
    margin = 0.06 * (high - low) or 1.0
    if any(arm.gaps for arm in arms) and direction == "y":
        low -= 0.12 * (high - low)  # room for the crosses
    getattr(axes, f"set_{direction}lim")(low - margin, high + margin)
