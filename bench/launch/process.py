"""A worker as its parent sees it: a process, a pipe, and what it is at."""

from __future__ import annotations

from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

from bench.execute.job import Answer, Job, PackJob, RunJob, now_utc
from bench.launch.crash import outlived_its_pack, post_mortem
from bench.launch.worker import STOP
from bench.record.environment import out_of_memory_kills


@dataclass
class Worker:
    """One process, its pipe, and the job that it is at."""

    process: SpawnProcess
    pipe: Connection
    device: str
    job: Job | None = None
    members: dict[str, RunJob] = field(default_factory=dict)
    """Runs of the pack that it is at, by label, that have not ended yet."""
    started_utc: str = ""
    oom_kills: int = 0

    def give(self, job: Job) -> None:
        """Hand over a job; the worker is idle."""
        self.job, self.started_utc, self.oom_kills = job, now_utc(), out_of_memory_kills()
        self.members = {one.label: one for one in job.jobs} if isinstance(job, PackJob) else {}
        self._send(job)

    def ask_to_stop(self) -> None:
        """Let the worker leave its job at the next step."""
        self._send(STOP)

    def _send(self, message: Job | str) -> None:
        try:
            self.pipe.send(message)
        except (BrokenPipeError, ConnectionResetError):
            return  # it died; its sentinel says so, and its job is looked into


def died(worker: Worker) -> list[tuple[Job, Answer]]:
    """What the job of a dead worker, or each of its pack that had not ended, comes to."""
    assert worker.job is not None
    code, started_utc = worker.process.exitcode, worker.started_utc
    if isinstance(worker.job, PackJob):
        return [
            (job, outlived_its_pack(job, code=code, started_utc=started_utc))
            for job in worker.members.values()
        ]
    answer = post_mortem(worker.job, code=code, started_utc=started_utc, oom_kills=worker.oom_kills)
    return [(worker.job, answer)]
