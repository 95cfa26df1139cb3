"""Writing so that a power cut or a kill leaves the old file or the new one, never a torn one.

The order is: temporary file in the same folder, write, flush, fsync, rename, fsync of the folder. Every
file that a later call relies on goes through here.
"""

from __future__ import annotations

import os
from pathlib import Path

from bench.errors import EnvironmentFault

TEMPORARY = ".tmp-"
"""Prefix of unfinished files; whatever carries it may be swept when nobody writes."""


def write_bytes(path: Path, data: bytes) -> None:
    """Replace `path` by `data`, durably.

    Raises:
        EnvironmentFault: The disk is full or the folder cannot be written; the old file is untouched.
    """
    temporary = path.with_name(f"{TEMPORARY}{os.getpid()}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise EnvironmentFault(
            f"{path}: {len(data)} bytes could not be written: {error.strerror or error}"
        ) from error


def write_text(path: Path, text: str) -> None:
    """Replace `path` by `text` in UTF-8 with the newlines as they are."""
    write_bytes(path, text.encode())


def write_if_changed(path: Path, data: bytes) -> bool:
    """Like `write_bytes`, but an equal file is left alone.

    Returns:
        Whether the file was written.
    """
    if path.is_file() and path.read_bytes() == data:
        return False
    write_bytes(path, data)
    return True


def sweep(folder: Path) -> None:
    """Remove what earlier, killed writers left in `folder`; the caller holds the folder's lock."""
    for stray in folder.glob(f"{TEMPORARY}*"):
        stray.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
