"""The data that a page's script reads: arms, runs by column, settings told once, and what the figure draws.

Columns rather than objects, indices rather than names, and one value where all runs share it: a study of ten
thousand runs stays a few megabytes and opens at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from bench.analyse.cells import CellsSummary, CellSummary
from bench.analyse.summary import ArmSummary
from bench.record.schema import CellRecord, RunRecord
from bench.report import cells_table, words
from bench.report.html.chart import charts
from bench.report.html.run_rows import ArmKey, Kind, RunRow, Summary
from bench.report.html.safe import plain
from bench.report.html.settings import Shared

Json = dict[str, Any]

MOST_CURVE_VALUES: Final = 60_000
"""Above this the learning curves of single runs are left to epochs.csv."""

_CURVES: Final = ("val_top1_pct", "train_top1_pct", "train_loss")


def arm_index(summary: Summary) -> dict[ArmKey, int]:
    """Arms of all blocks, numbered in their order."""
    keys = [(block.device_kind, arm.name) for block in summary.blocks for arm in block.arms]
    return {key: index for index, key in enumerate(keys)}


def payload(
    summary: Summary,
    rows: Sequence[RunRow],
    kind: Kind,
    arms: Mapping[ArmKey, int],
    settings: tuple[Shared, Shared],
) -> Json:
    """Everything that the script of a page shows.

    Args:
        summary: The study's.
        rows: Its runs; their order numbers them.
        kind: What things are called.
        arms: Index of each arm.
        settings: Configurations and environments of the rows.
    """
    by_id = _run_index(summary, rows, arms)
    configs, environments = settings
    return {
        "noun": kind.noun,
        "header": kind.header,
        "arms": [_arm(arm, block.device_kind, summary) for block in summary.blocks for arm in block.arms],
        "charts": charts(summary, arms, by_id),
        "runs": {
            "id": [plain(row.record.run_id) for row in rows],
            "arm": [arms[row.arm_key] for row in rows],
            "seed": [row.record.seed for row in rows],
            "value": [kind.spelled(row.value) for row in rows],
            "status": _told_once([row.status for row in rows]),
            "reason": _told_once([plain(row.record.reason or "") for row in rows]),
            "started": [plain(row.record.started_utc)[:19] for row in rows],
            "config": configs.of_run,
            "environment": environments.of_run,
            "metrics": _metrics([row.record for row in rows]),
            "curves": _curves([row.record for row in rows]),
        },
        "configs": {"common": configs.common, "own": configs.own},
        "environments": {"common": environments.common, "own": environments.own},
    }


def _run_index(summary: Summary, rows: Sequence[RunRow], arms: Mapping[ArmKey, int]) -> dict[str, int]:
    """Indices of runs as the figure asks for them: by id, or by arm and repeat."""
    if isinstance(summary, CellsSummary):
        return {f"{arms[row.arm_key]}/{row.record.seed}": index for index, row in enumerate(rows)}
    return {row.record.run_id: index for index, row in enumerate(rows)}


def _arm(arm: ArmSummary | CellSummary, device_kind: str, summary: Summary) -> Json:
    told = {"label": plain(arm.label), "name": plain(arm.name), "kind": device_kind}
    if isinstance(arm, CellSummary):
        ratio = "" if arm.relative is None or arm.is_baseline else f"× {arm.relative:.3g} of the baseline"
        centre, spread, versus = f"median {cells_table.speed_text(arm)}", "", ratio
    else:
        assert not isinstance(summary, CellsSummary)
        quantity, gap = words.quantity_of(summary), arm.difference
        centre = f"mean {words.mean_text(arm)}"
        interval = words.interval_text(arm, quantity)
        spread = "" if arm.estimate.ci95_low is None else f"95 % interval {interval}"
        versus = ""
        if gap is not None and gap.delta is not None:
            amount = words.difference_text(gap, arm.one_image)
            bounds = words.difference_interval_text(gap, arm.one_image)
            versus = f"{amount} {quantity.delta_unit or ''} against the baseline {bounds}"
    role = "baseline" if arm.is_baseline else ""
    count = f"n = {arm.n_done}" + (f" of {arm.n_runs}" if arm.gaps else "")
    return {**told, "told": [part for part in (role, centre, spread, versus, count) if part]}


def _told_once(texts: Sequence[str]) -> Json:
    """Texts as an index into the distinct ones."""
    index = {text: number for number, text in enumerate(dict.fromkeys(texts))}
    return {"texts": list(index), "of": [index[text] for text in texts]}


def _metrics(records: Sequence[RunRecord | CellRecord]) -> Json:
    """Numbers of each run by the record's own names; a list where runs differ, else the value itself."""
    found: Json = {}
    if not records:
        return found
    for key in type(records[0].metrics).model_fields:
        values = [_scalar(getattr(record.metrics, key)) for record in records]
        if any(value is not None for value in values):
            found[key] = values[0] if all(value == values[0] for value in values) else values
    return found


def _scalar(value: Any) -> float | int | str | None:
    """A scalar to six digits; windows and reasons have their own places and are left out."""
    if value is None:
        return None
    if isinstance(value, float):
        return float(f"{value:.6g}")
    return value if isinstance(value, int | str) else None


def _curves(records: Iterable[RunRecord | CellRecord]) -> Json | None:
    """Learning curves: accuracy on validation, or in training where nothing was validated, and the loss."""
    runs = [record for record in records if isinstance(record, RunRecord)]
    if not 0 < 2 * sum(len(run.epochs) for run in runs) <= MOST_CURVE_VALUES:
        return None
    validated = any(row.val_top1_pct is not None for run in runs for row in run.epochs)
    keys = (_CURVES[0] if validated else _CURVES[1], _CURVES[2])
    return {key: [[_brief(getattr(row, key)) for row in run.epochs] for run in runs] for key in keys}


def _brief(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")
