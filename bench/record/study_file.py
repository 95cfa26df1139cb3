"""The resolved study beside its results: what was in force, with overrides applied and defaults as written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bench.errors import EnvironmentFault
from bench.record.durable import write_if_changed
from bench.study.model import Study

STUDY_FILE = "study.yaml"


@dataclass(frozen=True)
class Declared:
    """What a report needs to know of a study, from its results folder alone."""

    name: str
    question: str
    metric: str


def write_study(study: Study, folder: Path, data_dir: Path) -> None:
    """Write `study.yaml` into the results folder, without absolute paths."""
    document = _without_absolute_paths(study.document, data_dir)
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100)
    write_if_changed(folder / STUDY_FILE, text.encode())


def read_declared(folder: Path) -> Declared:
    """Read back what the report needs.

    Raises:
        EnvironmentFault: The folder has no study, or a damaged one.
    """
    path = folder / STUDY_FILE
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Declared(document["name"], document["question"], document.get("metric", "test_top1_pct"))
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise EnvironmentFault(f"{path}: not a resolved study ({error}); run the study again") from error


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
