"""What surrounds training: data loading, checkpoints, planning, reporting (`pytest --benchmark-only`)."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from record_helpers import make_record

import architectures
from bench.data.loading import load
from bench.record.schema import EpochRow, Metrics, seal
from bench.record.store import read_records
from bench.report.write import write_report
from bench.study.load import load_study
from bench.study.plan import plan
from bench.study.specs import DataSpec
from bench.train import checkpoint

N_JPEG, SIDE = 1024, 96
N_ARMS, N_SEEDS, N_EPOCHS = 20, 500, 8

STUDY = """\
# yaml-language-server: $schema=study.schema.json
name: thousand
question: How long does planning take?
metric: test_top1_pct
seeds: 10
base:
  data: {name: digits, val: 0}
  model: {name: cifar_resnet, depth: 20}
  train:
    epochs: 8
    batch_size: 128
    optimizer: {name: sgd, lr: 0.1, momentum: 0.9}
design:
  grid:
    model.depth: [8, 14, 20, 26, 32, 38, 44, 50, 56, 62]
    train.optimizer.lr: [0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0]
baseline: {model.depth: 20, train.optimizer.lr: 0.1}
"""

ALONE = """\
import sys
from pathlib import Path
from bench.record.store import read_records
from bench.report.write import write_report

folder = Path(sys.argv[1])
records = read_records(folder / "records.jsonl")
write_report(folder / "alone", records, metric="test_top1_pct", question="How long?", name="many")
status = Path("/proc/self/status").read_text()
print(status.partition("VmHWM:")[2].split()[0])
"""
"""A report in a process of its own; prints its peak in KiB. `ru_maxrss` would start at its parent's."""


@pytest.fixture
def photographs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with a Parquet set of JPEG files, smooth as photographs are."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)

    def split(n: int) -> pa.Table:
        encoded = []
        for _ in range(n):
            coarse = Image.fromarray(rng.integers(0, 256, (12, 12, 3), dtype=np.uint8))
            file = io.BytesIO()
            coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(file, "JPEG", quality=90)
            encoded.append({"bytes": file.getvalue(), "path": None})
        return pa.table({"image": encoded, "label": [index % 2 for index in range(n)]})

    folder = tmp_path / "data" / "photographs"
    folder.mkdir(parents=True)
    for name, n in (("train", N_JPEG), ("test", 2)):
        pq.write_table(split(n), folder / f"{name}.parquet")
    return tmp_path / "data"


@pytest.mark.parametrize("cached", [False, True], ids=["decoded", "from the cache"])
def test_data_loading(timed: Any, photographs: Path, cached: bool) -> None:
    """JPEG files of 96 pixels to arrays of 64, and the same from the cache, checked against its digest."""
    spec = DataSpec(name="parquet", path="photographs", image_size=64)
    load(spec, photographs)

    def forget() -> None:
        if not cached:
            shutil.rmtree(photographs / ".bench-cache")

    found = timed(lambda: load(spec, photographs), group="data loading", count=N_JPEG + 2, setup=forget)
    assert found.train_images.shape == (N_JPEG, 64, 64, 3)


@pytest.mark.parametrize("work", ["save", "load"])
def test_checkpoint(timed: Any, tmp_path: Path, work: str) -> None:
    """ResNet-18 with its momentum: digest, write, fsync, rename; and back."""
    model = architectures.build("resnet18", num_classes=10, in_chans=3, img_size=32)
    weights = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    momentum = {f"momentum.{name}": torch.ones_like(value) for name, value in model.named_parameters()}
    contents = checkpoint.Contents({**weights, **momentum}, {"step": 1})
    n_bytes = sum(tensor.nbytes for tensor in contents.tensors.values())
    checkpoint.save(tmp_path, contents, "a")

    def job() -> Any:
        return checkpoint.save(tmp_path, contents, "a") if work == "save" else checkpoint.load(tmp_path, "a")

    timed(job, group="checkpoint", count=n_bytes / 1e6, unit="mb_s")
    found, reason = checkpoint.load(tmp_path, "a")
    assert reason is None
    assert found is not None
    assert found.tensors.keys() == contents.tensors.keys()


def test_plan_of_a_thousand_runs(timed: Any, tmp_path: Path) -> None:
    path = tmp_path / "thousand.yaml"
    path.write_text(STUDY)

    def job() -> Any:
        return plan(load_study(path), device_kind="cpu", data_dir=tmp_path, results=tmp_path)

    planned = timed(job, group="plan", count=1000, unit="runs_s")
    assert len({run.run_id for run in planned.runs}) == 1000


def test_report_over_ten_thousand_records(timed: Any, benchmark: Any, tmp_path: Path) -> None:
    """From the lines of records.jsonl to tables and figures: 20 arms of 500 seeds, 8 epochs each.

    On Linux a process that does nothing else then tells the most memory that it held: at most 1 GiB.
    """
    lines = "".join(f"{seal(record)}\n" for record in many_records())
    (tmp_path / "records.jsonl").write_text(lines)

    def job() -> Any:
        records = read_records(tmp_path / "records.jsonl")
        folder = tmp_path / "report"
        shutil.rmtree(folder, ignore_errors=True)
        return write_report(folder, records, metric="test_top1_pct", question="How long?", name="many")

    written = timed(job, group="report", count=N_ARMS * N_SEEDS, unit="records_s", rounds=2)
    assert "metric" not in written.skipped
    assert (tmp_path / "report" / "records.csv").read_text().count("\n") == N_ARMS * N_SEEDS + 1
    if sys.platform != "linux":
        return
    command = [sys.executable, "-c", ALONE, str(tmp_path)]
    peak_kib = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    benchmark.extra_info["peak_memory_mib"] = round(peak_kib / 1024, 1)
    assert peak_kib <= 2**20


def many_records() -> list[Any]:
    rng = np.random.default_rng(0)
    records = []
    for arm in range(N_ARMS):
        for seed, top1_pct in enumerate(rng.normal(90 - arm, 0.5, N_SEEDS).round(2).tolist()):
            curve = tuple(_row(epoch, top1_pct) for epoch in range(1, N_EPOCHS + 1))
            records.append(
                make_record(
                    run_id=f"{arm:08x}{seed:08x}",
                    arm_id=f"arm-{arm}",
                    arm=f"depth={8 + 6 * arm}",
                    levels={"depth": 8 + 6 * arm},
                    seed=seed,
                    epochs=curve,
                    metrics=Metrics(test_top1_pct=top1_pct, n_test=10_000, train_time_s=60.0),
                    started_utc="2026-01-01T00:00:00.000000+00:00",
                    ended_utc="2026-01-01T00:01:00.000000+00:00",
                )
            )
    return records


def _row(epoch: int, top1_pct: float) -> EpochRow:
    return EpochRow(
        epoch=epoch,
        train_loss=2.0 / epoch,
        train_top1_pct=top1_pct * epoch / N_EPOCHS,
        val_loss=2.1 / epoch,
        val_top1_pct=top1_pct * epoch / N_EPOCHS,
        lr=0.1,
        epoch_time_s=7.5,
    )
