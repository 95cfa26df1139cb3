"""Persistent worker processes on this machine, and the rule by which they share a study's jobs.

A crash, a segfault or the kernel's out-of-memory killer costs the job that it hit and a fresh worker;
the study goes on. A worker killed from outside leaves its run interrupted. The parent never loads torch.
"""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path

from bench.execute.job import Answer, Job, Progress, RunJob, crash_record, now_utc
from bench.launch.worker import STOP, work
from bench.record.environment import out_of_memory_kills
from bench.record.folder import locked, publish, read_run, shelve_attempt
from bench.record.schema import Status

POLL_S = 0.2
"""How soon a signal or a lock that fell free is noticed."""


class Stop(Exception):
    """Raised out of `Pool.run` when the user's signal has ended the call; all workers are down."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_code = 128 + number


@dataclass
class Signals:
    """Counts the user's wish to stop: once is a checkpoint, twice is now."""

    number: int = 0
    count: int = 0
    _before: dict[int, object] = field(default_factory=dict)

    def __enter__(self) -> Signals:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal() returned is what it takes

    def _note(self, number: int, _frame: object) -> None:
        self.number = number
        self.count += 1


@dataclass
class Worker:
    """One process, its pipe, and the job that it is at."""

    process: SpawnProcess
    pipe: Connection
    device: str
    job: Job | None = None
    started_utc: str = ""
    oom_kills: int = 0

    def give(self, job: Job) -> None:
        """Hand over a job; the worker is idle."""
        self.job, self.started_utc, self.oom_kills = job, now_utc(), out_of_memory_kills()
        self._send(job)

    def ask_to_stop(self) -> None:
        """Let the worker leave its job at the next step."""
        self._send(STOP)

    def _send(self, message: Job | str) -> None:
        try:
            self.pipe.send(message)
        except (BrokenPipeError, ConnectionResetError):
            return  # it died; its sentinel says so, and its job is looked into


@dataclass(frozen=True)
class Listener:
    """Whom the pool tells what happens."""

    started: Callable[[Job], None]
    progress: Callable[[Job, Progress], None]
    ended: Callable[[Job, Answer], None]
    idle: Callable[[], None] = lambda: None
    """Called a few times a second."""


@dataclass(frozen=True)
class Gate:
    """Whether a job may start yet."""

    ask: Callable[[Job], str | None]
    """Empty: it may. None: not yet. Else it never can, and this is why."""
    ended: Callable[[Job], None]
    """Hears of every job that came to its end."""


OPEN = Gate(lambda _: "", lambda _: None)
"""Lets every job through at once."""


class Pool:
    """Workers on given devices; use it as a context so that none outlives the call."""

    def __init__(self, devices: Sequence[str], log_folder: Path, signals: Signals) -> None:
        """Start one worker a device.

        Args:
            devices: Torch names, repeated where several workers share one.
            log_folder: Gets one log a worker.
            signals: The call's signals.
        """
        self._context = multiprocessing.get_context("spawn")
        self._log_folder = log_folder
        self._signals = signals
        self._n_spawned = 0
        self.workers = [self._spawn(device) for device in devices]

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            worker.pipe.close()
        for worker in self.workers:
            worker.process.join(timeout=5)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()

    def run(
        self, jobs: Iterable[Job], listener: Listener, *, gate: Gate = OPEN, fail_fast: bool = False
    ) -> None:
        """Execute jobs in order, one a worker at a time, until all are answered.

        A job whose run another process trains is looked at again until that process is done with it; one
        that the gate holds back lets those behind it go first. A fault of the machine (a full disk, damaged
        data) ends the call: every other run would meet it too.

        Raises:
            Stop: The user's signal; runs under way have left a checkpoint.
        """
        queue = deque(jobs)
        deferred: deque[tuple[float, Job]] = deque()
        stopping = False
        while queue or deferred or self._busy():
            self._second_signal_kills(asked=stopping)
            if self._signals.count and not stopping:
                stopping = self._stop_all(queue, deferred)
            while deferred and deferred[0][0] <= time.monotonic():
                queue.append(deferred.popleft()[1])
            refused = self._hand_out(queue, listener, gate)
            for job, answer in [*refused, *self._answers(listener)]:
                if answer.outcome == "busy" and not stopping:
                    deferred.append((time.monotonic() + POLL_S, job))
                    continue
                gate.ended(job)
                listener.ended(job, answer)
                if answer.fault or (fail_fast and answer.outcome in ("failed", "oom")):
                    self._stop_all(queue, deferred)
            listener.idle()
        if self._signals.count:
            raise Stop(self._signals.number)

    def _spawn(self, device: str) -> Worker:
        here, there = self._context.Pipe()
        log = self._log_folder / f"worker-{self._n_spawned}.log"
        self._n_spawned += 1
        process = self._context.Process(target=work, args=(there, device, log), daemon=True)
        process.start()
        there.close()
        return Worker(process, here, device)

    def _busy(self) -> list[Worker]:
        return [worker for worker in self.workers if worker.job is not None]

    def _hand_out(self, queue: deque[Job], listener: Listener, gate: Gate) -> list[tuple[Job, Answer]]:
        """Give each idle worker the first job that may start; return those that never can."""
        refused: list[tuple[Job, Answer]] = []
        for job in list(queue):
            idle = next((worker for worker in self.workers if worker.job is None), None)
            if idle is None:
                break
            reason = gate.ask(job)
            if reason is None:
                continue
            queue.remove(job)
            if reason:
                refused.append((job, _refuse(job, reason)))
            else:
                listener.started(job)
                idle.give(job)
        return refused

    def _stop_all(self, queue: deque[Job], deferred: deque[tuple[float, Job]]) -> bool:
        queue.clear()
        deferred.clear()
        for worker in self._busy():
            worker.ask_to_stop()
        return True

    def _second_signal_kills(self, *, asked: bool) -> None:
        if asked and self._signals.count > 1:
            for worker in self.workers:
                worker.process.kill()
            raise Stop(self._signals.number)

    def _answers(self, listener: Listener) -> list[tuple[Job, Answer]]:
        """Wait a moment for messages and deaths; pass progress on, return what ended."""
        busy = self._busy()
        if not busy:
            time.sleep(POLL_S)
            return []
        ready = wait([*(w.pipe for w in busy), *(w.process.sentinel for w in busy)], timeout=POLL_S)
        ended: list[tuple[Job, Answer]] = []
        for worker in busy:
            if worker.pipe in ready or worker.process.sentinel in ready:
                answer = self._drain(worker, listener)
                if answer is not None and worker.job is not None:
                    ended.append((worker.job, answer))
                    self._free(worker, answer)
        return ended

    def _drain(self, worker: Worker, listener: Listener) -> Answer | None:
        try:
            while worker.pipe.poll():
                message = worker.pipe.recv()
                if isinstance(message, Answer):
                    return message
                assert worker.job is not None
                listener.progress(worker.job, message)
        except (EOFError, ConnectionResetError):
            worker.process.join()
        if worker.process.is_alive():
            return None
        return _post_mortem(worker)

    def _free(self, worker: Worker, answer: Answer) -> None:
        """Make the worker idle, or replace it: after an OOM its memory is not to be trusted."""
        worker.job = None
        stopped = self._signals.count > 0 or answer.outcome == "interrupted"
        if worker.process.is_alive() and answer.outcome != "oom" and not stopped:
            return
        worker.pipe.close()
        worker.process.join(timeout=5)
        if worker.process.is_alive():
            worker.process.kill()
        if self._signals.count == 0:
            self.workers[self.workers.index(worker)] = self._spawn(worker.device)


def _post_mortem(worker: Worker) -> Answer:
    """What a dead worker's job comes to, and its record where the death was the job's own."""
    code = worker.process.exitcode
    if code in (-signal.SIGKILL, -signal.SIGTERM) and out_of_memory_kills() <= worker.oom_kills:
        return Answer("interrupted", reason=f"worker killed from outside ({_name(code)})")
    if code == -signal.SIGKILL:
        answer = Answer("oom", reason="worker ended by the kernel's out-of-memory killer")
    else:
        answer = Answer("failed", reason=f"worker died: {_name(code)}")
    if isinstance(worker.job, RunJob):
        _record_crash(worker.job, answer, worker.started_utc)
    return answer


def _refuse(job: Job, reason: str) -> Answer:
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
