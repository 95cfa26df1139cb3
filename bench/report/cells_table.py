"""The table of a throughput study: the baseline first, then one row a cell.

Cells that did not fit into memory keep their row. Columns that no cell of the study has a value for, such as
device memory on a CPU, are left to the CSV.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from bench import units
from bench.analyse.break_even import BreakEven
from bench.analyse.cells import CellsSummary, CellSummary
from bench.analyse.twins import HOW_JUDGED, twin_checks
from bench.report import words
from bench.report.arms_table import Naming
from bench.report.table import Cell, Column, Footnotes, Row, RowGroup, Scalar, Table

NAME: Final = "cells"

_MOST_DIGITS: Final = 4


@dataclass(frozen=True)
class _Quantity:
    """A column with the cell that it gives a row."""

    column: Column
    cell: Callable[[CellSummary, Footnotes], Cell]


def cells_table(summary: CellsSummary, *, name: str) -> Table:
    """One row a cell: repeats, speed with its spread, shares of the roofs, memory, compilation, energy.

    Args:
        summary: What is shown.
        name: The study's name, for the caption.
    """
    naming, notes = Naming.of(summary), Footnotes()
    quantities = _quantities(summary)
    groups = []
    for block in summary.blocks:
        checks = {
            side: f"{check.text}; {HOW_JUDGED}"
            for check in twin_checks(block)
            for side in (check.first, check.second)
        }
        rows = []
        for arm in block.arms:
            cells = [quantity.cell(arm, notes) for quantity in quantities]
            if arm.label in checks:
                cells[1] = replace(cells[1], marks=(*cells[1].marks, notes.mark(checks[arm.label])))
            rows.append((*naming.cells(arm), *cells))
        groups.append(RowGroup(block.device_kind, words.block_label(block), tuple(rows)))
    for block in summary.blocks:
        mixture = words.mixture_note(block)
        if mixture is not None:
            notes.mark(mixture)
    columns = (*naming.columns, *(quantity.column for quantity in quantities))
    table = Table(NAME, caption(summary, name), columns, tuple(groups), notes.texts)
    return _without_empty_columns(table)


def caption(summary: CellsSummary, name: str) -> str:
    """What is shown, and by which rules."""
    arms = summary.arms
    parts = [
        f"Study {name}: speed in images per second, median over repeats (fresh processes) of window medians.",
        "IQR and p95 (of the windows' mean step): within a repeat, median over repeats.",
    ]
    if any(arm.mfu_pct is not None for arm in arms):
        sources = sorted({s for arm in arms if (s := arm.metrics.peak_flops_source) is not None})
        told = {"datasheet": "by the datasheet", "measured": "as measured here"}
        parts.append(f"MFU: share of the dense peak {' or '.join(told[source] for source in sources)}.")
    if any(arm.memory_roof_pct is not None for arm in arms):
        parts.append(
            "Memory roof: share of what the measured bandwidth allows at a fused network's least traffic."
        )
    if any(arm.break_even is not None for arm in arms):
        parts.append(
            "Break-even: images that repay compiling with empty caches, against the equal cell without."
        )
    return " ".join(parts)


def speed_text(arm: CellSummary) -> str:
    """The cell's speed, rounded where its repeats begin to differ; in a word why there is none."""
    speed = arm.median_img_s
    if speed is None:
        statuses = {gap.words for gap in arm.gaps}
        return statuses.pop() if len(statuses) == 1 else "no result"
    assert arm.low_img_s is not None
    assert arm.high_img_s is not None
    assert arm.q1_img_s is not None
    assert arm.q3_img_s is not None
    spread = (arm.high_img_s - arm.low_img_s) / 2 or (arm.q3_img_s - arm.q1_img_s) / 2
    most = _MOST_DIGITS - 1 - math.floor(math.log10(speed))
    return units.fixed(speed, min(units.decimals_for(spread), most) if spread > 0 else most)


def _quantities(summary: CellsSummary) -> list[_Quantity]:
    scale, unit = _flops_unit(summary)
    return [
        _Quantity(Column(("n_repeats", "n_planned", "n_windows"), "Windows × repeats"), _windows),
        _Quantity(Column(("img_s", "img_s_low", "img_s_high"), "Speed (img/s)"), _speed),
        _number("relative", "× baseline", lambda arm: arm.relative, _times, rank=3),
        _Quantity(Column(("iqr_pct", "img_s_q1", "img_s_q3"), "IQR (%)", rank=2), _iqr),
        _number("p95_step_s", "p95 step (ms)", lambda arm: arm.p95_step_s, _milliseconds, rank=2),
        _number(
            "achieved_flops_s",
            unit,
            lambda arm: arm.achieved_flops_s,
            lambda v: units.significant(v / scale),
            rank=4,
        ),
        _number("mfu_pct", "MFU (%)", lambda arm: arm.mfu_pct, _share_text, rank=1),
        _number("memory_roof_pct", "Memory roof (%)", lambda arm: arm.memory_roof_pct, _share_text, rank=1),
        _Quantity(
            Column(("peak_allocated_bytes", "peak_reserved_bytes"), "Allocated / reserved (GiB)", rank=3),
            _memory,
        ),
        _Quantity(Column(("compile_cold_s", "compile_warm_s"), "Compile, cold / warm (s)", rank=4), _compile),
        _Quantity(
            Column(("break_even_images", "break_even_warm_images"), "Break-even (images)", rank=5),
            _break_even,
        ),
        _number(
            "joules_per_image",
            "Energy (J/img)",
            lambda arm: arm.metrics.joules_per_image,
            units.significant,
            rank=5,
        ),
        _hidden(
            ("network", "work", "input", "batch_size", "image_size", "precision", "layout", "mode"),
            _trait_values,
        ),
        _hidden(
            (
                "n_params",
                "gmacs",
                "macts",
                "flops_per_image",
                "eager_bytes_per_image",
                "fused_bytes_per_image",
                "peak_flops_s",
                "peak_flops_source",
                "measured_peak_flops_s",
                "measured_bandwidth_bytes_s",
                "sm_clock_mhz",
                "others_share_pct",
            ),
            None,
        ),
        _hidden(
            ("gap", "noise"), lambda arm: ("; ".join(g.text for g in arm.gaps) or None, _noise_text(arm))
        ),
    ]


def _number(
    key: str,
    header: str,
    of: Callable[[CellSummary], float | None],
    text: Callable[[float], str],
    *,
    rank: int,
) -> _Quantity:
    def cell(arm: CellSummary, _: Footnotes) -> Cell:
        value = of(arm)
        return Cell(words.NONE if value is None else text(value), (value,))

    return _Quantity(Column((key,), header, rank=rank), cell)


def _hidden(keys: tuple[str, ...], of: Callable[[CellSummary], tuple[Scalar, ...]] | None) -> _Quantity:
    """A column for programs: by default fields of the metrics."""

    def cell(arm: CellSummary, _: Footnotes) -> Cell:
        return Cell("", tuple(getattr(arm.metrics, key) for key in keys) if of is None else of(arm))

    return _Quantity(Column(keys), cell)


def _trait_values(arm: CellSummary) -> tuple[Scalar, ...]:
    return (None,) * 8 if arm.traits is None else tuple(vars(arm.traits).values())


def _windows(arm: CellSummary, notes: Footnotes) -> Cell:
    values = (arm.n_done, arm.n_runs, arm.n_windows)
    repeats = f"{arm.n_done}/{arm.n_runs}" if arm.gaps else str(arm.n_done)
    text = repeats if arm.n_windows is None else f"{arm.n_windows} × {repeats}"
    marks = (notes.mark("; ".join(gap.text for gap in arm.gaps)),) if arm.gaps else ()
    return Cell(text, values, marks)


def _speed(arm: CellSummary, notes: Footnotes) -> Cell:
    noise = _noise_text(arm)
    marks = () if noise is None else (notes.mark(f"noisy: {noise}"),)
    return Cell(speed_text(arm), (arm.median_img_s, arm.low_img_s, arm.high_img_s), marks)


def _noise_text(arm: CellSummary) -> str | None:
    return "; ".join(arm.noise) or None


def _iqr(arm: CellSummary, _: Footnotes) -> Cell:
    value = arm.iqr_pct
    text = words.NONE if value is None else units.fixed(value, 1 if value < 9.95 else 0)
    return Cell(text, (value, arm.q1_img_s, arm.q3_img_s))


def _memory(arm: CellSummary, _: Footnotes) -> Cell:
    values = (arm.metrics.peak_allocated_bytes, arm.metrics.peak_reserved_bytes)
    return Cell(_pair(values, units.gib), values)


def _compile(arm: CellSummary, _: Footnotes) -> Cell:
    values = (arm.metrics.compile_cold_s, arm.metrics.compile_warm_s)
    return Cell(_pair(values, lambda seconds: units.significant(seconds, 2)), values)


def _break_even(arm: CellSummary, notes: Footnotes) -> Cell:
    point = arm.break_even
    if point is None:
        return Cell(words.NONE, (None, None))
    return Cell(
        _break_even_text(point), (point.cold_images, point.warm_images), _break_even_marks(point, notes)
    )


def _break_even_text(point: BreakEven) -> str:
    if not point.is_faster:
        return "never"
    images = point.cold_images
    return words.NONE if images is None else units.fixed(images, 1 - math.floor(math.log10(images)))


def _break_even_marks(point: BreakEven, notes: Footnotes) -> tuple[int, ...]:
    if point.is_certain:
        return ()
    return (
        notes.mark("repeats overlap with those of the cell without compilation: the break-even is uncertain"),
    )


def _pair(values: Sequence[float | None], text: Callable[[float], str]) -> str:
    if all(value is None for value in values):
        return words.NONE
    return " / ".join(words.NONE if value is None else text(value) for value in values)


def _times(value: float) -> str:
    return units.significant(value)


def _milliseconds(seconds: float) -> str:
    return units.significant(1000 * seconds)


def _share_text(percent: float) -> str:
    return units.fixed(percent, 1 if percent < 9.95 else 0)


def _flops_unit(summary: CellsSummary) -> tuple[float, str]:
    """One unit for the whole column: that of the slowest cell, so that none reads as 0.00."""
    rates = [rate for arm in summary.arms if (rate := arm.achieved_flops_s) is not None]
    return (1e12, "TFLOP/s") if rates and min(rates) >= 1e11 else (1e9, "GFLOP/s")


def _without_empty_columns(table: Table) -> Table:
    """Columns in which nothing stands lose their header, so that only CSV has them."""
    rows: list[Row] = [row for group in table.groups for row in group.rows]
    columns = tuple(
        column
        if column.header is None or any(row[index].text != words.NONE for row in rows)
        else replace(column, header=None)
        for index, column in enumerate(table.columns)
    )
    return replace(table, columns=columns)
