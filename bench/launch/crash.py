"""What a job comes to that nobody can answer for any more: its worker died, or it can never start."""

from __future__ import annotations

import signal

from bench.execute.job import Answer, Job, RunJob, crash_record, now_utc
from bench.record.environment import out_of_memory_kills
from bench.record.folder import locked, publish, read_run, shelve_attempt
from bench.record.schema import Status


def post_mortem(job: Job, *, code: int | None, started_utc: str, oom_kills: int) -> Answer:
    """What the job of a dead worker comes to, and its record where the death was the job's own.

    Args:
        job: What the worker was at.
        code: Exit code of its process; negative: the signal that ended it.
        started_utc: When it got the job.
        oom_kills: How often the kernel's out-of-memory killer had struck until then.
    """
    if code in (-signal.SIGKILL, -signal.SIGTERM) and out_of_memory_kills() <= oom_kills:
        return Answer("interrupted", reason=f"worker killed from outside ({_name(code)})")
    if code == -signal.SIGKILL:
        answer = Answer("oom", reason="worker ended by the kernel's out-of-memory killer")
    else:
        answer = Answer("failed", reason=f"worker died: {_name(code)}")
    if isinstance(job, RunJob):
        _record_crash(job, answer, started_utc)
    return answer


def outlived_its_pack(job: RunJob, *, code: int | None, started_utc: str) -> Answer:
    """What a member of a pack comes to whose worker died: which of them was to blame nobody knows.

    Args:
        job: The member; it had not been answered for.
        code: Exit code of the worker.
        started_utc: When the worker got the pack.

    Returns:
        The result that it had just recorded, else `again`.
    """
    record = read_run(job.folder)
    if record is not None and record.started_utc >= started_utc:
        return Answer(record.status, reason=record.reason, metrics=record.metrics)
    return Answer("again", reason=f"the worker of its pack died: {_name(code)}")


def refuse(job: Job, reason: str) -> Answer:
    """The end, and the record, of a job that can never start."""
    answer = Answer("failed", reason=reason)
    if isinstance(job, RunJob):
        _record_crash(job, answer, now_utc())
    return answer


def _record_crash(job: RunJob, answer: Answer, started_utc: str) -> None:
    status: Status = "oom" if answer.outcome == "oom" else "failed"
    with locked(job.folder) as held:
        if held and job.retry and read_run(job.folder) is not None:
            shelve_attempt(job.folder)
        if held and read_run(job.folder) is None:
            reason = answer.reason or ""
            publish(job.folder, crash_record(job, status=status, reason=reason, started_utc=started_utc))


def _name(code: int | None) -> str:
    if code is not None and code < 0:
        return signal.Signals(-code).name
    return f"exit code {code}"
