"""A pack in this process: turns, what a member's end means for the others, and what is put back."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.data.opening import close_splits
from bench.errors import EnvironmentFault
from bench.execute import run as run_module
from bench.execute.dispatch import execute
from bench.execute.job import Answer, Ended, PackJob, Progress, RunJob
from bench.record.folder import CHECKPOINT, locked, read_run
from bench.record.schema import RunRecord
from bench.study.model import Arm, Run
from bench.study.specs import BaseSpec, ExecutionSpec

DEPTHS = (8, 14, 8)
RESIDUAL = (True, True, False)
GRAPHED = ExecutionSpec(graph=True)


@pytest.fixture(autouse=True)
def forget_images() -> Iterator[None]:
    yield
    close_splits()


def pack(folder: Path, device: str = "cpu", execution: ExecutionSpec | None = None, **train: Any) -> PackJob:
    """Three runs of mixed depth and shortcuts, each in its folder."""
    jobs = []
    for number, (depth, residual) in enumerate(zip(DEPTHS, RESIDUAL, strict=True)):
        config = BaseSpec.model_validate(
            {
                "data": {"name": "digits", "train_size": 320, "val": 0.2, "augment": ["crop", "flip"]},
                "model": {"name": "cifar_resnet", "depth": depth, "residual": residual},
                "train": {"epochs": 2, "batch_size": 64, "optimizer": {"lr": 0.05, "momentum": 0.9}, **train},
            }
        )
        if execution is not None:
            config = config.model_copy(update={"execution": execution})
        arm = Arm(f"arm-{number}", f"arm-{number}", {}, config)
        run = Run(arm, number, f"{number:016x}", arm_id=f"{number:016x}")
        jobs.append(
            RunJob(
                run,
                f"{number:016x}",
                "s",
                "d",
                folder / str(number),
                folder,
                "cuda" if device == "cuda" else "cpu",
                1,
            )
        )
    return PackJob(tuple(jobs))


def driven(
    job: Any, device: str = "cpu", stop: Callable[[], bool] = lambda: False
) -> tuple[Answer, list[Any]]:
    told: list[Progress | Ended] = []
    answer = execute(job, device=device, stop=stop, report=told.append)
    return answer, told


def ends(told: list[Any]) -> dict[str, Answer]:
    return {message.label[:5]: message.answer for message in told if isinstance(message, Ended)}


def record(job: RunJob) -> RunRecord:
    found = read_run(job.folder)
    assert isinstance(found, RunRecord)
    return found


def alone(folder: Path, device: str = "cpu", execution: ExecutionSpec | None = None) -> list[RunRecord]:
    """The same runs one after the other."""
    found = []
    for job in pack(folder, device, execution).jobs:
        answer, _ = driven(job, device)
        assert answer.outcome == "done", answer.reason
        found.append(record(job))
    return found


def same(packed: list[RunRecord], single: list[RunRecord]) -> None:
    for one, other in zip(packed, single, strict=True):
        assert one.digests == other.digests
        assert one.confusion == other.confusion
        assert one.metrics.test_loss == other.metrics.test_loss
        for row, other_row in zip(one.epochs, other.epochs, strict=True):
            assert row.model_copy(update={"epoch_time_s": 0.0}) == other_row.model_copy(
                update={"epoch_time_s": 0.0}
            )


def test_members_take_turns_and_each_is_told_of_by_its_own_name(tmp_path: Path) -> None:
    job = pack(tmp_path)
    answer, told = driven(job)
    assert answer.outcome == "done"
    rows = [(message.label[:5], message.row.epoch) for message in told if getattr(message, "row", None)]
    assert rows == [(f"arm-{number}", epoch) for epoch in (1, 2) for number in range(3)]
    assert {name: one.outcome for name, one in ends(told).items()} == {f"arm-{n}": "done" for n in range(3)}
    records = [record(one) for one in job.jobs]
    assert {one.metrics.n_concurrent for one in records} == {3}
    same(records, alone(tmp_path / "alone"))


def test_a_pack_leaves_the_process_as_it_found_it(tmp_path: Path) -> None:
    """Members set the same things and put them back in any order; the pack puts back what was there."""
    torch.manual_seed(5)
    before = torch.get_rng_state()
    n_threads = torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    driven(pack(tmp_path, execution=ExecutionSpec(threads=2), epochs=1))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == n_threads
    assert torch.are_deterministic_algorithms_enabled() == deterministic


@pytest.mark.parametrize(
    "error", [ValueError("broken"), torch.OutOfMemoryError("CUDA out of memory"), MemoryError("no more")]
)
def test_a_member_that_raises_on_the_way_leaves_no_record_and_the_others_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    true = run_module.training

    def training(model: Any, data: Any, **arguments: Any) -> Any:
        turns = true(model, data, **arguments)
        if arguments["folder"].name != "1":
            return (yield from turns)
        for _ in range(3):
            yield next(turns)
        raise error

    monkeypatch.setattr(run_module, "training", training)
    job = pack(tmp_path)
    answer, told = driven(job)
    assert answer.outcome == "again", "after that the process is not to be trusted"
    assert {name: one.outcome for name, one in ends(told).items()} == {
        "arm-0": "done",
        "arm-1": "again",
        "arm-2": "done",
    }
    assert ends(told)["arm-1"].reason == f"{type(error).__name__}: {error}"
    assert read_run(job.jobs[1].folder) is None
    monkeypatch.undo()
    single = alone(tmp_path / "alone")
    assert driven(dataclasses.replace(job.jobs[1], alone=True))[0].outcome == "done"
    same([record(one) for one in job.jobs], single)


def test_a_fault_of_the_machine_is_told_as_such_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = run_module.build_network

    def build(config: BaseSpec, *arguments: Any) -> Any:
        if config.model.options["depth"] == 14:
            raise EnvironmentFault("no space left")
        return true(config, *arguments)

    monkeypatch.setattr(run_module, "build_network", build)
    answer, told = driven(pack(tmp_path))
    assert answer.outcome == "interrupted"
    assert ends(told)["arm-1"] == Answer("interrupted", reason="no space left", fault=True)
    assert ends(told)["arm-0"].outcome == ends(told)["arm-2"].outcome == "done"


def test_a_member_that_another_process_trains_is_left_to_it(tmp_path: Path) -> None:
    job = pack(tmp_path)
    with locked(job.jobs[0].folder):
        answer, told = driven(job)
    assert answer.outcome == "done"
    assert ends(told)["arm-0"].outcome == "busy"
    assert read_run(job.jobs[0].folder) is None
    assert record(job.jobs[1]).status == "done"


def test_a_member_that_is_done_is_found(tmp_path: Path) -> None:
    job = pack(tmp_path)
    driven(job.jobs[2])
    _, told = driven(job)
    assert ends(told)["arm-2"].found
    assert not ends(told)["arm-0"].found


def test_every_member_leaves_a_checkpoint_when_the_user_stops(tmp_path: Path) -> None:
    job, asked = pack(tmp_path), 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return asked > 7

    answer, told = driven(job, stop=stop)
    assert answer.outcome == "interrupted"
    assert {one.outcome for one in ends(told).values()} == {"interrupted"}
    assert all((one.folder / CHECKPOINT).is_file() for one in job.jobs)
    driven(job)
    same([record(one) for one in job.jobs], alone(tmp_path / "alone"))


@pytest.mark.gpu
@pytest.mark.parametrize(
    "execution",
    [
        ExecutionSpec(),
        ExecutionSpec(channels_last=True, amp="bf16"),
        ExecutionSpec(graph=True),
        ExecutionSpec(graph=True, channels_last=True, amp="bf16"),
        ExecutionSpec(graph=True, compile="default"),
    ],
    ids=["fp32", "bf16", "graph", "graph-bf16", "graph-compile"],
)
def test_on_a_gpu_packed_runs_end_bitwise_as_they_end_alone(tmp_path: Path, execution: ExecutionSpec) -> None:
    """Each on its stream, each with its graph; none has a peak of memory of its own."""
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    job = pack(tmp_path, "cuda", execution)
    answer, _ = driven(job, "cuda")
    assert answer.outcome == "done"
    records, single = [record(one) for one in job.jobs], alone(tmp_path / "alone", "cuda", execution)
    same(records, single)
    assert {one.metrics.peak_memory_bytes for one in records} == {None}
    assert all(one.metrics.peak_memory_bytes for one in single)


@pytest.mark.gpu
def test_on_a_gpu_stages_that_thaw_capture_anew_beside_running_graphs(tmp_path: Path) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    freeze = {"freeze": {"through": "layer2", "unfreeze": {"layer2": 2}}}
    job = pack(tmp_path, "cuda", GRAPHED, **freeze)
    assert driven(job, "cuda")[0].outcome == "done"
    single = pack(tmp_path / "alone", "cuda", GRAPHED, **freeze)
    for one in single.jobs:
        assert driven(one, "cuda")[0].outcome == "done"
    same([record(one) for one in job.jobs], [record(one) for one in single.jobs])
