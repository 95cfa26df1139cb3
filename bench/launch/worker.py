"""A worker: one process that executes jobs until its pipe closes.

It lives through many runs, so torch is loaded and data are decoded once. It ignores Ctrl-C (the parent
decides and says "stop"), and when the parent dies, however it dies, the pipe closes and the worker
stops at the next step with a checkpoint.
"""

from __future__ import annotations

import faulthandler
import os
import queue
import signal
import sys
import threading
from multiprocessing.connection import Connection
from pathlib import Path

from bench.data.cachedir import cache_folders
from bench.execute.job import Answer, Ended, Job, Progress

STOP = "stop"
"""Message: leave the current job at the next step, with a checkpoint."""


def work(connection: Connection, device: str, log: Path) -> None:
    """Execute jobs from `connection`, answering each with progress and one `Answer`.

    A pack answers before that for each of its members (`Ended`).

    Args:
        connection: The worker's end of the pipe.
        device: Torch's name of the device that this worker owns.
        log: Where the worker's own output and crash traces go.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _redirect_output(log)
    _keep_compiled_code()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    inbox: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(connection, inbox, stop), daemon=True).start()

    from bench.execute.dispatch import execute  # noqa: PLC0415 - torch loads here, after the signals are set

    while (job := inbox.get()) is not None:
        answer = execute(job, device=device, stop=stop.is_set, report=_reporter(connection, stop))
        if not _send(connection, answer) or stop.is_set():
            return


def _reporter(connection: Connection, stop: threading.Event):  # type: ignore[no-untyped-def]  # one closure
    def report(progress: Progress | Ended) -> None:
        if not _send(connection, progress):
            stop.set()

    return report


def _send(connection: Connection, message: Answer | Progress | Ended) -> bool:
    """Whether the parent was still there to hear it."""
    try:
        connection.send(message)
    except (BrokenPipeError, ConnectionResetError):
        return False
    return True


def _listen(connection: Connection, inbox: queue.SimpleQueue[Job | None], stop: threading.Event) -> None:
    while True:
        try:
            message = connection.recv()
        except (EOFError, OSError):
            stop.set()
            inbox.put(None)
            return
        if message == STOP:
            stop.set()
        else:
            inbox.put(message)


def _keep_compiled_code() -> None:
    """Let workers, and later calls, share what was compiled; torch's own place for it is emptied at boot."""
    folder = cache_folders(Path())[1] / "compiled"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return  # nowhere to keep it: torch's own place does
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(folder))


def _redirect_output(log: Path) -> None:
    """Send what libraries print to the log: the terminal belongs to the parent's view."""
    log.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(descriptor, sys.stdout.fileno())
    os.dup2(descriptor, sys.stderr.fileno())
    os.close(descriptor)
    faulthandler.enable(all_threads=True)
