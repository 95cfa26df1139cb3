"""Why a run would be trained: new, interrupted, failed before, or changed since it was trained, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.execute.job import public_config
from bench.launch.campaign import Campaign
from bench.record.folder import RECORD, read_run
from bench.record.schema import Finished
from bench.study.identity import ENGINE
from bench.study.model import Run
from bench.study.plan import NO_CALIBRATION

MAX_SHOWN = 3
"""Changed keys that are named; the rest are counted."""


@dataclass
class Reasons:
    """Answers for one plan; lists the run folders once."""

    campaign: Campaign
    _earlier: dict[str, list[Path]] | None = field(default=None)

    def why(self, run: Run, state: str) -> str:
        """A few words; empty for a run that is done."""
        if run.run_id is None:
            reason = run.no_id_reason
            return f"id {reason}" if reason == NO_CALIBRATION else f"no id: {reason}"
        if state in ("done", "diverged", "running"):
            return "" if state != "diverged" else self._reason_of(run)
        if state in ("failed", "oom"):
            return f"{self._reason_of(run)}; --retry {state} trains it again"
        if state == "interrupted":
            return "goes on from its checkpoint"
        if state == "recorded":
            return "recorded elsewhere; training it here checks the record"
        earlier = self._earlier_record(run)
        return "new" if earlier is None else _what_changed(earlier, run, self.campaign)

    def _reason_of(self, run: Run) -> str:
        found = self.campaign.store.find(run)
        return (found.reason if found is not None else None) or ""

    def _earlier_record(self, run: Run) -> Finished | None:
        """The last record of the same arm and seed under another id."""
        if self._earlier is None:
            self._earlier = {}
            for path in self.campaign.store.folder.glob(f"runs/*/{RECORD}"):
                self._earlier.setdefault(path.parent.name.rpartition("-")[0], []).append(path.parent)
        folders = self._earlier.get(run.folder_name.rpartition("-")[0], [])
        records = [record for folder in folders if (record := read_run(folder)) is not None]
        return max(records, key=lambda record: record.ended_utc, default=None)


def _what_changed(earlier: Finished, run: Run, campaign: Campaign) -> str:
    if earlier.device_kind != campaign.device.kind:
        return f"changed: device {earlier.device_kind} → {campaign.device.kind}"
    new = _flat(public_config(run.arm.config, campaign.data_dir))
    old = _flat(earlier.config)
    keys = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    changes = [f"{key} {_show(old.get(key))} → {_show(new.get(key))}" for key in keys]
    if not changes and earlier.engine != ENGINE:
        changes = [f"engine {earlier.engine} → {ENGINE}"]
    if not changes:
        return "changed: the data, or the source of a callable"
    more = f" and {len(changes) - MAX_SHOWN} more" if len(changes) > MAX_SHOWN else ""
    return "changed: " + ", ".join(changes[:MAX_SHOWN]) + more


def _flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, item in value.items():
        if isinstance(item, Mapping):
            flat.update(_flat(item, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = list(item) if isinstance(item, tuple) else item
    return flat


def _show(value: Any) -> str:
    return "absent" if value is None else str(value)
