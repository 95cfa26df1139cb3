"""What a report leaves on disk: written where it differs, and swept of what it no longer makes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.record.durable import write_if_changed

KINDS: Final = ("", "-cpu", "-cuda")
"""What follows a figure's name where a study has two kinds of device."""


@dataclass(frozen=True)
class Settled:
    """The files of a report."""

    files: tuple[Path, ...]
    """Every file that it consists of."""
    changed: tuple[Path, ...]
    """Those that were written because they were new or differed."""
    removed: tuple[Path, ...]


def settle(folder: Path, contents: Mapping[str, bytes], ours: Iterable[str]) -> Settled:
    """Write a report's files and remove those that an earlier report made and this one does not.

    Args:
        folder: Of the study.
        contents: By path within the folder.
        ours: Paths that a report may make; of others none is touched.

    Raises:
        EnvironmentFault: The folder cannot be written.
    """
    files = {folder / relative: data for relative, data in contents.items()}
    changed = tuple(path for path, data in files.items() if write_if_changed(path, data))
    made = {folder / relative for relative in ours}
    removed = tuple(sorted(path for path in made - files.keys() if path.is_file()))
    for path in removed:
        path.unlink()
    return Settled(tuple(files), changed, removed)


def names(folder: str, stems: Iterable[str], suffixes: Iterable[str]) -> set[str]:
    """Paths of files that may exist once for each kind of device."""
    own = tuple(suffixes)
    return {f"{folder}/{stem}{kind}.{suffix}" for stem in stems for kind in KINDS for suffix in own}
