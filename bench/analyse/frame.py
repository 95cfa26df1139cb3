"""Records as tidy frames: what `records.csv` and `epochs.csv` hold, and what notebooks start from.

Columns are gathered as lists, one pass over the records, and become typed in one go: a study of ten
thousand runs stays a matter of seconds. Counts are nullable integers, so that a missing one is empty
in the file and the others keep no stray ".0".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import pandas as pd

from bench.analyse.outline import level_text
from bench.record.schema import EpochRow, Metrics, ProbeRecord, Record, RunRecord

_COUNTS: Final = ("n_train", "n_val", "n_test", "n_params", "n_trainable_params")
_METRICS: Final = (
    *_COUNTS,
    "gmacs",
    "epochs",
    "steps",
    "best_epoch",
    "train_top1_pct",
    "val_top1_pct",
    "test_top1_pct",
    "test_top5_pct",
    "test_mean_class_pct",
    "test_loss",
    "train_time_s",
    "compile_time_s",
    "run_train_img_s",
    "n_concurrent",
)
_INTEGERS: Final = (*_COUNTS, "steps", "best_epoch", "n_concurrent", "peak_memory_bytes")
_ENVIRONMENT: Final = ("device", "torch", "commit")
_CURVE: Final = tuple(EpochRow.model_fields)
_NUMBERS: Final = tuple(key for key in _METRICS if key not in _INTEGERS)

if not set(_METRICS) | {"peak_memory_bytes"} <= set(Metrics.model_fields):
    raise ImportError("a column of records.csv is no field of Metrics")


def run_records(records: Iterable[Record]) -> list[RunRecord]:
    """The runs of arms among the records, in order; runs trained for their weights alone are no results."""
    return [record for record in records if isinstance(record, RunRecord) and record.role == "arm"]


def source_records(records: Iterable[Record]) -> list[RunRecord]:
    """The runs that were trained only for other runs to start from, in order."""
    return [record for record in records if isinstance(record, RunRecord) and record.role == "source"]


def probes_by_arm(records: Iterable[Record]) -> dict[tuple[str, str], ProbeRecord]:
    """The latest probe of each distinct arm, by `arm_id` and kind of device."""
    found = [record for record in records if isinstance(record, ProbeRecord)]
    found.sort(key=lambda probe: probe.measured_utc)
    return {(probe.arm_id, probe.device_kind): probe for probe in found}


def runs_frame(records: Sequence[Record]) -> pd.DataFrame:
    """One row a run, with the columns of `records.csv` in their order.

    Factor columns carry the factor's dotted key and the level itself; the factor `arm` of a study with
    named arms is the arm's name already and gets no second column.
    """
    runs = run_records(records)
    probes = probes_by_arm(records)
    keys = [key for key in dict.fromkeys(key for run in runs for key in run.levels) if key != "arm"]
    columns: dict[str, pd.Series] = {
        "run_id": pd.Series([run.run_id for run in runs], dtype=object),
        "arm": pd.Series([run.arm for run in runs], dtype=object),
        "seed": pd.Series([run.seed for run in runs], dtype="int64"),
        "status": pd.Series([run.status for run in runs], dtype=object),
    }
    for key in keys:
        columns[key] = pd.Series([run.levels.get(key) for run in runs], dtype=object)
    for key in _METRICS:
        columns[key] = _typed(key, [getattr(run.metrics, key) for run in runs])
    found = [probes.get((run.arm_id, run.device_kind)) for run in runs]
    columns["probe_train_img_s"] = _typed(
        "probe_train_img_s", [None if probe is None else probe.probe_train_img_s for probe in found]
    )
    columns["peak_memory_bytes"] = _typed(
        "peak_memory_bytes", [run.metrics.peak_memory_bytes for run in runs]
    )
    for key in _ENVIRONMENT:
        columns[key] = pd.Series([run.environment.get(key) for run in runs], dtype=object)
    return pd.DataFrame(columns)


def epochs_frame(records: Sequence[Record]) -> pd.DataFrame:
    """One row an epoch of a run, with the columns of `epochs.csv` in their order."""
    runs = run_records(records)
    lengths = [len(run.epochs) for run in runs]
    rows = [row for run in runs for row in run.epochs]
    columns: dict[str, pd.Series] = {
        "run_id": _repeated([run.run_id for run in runs], lengths, "object"),
        "arm": _repeated([run.arm for run in runs], lengths, "object"),
        "seed": _repeated([run.seed for run in runs], lengths, "int64"),
    }
    for key in _CURVE:
        values = [getattr(row, key) for row in rows]
        columns[key] = pd.Series(values, dtype="int64" if key == "epoch" else "float64")
    return pd.DataFrame(columns)


def csv_text(frame: pd.DataFrame) -> str:
    """A frame as CSV: full precision, empty for null, booleans as the study writes them."""
    shown = frame.copy()
    for key in shown.columns:
        if shown[key].dtype == object:
            shown[key] = [level_text(v) if isinstance(v, bool) else v for v in shown[key].tolist()]
    return shown.to_csv(index=False, lineterminator="\n")


def _typed(key: str, values: list[float | int | None]) -> pd.Series:
    return pd.Series(values, dtype="Int64" if key in _INTEGERS else "float64")


def _repeated(values: list[Any], lengths: list[int], dtype: str) -> pd.Series:
    return pd.Series(values, dtype=dtype).repeat(lengths).reset_index(drop=True)
