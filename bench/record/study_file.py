"""The resolved study beside its results: what was in force, with the overrides applied."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.record.durable import write_if_changed
from bench.study.dump import dump
from bench.study.model import Study

STUDY_FILE = "study.yaml"


def write_study(study: Study, folder: Path, data_dir: Path) -> None:
    """Write `study.yaml` into the results folder, without absolute paths."""
    document = _without_absolute_paths(study.document, data_dir)
    write_if_changed(folder / STUDY_FILE, dump(document).encode())


def _without_absolute_paths(value: Any, data_dir: Path) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_absolute_paths(item, data_dir) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_absolute_paths(item, data_dir) for item in value]
    if isinstance(value, str) and value.startswith("/"):
        return relative_path(value, data_dir)
    return value


def relative_path(path: str, data_dir: Path) -> str:
    """A data path relative to the data folder, else its last part alone."""
    pure = Path(path)
    if not pure.is_absolute():
        return path
    try:
        return pure.relative_to(data_dir.resolve()).as_posix()
    except ValueError:
        return pure.name
