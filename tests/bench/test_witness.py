"""The published CIFAR ResNets through the whole harness: right as often as their own code says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from command_line import bench_process

ROOT = Path(__file__).resolve().parents[2]

RIGHT = {20: 8103, 32: 8256, 44: 8267, 56: 8320}
"""Of the 10,000 test images of cifar10-jpeg, in fp32 on a CPU."""

ALLOWED = 2
"""Images that another processor's arithmetic may decide otherwise."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("depths", [(20,), pytest.param((20, 32, 44, 56), marks=pytest.mark.slow)], ids=str)
def test_published_networks_are_right_as_often_as_published(
    depths: tuple[int, ...], shared_data: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for name in ("cifar10-jpeg", "weights"):
        (data / name).symlink_to(shared_data / name)
    only = "model.depth=20,*" if depths == (20,) else "*"
    answer = bench_process(
        "run", ROOT / "studies" / "witness.yaml", "--data", data, "--device", "cpu", "--only", only,
        cwd=tmp_path, timeout_s=600,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    for depth in depths:
        (path,) = tmp_path.glob(f"results/witness/runs/model.depth={depth}_*/predictions.npz")
        with np.load(path) as arrays:
            right = int((arrays["logits"].argmax(axis=1) == arrays["label"]).sum())
        assert abs(right - RIGHT[depth]) <= ALLOWED, f"ResNet-{depth}: {right}"
