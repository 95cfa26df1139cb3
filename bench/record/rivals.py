"""What a measurement against other trainers leaves behind: one JSON file a device model, `results/rivals/`.

Written by the benchmark, read by the report. Base units, and every time as it was read, so that medians and
ratios can be computed again. Nothing in it names a user, a host or an absolute path.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from bench.errors import EnvironmentFault
from bench.record.durable import write_if_changed

FOLDER = Path("results", "rivals")
"""Where the files lie in a checkout."""

RIVALS_SCHEMA = 1
"""Raised when the meaning or name of a field changes."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Job(_Part):
    """What every contender trains."""

    network: str
    data: str
    """Name of the set; its images are drawn once, the same for all."""
    n_images: int
    """Images an epoch."""
    batch_size: int
    recipe: str
    threads: int
    """Of the CPU, in every process."""


class Contender(_Part):
    """One way to train, timed by whole epochs, each in its turn."""

    key: str
    trained_by: str
    settings: str
    """Precision, layout and mode, in words."""
    ours: bool
    epochs_s: tuple[tuple[float, ...], ...]
    """Seconds of the epochs that it trained in each round."""
    img_s: float
    """Images an epoch over the median of all its epochs."""
    compile_s: float | None
    """Of it and of capturing graphs, not in any epoch; null where there is none."""
    setup_s: float
    """From the start of its process to the end of its first epoch, which is not counted."""
    epochs: int
    """All that it trained."""
    train_loss: float | None
    """Of the last of them, as the tool tells it; null on synthetic images."""


class Ratio(_Part):
    """Throughput of our fastest mode over a contender's, round by round."""

    over: str
    """Key of the contender."""
    median: float
    low: float
    """Lower quartile."""
    high: float
    """Upper quartile."""
    n: int
    """Rounds."""


class Workers(_Part):
    """One study by one-thread workers and by one process with as many threads."""

    study: str
    n_runs: int
    workers: int
    workers_s: tuple[float, ...]
    """From the first run's start to the last one's end, one-thread workers side by side."""
    threads_s: tuple[float, ...]
    """The same with one worker of `workers` threads."""
    ratio: float
    """Median of threads_s over workers_s, pair by pair."""


class Rivals(_Part):
    """One measurement."""

    schema_version: int = RIVALS_SCHEMA
    measured_utc: str
    device_kind: str
    device: str
    environment: dict[str, Any]
    versions: dict[str, str]
    """Of the rivals."""
    load_before: float | None
    """Runnable processes of the machine before it began, averaged over a minute."""
    job: Job
    best: str
    """Key of our fastest mode, chosen in a round of its own before the counted ones."""
    contenders: tuple[Contender, ...]
    ratios: tuple[Ratio, ...]
    workers: Workers | None
    """Null on a GPU."""


def file_name(device: str) -> str:
    """A device model as a file's name: `NVIDIA H200` reads `nvidia-h200.json`."""
    slug = re.sub(r"[^a-z0-9]+", "-", device.lower()).strip("-")
    return f"{slug or 'unknown'}.json"


def write_rivals(folder: Path, rivals: Rivals) -> Path:
    """Replace the device's file, durably, and return its path."""
    path = folder / file_name(rivals.device)
    write_if_changed(path, f"{rivals.model_dump_json(indent=1)}\n".encode())
    return path


def read_rivals(folder: Path) -> list[Rivals]:
    """Every device's measurement, CPUs first; none where the folder is absent.

    Raises:
        EnvironmentFault: A file is not as `Rivals` says, one line each.
    """
    found, faults = [], []
    for path in sorted(folder.glob("*.json")):
        try:
            found.append(Rivals.model_validate_json(path.read_bytes()))
        except ValidationError as error:
            faults.append(f"{path}: {error.errors()[0]['msg']}")
    if faults:
        raise EnvironmentFault(*faults)
    return sorted(found, key=lambda rivals: (rivals.device_kind, rivals.device))
