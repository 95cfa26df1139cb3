"""Persistent worker processes on this machine, and the rule by which they share a study's jobs.

A crash, a segfault or the kernel's out-of-memory killer costs the job that it hit and a fresh worker;
the study goes on. A worker killed from outside leaves its run interrupted. Where it was at a pack of runs,
each of them is run again alone, and only what comes of that counts. The parent never loads torch.
"""

from __future__ import annotations

import math
import multiprocessing
import signal
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import wait
from pathlib import Path

from bench.execute.job import Answer, Ended, Job, PackJob, Progress, RunJob
from bench.launch.crash import refuse
from bench.launch.packing import APART, Packing, packed
from bench.launch.process import Worker, died
from bench.launch.worker import work

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
        self,
        jobs: Iterable[Job],
        listener: Listener,
        *,
        gate: Gate = OPEN,
        packing: Packing = APART,
        fail_fast: bool = False,
    ) -> None:
        """Execute jobs in order, one or one pack a worker at a time, until all are answered.

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
            refused = self._hand_out(queue, listener, gate, packing)
            for job, answer in [*refused, *self._answers(listener)]:
                if answer.outcome == "busy" and not stopping:
                    deferred.append((time.monotonic() + POLL_S, job))
                    continue
                if answer.outcome == "again":
                    assert isinstance(job, RunJob)
                    if not stopping:
                        listener.progress(
                            job, Progress(job.label, warning=f"{answer.reason}; run again alone")
                        )
                        queue.appendleft(replace(job, alone=True))
                        continue
                    answer = Answer("interrupted", reason=answer.reason)  # noqa: PLW2901 - what it comes to now
                gate.ended(job)
                listener.ended(job, answer)
                if answer.fault or (fail_fast and answer.outcome in ("failed", "oom")):
                    stopping = self._stop_all(queue, deferred)
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

    def _hand_out(
        self, queue: deque[Job], listener: Listener, gate: Gate, packing: Packing
    ) -> list[tuple[Job, Answer]]:
        """Give each idle worker the first job that may start, or a pack; return those that never can."""
        idle = [worker for worker in self.workers if worker.job is None]
        ready: list[Job] = []
        refused: list[tuple[Job, Answer]] = []
        for job in list(queue):
            if len(ready) == len(idle) * packing.most:
                break
            reason = gate.ask(job)
            if reason is None:
                continue
            queue.remove(job)
            if reason:
                refused.append((job, refuse(job, reason)))
            else:
                ready.append(job)
        for n_given, worker in enumerate(idle):
            if not ready:
                break
            # No more than its share, so that no worker stands idle beside a full pack.
            together = packing.first(ready, at_most=math.ceil(len(ready) / (len(idle) - n_given)))
            for job in together:
                ready.remove(job)
                listener.started(job)
            worker.give(packed(together))
        queue.extendleft(reversed(ready))
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
                ended += self._drain(worker, listener)
        return ended

    def _drain(self, worker: Worker, listener: Listener) -> list[tuple[Job, Answer]]:
        """Pass a worker's progress on; what has ended, by its word or by its death."""
        ended: list[tuple[Job, Answer]] = []
        try:
            while worker.job is not None and worker.pipe.poll():
                message = worker.pipe.recv()
                if isinstance(message, Progress):
                    listener.progress(worker.members.get(message.label, worker.job), message)
                elif isinstance(message, Ended):
                    ended.append((worker.members.pop(message.label), message.answer))
                else:
                    if not isinstance(worker.job, PackJob):
                        ended.append((worker.job, message))
                    self._free(worker, message)
        except (EOFError, ConnectionResetError):
            worker.process.join()
        if worker.job is not None and not worker.process.is_alive():
            ended += died(worker)
            self._free(worker, Answer("failed"))
        return ended

    def _free(self, worker: Worker, answer: Answer) -> None:
        """Make the worker idle, or replace it: after an OOM its memory is not to be trusted."""
        worker.job = None
        stopped = self._signals.count > 0 or answer.outcome == "interrupted"
        spent = answer.outcome in ("oom", "again") or answer.lost
        if worker.process.is_alive() and not spent and not stopped:
            return
        worker.pipe.close()
        worker.process.join(timeout=5)
        if worker.process.is_alive():
            worker.process.kill()
        if self._signals.count == 0:
            self.workers[self.workers.index(worker)] = self._spawn(worker.device)
