"""Records of studies that were never trained, built through the record's own models and sealed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from bench.record.schema import EpochRow, Metrics, ProbeRecord, Record, RunRecord, seal

ENVIRONMENT = {"device": "Example CPU 9000", "torch": "2.15.0", "commit": "0123abcd"}
UTC = "2030-01-01T00:00:00Z"


def arm_name(levels: Mapping[str, Any]) -> str:
    """As the plan names arms."""
    if set(levels) == {"arm"}:
        return str(levels["arm"])
    return ",".join(f"{key}={_text(value)}" for key, value in levels.items())


def config(levels: Mapping[str, Any], **data: Any) -> dict[str, Any]:
    """A configuration in which the levels stand where their keys say."""
    whole: dict[str, Any] = {
        "data": {"name": "digits", "augment": [], **data},
        "model": {"name": "cifar_resnet", "depth": 20, "residual": True},
        "train": {"epochs": 10, "optimizer": {"name": "sgd", "lr": 0.1}, "select": "last"},
    }
    for key, value in levels.items():
        *path, last = key.split(".")
        place = whole
        for part in path:
            place = place.setdefault(part, {})
        place[last] = value
    return whole


def run(levels: Mapping[str, Any], seed: int, value: float | None = None, **changes: Any) -> RunRecord:
    """One run; `value` is its test top-1 in percent, `metrics` and other fields may be given whole."""
    metrics = {
        "n_train": 1257,
        "n_val": 140,
        "n_test": 400,
        "n_params": 269_722,
        "n_trainable_params": 269_722,
        "gmacs": 0.00253,
        "epochs": 10.0,
        "steps": 90,
        "train_time_s": 3.5,
        "run_train_img_s": 3600.0,
        "n_concurrent": 2,
        "test_top1_pct": value,
        "train_top1_pct": None if value is None else min(100.0, value + 1.5),
        **changes.pop("metrics", {}),
    }
    name = changes.pop("arm", arm_name(levels))
    kind = changes.get("device_kind", "cpu")
    fields: dict[str, Any] = {
        "engine": 1,
        "run_id": f"{name}/{seed}/{kind}",
        "arm_id": f"{name}/{kind}",
        "study": "fake",
        "declaration": "d",
        "arm": name,
        "levels": dict(levels),
        "seed": seed,
        "status": "done",
        "device_kind": "cpu",
        "config": config({} if set(levels) == {"arm"} else levels),
        "metrics": Metrics(**metrics),
        "environment": ENVIRONMENT,
        "started_utc": UTC,
        "ended_utc": UTC,
        **changes,
    }
    return sealed(RunRecord(**fields))


def stopped(levels: Mapping[str, Any], seed: int, status: str, reason: str, **changes: Any) -> RunRecord:
    """A run that ended without a result."""
    return run(levels, seed, None, status=status, reason=reason, **changes)


def probe(levels: Mapping[str, Any], windows_img_s: Sequence[float], kind: str = "cpu") -> ProbeRecord:
    """The arm's speed alone."""
    return sealed(
        ProbeRecord(
            engine=1,
            arm_id=f"{arm_name(levels)}/{kind}",
            arm=arm_name(levels),
            device_kind=kind,
            batch_size=128,
            windows_img_s=tuple(windows_img_s),
            probe_train_img_s=float(np.median(windows_img_s)),
            warmup_steps=5,
            steps_per_window=10,
            environment=ENVIRONMENT,
            measured_utc=UTC,
        )
    )


def sealed(record: Any) -> Any:
    """The record as it comes back from its line."""
    return type(record).model_validate_json(seal(record))


def runs_of(scores: Iterable[tuple[Mapping[str, Any], Sequence[float]]], **changes: Any) -> list[Record]:
    """Runs with seeds 0, 1, … from scores by arm, in order."""
    return [
        run(levels, seed, value, **changes) for levels, values in scores for seed, value in enumerate(values)
    ]


def curve(final_pct: float, rng: np.random.Generator, n_epochs: int = 10) -> tuple[EpochRow, ...]:
    """A learning curve that ends near a given accuracy."""
    rows = []
    for epoch in range(1, n_epochs + 1):
        share = 1 - math.exp(-3.2 * epoch / n_epochs)
        accuracy = 10 + (final_pct - 10) * share + float(rng.normal(0, 0.8))
        loss = 2.3 * (1 - share) + 0.02 + (100 - final_pct) / 60 * share + abs(float(rng.normal(0, 0.02)))
        rows.append(
            EpochRow(
                epoch=epoch,
                train_loss=loss,
                train_top1_pct=min(100.0, max(0.0, accuracy + 1)),
                val_loss=loss * 1.1,
                val_top1_pct=min(100.0, max(0.0, accuracy)),
                lr=0.1 * (1 - epoch / n_epochs),
                epoch_time_s=0.35,
            )
        )
    return tuple(rows)


def depth_study(n_seeds: int = 3) -> list[Record]:
    """Depth by shortcut, as on the digits: plain networks fall with depth, residual ones do not."""
    rng = np.random.default_rng(7)
    finals = {8: (98.6, 98.9), 20: (97.9, 98.5), 32: (98.1, 85.0), 56: (97.9, 40.0)}
    arms = [(d, r) for d in finals for r in (True, False)]
    arms.sort(key=lambda arm: arm != (20, True))
    records: list[Record] = []
    for depth, residual in arms:
        levels = {"model.depth": depth, "model.residual": residual}
        final = finals[depth][0 if residual else 1]
        spread = 0.4 if final > 95 else 7.0
        for seed in range(n_seeds):
            value = round(min(99.5, final + float(rng.normal(0, spread))) * 4) / 4
            records.append(
                run(
                    levels,
                    seed,
                    value,
                    epochs=curve(value, rng),
                    metrics={
                        "train_top1_pct": min(100.0, value + abs(float(rng.normal(1, 0.4)))),
                        "n_params": round(75_290 + (depth - 8) * 16_200),
                        "gmacs": 0.000765 * depth / 8,
                    },
                )
            )
    for depth, residual in arms:
        centre = 60_000 / depth * (0.96 if residual else 1.0)
        windows = centre * (1 + rng.normal(0, 0.015, 12))
        records.append(probe({"model.depth": depth, "model.residual": residual}, windows.tolist()))
    return records


def _text(value: Any) -> str:
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)
