"""The figures of a study: which there are, and why one is missing.

Each is drawn once and saved in three formats. A figure whose data are not there is skipped with a reason
rather than drawn empty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from matplotlib.figure import Figure

from bench.analyse.convergence import arm_curves
from bench.analyse.summary import Block, StudySummary, summarise
from bench.record.schema import Record
from bench.report import style, words
from bench.report.curves_figure import MOST_PANELS, draw_curves
from bench.report.layout import Layout, choose_layout
from bench.report.metric_figure import MOST_ROWS, draw_levels, draw_list, explanation
from bench.report.speed_figure import draw_speed
from bench.study.model import Study

STEMS: Final = ("metric", "errors", "curves", "speed")
"""Every figure that a report may write; with two kinds of device each is followed by `-cpu` or `-cuda`."""


@dataclass(frozen=True)
class Material:
    """What the figures of one block are drawn from."""

    records: Sequence[Record]
    summary: StudySummary
    block: Block
    layout: Layout
    study: Study | None


@dataclass(frozen=True)
class Drawn:
    """A figure in every format, or the reason why there is none."""

    stem: str
    files: dict[str, bytes]
    skipped: str | None = None


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
    note = explanation(block.arms, words.selection_text(summary))
    if layout.is_list:
        figure = style.new_figure(style.PAGE_IN * (0.75 if len(block.arms) <= 12 else 1), _list_height(block))
        draw_list(figure.subplots(), block.arms, quantity)
    else:
        figure = style.new_figure(_width(layout), 2.8)
        axes = figure.subplots()
        draw_levels(axes, block.arms, layout, quantity)
        style.legend_above(figure, axes)
    style.note(figure, note)
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
    height = _list_height(material.block) if layout.is_list else 2.8
    figure = style.new_figure(style.PAGE_IN, height)
    left, right = figure.subplots(1, 2, sharey=True, sharex=layout.is_list)
    limits = []
    for axes, (quantity, arms) in zip((left, right), pair, strict=True):
        if layout.is_list:
            draw_list(axes, arms, quantity, tell_gaps=axes is right)
            limits.append(axes.get_xlim())
        else:
            draw_levels(axes, arms, layout, quantity)
            limits.append(axes.get_ylim())
    both = (min(low for low, _ in limits), max(high for _, high in limits))
    if layout.is_list:
        left.set_xlim(both)
    else:
        left.set_ylim(both)
        style.legend_above(figure, left)
    training = "training error: last epoch, counted on the way"
    style.note(figure, f"{explanation(pair[1][1], words.selection_text(material.summary))}; {training}")
    return figure


def curves_figure(material: Material) -> Figure | str:
    """Training loss and validation accuracy against the epoch."""
    kind, arms = material.block.device_kind, material.block.arms
    loss = arm_curves(material.records, "train_loss", kind)
    if max((curves.last_epoch for curves in loss.values()), default=0) < 2:
        return "no run has two epochs"
    name = "val_top1_pct"
    accuracy = arm_curves(material.records, name, kind)
    if not accuracy:
        name = "train_top1_pct"
        accuracy = arm_curves(material.records, name, kind)
    if len(arms) > MOST_PANELS:
        return f"{len(arms)} arms are more than the {MOST_PANELS} that a page holds; see epochs.csv"
    note = "thin: seeds; thick: mean of the finished runs"
    if any(curve.status != "done" for curves in loss.values() for curve in curves.seeds):
        note += "; ×: end of a run without a result"
    return draw_curves(arms, material.layout, {"train_loss": loss, name: accuracy}, note)


def speed_figure(material: Material) -> Figure | str:
    """The primary metric against the probe's training speed."""
    arms = [arm for arm in material.block.arms if arm.speed is not None and arm.n_done]
    if len(arms) < 2:
        return "fewer than two arms have both a result and a probe"
    figure = style.new_figure(style.COLUMN_IN * 1.3, 3.0)
    named = draw_speed(
        figure, arms, material.layout, words.quantity_of(material.summary), row_numbers(material.block)
    )
    speed = "speed: median and quartiles of a probe that ran alone"
    style.note(figure, f"{named}{explanation(arms, speed, crosses=False)}")
    return figure


def row_numbers(block: Block) -> dict[str, int]:
    """Each arm's row in tables and lists, from 1."""
    return {arm.name: row for row, arm in enumerate(block.arms, start=1)}


_FIGURES: Final[dict[str, Callable[[Material], Figure | str]]] = {
    "metric": metric_figure,
    "errors": errors_figure,
    "curves": curves_figure,
    "speed": speed_figure,
}


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
    return style.COLUMN_IN if len(layout.x.levels) <= 6 else style.COLUMN_IN * 1.5
