"""Records for tests that need some, without training anything."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from bench.record.bits import bits_digest
from bench.record.schema import Digests, Metrics, RunRecord

N_TEST = 40


def correct_bits(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random(N_TEST) < 0.9


def make_record(
    *, run_id: str = "a" * 16, arm_id: str = "arm-a", arm: str = "depth=8", seed: int = 0, **changes: Any
) -> RunRecord:
    correct = correct_bits(seed)
    fields: dict[str, Any] = {
        "engine": 1,
        "run_id": run_id,
        "arm_id": arm_id,
        "study": "depth",
        "declaration": "d" * 16,
        "arm": arm,
        "levels": {"depth": 8},
        "seed": seed,
        "status": "done",
        "device_kind": "cpu",
        "config": {"train": {"epochs": 1}},
        "metrics": Metrics(test_top1_pct=100 * float(correct.mean()), n_test=N_TEST),
        "digests": Digests(correct=bits_digest(correct), tested_weights=f"w{seed}"),
        "started_utc": f"2026-01-01T00:00:0{seed}.000000+00:00",
        "ended_utc": f"2026-01-01T00:01:0{seed}.000000+00:00",
    }
    return RunRecord(**{**fields, **changes})


def save_predictions(folder: Path, seed: int) -> None:
    """Predictions whose right answers are `correct_bits(seed)`."""
    label = np.zeros(N_TEST, dtype=np.int64)
    logits = np.zeros((N_TEST, 2), dtype=np.float32)
    logits[~correct_bits(seed), 1] = 1
    np.savez(folder / "predictions.npz", index=np.arange(N_TEST), label=label, logits=logits)


def make_arm(name: str = "depth=8", depth: int = 8) -> Any:
    return SimpleNamespace(name=name, slug=name, levels={"depth": depth}, config=None, is_baseline=False)


def make_run(arm: Any, seed: int = 0, run_id: str = "a" * 16) -> Any:
    folder = f"{arm.slug}-s{seed}-{run_id[:8]}"
    return SimpleNamespace(arm=arm, seed=seed, run_id=run_id, folder_name=folder, no_id_reason=None)
