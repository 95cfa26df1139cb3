"""The figures of a throughput study: which there are, and why one is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from matplotlib.figure import Figure

from bench.analyse.cells import CellBlock, CellsSummary
from bench.analyse.roofline import roofline_of
from bench.report import batch_figure, cells_figure, matrix_figure, roofline_figure, style
from bench.report.material import Drawn
from bench.report.metric_figure import MOST_ROWS

STEMS: Final = ("cells", "matrix", "batch", "roofline")
"""Every figure that a report may write; with two kinds of device each is followed by `-cpu` or `-cuda`."""


def draw_cells(summary: CellsSummary) -> Iterator[Drawn]:
    """Every figure of every block, in the order of `STEMS`."""
    with style.fixed_style():
        for block in summary.blocks:
            for stem, draw in _FIGURES.items():
                name = stem if len(summary.blocks) == 1 else f"{stem}-{block.device_kind}"
                figure = draw(block) if block.done else "no cell has a result"
                if isinstance(figure, str):
                    yield Drawn(name, {}, figure)
                else:
                    style.settle(figure)
                    yield Drawn(name, style.saved(figure))


def rows_figure(block: CellBlock) -> Figure | str:
    """All cells as rows."""
    if len(block.arms) > MOST_ROWS:
        return f"{len(block.arms)} cells are more than the {MOST_ROWS} that a page holds; see tables/cells"
    figure = style.new_figure(style.PAGE_IN, min(9.2, 0.9 + 0.2 * len(block.arms)))
    cells_figure.draw_rows(figure.subplots(), block.arms)
    style.note(figure, cells_figure.explanation(block.arms))
    return figure


def matrix(block: CellBlock) -> Figure | str:
    """Precision × compiler × layout."""
    squares = matrix_figure.squares_of(block.arms)
    if not squares:
        return "no cells that differ in nothing but precision, compile and layout fill a square"
    if len(squares) > matrix_figure.MOST_SQUARES:
        return f"{len(squares)} squares are more than the {matrix_figure.MOST_SQUARES} that a page holds"
    n_columns = max(len(square.modes) * len(square.layouts) for square in squares)
    width = style.COLUMN_IN if n_columns <= 5 else style.PAGE_IN * min(1.0, 0.3 + 0.1 * n_columns)
    figure = style.new_figure(width, matrix_figure.height_in(squares))
    matrix_figure.draw_matrix(figure, squares)
    style.note(figure, matrix_figure.explanation(squares))
    return figure


def batch(block: CellBlock) -> Figure | str:
    """Throughput against batch size."""
    series = batch_figure.series_of(block.arms)
    if not series:
        return "no cells differ in their batch size alone"
    if len(series) > batch_figure.MOST_SERIES:
        return f"{len(series)} series are more than the {batch_figure.MOST_SERIES} that a figure holds"
    width = style.COLUMN_IN if len(series) <= 4 else style.COLUMN_IN * 1.3
    figure = style.new_figure(width, 2.4 + 0.15 * len(series))
    batch_figure.draw_batch(figure, series)
    style.note(figure, batch_figure.explanation(series))
    return figure


def roofline(block: CellBlock) -> Figure | str:
    """Every network under the roofs of the device."""
    found = roofline_of(block.done)
    if isinstance(found, str):
        return found
    wide = len(found.points) > 4
    figure = style.new_figure(style.COLUMN_IN * (1.6 if wide else 1.0), 3.4 if wide else 3.0)
    roofline_figure.draw_roofline(figure, found)
    return figure


_FIGURES: Final[dict[str, Callable[[CellBlock], Figure | str]]] = {
    "cells": rows_figure,
    "matrix": matrix,
    "batch": batch,
    "roofline": roofline,
}
