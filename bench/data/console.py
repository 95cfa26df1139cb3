"""What `bench data list|fetch|check` do; printing is the command line's.

Torch-free; numpy and Pillow are loaded by `check` alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.data.catalogue import entry, missing
from bench.data.entries import ENTRIES
from bench.data.fetch import fetch_set

if TYPE_CHECKING:
    from bench.data.inspecting import CheckReport
    from bench.study.specs import DataSpec

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much is done and how much there is (0: unknown)."""


@dataclass(frozen=True)
class SetRow:
    """One line of `bench data list`."""

    name: str
    title: str
    n_classes: int
    n_train: int
    n_test: int
    image_size: int
    channels: int
    is_present: bool
    can_be_fetched: bool
    where: str
    """Folder below the data folder, or the package that carries the set."""


def list_sets(data_dir: Path) -> list[SetRow]:
    """Every catalogued set and whether it is there."""
    return [
        SetRow(
            name=found.name,
            title=found.title,
            n_classes=len(found.class_names),
            n_train=found.n_train,
            n_test=found.n_test,
            image_size=found.image_size,
            channels=found.channels,
            is_present=not missing(found, data_dir),
            can_be_fetched=bool(found.remote),
            where=found.folder or ("scikit-learn" if found.layout == "embedded" else "drawn"),
        )
        for found in ENTRIES.values()
    ]


def fetch(name: str, data_dir: Path, on_progress: Progress | None = None) -> list[str]:
    """Download what is missing of a catalogued set.

    Returns:
        Paths below the data folder that were put there; empty if nothing was missing.

    Raises:
        DataFault: No set has that name.
        EnvironmentFault: It could not be fetched; the lines say what to put where by hand.
    """
    return fetch_set(entry(name), data_dir, on_progress=on_progress)


def check(name_or_spec: str | DataSpec, data_dir: Path, on_progress: Progress | None = None) -> CheckReport:
    """Look through every image of a set, named or given by a study's data section.

    Raises:
        DataMissing: It is not there.
        DataFault: No set has that name, or the section does not fit the set.
        EnvironmentFault: Its files are not what their checksums say.
    """
    from bench.data.inspecting import inspect_set  # noqa: PLC0415 - numpy and Pillow, for this command only
    from bench.study.specs import DataSpec  # noqa: PLC0415 - as above

    spec = DataSpec(name=name_or_spec) if isinstance(name_or_spec, str) else name_or_spec
    return inspect_set(spec, data_dir, on_progress=on_progress)
