"""Kills, signals and concurrent calls, on real processes: nothing is lost, nothing is trained twice.

The reference is one uninterrupted call; every maltreated call has to end with the same weights, bit for bit.
"""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest
from command_line import (
    bench,
    children,
    finish,
    kill_group,
    run_records,
    start,
    wait_for,
    weights,
    write_study,
)

STUDY = """\
name: slow
question: Does a killed study end with the same weights?
seeds: 2
base:
  data: {name: digits, train_size: 960, augment: [crop, flip], val: 0.1}
  model: {name: cifar_resnet, depth: 8}
  train:
    epochs: 12
    batch_size: 64
    optimizer: {name: sgd, lr: 0.05, momentum: 0.9, weight_decay: 1e-4}
    schedule: {name: onecycle}
    select: best_val
design:
  grid: {model.residual: [true, false]}
baseline: {model.residual: true}
"""
"""Four runs of a few seconds, with everything that a checkpoint has to carry."""

OFTEN = {"BENCH_CHECKPOINT_EVERY_S": "0.2"}


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, int], str]:
    folder = tmp_path_factory.mktemp("reference")
    answer = bench("run", write_study(folder, STUDY), "--jobs", "1", "--device", "cpu", cwd=folder)
    assert answer.returncode == 0, answer.stderr
    found = weights(folder / "results" / "slow")
    assert len(set(found.values())) == 4
    return found


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return write_study(tmp_path, STUDY)


def begin(study: Path, *words: str):  # type: ignore[no-untyped-def]
    return start("run", study, "--device", "cpu", *words, cwd=study.parent, **OFTEN)


def checkpoints(study: Path) -> list[Path]:
    return list(study.parent.glob("results/slow/runs/*/checkpoint.safetensors"))


def complete(study: Path, *words: str) -> str:
    answer = bench("run", study, "--device", "cpu", *words, cwd=study.parent, **OFTEN)
    assert answer.returncode == 0, answer.stderr
    return answer.stderr


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"]
)
def test_a_signal_leaves_a_checkpoint_and_the_next_call_goes_on(
    study: Path, reference: dict[tuple[str, int], str], number: int, code: int
) -> None:
    process = begin(study)
    try:
        wait_for(lambda: checkpoints(study), what="a checkpoint")
        began = time.monotonic()
        os.killpg(process.pid, number)  # as a terminal does: to every process of the group
        returncode, _, err = finish(process)
    finally:
        kill_group(process)
    assert returncode == code, err
    assert time.monotonic() - began < 10
    assert "run the same command again to go on" in err
    assert "Traceback" not in err
    assert checkpoints(study)
    assert "interrupted" in bench("status", study, "--device", "cpu", cwd=study.parent).stdout
    complete(study)
    assert weights(study.parent / "results" / "slow") == reference
    assert not checkpoints(study)


def test_a_second_signal_ends_the_call_at_once(study: Path) -> None:
    process = begin(study)
    try:
        workers = wait_for(lambda: children(process.pid), what="a worker")
        wait_for(lambda: checkpoints(study), what="a checkpoint")
        for worker in workers:
            os.kill(worker, signal.SIGSTOP)  # a worker that cannot answer the first signal
        os.kill(process.pid, signal.SIGINT)
        time.sleep(0.5)
        assert process.poll() is None
        began = time.monotonic()
        os.kill(process.pid, signal.SIGINT)
        returncode, _, _ = finish(process, timeout_s=20)
        assert returncode == 130
        assert time.monotonic() - began < 2
    finally:
        kill_group(process)


def test_a_killed_worker_costs_its_run_alone_until_the_next_call(
    study: Path, reference: dict[tuple[str, int], str]
) -> None:
    process = begin(study, "--jobs", "1")
    try:
        wait_for(lambda: checkpoints(study), what="a checkpoint")
        os.kill(children(process.pid)[0], signal.SIGKILL)
        returncode, _, err = finish(process)
    finally:
        kill_group(process)
    assert returncode == 1
    assert "interrupted, worker killed from outside (SIGKILL)" in err
    assert "; run again to go on" in err
    assert len(run_records(study.parent / "results" / "slow")) == 3
    complete(study)
    assert weights(study.parent / "results" / "slow") == reference


def kill_the_whole_command(study: Path, after_s: float) -> None:
    """kill -9 of the command alone, as an impatient user does; its workers have to notice by themselves."""
    process = begin(study)
    try:
        ready = wait_for(lambda: children(process.pid) or process.poll() is not None, what="a worker")
        workers = [] if ready is True else ready  # the call before may have come to the study's end
        time.sleep(after_s if workers else 0)
        os.kill(process.pid, signal.SIGKILL)
        finish(process)
        wait_for(lambda: not any(alive(worker) for worker in workers), timeout_s=15, what="the workers' end")
    finally:
        kill_group(process)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def kill_a_worker(study: Path, after_s: float) -> None:
    process = begin(study)
    try:
        wait_for(lambda: children(process.pid), what="a worker")
        time.sleep(after_s)
        workers = children(process.pid)
        if workers:
            os.kill(random.choice(workers), signal.SIGKILL)
        finish(process)
    finally:
        kill_group(process)


@pytest.mark.parametrize("after_s", [0.5, 3.0, 5.0])
def test_a_killed_command_leaves_no_worker_and_the_next_call_completes(
    study: Path, reference: dict[tuple[str, int], str], after_s: float
) -> None:
    kill_the_whole_command(study, after_s)
    complete(study)
    assert weights(study.parent / "results" / "slow") == reference


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("trial", range(20))
def test_any_kill_at_a_random_moment_changes_nothing(
    study: Path, reference: dict[tuple[str, int], str], trial: int
) -> None:
    """Even trials kill a worker, odd ones the whole command, twice in a row, at moments drawn by trial."""
    chooser = random.Random(trial)
    kill = kill_a_worker if trial % 2 == 0 else kill_the_whole_command
    for _ in range(2):
        kill(study, chooser.uniform(0, 5))
    complete(study)
    assert weights(study.parent / "results" / "slow") == reference


def test_two_calls_at_once_share_the_work(study: Path, reference: dict[tuple[str, int], str]) -> None:
    one, two = begin(study, "--jobs", "1"), begin(study, "--jobs", "1")
    try:
        ends = [finish(one), finish(two)]
    finally:
        kill_group(one)
        kill_group(two)
    assert [code for code, _, _ in ends] == [0, 0], [err for _, _, err in ends]
    trained = sum(
        1
        for _, _, err in ends
        for line in err.splitlines()
        if line.startswith("[") and "another call" not in line
    )
    assert trained == 4, "each run is trained once, by one of the two"
    assert weights(study.parent / "results" / "slow") == reference
    assert all(not record["attempts"] for record in run_records(study.parent / "results" / "slow"))


def test_neither_jobs_nor_evaluation_nor_logging_changes_a_weight(tmp_path: Path) -> None:
    """The same study with `select: last`, so that validation decides nothing."""
    text = STUDY.replace("select: best_val", "select: last").replace("epochs: 12", "epochs: 3")
    found = []
    for number, words in enumerate(
        [("--jobs", "1"), ("--jobs", "2"), ("base.train.eval_every_epochs=3", "--jobs", "1")]
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        answer = bench("run", write_study(folder, text), "--device", "cpu", *words, cwd=folder)
        assert answer.returncode == 0, answer.stderr
        (results,) = (folder / "results").glob("slow*")
        found.append(weights(results))
    assert found[0] == found[1] == found[2]
