"""`execution.lock.yaml`: what calibration chose, one entry a device model, committed beside the records.

Planning reads it and never measures, so that the ids of a study stand still; only `--recalibrate` replaces
an entry. It holds every candidate with its speed, so that the choice can be judged later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from bench.errors import UsageError
from bench.study.dump import dump
from bench.study.execution import Settings, is_open, resolve
from bench.study.faults import key_path
from bench.study.model import Study
from bench.study.plain import explain
from bench.study.specs import Spec
from bench.study.yaml import parse

LOCK_FILE = "execution.lock.yaml"

HEAD = (
    "# Chosen by calibration, one entry a device model; `bench run STUDY --recalibrate` alone changes it.\n"
)


class Trial(Spec):
    """A candidate: how fast it was, or why it was not measured, and why it was not chosen."""

    settings: Settings
    img_s: float | None = None
    """Images a second of the training step; absent: not measured."""
    compile_s: float | None = None
    """Seconds to compile or capture; absent: nothing to prepare, or not measured."""
    rejected: str | None = None
    """Why it was not chosen; absent for the one that was."""


class Entry(Spec):
    """One device model's calibration."""

    device: str
    """The processor's or GPU's model; no host name."""
    device_kind: Literal["cpu", "cuda"]
    chosen: Settings
    torch: str
    arm: str
    """The arm that was measured: the costliest."""
    batch_size: int
    images_a_run: int
    """Training images of one of its runs, by which capturing has to repay itself."""
    images_a_worker: int
    """Of all its runs that one worker trains, by which compiling has to repay itself."""
    candidates: Annotated[tuple[Trial, ...], Field(strict=False)]


class Lock(Spec):
    """The whole file."""

    schema_version: Literal[1] = 1
    devices: Annotated[tuple[Entry, ...], Field(strict=False)] = ()

    def entry(self, device_kind: str, device_model: str | None) -> Entry | None:
        """The entry of a device, if it was calibrated."""
        matches = (e for e in self.devices if (e.device_kind, e.device) == (device_kind, device_model))
        return next(matches, None)

    def with_entry(self, entry: Entry) -> Lock:
        """The lock with a device's entry put in its place, or at the end."""
        others = [one for one in self.devices if (one.device_kind, one.device) != _key(entry)]
        place = next((n for n, one in enumerate(self.devices) if _key(one) == _key(entry)), len(others))
        return Lock(devices=(*others[:place], entry, *others[place:]))

    def text(self) -> str:
        """The file's bytes as text: equal locks, equal text."""
        return HEAD + dump(self.model_dump(mode="json", exclude_none=True))


def _key(entry: Entry) -> tuple[str, str]:
    return entry.device_kind, entry.device


def read_lock(folder: Path) -> Lock:
    """The lock of a study's results folder; an absent file has no entries.

    Raises:
        UsageError: The file is damaged, one line a fault.
    """
    path = folder / LOCK_FILE
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Lock()
    data = parse(text, str(path)).data
    try:
        return Lock.model_validate(data)
    except ValidationError as error:
        broken = explain(error.errors(include_url=False), data, Lock)
        raise UsageError(*(f"{path}: {_told(one.path, one.value, one.rule)}" for one in broken)) from error


def _told(path: tuple[str | int, ...], value: str | None, rule: str) -> str:
    said = rule if value is None else f"{value} {rule}"
    return f"{key_path(path)}: {said}" if path else said


@dataclass(frozen=True)
class Settled:
    """A study whose arms say what is computed and how, as far as calibration has been."""

    study: Study
    settings: Settings | None = None
    """What calibration chose; None where nothing is open, or before it."""
    is_uncalibrated: bool = False
    """Open keys remain."""
    misfit: str | None = None
    """Why the device's entry cannot be used, where there is one."""


def settle(study: Study, folder: Path, *, device_kind: str, device_model: str | None) -> Settled:
    """Resolve a study's arms by the lock in its results folder.

    Args:
        study: As loaded.
        folder: `results/<study>`.
        device_kind: `cpu` or `cuda`.
        device_model: As the lock names devices; None: a device that nobody has calibrated.

    Raises:
        UsageError: The lock is damaged.
    """
    if not any(is_open(arm.config.execution) for arm in study.arms):
        return Settled(study)
    entry = read_lock(folder).entry(device_kind, device_model)
    if entry is None:
        return Settled(study, is_uncalibrated=True)
    try:
        return Settled(resolved(study, entry.chosen.given()), entry.chosen)
    except ValueError as error:
        rule = f"{folder / LOCK_FILE}: {entry.device}: {error}; --recalibrate chooses anew"
        return Settled(study, is_uncalibrated=True, misfit=rule)


def resolved(study: Study, settings: Mapping[str, Any]) -> Study:
    """The study with every arm's open keys set.

    Raises:
        ValueError: An arm cannot take them.
    """
    arms = tuple(replace(arm, config=resolve(arm.config, settings)) for arm in study.arms)
    return replace(study, arms=arms)
