"""Learning curves by arm: every seed's own, and the mean of the runs that finished.

The mean covers only the epochs that every finished run reached and evaluated, so that it never jumps
because a run left it. Curves of runs that diverged or failed are kept beside it and end where they ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.analyse.estimate import mean
from bench.analyse.frame import run_records
from bench.record.schema import Record, RunRecord


@dataclass(frozen=True)
class SeedCurve:
    """One run's curve."""

    seed: int
    status: str
    epochs: tuple[int, ...]
    values: tuple[float, ...]


@dataclass(frozen=True)
class ArmCurves:
    """All runs of an arm on one kind of device, and the mean of those that finished."""

    arm: str
    seeds: tuple[SeedCurve, ...]
    mean_epochs: tuple[int, ...]
    mean_values: tuple[float, ...]

    @property
    def last_epoch(self) -> int:
        """The last epoch that any run reached."""
        return max((curve.epochs[-1] for curve in self.seeds), default=0)


def arm_curves(records: Sequence[Record], quantity: str, device_kind: str) -> dict[str, ArmCurves]:
    """Curves by arm, of a column of the epoch rows.

    Args:
        records: Lines of one study.
        quantity: `train_loss`, `train_top1_pct`, `val_loss` or `val_top1_pct`.
        device_kind: Which runs; two kinds are never pooled.

    Returns:
        Arms that have a curve, in the order of the records.
    """
    by_arm: dict[str, list[SeedCurve]] = {}
    for run in run_records(records):
        if run.device_kind == device_kind:
            curve = _curve(run, quantity)
            if curve.epochs:
                by_arm.setdefault(run.arm, []).append(curve)
    return {arm: _with_mean(arm, curves) for arm, curves in by_arm.items()}


def _curve(run: RunRecord, quantity: str) -> SeedCurve:
    told = [(row.epoch, value) for row in run.epochs if (value := getattr(row, quantity)) is not None]
    epochs, values = zip(*told, strict=True) if told else ((), ())
    return SeedCurve(run.seed, run.status, epochs, values)


def _with_mean(arm: str, curves: Sequence[SeedCurve]) -> ArmCurves:
    finished = [dict(zip(c.epochs, c.values, strict=True)) for c in curves if c.status == "done"]
    common = sorted(set.intersection(*(set(curve) for curve in finished))) if finished else []
    means = tuple(mean([curve[epoch] for curve in finished]) for epoch in common)
    return ArmCurves(arm, tuple(curves), tuple(common), means)
