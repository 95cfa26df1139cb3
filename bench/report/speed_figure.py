"""Accuracy against training speed, from the probe that ran alone: up and to the right is better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator
from matplotlib.transforms import Bbox

from bench import units
from bench.analyse.outline import level_text
from bench.analyse.summary import ArmSummary
from bench.report import labels, reference, style
from bench.report.layout import Axis, Layout
from bench.report.metric_figure import dash_of, series_of

MOST_NAMES: Final = 12
"""Arms of a list that are labelled by name; more of them by their row in the table."""

MOST_LABELS: Final = 48

Labelled = list[tuple[ArmSummary, str]]


def draw_speed(
    figure: Figure,
    arms: Sequence[ArmSummary],
    layout: Layout,
    quantity: units.Quantity,
    rows: Mapping[str, int],
) -> str:
    """Draw each arm's mean with its interval over its median speed.

    Args:
        figure: Empty.
        arms: Arms of one block that have both a mean and a speed.
        layout: Of the study: hue and labels follow it.
        quantity: What the y axis shows.
        rows: Each arm's row in the table, which names it where its name has no room.

    Returns:
        What the labels are, for the note below; empty where they speak for themselves.
    """
    panels = layout.panels(arms)
    row = figure.subplots(1, len(panels), squeeze=False, sharex=True, sharey=True)[0]
    all_labelled = []
    for axes, (title, own) in zip(row, panels, strict=True):
        x = layout.x
        all_labelled.append(_draw_list(axes, own) if x is None else _draw_series(axes, own, layout, x))
        _speed_axis(axes, [arm.speed.median_img_s for arm in arms if arm.speed is not None])
        style.tidy(axes)
        axes.grid(visible=True, axis="x")
        axes.margins(x=0.12, y=0.12)
        if title is not None:
            axes.set_title(style.drawable(title))
    row[0].set_ylabel(style.drawable(quantity.header))
    style.legend_above(figure, row[0])
    style.note(
        figure, "one line is kept free"
    )  # replaced by the caller; holds the place while labels are set
    figure.draw_without_rendering()
    figure.draw_without_rendering()
    n_labelled = sum(map(len, all_labelled))
    if n_labelled > MOST_LABELS:
        return f"{n_labelled} arms, too many to label; "
    if layout.x is not None:
        is_crowded = n_labelled > MOST_NAMES
        for axes, labelled, (_, own) in zip(row, all_labelled, panels, strict=True):
            place_labels(figure, axes, labelled, marked=own, only_free=is_crowded)
        return f"labels: {layout.x.header}{', where there is room' if is_crowded else ''}; "
    (axes,), (labelled,) = row, all_labelled
    if len(labelled) <= MOST_NAMES and place_labels(figure, axes, labelled):
        return ""
    for text in list(axes.texts):
        text.remove()
    place_labels(figure, axes, [(arm, str(rows[arm.name])) for arm, _ in labelled])
    return "labels: rows of the table; "


def place_labels(
    figure: Figure,
    axes: Axes,
    labelled: Labelled,
    *,
    marked: Sequence[ArmSummary] = (),
    only_free: bool = False,
) -> bool:
    """Put each label at the first place beside its mark where it covers nothing, else where it covers least.

    Args:
        figure: Drawn once, so that its marks have places.
        axes: Where to label.
        labelled: Arms with their labels.
        marked: All arms of the axes, where there are more than the labelled.
        only_free: Leave out a label that finds no free place close to its mark.

    Returns:
        Whether no label covers anything.
    """
    taken = _obstacles(figure, axes, marked or [arm for arm, _ in labelled])
    return labels.seat(axes, [(_place(arm), text) for arm, text in labelled], taken, only_free=only_free)


def _obstacles(figure: Figure, axes: Axes, arms: Sequence[ArmSummary]) -> list[Bbox]:
    """Boxes that labels keep off: marks, intervals, and the lines that join marks."""
    unit = figure.dpi / 72
    boxes = []
    for arm in arms:
        x, y = _place(arm)
        half = arm.estimate.half_width or 0.0
        values = [y - half, y + half, *(point.value for point in arm.points)]
        (left, low), (_, high) = axes.transData.transform([(x, min(values)), (x, max(values))])
        boxes.append(Bbox.from_extents(left - 2 * unit, low - unit, left + 2 * unit, high + unit))
        assert arm.speed is not None
        (slow, up), (fast, _) = axes.transData.transform([(arm.speed.q1_img_s, y), (arm.speed.q3_img_s, y)])
        boxes.append(Bbox.from_extents(slow - unit, up - 2 * unit, fast + unit, up + 2 * unit))
        across, up = axes.transData.transform((x, y))
        boxes.append(
            Bbox.from_extents(*(v - 3 * unit for v in (across, up)), across + 3 * unit, up + 3 * unit)
        )
    for line in axes.lines:
        places = [(float(x), float(y)) for x, y in np.asarray(line.get_xydata(), dtype=float)]
        if line.get_linestyle() != "None" and len(places) > 1:
            boxes += labels.along(axes, places, unit)
    return boxes


def _draw_list(axes: Axes, arms: Sequence[ArmSummary]) -> Labelled:
    colour, other = style.colours(None, 2)
    for arm in arms:
        _mark(axes, [arm], other if arm.is_baseline else colour, "o", None)
    return [(arm, arm.label) for arm in arms]


def _draw_series(axes: Axes, arms: Sequence[ArmSummary], layout: Layout, x: Axis) -> Labelled:
    series = series_of(arms, layout)
    palette = style.colours(layout.hue, len(series))
    for index, ((label, own), colour) in enumerate(zip(series, palette, strict=True)):
        dash = dash_of(index, len(series)) if x.is_ordered else "none"
        _mark(axes, own, colour, style.MARKERS[index], label, dash=dash)
    base = layout.across(arms)
    if base is not None:
        _mark(axes, [base], reference.COLOUR, "*", reference.label(base))
    return [(arm, level_text(arm.levels[x.key])) for _, own in series for arm in own]


def _mark(
    axes: Axes,
    arms: Sequence[ArmSummary],
    colour: tuple[float, float, float],
    marker: str,
    label: str | None,
    *,
    dash: style.Dash | Literal["none"] = "none",
) -> None:
    for arm in arms:
        x, y = _place(arm)
        axes.scatter([x] * arm.n_done, [p.value for p in arm.points], color=[colour], s=8, alpha=0.5, lw=0)
        speed = arm.speed
        assert speed is not None
        spread = np.array([[x - speed.q1_img_s], [speed.q3_img_s - x]]).clip(min=0)
        axes.errorbar(
            x, y, yerr=arm.estimate.half_width, xerr=spread, color=colour, elinewidth=0.9, capsize=1.8
        )
    places = [_place(arm) for arm in arms]
    axes.plot(
        [x for x, _ in places],
        [y for _, y in places],
        color=colour,
        linestyle=dash,
        linewidth=0.9,
        marker=marker,
        markersize=9.0 if marker == "*" else 4.8,
        markeredgecolor="white",
        markeredgewidth=0.5,
        label=None if label is None else style.drawable(label),
        zorder=4,
    )


def _speed_axis(axes: Axes, speeds: Sequence[float]) -> None:
    """Logarithmic where speeds differ by factors, with plain numbers at the ticks."""
    axes.set_xlabel("training speed (images/s)")
    if max(speeds) / min(speeds) >= 4:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(base=10, subs=(1.0, 2.0, 5.0)))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel("training speed (images/s, log)")
    else:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))


def _place(arm: ArmSummary) -> tuple[float, float]:
    assert arm.speed is not None
    assert arm.estimate.mean is not None
    return arm.speed.median_img_s, arm.estimate.mean
