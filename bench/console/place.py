"""Where a command works: the study, its overrides, the device, the folders. Torch-free."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bench.launch.campaign import Campaign, open_campaign
from bench.record.hardware import find_hardware
from bench.study.check import check_arms, check_device
from bench.study.device import Device, resolve_device
from bench.study.execution import Hardware
from bench.study.load import grown_by_decisions, load_study
from bench.study.model import Study
from bench.study.plan import plan


@dataclass(frozen=True)
class Place:
    """What `plan`, `run` and `status` have in common."""

    study: Path
    overrides: tuple[str, ...]
    device: str
    data_dir: Path
    results: Path

    @cached_property
    def resolved_device(self) -> Device:
        """The device, settled without torch."""
        return resolve_device(self.device)

    @cached_property
    def hardware(self) -> Hardware:
        """The device's model and what it can do."""
        return find_hardware(self.resolved_device)

    def load(self) -> Study:
        """The study, with every arm checked.

        Raises:
            StudyError: All faults of the file, the overrides and the arms.
        """
        _make_own_modules_importable()
        study = load_study(self.study, self.overrides)
        study = grown_by_decisions(study, self.results / study.results_name, self.resolved_device.kind)
        check_arms(study, self.data_dir)
        check_device(study, self.resolved_device.kind)
        return study

    def open(self) -> Campaign:
        """The study's plan on this device, with what is known of it."""
        device = self.resolved_device
        planned = plan(
            self.load(),
            device_kind=device.kind,
            data_dir=self.data_dir,
            results=self.results,
            device_model=self.hardware.model,
        )
        return open_campaign(planned, results=self.results, data_dir=self.data_dir, device=device)


def _make_own_modules_importable() -> None:
    """Let a study name `package.module:callable` beside where it is called, also by the installed command."""
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)
