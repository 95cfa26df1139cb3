"""The figures of a study: which there are, and why one is missing.

Each is drawn once and saved in three formats. A figure whose data are not there is skipped with a reason
rather than drawn empty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench import units
from bench.analyse.convergence import arm_curves
from bench.analyse.summary import ArmSummary, Block, StudySummary, summarise
from bench.record.schema import Record
from bench.report import style, words
from bench.report.arms_table import freezes
from bench.report.cost_figure import draw_cost
from bench.report.curves_figure import MOST_PANELS, draw_curves, is_logarithmic
from bench.report.design_figures import FIGURES as DESIGN_FIGURES
from bench.report.forest_figure import forest_figure
from bench.report.grouped_list import draw_groups, groups_of
from bench.report.layout import Layout, choose_layout
from bench.report.material import Drawn, Material
from bench.report.metric_figure import MOST_ROWS, draw_levels, draw_list, explanation, fit
from bench.report.speed_figure import draw_speed
from bench.report.training_figures import FIGURES as TRAINING_FIGURES
from bench.study.model import Study

STEMS: Final = (
    *("metric", "forest", "errors", "curves", "speed", "cost"),
    *DESIGN_FIGURES,
    *TRAINING_FIGURES,
)
"""Every figure that a report may write; with two kinds of device each is followed by `-cpu` or `-cuda`."""

_MANY_ARMS: Final = 14
"""Arms above which a figure takes the width of the page."""


def draw_all(
    records: Sequence[Record], summary: StudySummary, *, study: Study | None = None
) -> Iterator[Drawn]:
    """Every figure of every block, in the order of `STEMS`."""
    layout = choose_layout(summary)
    with style.fixed_style():
        for block in summary.blocks:
            material = Material(records, summary, block, layout, study)
            for stem, draw in _FIGURES.items():
                name = stem if len(summary.blocks) == 1 else f"{stem}-{block.device_kind}"
                figure = draw(material)
                if figure is None:
                    continue
                if isinstance(figure, str):
                    yield Drawn(name, {}, figure)
                else:
                    style.settle(figure)
                    yield Drawn(name, style.saved(figure))


def metric_figure(material: Material) -> Figure | str:
    """The primary metric against the factors."""
    block, summary, layout = material.block, material.summary, material.layout
    reason = _nothing_to_compare(block)
    if reason is not None:
        return reason
    quantity = words.quantity_of(summary)
    groups = groups_of(summary, block.arms) if layout.is_list else None
    if groups is not None:
        figure = draw_groups(groups, quantity)
    elif layout.is_list:
        figure = style.new_figure(style.PAGE_IN * (0.75 if len(block.arms) <= 12 else 1), _list_height(block))
        draw_list(figure.subplots(), block.arms, quantity)
    else:
        width = _width(layout)
        figure = style.new_figure(width, 3.6 if width == style.PAGE_IN else 2.8)
        panels = layout.panels(block.arms)
        row = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
        _draw_panels(list(row), panels, block.arms, layout, quantity)
        style.legend_above(figure, row[0])
    style.note(figure, _explained(block.arms, summary, layout))
    return figure


def errors_figure(material: Material) -> Figure | str:
    """Training error beside test error, on the same scale: is it fitting or generalising that fails?"""
    layout = material.layout
    reason = _nothing_to_compare(material.block)
    if reason is not None:
        return reason
    pair = []
    for key in ("train_error_pct", "test_error_pct"):
        summary = summarise(material.records, key, study=material.study)
        block = next(b for b in summary.blocks if b.device_kind == material.block.device_kind)
        if not block.runs_done:
            return f"no finished run has a {key}"
        pair.append((words.quantity_of(summary), block.arms))
    many = layout.panel is not None
    height = _list_height(material.block) if layout.is_list else 4.8 if many else 2.8
    figure = style.new_figure(style.PAGE_IN, height)
    shape = (2, len(layout.panels(material.block.arms))) if many else (1, 2)
    grid = figure.subplots(*shape, squeeze=False, sharey=True, sharex=layout.is_list)
    limits = []
    for index, (quantity, arms) in enumerate(pair):
        row = list(grid[index]) if many else [grid[0, index]]
        if layout.is_list:
            draw_list(row[0], arms, quantity, tell_gaps=index == 1)
            limits.append(row[0].get_xlim())
        else:
            _draw_panels(
                row,
                layout.panels(arms),
                arms,
                layout,
                quantity,
                is_top=index == 0,
                is_bottom=index == 1 or not many,
            )
            limits.append(row[0].get_ylim())
    both = (min(low for low, _ in limits), max(high for _, high in limits))
    if layout.is_list:
        grid[0, 0].set_xlim(both)
    else:
        grid[0, 0].set_ylim(both)
        style.legend_above(figure, grid[0, 0])
    training = "training error: last epoch, counted on the way"
    style.note(figure, f"{_explained(pair[1][1], material.summary, layout)}; {training}")
    return figure


def curves_figure(material: Material) -> Figure | str:
    """Training loss and validation accuracy against the epoch."""
    kind, arms = material.block.device_kind, material.block.arms
    loss = arm_curves(material.records, "train_loss", kind)
    if is_logarithmic(loss):
        loss = arm_curves(material.records, "train_loss", kind, geometric=True)
    if max((curves.last_epoch for curves in loss.values()), default=0) < 2:
        return "no run has two epochs"
    name = "val_top1_pct"
    accuracy = arm_curves(material.records, name, kind)
    if not accuracy:
        name = "train_top1_pct"
        accuracy = arm_curves(material.records, name, kind)
    if len(arms) > MOST_PANELS:
        return f"{len(arms)} arms are more than the {MOST_PANELS} that a page holds; see epochs.csv"
    mean = "mean (on the logarithmic axis: geometric)" if is_logarithmic(loss) else "mean"
    note = f"thin: seeds; thick: {mean} of the finished runs"
    if any(curves.band is not None for found in (loss, accuracy) for curves in found.values()):
        note += "; band: its 95 % t-interval, epoch by epoch"
    if any(curve.status != "done" for curves in loss.values() for curve in curves.seeds):
        note += "; ×: end of a run without a result"
    return draw_curves(arms, material.layout, {"train_loss": loss, name: accuracy}, note)


def speed_figure(material: Material) -> Figure | str:
    """The primary metric against the probe's training speed."""
    arms = [arm for arm in material.block.arms if arm.speed is not None and arm.n_done]
    if len(arms) < 2:
        return "fewer than two arms have both a result and a probe"
    many = len(arms) > _MANY_ARMS or material.layout.panel is not None
    figure = style.new_figure(style.PAGE_IN if many else style.COLUMN_IN * 1.3, 4.2 if many else 3.0)
    named = draw_speed(
        figure, arms, material.layout, words.quantity_of(material.summary), row_numbers(material.block)
    )
    speed = "speed: median and quartiles of a probe that ran alone"
    style.note(figure, f"{named}{explanation(arms, speed, crosses=False)}")
    return figure


def cost_figure(material: Material) -> Figure | str:
    """Trainable parameters and training speed where arms freeze parts of their network."""
    arms, layout = material.block.arms, material.layout
    if not freezes(arms):
        return "every arm trains all of its parameters"
    if len({arm.n_trainable_params for arm in arms}) < 2:
        return "every arm trains the same number of parameters"
    if layout.x is None or not layout.x.is_ordered:
        return "no ordered factor takes the x axis"
    probed = any(arm.speed is not None for arm in arms)
    width = style.PAGE_IN if probed or layout.panel is not None else style.COLUMN_IN * 1.3
    figure = style.new_figure(width, 4.8 if probed and layout.panel is not None else 2.8)
    draw_cost(figure, arms, layout)
    style.note(
        figure,
        "parameters that train at the start"
        + ("; speed: median and quartiles of a probe that ran alone" if probed else "; no speed: no probe"),
    )
    return figure


def row_numbers(block: Block) -> dict[str, int]:
    """Each arm's row in tables and lists, from 1."""
    return {arm.name: row for row, arm in enumerate(block.arms, start=1)}


_FIGURES: Final[dict[str, Callable[[Material], Figure | str | None]]] = {
    "metric": metric_figure,
    "forest": forest_figure,
    "errors": errors_figure,
    "curves": curves_figure,
    "speed": speed_figure,
    "cost": cost_figure,
    **DESIGN_FIGURES,
    **TRAINING_FIGURES,
}


def _draw_panels(
    row: Sequence[Axes],
    panels: Sequence[tuple[str | None, Sequence[ArmSummary]]],
    arms: Sequence[ArmSummary],
    layout: Layout,
    quantity: units.Quantity,
    *,
    is_top: bool = True,
    is_bottom: bool = True,
) -> None:
    """One quantity over the levels, a panel a level of the third factor where there is one."""
    for axes, (title, own) in zip(row, panels, strict=True):
        draw_levels(axes, own, layout, quantity)
        if title is not None and is_top:
            axes.set_title(style.drawable(title))
        if axes is not row[0]:
            axes.set_ylabel("")
        if not is_bottom:
            axes.set_xlabel("")
    fit(row[0], arms, quantity, "y")


def _explained(arms: Sequence[ArmSummary], summary: StudySummary, layout: Layout) -> str:
    """The line below a figure of the metric."""
    told = explanation(arms, words.selection_text(summary), band=layout.reference is not None)
    origins = words.origins_text(summary.origins)
    return told if origins is None else f"{told}; {origins}"


def _nothing_to_compare(block: Block) -> str | None:
    if not block.runs_done:
        return "no finished run"
    if len(block.arms) < 2:
        return "one arm: nothing to compare"
    if len(block.arms) > MOST_ROWS:
        return f"{len(block.arms)} arms are more than the {MOST_ROWS} that a page holds; see tables/arms"
    return None


def _list_height(block: Block) -> float:
    """Inches for a list's rows."""
    return min(9.2, 0.9 + 0.26 * len(block.arms))


def _width(layout: Layout) -> float:
    assert layout.x is not None
    n_levels, n_hues = len(layout.x.levels), len(layout.hue.levels) if layout.hue else 1
    if layout.panel is not None or n_levels * n_hues > _MANY_ARMS:
        return style.PAGE_IN
    return style.COLUMN_IN if n_levels <= 6 else style.COLUMN_IN * 1.5
