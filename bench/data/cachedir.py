"""Where decoded images and digests are kept, and how they get there whole.

The cache lies under the data folder, so that everyone who shares the data shares the work, and where that
cannot be written, in the user's cache folder. A file appears under its name only when it is complete and on
the disk; what is read from here is checked by its reader, so a cache can always be deleted.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO


def cache_folders(data_dir: Path) -> tuple[Path, Path]:
    """`DATA/.bench-cache` and the user's cache folder, in the order in which they are tried."""
    xdg = Path(os.environ.get("XDG_CACHE_HOME", ""))
    users = xdg if xdg.is_absolute() else Path.home() / ".cache"
    return data_dir / ".bench-cache", users / "bench"


def find(data_dir: Path, name: str) -> list[Path]:
    """The cache files of that name that exist."""
    return [folder / name for folder in cache_folders(data_dir) if (folder / name).is_file()]


def keep(data_dir: Path, name: str, write: Callable[[BinaryIO], None]) -> Path:
    """Write a cache file where it can be written.

    Args:
        data_dir: The data folder; it is not created for the cache's sake.
        name: The file's name.
        write: Called with the open temporary file, once for each folder that is tried.

    Raises:
        OSError: No folder took it.
    """
    first, users = cache_folders(data_dir)
    if data_dir.is_dir():
        try:
            return _write_whole(first / name, write)
        except OSError:
            pass  # read-only or full: the user's cache folder is the documented second place
    return _write_whole(users / name, write)


def _write_whole(path: Path, write: Callable[[BinaryIO], None]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(
        f".{path.name}.{uuid.uuid4().hex}"
    )  # not tempfile's: others may read the cache
    try:
        with temporary.open("xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
    return path


def sync_folder(folder: Path) -> None:
    """Make renames in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
