"""Cells as a tidy frame: what `records.csv` of a throughput study holds, one row a repeat."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any, Final

import pandas as pd

from bench.analyse.cell_traits import CellTraits, traits_of
from bench.analyse.cells import cell_records
from bench.analyse.repeat import Repeat, repeat_of
from bench.record.schema import CellMetrics, CellRecord, Record

_TRAITS: Final = tuple(field.name for field in fields(CellTraits))
_OWN: Final = ("work", "input", "batch_size", "image_size")
_METRICS: Final = tuple(key for key in CellMetrics.model_fields if key not in _OWN)
_INTEGERS: Final = frozenset(
    {
        "batch_size",
        "image_size",
        "n_params",
        "steps_per_window",
        "warmup_steps",
        "peak_allocated_bytes",
        "peak_reserved_bytes",
        "n_windows",
    }
)
_TEXTS: Final = frozenset({"peak_flops_source"})
_ENVIRONMENT: Final = ("device", "torch", "cuda", "driver", "commit")
_WINDOWS: Final[dict[str, Callable[[Repeat], float | int]]] = {
    "n_windows": lambda repeat: repeat.n_windows,
    "q1_img_s": lambda repeat: repeat.q1_img_s,
    "q3_img_s": lambda repeat: repeat.q3_img_s,
    "p95_step_s": lambda repeat: repeat.p95_step_s,
}
"""What stands for the raw windows, which are in `records.jsonl`."""


def cells_frame(records: Sequence[Record]) -> pd.DataFrame:
    """One row a repeat of a cell, in the order of the records.

    Factor columns carry the factor's dotted key and the level itself; what the factors come to (network,
    precision, layout, mode) has columns of its own.
    """
    cells = cell_records(records)
    keys = [key for key in dict.fromkeys(key for cell in cells for key in cell.levels) if key != "arm"]
    columns: dict[str, pd.Series] = {
        "run_id": _column("run_id", [cell.run_id for cell in cells]),
        "arm": _column("arm", [cell.arm for cell in cells]),
        "repeat": pd.Series([cell.seed for cell in cells], dtype="int64"),
        "status": _column("status", [cell.status for cell in cells]),
        "reason": _column("reason", [cell.reason for cell in cells]),
    }
    for key in keys:
        columns[key] = _column(key, [cell.levels.get(key) for cell in cells])
    traits = [traits_of(cell) for cell in cells]
    for key in _TRAITS:
        columns[key] = _column(key, [getattr(one, key) for one in traits])
    repeats = [repeat_of(cell) for cell in cells]
    for key in _METRICS:
        if key == "windows_s":
            for name, of in _WINDOWS.items():
                columns[name] = _numbers(name, [None if one is None else of(one) for one in repeats])
        else:
            columns[key] = _measured(key, cells)
    for key in ("device_kind", *_ENVIRONMENT):
        columns[key] = _column(key, [_told(cell, key) for cell in cells])
    return pd.DataFrame(columns)


def _measured(key: str, cells: Sequence[CellRecord]) -> pd.Series:
    values = [getattr(cell.metrics, key) for cell in cells]
    if key in ("throttle_reasons", "noise"):
        return _column(key, ["; ".join(value) or None for value in values])
    if key in _TEXTS or key == "warmup_settled":
        return _column(key, values)
    return _numbers(key, values)


def _told(cell: CellRecord, key: str) -> Any:
    return cell.device_kind if key == "device_kind" else cell.environment.get(key)


def _column(key: str, values: list[Any]) -> pd.Series:
    return _numbers(key, values) if key in _INTEGERS else pd.Series(values, dtype=object)


def _numbers(key: str, values: list[Any]) -> pd.Series:
    return pd.Series(values, dtype="Int64" if key in _INTEGERS else "float64")
