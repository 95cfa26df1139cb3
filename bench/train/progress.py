"""Where a run stands: the curve so far, and what best-on-validation and early stopping remember.

All of it is plain data that a checkpoint holds; nothing else decides how a run goes on.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from bench.record.schema import EpochRow
from bench.study.specs import EarlyStoppingSpec
from bench.train.schedule import Plateau
from bench.train.tally import Counts


@dataclass
class Progress:
    """Bookkeeping of a run between two steps."""

    step: int = 0
    """Steps taken."""
    rows: list[EpochRow] = field(default_factory=list)
    epoch_time_s: float = 0.0
    """Of the epoch that is under way."""
    train_time_s: float = 0.0
    """Of the epochs that are over."""
    compile_time_s: float = 0.0
    peak_memory_bytes: int | None = None
    best_epoch: int | None = None
    best_top1_pct: float | None = None
    awaited: float | None = None
    """Early stopping: the value to beat."""
    n_stale: int = 0
    """Early stopping: evaluations in a row without a better value."""

    def is_best(self, row: EpochRow) -> bool:
        """Whether the row has the highest validation accuracy so far; the earliest of equals stays.

        A validation loss that is not finite is never best.
        """
        if row.val_top1_pct is None or row.val_loss is None:
            return False
        return self.best_top1_pct is None or row.val_top1_pct > self.best_top1_pct

    def is_over(self, row: EpochRow, stopping: EarlyStoppingSpec | None) -> bool:
        """Whether early stopping ends the run after this row."""
        if stopping is None or row.val_top1_pct is None:
            return False
        value = row.val_loss if stopping.metric == "val_loss" else row.val_top1_pct
        sign = -1.0 if stopping.metric == "val_loss" else 1.0
        if value is not None and (self.awaited is None or sign * (value - self.awaited) > stopping.min_delta):
            self.awaited, self.n_stale = value, 0
        else:
            self.n_stale += 1
        return self.n_stale >= stopping.patience_epochs

    def to_notes(self, counts: Counts, plateau: Plateau) -> dict[str, Any]:
        """As plain JSON, with the epoch's counts and the plateau schedule's state."""
        notes = {name: value for name, value in vars(self).items() if name != "rows"}
        return {
            "progress": notes,
            "rows": [row.model_dump() for row in self.rows],
            "counts": asdict(counts),
            "plateau": asdict(plateau),
        }

    @classmethod
    def from_notes(cls, notes: dict[str, Any]) -> tuple[Progress, Counts, Plateau]:
        """What `to_notes` wrote."""
        progress = cls(rows=[EpochRow(**row) for row in notes["rows"]], **notes["progress"])
        return progress, Counts(**notes["counts"]), Plateau(**notes["plateau"])
