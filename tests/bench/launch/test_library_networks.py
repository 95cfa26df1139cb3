"""Networks of timm and torchvision train like ours: by the command line, from plan to record."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import bench, run_records, write_study

STUDY = """\
name: libraries
seeds: 1
base:
  data: {name: digits, image_size: 32, channels: 3, train_size: 64}
  model: {name: resnet18}
  train: {steps: 2, batch_size: 32, optimizer: {lr: 0.05}}
design:
  arms:
    timm: {model.name: "timm:resnet18"}
    torchvision: {model.name: "torchvision:resnet18"}
"""


def test_a_library_network_is_planned_trained_and_recorded(tmp_path: Path) -> None:
    """Planning once took `timm:NAME` for a user's callable and looked for it in the package's source."""
    pytest.importorskip("timm")
    pytest.importorskip("torchvision")
    study = write_study(tmp_path, STUDY)
    planned = bench("plan", study, "--device", "cpu", cwd=tmp_path)
    assert planned.returncode == 0, planned.stderr
    answer = bench("run", study, "--device", "cpu", "--jobs", "1", cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    records = run_records(tmp_path / "results" / "libraries")
    assert {record["arm"]: record["initial_draw"] for record in records} == dict.fromkeys(
        ("timm", "torchvision"), "torch"
    )
    assert {record["metrics"]["n_params"] for record in records} == {11_181_642}
