"""Learning curves by arm: every seed's own, and the mean of the runs that finished.

The mean covers only the epochs that every finished run reached and evaluated, so that it never jumps
because a run left it; from three of them on it has a 95 % t-interval at each epoch, which holds there alone
and not for the whole curve. Curves of runs that diverged or failed are kept beside it and end where they
ended.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bench.analyse.estimate import LEAST_SEEDS, Scores, mean, mean_interval
from bench.analyse.frame import run_records
from bench.record.schema import Record, RunRecord


@dataclass(frozen=True)
class Band:
    """The 95 % t-interval of the mean at each place of a curve; the mean itself where nothing varies."""

    low: tuple[float, ...]
    high: tuple[float, ...]


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
    """Geometric means where they were asked for."""
    band: Band | None = None
    """None below three finished runs."""

    @property
    def last_epoch(self) -> int:
        """The last epoch that any run reached."""
        return max((curve.epochs[-1] for curve in self.seeds), default=0)


def arm_curves(
    records: Sequence[Record], quantity: str, device_kind: str, *, geometric: bool = False
) -> dict[str, ArmCurves]:
    """Curves by arm, of a column of the epoch rows.

    Args:
        records: Lines of one study.
        quantity: `train_loss`, `train_top1_pct`, `val_loss` or `val_top1_pct`.
        device_kind: Which runs; two kinds are never pooled.
        geometric: Take mean and interval of the logarithms, as a logarithmic axis shows them; values are
            above 0.

    Returns:
        Arms that have a curve, in the order of the records.
    """
    by_arm: dict[str, list[SeedCurve]] = {}
    for run in run_records(records):
        if run.device_kind == device_kind:
            curve = _curve(run, quantity)
            if curve.epochs:
                by_arm.setdefault(run.arm, []).append(curve)
    return {arm: _with_mean(arm, curves, geometric=geometric) for arm, curves in by_arm.items()}


def _curve(run: RunRecord, quantity: str) -> SeedCurve:
    told = [(row.epoch, value) for row in run.epochs if (value := getattr(row, quantity)) is not None]
    epochs, values = zip(*told, strict=True) if told else ((), ())
    return SeedCurve(run.seed, run.status, epochs, values)


def _with_mean(arm: str, curves: Sequence[SeedCurve], *, geometric: bool) -> ArmCurves:
    finished = [dict(zip(c.epochs, c.values, strict=True)) for c in curves if c.status == "done"]
    common = sorted(set.intersection(*(set(curve) for curve in finished))) if finished else []
    columns = [[curve[epoch] for curve in finished] for epoch in common]
    if geometric:
        columns = [[math.log(value) for value in column] for column in columns]
    means, band = tuple(mean(column) for column in columns), band_of(columns)
    if geometric:
        means = tuple(math.exp(value) for value in means)
        band = band and Band(*(tuple(math.exp(v) for v in ends) for ends in (band.low, band.high)))
    return ArmCurves(arm, tuple(curves), tuple(common), means, band)


def band_of(columns: Sequence[Sequence[float]]) -> Band | None:
    """The interval at each place, from the values that the finished runs have there."""
    if not columns or min(map(len, columns)) < LEAST_SEEDS:
        return None
    lows, highs = [], []
    for column in columns:
        found = mean_interval(Scores(dict(enumerate(column))))
        centre = mean(column)
        lows.append(centre if found.ci95_low is None else found.ci95_low)
        highs.append(centre if found.ci95_high is None else found.ci95_high)
    return Band(tuple(lows), tuple(highs))
