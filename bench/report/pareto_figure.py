"""Accuracy against training speed and against size: the arms that no other beats in both are joined.

An arm off the line is beaten by one on it in the means of both; how sure that is, its interval says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator
from matplotlib.transforms import Bbox

from bench import units
from bench.analyse.outline import level_text
from bench.analyse.pareto import front
from bench.analyse.summary import ArmSummary
from bench.report import labels, reference, style
from bench.report.layout import Layout
from bench.report.metric_figure import fit, series_of

_MOST_LINEAR: Final = 4
"""Ratio of the largest to the smallest value from which an axis is logarithmic."""

_LEAST_RATIO: Final = 1.05
"""Of the largest to the smallest cost, below which arms cost the same."""

_MOST_NAMED: Final = 12
_LONGEST_NAME: Final = 26
"""Arms of a list, and characters of their names, up to which the front is named and not numbered."""


@dataclass(frozen=True)
class _Cost:
    """One panel: what its x axis shows, and in which direction that is better."""

    header: str
    of: Callable[[ArmSummary], float | None]
    more_is_better: bool


def _speed(arm: ArmSummary) -> float | None:
    return None if arm.speed is None else arm.speed.median_img_s


def _size(arm: ArmSummary) -> float | None:
    return None if arm.n_params is None else arm.n_params / 1e6


_COSTS: Final = (
    _Cost("training speed (images/s)", _speed, more_is_better=True),
    _Cost("parameters (M)", _size, more_is_better=False),
)


def draw_pareto(
    arms: Sequence[ArmSummary], layout: Layout, quantity: units.Quantity, rows: Mapping[str, int]
) -> Figure | None:
    """A panel for speed and one for size, as far as arms differ in them; None where they do in neither.

    Args:
        arms: Arms of one block with a mean.
        layout: Of the study: colours follow its hue.
        quantity: What the y axis shows.
        rows: Each arm's row in the table, which names it where its name has no room.
    """
    costs = [cost for cost in _COSTS if _differ(arms, cost)]
    if not costs:
        return None
    is_wide = len(costs) > 1 or len(arms) > _MOST_NAMED
    figure = style.new_figure(style.PAGE_IN if is_wide else style.COLUMN_IN * 1.3, 3.0)
    row = figure.subplots(1, len(costs), squeeze=False, sharey=True)[0]
    fronts = [_draw(axes, arms, layout, quantity, cost) for axes, cost in zip(row, costs, strict=True)]
    row[0].set_ylabel(style.drawable(quantity.header))
    style.legend_above(figure, row[0])
    is_short = len(arms) <= _MOST_NAMED and max(len(arm.label) for arm in arms) <= _LONGEST_NAME
    if layout.x is not None:
        named = f"labels: {layout.x.header}, where there is room"
        texts = {arm.name: level_text(arm.levels[layout.x.key]) for arm in layout.placed(arms)}
    elif is_short:
        named, texts = "labels: their names", {arm.name: arm.label for arm in arms}
    else:
        named, texts = "labels: rows of the table", {arm.name: str(rows[arm.name]) for arm in arms}
    bars = " with 95 % t-interval" if any(arm.estimate.half_width for arm in arms) else ""
    style.note(
        figure,
        f"large marks: means{bars} (star: baseline); dots: seeds; filled and joined: arms that "
        f"no other beats in the means of both; {named}"
        + ("; speed: median of a probe that ran alone" if costs[0].more_is_better else ""),
    )
    figure.draw_without_rendering()
    figure.draw_without_rendering()
    for axes, cost, best in zip(row, costs, fronts, strict=True):
        _name(axes, arms, best, cost, texts, all_of_them=layout.x is not None)
    return figure


def _differ(arms: Sequence[ArmSummary], cost: _Cost) -> bool:
    """By enough to matter: another number of classes changes the head alone."""
    values = [value for arm in arms if (value := cost.of(arm)) is not None]
    return len(values) > 1 and max(values) >= _LEAST_RATIO * min(values)


def _draw(
    axes: Axes, arms: Sequence[ArmSummary], layout: Layout, quantity: units.Quantity, cost: _Cost
) -> list[ArmSummary]:
    """All arms and the front; returns the arms on it, by rising cost."""
    placed = [arm for arm in arms if cost.of(arm) is not None and arm.estimate.mean is not None]
    sign = -1.0 if cost.more_is_better else 1.0
    good = 1.0 if quantity.higher_is_better else -1.0
    points = {arm.name: (sign * (cost.of(arm) or 0.0), good * (arm.estimate.mean or 0.0)) for arm in placed}
    best = front(points)
    own = {arm.name: arm for arm in placed}
    series = series_of(placed, layout) if layout.x is not None else [(None, list(placed))]
    palette = style.colours(layout.hue, len(series))
    for index, ((label, members), colour) in enumerate(zip(series, palette, strict=True)):
        _marks(axes, members, best, cost, (colour, style.MARKERS[index]), label)
    base = layout.across(placed)
    if base is not None:
        _marks(axes, [base], best, cost, (reference.COLOUR, "*"), reference.label(base))
    line = [(cost.of(own[name]) or 0.0, own[name].estimate.mean or 0.0) for name in best]
    axes.plot(
        [x for x, _ in line],
        [y for _, y in line],
        color=style.GREY,
        linewidth=0.9,
        drawstyle="steps-post",  # by rising cost: at any limit on it, the best accuracy within
        zorder=2,
    )
    _scale(axes, [value for arm in placed if (value := cost.of(arm)) is not None], cost)
    style.tidy(axes)
    fit(axes, placed, quantity, "y")
    return [own[name] for name in best]


def _marks(
    axes: Axes,
    arms: Sequence[ArmSummary],
    best: Sequence[str],
    cost: _Cost,
    look: tuple[tuple[float, float, float], str],
    label: str | None,
) -> None:
    """Seeds, intervals and means; an arm off the front is hollow."""
    colour, marker = look
    for arm in arms:
        x, y = cost.of(arm), arm.estimate.mean
        if x is None or y is None:
            continue
        axes.scatter([x] * arm.n_done, [p.value for p in arm.points], color=[colour], s=7, alpha=0.5, lw=0)
        axes.errorbar(x, y, yerr=arm.estimate.half_width, color=colour, elinewidth=0.9, capsize=1.8, zorder=3)
        is_best = arm.name in best
        axes.plot(
            [x],
            [y],
            linestyle="none",
            marker="*" if arm.is_baseline else marker,
            markersize=8.0 if arm.is_baseline else 5.0,
            color=colour,
            markerfacecolor=colour if is_best else "white",
            markeredgecolor=colour,
            markeredgewidth=0.9,
            zorder=4,
        )
    if label is not None:
        axes.plot([], [], linestyle="none", marker=marker, color=colour, label=style.drawable(label))


def _scale(axes: Axes, values: Sequence[float], cost: _Cost) -> None:
    better = "→ better" if cost.more_is_better else "← better"
    label = cost.header
    if max(values) >= _MOST_LINEAR * min(values) > 0:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(base=10, subs=(1.0, 2.0, 5.0)))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.margins(x=0.14)
        label = f"{label[:-1]}, log)"
    else:
        axes.margins(x=0.14)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
    axes.set_xlabel(f"{label}   {better}")


def _name(
    axes: Axes,
    arms: Sequence[ArmSummary],
    best: Sequence[ArmSummary],
    cost: _Cost,
    texts: Mapping[str, str],
    *,
    all_of_them: bool,
) -> None:
    """The front by its texts, and where these are short the other arms too, as far as there is room."""
    others = [arm for arm in arms if arm not in best] if all_of_them else []
    told = [arm for arm in (*best, *others) if cost.of(arm) is not None and arm.name in texts]
    places = [((cost.of(arm) or 0.0, arm.estimate.mean or 0.0), texts[arm.name]) for arm in told]
    taken = [*_taken(axes, arms, cost), *_along_front(axes, best, cost)]
    labels.seat(axes, places, taken, only_free=all_of_them)


def _along_front(axes: Axes, best: Sequence[ArmSummary], cost: _Cost) -> list[Bbox]:
    """Boxes along the steps of the front."""
    figure = axes.figure
    assert figure is not None
    points = [(cost.of(arm) or 0.0, arm.estimate.mean or 0.0) for arm in best]
    corners = points[:1]
    for (_, height), (across, up) in pairwise(points):
        corners += [(across, height), (across, up)]
    return labels.along(axes, corners, figure.dpi / 72) if len(corners) > 1 else []


def _taken(axes: Axes, arms: Sequence[ArmSummary], cost: _Cost) -> list[Bbox]:
    """Boxes of marks and intervals, in pixels."""
    figure = axes.figure
    assert figure is not None
    unit = figure.dpi / 72
    boxes = []
    for arm in arms:
        x, y = cost.of(arm), arm.estimate.mean
        if x is None or y is None:
            continue
        half = arm.estimate.half_width or 0.0
        values = [y - half, y + half, *(point.value for point in arm.points)]
        (across, low), (_, high) = axes.transData.transform([(x, min(values)), (x, max(values))])
        boxes.append(Bbox.from_extents(across - 2 * unit, low - unit, across + 2 * unit, high + unit))
        _, centre = axes.transData.transform((x, y))
        boxes.append(
            Bbox.from_extents(across - 4 * unit, centre - 4 * unit, across + 4 * unit, centre + 4 * unit)
        )
    return boxes
