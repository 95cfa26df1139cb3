"""What a worker is asked to do, and what it answers: plain data that travels through a pipe.

Torch-free, because the parent makes jobs and reads answers without ever loading it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from bench.record import environment
from bench.record.folder import earlier_attempts
from bench.record.schema import CellMetrics, CellRecord, EpochRow, Finished, Metrics, RunRecord, Status
from bench.record.study_file import relative_path
from bench.study.execution import Hardware
from bench.study.identity import ENGINE
from bench.study.model import Arm, Run
from bench.study.specs import BaseSpec


@dataclass(frozen=True)
class RunJob:
    """Train, measure and record one run."""

    run: Run
    arm_id: str
    study: str
    declaration: str
    folder: Path
    data_dir: Path
    device_kind: Literal["cpu", "cuda"]
    n_concurrent: int
    retry: bool = False
    """Put an earlier attempt's record aside and train again."""

    source_folder: Path | None = None
    """Where the run lies whose weights this one starts from."""
    role: Literal["arm", "source"] = "arm"
    n_packed: int = 1
    """Runs that go on side by side in the worker, this one included."""
    alone: bool = False
    """Not to be packed any more: it raised in a pack, or its pack died."""
    n_seeds: int | None = None
    """That the study declares; None where a rule adds them."""

    @property
    def label(self) -> str:
        """How progress names the run."""
        return self.run.label


@dataclass(frozen=True)
class PackJob:
    """Train, measure and record several runs side by side in one process."""

    jobs: tuple[RunJob, ...]
    """As they stand in the queue, of equal `execution`."""

    @property
    def members(self) -> tuple[RunJob, ...]:
        """The runs as each has to know itself: one of many."""
        n = len(self.jobs)
        return tuple(replace(job, n_packed=n, n_concurrent=n * job.n_concurrent) for job in self.jobs)

    @property
    def label(self) -> str:
        """How progress names the pack."""
        return f"pack of {len(self.jobs)} runs"


@dataclass(frozen=True)
class ProbeJob:
    """Measure one arm's training speed while nothing else runs."""

    arm: Arm
    arm_id: str
    folder: Path
    data_dir: Path
    device_kind: Literal["cpu", "cuda"]

    @property
    def label(self) -> str:
        """How progress names the probe."""
        return f"{self.arm.name} probe"


@dataclass(frozen=True)
class CalibrateJob:
    """Choose what the study leaves open, by measuring while nothing else runs."""

    arms: tuple[Arm, ...]
    """As declared: what is open in them is chosen for all."""
    hardware: Hardware
    study_folder: Path
    """Gets the lock."""
    data_dir: Path
    n_runs_a_worker: int
    """Runs of an arm that one worker trains."""
    again: bool = False
    """Replace an earlier choice."""
    label: str = "calibration"

    @property
    def folder(self) -> Path:
        """Held while calibrating, so that two calls do not measure at once."""
        return self.study_folder / "runs" / "calibration"


@dataclass(frozen=True)
class SurveyJob:
    """Build every arm's network once without memory: what only torch can check, and what each will cost."""

    arms: tuple[Arm, ...]
    data_dir: Path
    label: str = "survey"


@dataclass(frozen=True)
class CellJob(RunJob):
    """Measure and record one repeat of one cell, in a process that has done nothing before."""


Job = RunJob | CellJob | PackJob | ProbeJob | SurveyJob | CalibrateJob

Outcome = Literal["done", "diverged", "oom", "failed", "interrupted", "busy", "again"]
"""`busy`: another process holds the run's lock. `again`: a member of a pack raised; only what it does alone
counts. A pack is `again` when one of its members is."""


@dataclass(frozen=True)
class Progress:
    """Something to show while a job is under way."""

    label: str
    text: str = ""
    warning: str = ""
    """What the user should know though the run goes on, as a checkpoint that was damaged."""
    row: EpochRow | None = None
    n_epochs: float = 0.0
    """Budget of the run in epochs."""


Report = Callable[[Progress], None]
"""Hears how a job gets on."""


def decoding(job: RunJob | ProbeJob, report: Report) -> Callable[[str, int, int], None]:
    """Tells how far the decoding of a set has come, in the job's name."""

    def on_progress(what: str, done: int, total: int) -> None:
        report(Progress(job.label, text=f"{what}: {done:,} of {total:,}"))

    return on_progress


@dataclass(frozen=True)
class Answer:
    """How a job ended."""

    outcome: Outcome
    reason: str | None = None
    metrics: Metrics | CellMetrics | None = None
    found: bool = False
    """The run was already finished, by an earlier or a concurrent call."""
    fault: bool = False
    """The machine's fault, not the run's: the disk is full, data are gone."""
    lost: bool = False
    """The process can do nothing more on its device."""
    gmacs: Mapping[str, float] | None = None
    """A survey's answer: GMACs an image by arm name."""
    memory_bytes: Mapping[str, int] | None = None
    """A survey's answer: device memory that training takes at most, roughly, by arm name."""


@dataclass(frozen=True)
class Ended:
    """A member of a pack came to its end; the others go on."""

    label: str
    answer: Answer


def now_utc() -> str:
    """This moment, to the microsecond, as ISO 8601 in UTC."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="microseconds")


def public_config(config: BaseSpec, data_dir: Path) -> dict[str, Any]:
    """The whole configuration as a record holds it, defaults included, without absolute paths."""
    fields: dict[str, Any] = config.model_dump(mode="json")
    pretrain = fields.get("pretrain") or {}
    for data in (fields["data"], pretrain.get("data") or {}):
        if data.get("path") is not None:
            data["path"] = relative_path(data["path"], data_dir)
    weights = fields.get("weights") or {}
    if weights.get("from") is not None:
        weights["from"] = relative_path(weights["from"], data_dir)
    return fields


def start_record(job: RunJob, *, status: Status, started_utc: str, **fields: Any) -> RunRecord:
    """A run's record with what every outcome has in common."""
    source = job.run.source.run_id if job.run.source is not None else None
    return RunRecord(**_common(job, status, started_utc), source_run_id=source, **fields)


def cell_record(job: CellJob, *, status: Status, started_utc: str, **fields: Any) -> CellRecord:
    """A cell's record with what every outcome has in common."""
    return CellRecord(**_common(job, status, started_utc), **fields)


def _common(job: RunJob, status: Status, started_utc: str) -> dict[str, Any]:
    return {
        "engine": ENGINE,
        "run_id": job.run.run_id or "",
        "arm_id": job.arm_id,
        "study": job.study,
        "declaration": job.declaration,
        "n_seeds_declared": job.n_seeds,
        "arm": job.run.arm.name,
        "levels": dict(job.run.arm.levels),
        "seed": job.run.seed,
        "role": job.role,
        "status": status,
        "device_kind": job.device_kind,
        "config": public_config(job.run.arm.config, job.data_dir),
        "started_utc": started_utc,
        "ended_utc": now_utc(),
        "attempts": earlier_attempts(job.folder),
    }


def crash_record(job: RunJob, *, status: Status, reason: str, started_utc: str) -> Finished:
    """What the parent writes for a worker that died and can no longer speak for itself."""
    known = {**environment.code_state(), **environment.packages(), **environment.machine()}
    if isinstance(job, CellJob):
        return cell_record(job, status=status, started_utc=started_utc, reason=reason, environment=known)
    return start_record(job, status=status, started_utc=started_utc, reason=reason, environment=known)
