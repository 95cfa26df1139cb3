"""Keeping decisions: merged with those that stand already, written so that a kill leaves old or new."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.record import folder as run_folder
from bench.record.durable import write_if_changed
from bench.study.decisions import (
    DECISIONS_FILE,
    Decision,
    PathDecision,
    holding,
    read_decisions,
    seal_decision,
)
from bench.study.model import Study


def keep_decisions(folder: Path, study: Study, new: Sequence[Decision]) -> None:
    """Add decisions to a study's results folder.

    One that another call kept meanwhile stays as it is; those of a design that the study no longer has go.

    Args:
        folder: `results/<study>`.
        study: As declared.
        new: Taken from the records.
    """
    with run_folder.locked(folder / "runs", wait=True):
        kept = {_key(one): one for one in holding(study, read_decisions(folder))}
        for one in new:
            kept.setdefault(_key(one), one)
        text = "".join(seal_decision(one) + "\n" for one in _in_order(kept.values()))
        write_if_changed(folder / DECISIONS_FILE, text.encode())


def _key(one: Decision) -> tuple[str, ...]:
    if isinstance(one, PathDecision):
        return one.device_kind, f"{one.step:04}"
    return one.device_kind, f"{one.look:04}", one.arm, one.baseline


def _in_order(decisions: Iterable[Decision]) -> list[Decision]:
    """By device, then step or look; looks at several comparisons in the order of their arms' names."""
    return sorted(decisions, key=_key)
