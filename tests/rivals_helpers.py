"""A measurement against rivals for tests that need one, without measuring anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.record.rivals import Contender, Job, Ratio, Rivals, Workers

_RIVALS = {"bare": 101.0, "plain": 850.0, "lightning": 830.0, "lightning_bf16": 650.0}


def make_rivals(
    *, device_kind: str = "cpu", img_s: Mapping[str, float] | None = None, **changes: Any
) -> Rivals:
    """Our fastest mode has 1,000 img/s; a rival of 850 in `_RIVALS` is slower by a factor of 8.50."""
    speed = {"ours_best": 1000.0, "ours_eager": 400.0, **(img_s or {})}
    speed |= {key: 1000.0 / (percent / 100) for key, percent in _RIVALS.items()}
    fields: dict[str, Any] = {
        "measured_utc": "2026-01-01T00:00:00+00:00",
        "device_kind": device_kind,
        "device": "Some CPU" if device_kind == "cpu" else "Some GPU",
        "environment": {"cpu_flags": ["avx2"]},
        "versions": {"lightning": "2.6"},
        "load_before": 0.0,
        "job": Job(
            network="ResNet-20", data="digits", n_images=1280, batch_size=128, recipe="SGD", threads=2
        ),
        "best": "ours_best",
        "contenders": tuple(_contender(key, value) for key, value in speed.items()),
        "ratios": tuple(
            Ratio(over=key, median=1000 / value, low=990 / value, high=1010 / value, n=5)
            for key, value in speed.items()
            if key != "ours_best"
        ),
        "workers": Workers(
            study="depth", n_runs=8, workers=2, workers_s=(10.0,), threads_s=(17.0,), ratio=1.7
        ),
    }
    return Rivals(**{**fields, **changes})


def _contender(key: str, img_s: float) -> Contender:
    ours = key.startswith("ours")
    return Contender(
        key=key,
        trained_by="bench" if ours else key,
        settings=f"settings of {key}",
        ours=ours,
        epochs_s=((1280 / img_s,),),
        img_s=img_s,
        compile_s=31.4 if key == "ours_best" else None,
        setup_s=9.0,
        epochs=2,
        train_loss=1.0,
    )
