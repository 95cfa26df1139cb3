"""Real sets train by a study of a few lines: MNIST, CIFAR-10 as JPEG, photographs of cats and dogs.

The default suite trains on a part of each for one epoch; `-m slow` on all of it.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import bench_process, run_records, write_study

HEAD = """\
name: real
seeds: 1
base:
  model: {name: cifar_resnet, depth: 8}
  train: {epochs: 1, optimizer: {name: sgd, lr: 0.05, momentum: 0.9}, schedule: {name: onecycle}}
  execution: {channels_last: true}
"""

SETS = {
    "mnist": ("{name: mnist}", 60_000, 90.0),
    "cifar10-jpeg": ("{name: cifar10-jpeg, augment: [crop, flip]}", 50_000, 25.0),
    "cats-dogs": (
        "{name: parquet, path: cats-dogs, image_size: 64, augment: [resized_crop, flip]}",
        2_000,
        50.0,
    ),
}
"""Data section, training images in all, and an accuracy that one epoch over all of them passes."""


def train(folder: Path, data_dir: Path, section: str) -> dict:  # type: ignore[type-arg]
    study = write_study(folder, HEAD + f"  data: {section}\n")
    answer = bench_process("run", study, "--data", data_dir, "--device", "cpu", cwd=folder, timeout_s=600)
    assert answer.returncode == 0, answer.stderr
    assert "| real" in answer.stdout or "Study real" in answer.stdout
    (record,) = run_records(folder / "results" / "real")
    assert record["status"] == "done"
    assert str(data_dir) not in (folder / "results" / "real" / "records.jsonl").read_text()
    return record


@pytest.fixture
def read_only_data(shared_data: Path, tmp_path: Path) -> Path:
    """The shared sets behind a folder of the test's own, so that caches go there."""
    folder = tmp_path / "data"
    folder.mkdir()
    for source in shared_data.iterdir():
        if not source.name.startswith("."):
            (folder / source.name).symlink_to(source)
    return folder


@pytest.mark.parametrize("name", SETS)
def test_a_part_of_a_real_set_trains_for_an_epoch(name: str, read_only_data: Path, tmp_path: Path) -> None:
    section, _, _ = SETS[name]
    part = section.replace("}", ", train_size: 1024}")
    record = train(tmp_path, read_only_data, part)
    assert record["metrics"]["n_train"] == 1024
    assert record["metrics"]["n_test"] in (10_000, 2_000)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", SETS)
def test_a_whole_real_set_trains_for_an_epoch(name: str, read_only_data: Path, tmp_path: Path) -> None:
    section, n_images, least_top1_pct = SETS[name]
    record = train(tmp_path, read_only_data, section)
    assert record["metrics"]["n_train"] + record["metrics"]["n_val"] == n_images
    assert record["metrics"]["test_top1_pct"] > least_top1_pct
