"""Where the runs of a study took their initial weights from: what an interval over seeds stands for.

An interval over seeds covers everything that the seed draws. Arms that start from one file share it, and
their intervals hold for that file alone; arms whose seeds start from sources of their own do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from bench.analyse.frame import run_records, source_records
from bench.analyse.outline import section
from bench.record.schema import Record, RunRecord


@dataclass(frozen=True)
class Origins:
    """The sources of all runs of a study."""

    from_runs: bool
    """Some arms start from runs, seed s from seed s."""
    files: tuple[str, ...]
    """Weights that some arms start from in every seed."""
    n_source_runs: int
    """Runs that were trained for their weights alone."""


def origins_of(records: Sequence[Record]) -> Origins:
    """The origins of a study's recorded runs."""
    runs = run_records(records)
    files = dict.fromkeys(name for run in runs if (name := file_of(run)) is not None)
    return Origins(any(map(starts_from_run, runs)), tuple(files), len(source_records(records)))


def starts_from_run(run: RunRecord) -> bool:
    """Whether the run starts from the weights of a run with its seed."""
    weights = section(run.config, "weights")
    return weights.get("from") == "pretrain" or weights.get("run") is not None


def file_of(run: RunRecord) -> str | None:
    """The weights that every seed of the run's arm starts from, by file name; None where there are none."""
    source = section(run.config, "weights").get("from")
    if source in (None, "pretrain", "random"):
        return None
    if source == "timm":
        return f"timm's {section(run.config, 'model').get('name')}"
    return PurePosixPath(str(source)).name
