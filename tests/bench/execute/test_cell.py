"""One repeat of one cell in this process: its record, whatever it measures and however it ends."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.data.opening import close_splits
from bench.errors import EnvironmentFault
from bench.execute import cell
from bench.execute.dispatch import execute
from bench.execute.job import Answer, CellJob
from bench.record.folder import read_run
from bench.record.schema import CellMetrics, CellRecord
from bench.study.cells import CellSpec
from bench.study.model import Arm, Run

QUICK = {"n_windows": 4, "window_s": 0.002, "warmup_s": 0.002, "max_warmup_s": 0.05}

Made = Callable[..., CellJob]


@pytest.fixture(autouse=True)
def quick_peaks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Roofs are measured elsewhere; caches of torch's compiler and of images are the test's own."""
    monkeypatch.setattr("bench.measure.peaks.MOST_S", 0.0)
    monkeypatch.setattr("bench.measure.peaks.CPU_COPY_BYTES", 1 << 20)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR"):
        monkeypatch.setenv(name, os.environ.get(name, ""))
    yield
    close_splits()


@pytest.fixture
def job(tmp_path: Path) -> Made:
    def make(repeat: int = 0, *, data_dir: Path = tmp_path, device: str = "cpu", **sections: Any) -> CellJob:
        base: dict[str, Any] = {
            "data": {"name": "digits"},
            "model": {"name": "cifar_resnet", "depth": 8},
            "train": {"batch_size": 16},
            "measure": QUICK,
        }
        for name, section in sections.items():
            base[name] = {**base.get(name, {}), **section}
        arm = Arm("a", "a", {}, CellSpec.model_validate(base))
        run = Run(arm, repeat, f"{repeat:016x}", arm_id="a" * 16)
        folder = tmp_path / "runs" / run.folder_name
        kind = "cuda" if device == "cuda" else "cpu"
        return CellJob(run, "a" * 16, "s", "d", folder, data_dir, kind, 1)  # type: ignore[arg-type]  # a literal

    return make


def done(one: CellJob, device: str = "cpu") -> CellMetrics:
    answer = measured(one, device=device)
    assert answer.outcome == "done", answer.reason
    record = read_run(one.folder)
    assert isinstance(record, CellRecord)
    assert record.metrics == answer.metrics
    return record.metrics


def measured(one: CellJob, *, device: str = "cpu", stop: bool = False) -> Answer:
    return execute(one, device=device, stop=lambda: stop, report=lambda _: None)


def test_a_training_cell_leaves_its_windows_and_what_it_costs(job: Made) -> None:
    found = done(job())
    assert (found.work, found.input, found.batch_size, found.image_size) == ("train", "synthetic", 16, 8)
    assert len(found.windows_s) == 4
    assert found.steps_per_window is not None
    images = found.steps_per_window * 16
    assert found.img_s == pytest.approx(images / sorted(found.windows_s)[1], rel=0.5)
    assert found.n_params is not None
    assert found.n_params > 70_000
    assert found.gmacs is not None
    assert found.flops_per_image is not None
    assert found.flops_per_image == pytest.approx(6e9 * found.gmacs, rel=0.05)
    assert found.peak_flops_source == "measured"
    assert found.eager_bytes_per_image is not None
    assert found.fused_bytes_per_image is not None
    assert found.eager_bytes_per_image > found.fused_bytes_per_image


def test_what_does_not_exist_on_a_cpu_is_null(job: Made) -> None:
    found = done(job())
    absent = ("peak_allocated_bytes", "peak_reserved_bytes", "joules_per_image", "sm_clock_mhz")
    assert [getattr(found, name) for name in (*absent, "compile_cold_s", "compile_warm_s", "prepare_s")] == [
        None
    ] * 7


@pytest.mark.parametrize("work", ["train", "infer"])
def test_real_images_are_measured_as_random_ones_are(job: Made, work: str) -> None:
    found = done(job(measure={**QUICK, "input": "cached", "work": work}, data={"augment": "flip"}))
    assert (found.work, found.input) == (work, "cached")
    assert found.img_s is not None
    assert found.img_s > 0


def test_images_are_decoded_for_every_batch(job: Made, linked: Path) -> None:
    section = {"name": "cifar10-jpeg", "train_size": 64}
    found = done(job(data_dir=linked, data=section, measure={**QUICK, "input": "end_to_end"}))
    assert (found.input, found.image_size) == ("end_to_end", 32)


@pytest.fixture
def linked(shared_data: Path, tmp_path: Path) -> Path:
    """The real set by a link, so that no cache is written beside it."""
    folder = tmp_path / "linked"
    folder.mkdir()
    (folder / "cifar10-jpeg").symlink_to(shared_data / "cifar10-jpeg", target_is_directory=True)
    return folder


def test_the_measured_rate_is_zero_so_that_no_recipe_diverges(job: Made) -> None:
    assert done(job(train={"batch_size": 16, "optimizer": {"lr": 1e9}})).img_s


def test_a_measurement_that_is_there_is_not_made_again(job: Made) -> None:
    first = done(job())
    again = measured(job())
    assert again.found
    assert again.metrics == first


def test_out_of_memory_is_a_row_with_the_batch_that_was_asked_for(
    job: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_large(*_: Any, **__: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 80 GiB")

    monkeypatch.setattr(cell, "SyntheticBatches", too_large)
    one = job()
    assert measured(one).outcome == "oom"
    record = read_run(one.folder)
    assert isinstance(record, CellRecord)
    assert record.status == "oom"
    assert record.reason == "OutOfMemoryError: CUDA out of memory. Tried to allocate 80 GiB"
    assert record.config["train"]["batch_size"] == 16
    assert record.metrics == CellMetrics()


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"), "oom"),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), "failed"),
    ],
    ids=["memory of a CPU", "anything else"],
)
def test_a_failure_is_a_record_with_its_reason(
    job: Made, monkeypatch: pytest.MonkeyPatch, error: Exception, status: str
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(cell, "warm_up", broken)
    one = job()
    assert measured(one).outcome == status
    assert (one.folder / "error.txt").read_text().rstrip().endswith(str(error))


def test_a_retry_keeps_the_earlier_attempt(job: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(cell, "warm_up", lambda *_, **__: 1 / 0)
        assert measured(job()).outcome == "failed"
    retried = CellJob(**{**vars(job()), "retry": True})
    assert measured(retried).outcome == "done"
    record = read_run(retried.folder)
    assert record is not None
    assert [one.status for one in record.attempts] == ["failed"]


def test_a_stop_between_the_parts_leaves_nothing_behind(job: Made) -> None:
    one = job()
    assert measured(one, stop=True).outcome == "interrupted"
    assert read_run(one.folder) is None


def test_damaged_data_are_the_machines_fault(job: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged(*_: Any, **__: Any) -> Any:
        raise EnvironmentFault("md5 differs")

    monkeypatch.setattr(cell, "open_splits", damaged)
    answer = measured(job(measure={**QUICK, "input": "cached"}))
    assert (answer.outcome, answer.fault) == ("interrupted", True)


@pytest.mark.slow
def test_compiling_is_timed_cold_once_and_warm_in_the_other_repeats(job: Made) -> None:
    """In one process, so the second repeat is warmer than in its own; what is told is the same."""
    cold = done(job(0, execution={"compile": "default"}))
    assert cold.compile_cold_s is not None
    assert cold.compile_warm_s is None
    torch.compiler.reset()
    warm = done(job(1, execution={"compile": "default"}))
    assert warm.compile_cold_s is None
    assert warm.compile_warm_s is not None
    assert warm.compile_warm_s < cold.compile_cold_s


@pytest.mark.gpu
@pytest.mark.parametrize(
    "sections",
    [
        {"execution": {"amp": "bf16", "channels_last": True}},
        {"execution": {"amp": "bf16", "graph": True}},
        {"execution": {"compile": "default", "amp": "bf16"}},
        {"measure": {**QUICK, "work": "infer"}},
        {"measure": {**QUICK, "input": "cached"}},
    ],
    ids=["eager", "graph", "compiled", "infer", "cached"],
)
def test_a_cell_on_a_gpu_tells_memory_and_clock(job: Made, sections: dict[str, Any]) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    found = done(job(device="cuda", **sections), device="cuda:0")
    assert found.peak_allocated_bytes is not None
    assert found.peak_reserved_bytes is not None
    assert 0 < found.peak_allocated_bytes <= found.peak_reserved_bytes
    assert found.measured_peak_flops_s is not None
    assert found.measured_peak_flops_s > 1e12


@pytest.mark.gpu
def test_nothing_waits_inside_the_windows_of_a_gpu(job: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    inside = cell.time_windows

    def strict(take: Callable[[], None], *words: Any, **named: Any) -> Any:
        def guarded() -> None:
            torch.cuda.set_sync_debug_mode("error")
            try:
                take()
            finally:
                torch.cuda.set_sync_debug_mode("default")

        return inside(guarded, *words, **named)

    monkeypatch.setattr(cell, "time_windows", strict)
    done(job(device="cuda", execution={"amp": "bf16", "channels_last": True}), device="cuda:0")
