"""One run's folder: its lock, its state, its record.

runs/<slug>-s<seed>-<hash8>/
lock                    held with flock by whoever trains; the kernel drops it when the holder dies
checkpoint.safetensors  while unfinished
record.json             one sealed line; the run is done when it is there
attempts/<n>.json       records of earlier attempts, kept when a run is retried
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.errors import EnvironmentFault
from bench.record.durable import sweep, write_text
from bench.record.schema import Attempt, Finished, Record, seal, unseal

RECORD = "record.json"
LOCK = "lock"
CHECKPOINT = "checkpoint.safetensors"
PREDICTIONS = "predictions.npz"
ERROR = "error.txt"


@contextmanager
def locked(folder: Path, *, wait: bool = False) -> Iterator[bool]:
    """Hold the folder's lock for the block.

    Yields:
        Whether it was had; with `wait` it always is. Leftovers of killed writers are swept by then.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        sweep(folder)
        yield True
    finally:
        os.close(descriptor)


def is_locked(folder: Path) -> bool:
    """Whether somebody trains in the folder now. Writes nothing, never waits."""
    try:
        descriptor = os.open(folder / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def read_record(folder: Path) -> Record | None:
    """The folder's record, or None while the run is not finished.

    Raises:
        EnvironmentFault: The record was changed or is of another schema.
    """
    path = folder / RECORD
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        return unseal(text)
    except ValueError as error:
        raise EnvironmentFault(f"{path}: {error}; move the folder away to train the run again") from error


def read_run(folder: Path) -> Finished | None:
    """`read_record` for a folder of a run or of a cell's repeat."""
    record = read_record(folder)
    return record if isinstance(record, Finished) else None


def publish(folder: Path, record: Record) -> None:
    """Write the record: from here on the run is finished. The caller holds the lock."""
    write_text(folder / RECORD, seal(record) + "\n")


def earlier_attempts(folder: Path) -> tuple[Attempt, ...]:
    """What was tried before in this folder, oldest first."""
    paths = sorted((folder / "attempts").glob("*.json"), key=lambda path: int(path.stem))
    records = [unseal(path.read_text(encoding="utf-8")) for path in paths]
    return tuple(
        Attempt(
            status=record.status,
            reason=record.reason,
            started_utc=record.started_utc,
            ended_utc=record.ended_utc,
        )
        for record in records
        if isinstance(record, Finished)
    )


def shelve_attempt(folder: Path) -> None:
    """Put the record of a failed attempt aside, so that the run can be tried again from its start."""
    record = folder / RECORD
    shelf = folder / "attempts"
    shelf.mkdir(exist_ok=True)
    number = 1 + max((int(path.stem) for path in shelf.glob("*.json")), default=0)
    (folder / CHECKPOINT).unlink(missing_ok=True)
    record.replace(shelf / f"{number}.json")
