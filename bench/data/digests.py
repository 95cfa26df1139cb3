"""The digest that stands for a dataset in a run's identity, without decoding it.

A catalogued set's is a constant, so its runs have ids before the data are there. A user's own is taken over
the bytes of its files, and remembered by path, size and modification time, so that planning stays quick.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from bench.data import cachedir, own_files
from bench.data.catalogue import OWN, entry

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
    place, state = f"{spec.name}:{root.resolve()}", _state(root, files)
    if cache:
        remembered = _remembered(data_dir).get(place)
        if remembered is not None and remembered.get("state") == state:
            return str(remembered["digest"])
    digest = _digest(root, files)
    if cache:
        _remember(data_dir, place, {"state": state, "digest": digest})
    return digest


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
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        total.update(f"{name}\0{content}\0".encode(errors="surrogateescape"))
    return total.hexdigest()


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
