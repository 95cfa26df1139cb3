"""What the interactive figure of a page is drawn from: places, marks and colours.

The layout is the static figure's own: an axis of levels, panels and hues, or one row an arm. The
script receives places between 0 and 1, so that it needs to know nothing of levels or logarithms.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import seaborn as sns
from matplotlib.colors import to_hex

from bench import units
from bench.analyse.cells import CellBlock, CellsSummary, CellSummary
from bench.analyse.outcome import Place
from bench.analyse.outline import level_text
from bench.analyse.summary import ArmSummary, Block, StudySummary
from bench.report import style, words
from bench.report.html.run_rows import ArmKey, Summary
from bench.report.layout import Axis, Layout, choose_layout
from bench.report.metric_figure import series_of
from bench.report.table import printable

MOST_ROWS: Final = 400
"""Arms that a list on a screen can hold."""

MOST_LEVELS: Final = 40
"""Levels that an axis on a screen can name."""

_MOST_LINEAR: Final = 4
_DASHES: Final = ("", "7 3", "2 3", "7 3 2 3", "12 3", "5 2 2 2")
_DARK: Final = ("#56b4e9", "#f0a732", "#2fbf9b", "#e493c4", "#ff8a5c", "#d8a66a", "#b9b9b9", "#fbcfe8")
"""Beside the light theme's palette: as far apart for colour-blind readers, on a dark ground."""

Json = dict[str, Any]


def charts(summary: Summary, arms: Mapping[ArmKey, int], runs: Mapping[str, int]) -> list[Json]:
    """One figure a kind of device.

    Args:
        summary: What is shown.
        arms: Index of each arm in the page's data.
        runs: Index of each run, by its id (of a throughput study by `arm index/repeat`).
    """
    if isinstance(summary, CellsSummary):
        return [_cells(block, summary, arms, runs) for block in summary.blocks if block.done]
    layout = choose_layout(summary)
    blocks = [block for block in summary.blocks if block.runs_done]
    if layout.x is None or len(layout.x.levels) > MOST_LEVELS:
        return [_list(block, summary, arms, runs) for block in blocks]
    return [_levels(block, summary, layout, arms, runs) for block in blocks]


def _levels(
    block: Block,
    summary: StudySummary,
    layout: Layout,
    arms: Mapping[ArmKey, int],
    runs: Mapping[str, int],
) -> Json:
    x = layout.x
    assert x is not None
    panels, marks = [], []
    series = series_of(block.arms, layout)
    for number, (title, own) in enumerate(layout.panels(block.arms)):
        panels.append("" if title is None else printable(title))
        for hue, (_, members) in enumerate(series_of(own, layout)):
            for arm in members:
                mark = _mark(arm, arms[block.device_kind, arm.name], runs)
                marks.append({**mark, "panel": number, "series": hue, "u": _place(x, arm.levels[x.key])})
    base = layout.across(block.arms)
    return {
        "form": "levels",
        "title": _block_title(block, summary),
        "value": _value_axis(block.arms, words.quantity_of(summary)),
        "x": {
            "header": printable(x.header),
            "ticks": [[_place(x, level), printable(level_text(level))] for level in x.levels],
            "gap": _gap(x),
            "lines": x.is_ordered,
        },
        "panels": panels,
        "series": _series([label for label, _ in series], layout.hue),
        "marks": marks,
        "across": None if base is None else _mark(base, arms[block.device_kind, base.name], runs),
    }


def _list(block: Block, summary: StudySummary, arms: Mapping[ArmKey, int], runs: Mapping[str, int]) -> Json:
    marks = [_mark(arm, arms[block.device_kind, arm.name], runs) for arm in block.arms[:MOST_ROWS]]
    return {
        "form": "list",
        "title": _block_title(block, summary),
        "value": _value_axis(block.arms, words.quantity_of(summary)),
        "marks": marks,
        "series": _series([None, None], None),
    }


def _cells(
    block: CellBlock, summary: CellsSummary, arms: Mapping[ArmKey, int], runs: Mapping[str, int]
) -> Json:
    marks = []
    for cell in block.arms[:MOST_ROWS]:
        index = arms[block.device_kind, cell.name]
        points = [[runs[f"{index}/{r.seed}"], _short(r.median_img_s), bool(r.noise)] for r in cell.repeats]
        marks.append(
            {
                "arm": index,
                "points": points,
                "mean": _short(cell.median_img_s),
                "low": _short(cell.q1_img_s),
                "high": _short(cell.q3_img_s),
                "gap": _gap_text(cell),
            }
        )
    speeds = [repeat.median_img_s for cell in block.arms for repeat in cell.repeats]
    is_log = max(speeds) / min(speeds) >= _MOST_LINEAR
    limits = [min(speeds) / 1.15, max(speeds) * 1.15] if is_log else _padded(min(speeds), max(speeds))
    return {
        "form": "list",
        "title": _block_title(block, summary),
        "value": {"header": "throughput (images/s)", "limits": limits, "log": is_log},
        "marks": marks,
        "series": _series([None, None], None),
    }


def _mark(arm: ArmSummary, index: int, runs: Mapping[str, int]) -> Json:
    estimate = arm.estimate
    return {
        "arm": index,
        "points": [[runs[point.run_id], _short(point.value)] for point in arm.points],
        "mean": _short(estimate.mean),
        "low": _short(estimate.ci95_low),
        "high": _short(estimate.ci95_high),
        "gap": _gap_text(arm),
    }


def _gap_text(arm: ArmSummary | CellSummary) -> str | None:
    """How many of the planned runs have no value, and why; None where all have one."""
    if not arm.gaps:
        return None
    statuses = ", ".join(dict.fromkeys(gap.words for gap in arm.gaps))
    return printable(f"{sum(len(gap.seeds) for gap in arm.gaps)}/{arm.n_runs} {statuses}")


def _block_title(block: Place, summary: Summary) -> str:
    return printable(words.block_label(block)) if len(summary.blocks) > 1 else ""


def _value_axis(arms: Sequence[ArmSummary], quantity: units.Quantity) -> Json:
    """Around the data, as the static figure has it: a share's axis ends where a share does."""
    values = [point.value for arm in arms for point in arm.points]
    for arm in arms:
        values += [v for v in (arm.estimate.ci95_low, arm.estimate.ci95_high) if v is not None]
    low, high = min(values), max(values)
    if quantity.unit == "%":
        low, high = max(low, 0.0), min(high, 100.0)
    return {"header": quantity.header, "limits": _padded(low, high), "log": False}


def _padded(low: float, high: float) -> list[float]:
    margin = 0.06 * (high - low) or 0.01 * abs(high) or 1.0
    return [low - margin, high + margin]


def _series(labels: Sequence[str | None], hue: Axis | None) -> list[Json]:
    light, dark = _palette(hue, len(labels))
    return [
        {
            "label": None if label is None else printable(label),
            "light": light[index],
            "dark": dark[index],
            "dash": _DASHES[index % len(_DASHES)] if len(labels) > 2 else "",
            "shape": index % 5,
        }
        for index, label in enumerate(labels)
    ]


def _palette(hue: Axis | None, count: int) -> tuple[list[str], list[str]]:
    light = [to_hex(colour) for colour in style.colours(hue, count)]
    if hue is not None and hue.is_ordered and count > 2:
        return light, [to_hex(colour) for colour in sns.color_palette("viridis", count + 2)[2:]]
    return light, [_DARK[index % len(_DARK)] for index in range(count)]


def _place(x: Axis, level: Any) -> float:
    """Where a level stands between the ends of the axis, half a distance beside the outer levels."""
    ends = (x.shifted(x.levels[0], -0.5), x.shifted(x.levels[-1], 0.5))
    place = x.place(level)
    if x.scale == "log":
        ends, place = (math.log(ends[0]), math.log(ends[1])), math.log(place)
    return round((place - ends[0]) / (ends[1] - ends[0]), 5)


def _gap(x: Axis) -> float:
    """The smallest distance between two levels, as a share of the axis."""
    places = [_place(x, level) for level in x.levels]
    return round(min(b - a for a, b in pairwise(places)), 5)


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.7g}")
