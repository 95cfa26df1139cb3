"""The digests that stand for a dataset and for a weights file in a run's identity, without reading into them.

A catalogued set's is a constant, so its runs have ids before the data are there. A user's own is taken over
the bytes of its files, and remembered by path, size and modification time, so that planning stays quick.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from bench.data import cachedir, own_files
from bench.data.catalogue import OWN, entry
from bench.errors import DataMissing

if TYPE_CHECKING:
    from bench.study.specs import DataSpec

_MEMORY = "digests.json"


def data_digest(spec: DataSpec, data_dir: Path, cache: bool = True) -> str:
    """sha256 of a set's data, of the whole set whatever `classes` chooses.

    Args:
        spec: Names the set.
        data_dir: The data folder.
        cache: Whether a digest remembered for files of equal path, size and time is believed.

    Raises:
        DataMissing: A user's set is not there.
        DataFault: No set has that name.
    """
    if spec.name not in OWN:
        return entry(spec.name).digest
    root = own_files.root_of(spec, data_dir)
    files = own_files.files_of(spec, data_dir)
    if not cache:
        return _digest(root, files)
    place = f"{spec.name}:{root.resolve()}"
    return _remembering(data_dir, place, _state(root, files), lambda: _digest(root, files))


def file_digest(path: str, data_dir: Path) -> str:
    """sha256 of a weights file, remembered while its size and time stay.

    Args:
        path: As the study gives it: relative to the data folder, or absolute.
        data_dir: The data folder.

    Raises:
        DataMissing: It is not there or cannot be read; the line says where it was looked for.
    """
    file = data_dir / path
    try:
        if not file.is_file():
            rule = "is no file" if file.exists() else "is not there"
            where = "" if Path(path).is_absolute() else f"; looked in {data_dir}"
            raise DataMissing(
                f"weights: {path} {rule}{where}; give --data, an absolute path or another source"
            )
        place = f"weights:{file.resolve()}"
        return _remembering(data_dir, place, _state(file.parent, [file]), lambda: _content(file))
    except OSError as error:
        raise DataMissing(f"weights: {path} cannot be read: {error.strerror}") from error


def _remembering(data_dir: Path, place: str, state: str, digest: Callable[[], str]) -> str:
    """The digest remembered for files in this state, else a new one."""
    remembered = _remembered(data_dir).get(place)
    if remembered is not None and remembered.get("state") == state:
        return str(remembered["digest"])
    found = digest()
    _remember(data_dir, place, {"state": state, "digest": found})
    return found


def _state(root: Path, files: list[Path]) -> str:
    """Digest of every file's path, size and time: equal while nothing was touched."""
    listing = hashlib.sha256()
    for path in files:
        stat = path.stat()
        listing.update(
            f"{path.relative_to(root)}\0{stat.st_size}\0{stat.st_mtime_ns}\0".encode(errors="surrogateescape")
        )
    return listing.hexdigest()


def _digest(root: Path, files: list[Path]) -> str:
    total = hashlib.sha256()
    for path in files:
        name = path.relative_to(root).as_posix()
        total.update(f"{name}\0{_content(path)}\0".encode(errors="surrogateescape"))
    return total.hexdigest()


def _content(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _remembered(data_dir: Path) -> dict[str, dict[str, str]]:
    known: dict[str, dict[str, str]] = {}
    for path in reversed(cachedir.find(data_dir, _MEMORY)):
        try:
            known |= json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, TypeError):
            continue  # a damaged memory only costs the time to hash again
    return known


def _remember(data_dir: Path, place: str, found: dict[str, str]) -> None:
    text = json.dumps(_remembered(data_dir) | {place: found}, indent=1, sort_keys=True)

    def write(file: BinaryIO) -> None:
        file.write(text.encode())

    # Where nothing can be written the digest is right all the same, and is taken again next time.
    with contextlib.suppress(OSError):
        cachedir.keep(data_dir, _MEMORY, write)
