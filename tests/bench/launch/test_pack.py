"""Runs side by side in one process: each ends as it ends alone, whatever becomes of the others."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import (
    ROOT,
    bench,
    children,
    finish,
    kill_group,
    run_records,
    start,
    wait_for,
    write_study,
)

STUDY = """\
name: packed
question: Is a run beside others the run alone?
seeds: 2
base:
  data: {name: digits, train_size: 320, augment: [crop, flip], val: 0.2}
  model: {name: cifar_resnet, depth: 8}
  train:
    epochs: 3
    batch_size: 64
    optimizer: {name: sgd, lr: 0.05, momentum: 0.9, weight_decay: 1e-4}
    schedule: {name: onecycle}
    select: best_val
design:
  grid:
    model.depth: [8, 14]
    model.residual: [true, false]
baseline: {model.depth: 8, model.residual: true}
"""
"""Eight runs of mixed depth and shortcuts, with validation that decides."""

LONG = STUDY.replace("epochs: 3", "epochs: 24").replace("depth: [8, 14]", "depth: [8]")
"""Four runs of a few seconds."""

OFTEN = {"BENCH_CHECKPOINT_EVERY_S": "0.2"}
TIMES = {"epoch_time_s", "train_time_s", "run_train_img_s", "n_concurrent", "compile_time_s"}


def outcomes(folder: Path) -> dict[tuple[str, int], Any]:
    """Everything of each run that time has no part in."""
    return {
        (record["arm"], record["seed"]): {
            "status": record["status"],
            "digests": record["digests"],
            "confusion": record["confusion"],
            "metrics": {name: value for name, value in record["metrics"].items() if name not in TIMES},
            "curve": [
                {name: value for name, value in row.items() if name not in TIMES} for row in record["epochs"]
            ],
        }
        for record in run_records(folder)
    }


def run(folder: Path, text: str, *words: str) -> str:
    """The study's runs in one worker; what was said about them."""
    folder.mkdir(exist_ok=True)
    answer = bench("run", write_study(folder, text), "--device", "cpu", "--jobs", "1", *words, cwd=folder)
    assert answer.returncode == 0, answer.stderr
    return answer.stderr


def results(folder: Path) -> Path:
    return folder / "results" / "packed"


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("apart")
    run(folder, STUDY, "--pack", "1")
    return folder


@pytest.fixture(scope="module")
def long_apart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("long-apart")
    run(folder, LONG, "--pack", "1")
    return folder


def test_packed_runs_end_bitwise_as_they_end_alone(apart: Path, tmp_path: Path) -> None:
    said = run(tmp_path, STUDY, "--pack", "3")
    assert outcomes(results(tmp_path)) == outcomes(results(apart))
    bits, alone = (dict(np.load(results(folder) / "correct.npz")) for folder in (tmp_path, apart))
    assert bits.keys() == alone.keys()
    assert all(np.array_equal(bits[name], alone[name]) for name in bits)
    assert "8 runs to train, 1 worker on cpu, up to 3 runs side by side" in said
    assert "run again alone" not in said
    # Packs of three, three and two.
    side_by_side = [record["metrics"]["n_concurrent"] for record in run_records(results(tmp_path))]
    assert sorted(side_by_side) == [2, 2, 3, 3, 3, 3, 3, 3]

    before = {path: path.read_bytes() for path in results(tmp_path).rglob("*") if path.is_file()}
    assert "8 of 8 runs are finished already" in run(tmp_path, STUDY, "--pack", "5")
    assert {path: path.read_bytes() for path in results(tmp_path).rglob("*") if path.is_file()} == before


def test_a_member_that_raises_is_run_alone_and_the_others_keep_their_results(
    apart: Path, tmp_path: Path
) -> None:
    """A file where a run wants its folder of events makes it raise, in a pack and alone."""
    study = write_study(tmp_path, STUDY)
    broken = next(results(apart).glob("runs/model.depth=8*residual=false-s1-*")).name
    (results(tmp_path) / "runs" / broken).mkdir(parents=True)
    (results(tmp_path) / "runs" / broken / "tb").write_text("in the way")
    answer = bench("run", study, "--device", "cpu", "--jobs", "1", "--pack", "3", cwd=tmp_path)
    assert answer.returncode == 1, answer.stderr
    assert answer.stderr.count("run again alone") == 1
    found, alone = outcomes(results(tmp_path)), outcomes(results(apart))
    arm = ("model.depth=8,model.residual=false", 1)
    assert found.pop(arm)["status"] == "failed"
    del alone[arm]
    assert found == alone
    (failed,) = (r for r in run_records(results(tmp_path)) if r["status"] == "failed")
    assert failed["reason"].startswith("NotADirectoryError")
    assert failed["attempts"] == []

    (results(tmp_path) / "runs" / broken / "tb").unlink()
    run(tmp_path, STUDY, "--pack", "3", "--retry", "failed")
    assert outcomes(results(tmp_path)) == outcomes(results(apart))


SABOTAGE = """\
import sys

if any("spawn_main" in word for word in sys.orig_argv):
    from pathlib import Path
    from bench.execute import run

    build = run.build_network

    def sabotaged(config, *arguments):
        if config.model.options == {"depth": 14, "residual": True}:
            raise MemoryError("no more")
        been_here = Path("been-here")
        if config.model.options == {"depth": 14, "residual": False} and not been_here.exists():
            been_here.touch()
            raise RuntimeError("the first time fails")
        return build(config, *arguments)

    run.build_network = sabotaged
"""
"""Put in the way of workers: one network never fits, one fails the first time."""


def test_only_what_a_run_does_alone_decides_its_status(apart: Path, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(SABOTAGE)
    study = write_study(tmp_path, STUDY.replace("seeds: 2", "seeds: 1"))
    path = os.pathsep.join((str(tmp_path), str(ROOT)))
    words = ("run", study, "--device", "cpu", "--jobs", "1", "--pack", "4")
    answer = bench(*words, cwd=tmp_path, PYTHONPATH=path)
    assert answer.returncode == 1, answer.stderr
    assert "model.depth=14,model.residual=true seed 0: MemoryError: no more; run again alone" in answer.stderr
    records = {(r["arm"], r["seed"]): r for r in run_records(results(tmp_path))}
    bad = records["model.depth=14,model.residual=true", 0]
    assert (bad["status"], bad["reason"], bad["attempts"]) == ("oom", "MemoryError: no more", [])
    assert records["model.depth=14,model.residual=false", 0]["attempts"] == []
    found, alone = outcomes(results(tmp_path)), outcomes(results(apart))
    del found["model.depth=14,model.residual=true", 0]
    assert len(found) == 3
    assert found == {run: alone[run] for run in found}


def test_a_diverged_member_is_a_result_and_not_run_again(tmp_path: Path) -> None:
    text = STUDY.replace("lr: 0.05, momentum: 0.9", "lr: 1e+30").replace("depth: [8, 14]", "depth: [8]")
    said = run(tmp_path, text, "--pack", "4")
    assert "run again alone" not in said
    assert {record["status"] for record in run_records(results(tmp_path))} == {"diverged"}


def begin(folder: Path) -> Any:
    study = write_study(folder, LONG)
    return start("run", study, "--device", "cpu", "--jobs", "1", "--pack", "4", cwd=folder, **OFTEN)


def checkpoints(folder: Path) -> list[Path]:
    return list(results(folder).glob("runs/*/checkpoint.safetensors"))


def test_a_killed_pack_is_run_again_one_by_one(long_apart: Path, tmp_path: Path) -> None:
    process = begin(tmp_path)
    try:
        wait_for(lambda: len(checkpoints(tmp_path)) == 4, what="every member's checkpoint")
        os.kill(children(process.pid)[0], signal.SIGKILL)
        returncode, _, err = finish(process)
    finally:
        kill_group(process)
    assert returncode == 0, err
    assert err.count("the worker of its pack died: SIGKILL; run again alone") == 4
    assert outcomes(results(tmp_path)) == outcomes(results(long_apart))
    assert {record["metrics"]["n_concurrent"] for record in run_records(results(tmp_path))} == {1}


def test_a_stopped_pack_goes_on_from_its_checkpoints_in_another_pack(
    long_apart: Path, tmp_path: Path
) -> None:
    process = begin(tmp_path)
    try:
        wait_for(lambda: checkpoints(tmp_path), what="a checkpoint")
        os.killpg(process.pid, signal.SIGTERM)
        returncode, _, err = finish(process)
    finally:
        kill_group(process)
    assert returncode == 143, err
    assert "stopped with 0 of 4 runs finished" in err
    assert len(checkpoints(tmp_path)) == 4
    run(tmp_path, LONG, "--pack", "2")
    assert outcomes(results(tmp_path)) == outcomes(results(long_apart))
    assert not checkpoints(tmp_path)


def test_a_killed_command_takes_its_pack_along_and_the_next_call_completes(
    long_apart: Path, tmp_path: Path
) -> None:
    process = begin(tmp_path)
    try:
        wait_for(lambda: checkpoints(tmp_path), what="a checkpoint")
        workers = children(process.pid)
        os.kill(process.pid, signal.SIGKILL)
        finish(process)
        wait_for(lambda: not any(Path(f"/proc/{worker}/exe").exists() for worker in workers), timeout_s=15)
    finally:
        kill_group(process)
    run(tmp_path, LONG, "--pack", "4")
    assert outcomes(results(tmp_path)) == outcomes(results(long_apart))
