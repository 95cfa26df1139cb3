"""`studies/README.md`: the shipped studies with question, cost and finding, made from their records."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import units
from bench.analyse.cells import cell_records, summarise_cells
from bench.analyse.frame import run_records, source_records
from bench.analyse.summary import summarise
from bench.record.schema import CellRecord, Record, RunRecord
from bench.report.cells_finding import cells_finding
from bench.report.finding import finding
from bench.report.markdown import escape
from bench.study.model import Study

_HEAD = """\
<!-- Generated from the studies and their records; change those instead. -->
# Studies

Each file declares one study: `python -m bench run studies/NAME.yaml` trains it and writes its tables and
figures to `results/NAME/`. Times are the sum over runs of the training steps alone; of throughput studies, of
every measurement from its start to its end.
"""


@dataclass(frozen=True)
class IndexEntry:
    """One study as the index tells it."""

    name: str
    question: str
    path: Path
    """Of the study file; its name is linked."""
    metric: str
    n_arms: int
    n_seeds: int
    records: Sequence[Record] = ()
    study: Study | None = None

    @property
    def is_throughput(self) -> bool:
        """Whether its arms are cells."""
        return self.study is not None and self.study.is_throughput

    @classmethod
    def of(cls, study: Study, records: Sequence[Record]) -> IndexEntry:
        """The entry of a loaded study."""
        counts = (len(study.arms), len(study.seeds))
        return cls(study.name, study.question, study.path, study.metric, *counts, records, study)


def studies_index(entries: Iterable[IndexEntry]) -> str:
    """The page: one section a study, in the given order."""
    return "\n".join([_HEAD, *(_section(entry) for entry in entries)])


def _section(entry: IndexEntry) -> str:
    arm, replicate, run = ("cell", "repeat", "measurement") if entry.is_throughput else ("arm", "seed", "run")
    size = (
        f"{units.plural(entry.n_arms, arm)} × {units.plural(entry.n_seeds, replicate)} = "
        f"{units.plural(entry.n_arms * entry.n_seeds, run)}"
    )
    said = _said(entry) if entry.records else None
    spent = cells_cost(entry.records) if entry.is_throughput else cost(entry.records)
    file_name = escape(entry.path.name)
    return "\n".join(
        [
            f"## [{escape(entry.name)}](<{file_name}>)\n",
            *([f"{escape(entry.question)}\n"] if entry.question else []),
            f"- **Size:** {size}",
            f"- **Cost:** {escape(spent)}",
            f"- **Finding:** {escape(said) if said else 'not run yet'}",
            "",
        ]
    )


def _said(entry: IndexEntry) -> str | None:
    if entry.is_throughput:
        return cells_finding(summarise_cells(entry.records, study=entry.study))
    return finding(summarise(entry.records, entry.metric, study=entry.study))


def cells_cost(records: Sequence[Record]) -> str:
    """Time that the recorded cells took from start to end, by device; `not known yet` without records."""
    by_device: dict[str, list[CellRecord]] = {}
    for cell in cell_records(records):
        by_device.setdefault(str(cell.environment.get("device") or cell.device_kind), []).append(cell)
    told = []
    for device, cells in by_device.items():
        seconds = sum((_time(cell.ended_utc) - _time(cell.started_utc)).total_seconds() for cell in cells)
        told.append(f"{units.plural(len(cells), 'measurement')}, {units.duration(seconds)} on {device}")
    return "; ".join(told) or "not known yet"


def _time(utc: str) -> dt.datetime:
    return dt.datetime.fromisoformat(utc)


def cost(records: Sequence[Record]) -> str:
    """Training time of the recorded runs and of their sources, by device; `not known yet` without records."""
    by_device: dict[str, list[RunRecord]] = {}
    for run in [*run_records(records), *source_records(records)]:
        by_device.setdefault(str(run.environment.get("device") or run.device_kind), []).append(run)
    told = []
    for device, runs in by_device.items():
        seconds = sum(run.metrics.train_time_s or 0.0 for run in runs)
        n_sources = sum(run.role == "source" for run in runs)
        count = units.plural(len(runs), "run") + (f" ({n_sources} of them sources)" if n_sources else "")
        told.append(f"{count}, {units.duration(seconds)} of training on {device}")
    return "; ".join(told) or "not known yet"
