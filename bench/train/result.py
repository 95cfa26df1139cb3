"""What training hands back, without the machinery that made it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bench.record.schema import EpochRow

Outcome = Literal["finished", "diverged", "interrupted"]


@dataclass(frozen=True)
class TrainResult:
    """How training ended. The model holds the weights after the last step (diverged: before the bad one)."""

    outcome: Outcome
    epochs: tuple[EpochRow, ...]
    """The whole curve, epochs before a resumption included; an epoch that diverged has no row."""
    steps: int
    """Steps that changed the weights."""
    images: int
    best_epoch: int | None
    """Highest validation accuracy, earliest of equals; None without validation."""
    diverged_step: int | None
    """First step, from 0, whose loss was not finite."""
    train_time_s: float
    """Training steps of all attempts that the result stands on."""
    compile_time_s: float | None
    """None without compilation."""
    peak_memory_bytes: int | None
    """Device memory; None on a CPU."""
    resumed_from_step: int | None
    warnings: tuple[str, ...] = ()
