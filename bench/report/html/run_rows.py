"""Every run of a study as the page shows it: a row of a table, and a column entry of the data for a script.

A training run and a repeat of a throughput cell look alike from here: an arm, a number that tells replicates
apart, how it ended, and the value that stands in the tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bench import units
from bench.analyse.cells import CellsSummary
from bench.analyse.summary import StudySummary
from bench.record.schema import CellRecord, Record, RunRecord
from bench.report import words
from bench.report.table import Cell, Column, RowGroup, Scalar, Table

Summary = StudySummary | CellsSummary
ArmKey = tuple[str, str]
"""Kind of device and name of an arm."""

_STATUS_WORDS: Final = {"oom": "out of memory"}


@dataclass(frozen=True)
class RunRow:
    """One run."""

    record: RunRecord | CellRecord
    label: str
    """Of its arm."""
    value: float | None
    """As it stands in the mean of its arm."""

    @property
    def status(self) -> str:
        """How it ended, in words."""
        return _STATUS_WORDS.get(self.record.status, self.record.status)

    @property
    def arm_key(self) -> ArmKey:
        """Whose run it is."""
        return self.record.device_kind, self.record.arm


@dataclass(frozen=True)
class Kind:
    """What a training study and a throughput study call things."""

    noun: str
    """What a replicate is called."""
    header: str
    """Of the value, with its unit."""
    delta_unit: str

    def spelled(self, value: float | None) -> str:
        """A single run's value: two decimals of a percentage, else four digits that count."""
        if value is None:
            return words.NONE
        return units.fixed(value, 2) if self.delta_unit == "pp" else units.significant(value, 4)


def kind_of(summary: Summary) -> Kind:
    """The words of a summary's study."""
    if isinstance(summary, CellsSummary):
        return Kind("repeat", "throughput (images/s)", "")
    quantity = words.quantity_of(summary)
    return Kind("seed", quantity.header, quantity.delta_unit or "")


def run_rows(records: Sequence[Record], summary: Summary) -> tuple[RunRow, ...]:
    """The runs of a study's arms, in the order of its records."""
    labels: dict[ArmKey, str] = {}
    values: dict[str, float] = {}
    for block in summary.blocks:
        for arm in block.arms:
            labels[block.device_kind, arm.name] = arm.label
    if isinstance(summary, StudySummary):
        values = {point.run_id: point.value for arm in summary.arms for point in arm.points}
    else:
        values = _speeds(records, summary)
    return tuple(
        RunRow(record, labels[record.device_kind, record.arm], values.get(record.run_id))
        for record in records
        if isinstance(record, RunRecord | CellRecord) and (record.device_kind, record.arm) in labels
        if record.role == "arm"
    )


def _speeds(records: Iterable[Record], summary: CellsSummary) -> dict[str, float]:
    medians: Mapping[tuple[str, str, int], float] = {
        (block.device_kind, arm.name, repeat.seed): repeat.median_img_s
        for block in summary.blocks
        for arm in block.arms
        for repeat in arm.repeats
    }
    told = (
        (record.run_id, medians.get((record.device_kind, record.arm, record.seed)))
        for record in records
        if isinstance(record, CellRecord)
    )
    return {run_id: value for run_id, value in told if value is not None}


def runs_table(rows: Sequence[RunRow], kind: Kind) -> Table:
    """One row a run: whose it is, how it ended and what it reached."""
    trained = any(isinstance(row.record, RunRecord) for row in rows)
    columns = (
        Column(("arm",), "Arm", "l"),
        Column((kind.noun,), words.capital(kind.noun)),
        Column(("value",), words.capital(kind.header)),
        *((Column(("train_time_s",), "Training (s)"),) if trained else ()),
        Column(("status",), "Status", "l"),
        Column(("device",), "Device", "l"),
        Column(("run_id",), "Run", "l"),
    )
    body = tuple(_row(row, kind, trained=trained) for row in rows)
    caption = f"Every {'run' if trained else 'repeat'} on record, in plan order."
    return Table("runs", caption, columns, (RowGroup("", "", body),) if body else ())


def _row(row: RunRow, kind: Kind, *, trained: bool) -> tuple[Cell, ...]:
    record = row.record
    told = row.status if record.reason is None else f"{row.status}: {record.reason}"
    device = record.environment.get("device") or record.device_kind
    time_s = record.metrics.train_time_s if isinstance(record, RunRecord) else None
    return (
        _text(row.label),
        Cell(str(record.seed), (record.seed,)),
        Cell(kind.spelled(row.value), (row.value,)),
        *((Cell(words.NONE if time_s is None else units.significant(time_s), (time_s,)),) if trained else ()),
        _text(told),
        _text(str(device)),
        _text(record.run_id),
    )


def _text(text: Scalar) -> Cell:
    return Cell(str(text), (text,))
