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
    given = changes.pop("metrics", {})
    metrics = {
        "n_train": 1257,
        "n_val": 140,
        "n_test": 400,
        "n_params": 269_722,
        "n_trainable_params": given.get("n_params", 269_722),
        "gmacs": 0.00253,
        "epochs": 10.0,
        "steps": 90,
        "train_time_s": 3.5,
        "run_train_img_s": 3600.0,
        "n_concurrent": 2,
        "test_top1_pct": value,
        "train_top1_pct": None if value is None else min(100.0, value + 1.5),
        **given,
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


STAGES = ("stem", "layer1", "layer2", "layer3")

_TRAINABLE = {None: 77_754, "stem": 77_290, "layer1": 72_650, "layer2": 57_898, "layer3": 650}


def transfer_study(n_seeds: int = 5, *, sources: bool = True, weights: str = "pretrain") -> list[Record]:
    """Yosinski et al. 2014, figure 2, in small: lost by copying, by freezing, and by co-adaptation."""
    rng = np.random.default_rng(3)
    falls = {
        "AnB": (0.4, 1.1, 4.2, 11.5),
        "AnB+": (-0.3, -0.4, -0.6, -0.5),
        "BnB": (0.1, 0.5, 1.6, 0.4),
        "BnB+": (0.0, 0.0, -0.1, 0.0),
        "random": (1.0, 3.9, 13.0, 28.0),
    }
    records: list[Record] = []
    if sources:
        records += [source_run(seed, 97.5) for seed in range(n_seeds)]
    arms = [("base", None, 0.0)]
    arms += [(t, stage, fall) for t, own in falls.items() for stage, fall in zip(STAGES, own, strict=True)]
    for treatment, stage, fall in arms:
        levels = {"treatment": treatment, "weights.through": stage}
        for seed in range(n_seeds):
            value = round((96.0 - fall + float(rng.normal(0, 0.5 + fall / 12))) * 4) / 4
            records.append(transfer_run(levels, seed, value, weights, epochs=curve(value, rng)))
    for treatment, stage, _ in arms:
        frozen = None if treatment[-1] in "e+" else stage
        centre = 5200 * (1.6 - 0.6 * _TRAINABLE[frozen] / _TRAINABLE[None]) + 300 * (frozen is not None)
        windows = centre * (1 + rng.normal(0, 0.015, 12))
        records.append(probe({"treatment": treatment, "weights.through": stage}, windows.tolist()))
    return records


def transfer_run(
    levels: Mapping[str, Any], seed: int, value: float, weights: str, **changes: Any
) -> RunRecord:
    """A run of the transfer study: its treatment says where its weights come from and what is frozen."""
    treatment, stage = levels["treatment"], levels["weights.through"]
    whole = config({})
    source = {"base": None, "random": {"from": "random", "through": stage}}
    whole["weights"] = source.get(treatment, {"from": weights, "through": stage})
    frozen = None if treatment[-1] in "e+" else stage
    whole["train"]["freeze"] = None if frozen is None else "transferred"
    own = treatment.startswith("B") and weights == "pretrain"
    before = f"{arm_name({'treatment': 'base', 'weights.through': None})}/{seed}/cpu" if own else None
    counts = {"n_params": _TRAINABLE[None], "n_trainable_params": _TRAINABLE[frozen]}
    metrics = {**counts, **changes.pop("metrics", {})}
    return run(levels, seed, value, config=whole, metrics=metrics, source_run_id=before, **changes)


def source_run(seed: int, value: float) -> RunRecord:
    """A run that was trained for its weights alone, as a `pretrain` section asks for."""
    rng = np.random.default_rng(seed)
    return run({}, seed, value, arm="pretrain-1", role="source", epochs=curve(value, rng))


def _text(value: Any) -> str:
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)
