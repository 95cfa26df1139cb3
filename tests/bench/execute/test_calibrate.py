"""Measuring: the costliest arm, two candidates in turns, and what happens where one does not run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.data import open_splits
from bench.execute import calibrate as calibrating
from bench.execute.calibrate import Contender, Stopped, Workbench, calibrate, costliest
from bench.execute.choosing import Horizon, Unmeasurable
from bench.execute.job import CalibrateJob
from bench.study.execution import Hardware, Settings
from bench.study.lock import read_lock
from bench.study.model import Arm
from bench.study.specs import BaseSpec

CPU = Hardware("cpu", "Some CPU")
DEVICE = torch.device("cpu")
PLAIN, OTHER = Settings(channels_last=False), Settings(channels_last=True)


def config(depth: int = 8, **train: Any) -> BaseSpec:
    return BaseSpec.model_validate(
        {
            "data": {"name": "digits", "train_size": 128, "val": 0},
            "model": {"name": "cifar_resnet", "depth": depth},
            "train": {"epochs": 3, "batch_size": 32, "optimizer": {"lr": 0.1, "momentum": 0.9}, **train},
            "execution": {"auto": True, "compile": "none", "graph": False, "fused": True},
        }
    )


def arm(name: str, one: BaseSpec) -> Arm:
    return Arm(name, name, {}, one)


def job(folder: Path, *arms: Arm, **changes: Any) -> CalibrateJob:
    made = CalibrateJob(arms or (arm("one", config()),), CPU, folder, folder, n_runs_a_worker=2)
    return replace(made, **changes)


def test_the_arm_that_trains_longest_is_measured(tmp_path: Path) -> None:
    arms = (
        arm("small", config(8)),
        arm("deep", config(20)),
        arm("frozen", config(20, freeze={"through": "layer3"})),
        arm("brief", config(20, epochs=1)),
    )
    chosen, horizon = costliest(job(tmp_path, *arms))
    assert chosen.name == "deep"
    # 4 full batches of 32 in each of 3 epochs, in two runs.
    assert horizon == Horizon(images_a_run=384, images_a_worker=768)


def test_a_budget_in_steps_counts_its_images(tmp_path: Path) -> None:
    _, horizon = costliest(job(tmp_path, arm("one", config(epochs=None, steps=7))))
    assert horizon.images_a_run == 7 * 32


def test_a_network_that_cannot_be_built_is_named(tmp_path: Path) -> None:
    broken = config().model_copy(
        update={
            "model": BaseSpec.model_validate(
                {**config().model_dump(exclude={"execution"}), "model": {"name": "nowhere_at_all:net"}}
            ).model
        }
    )
    answer = calibrate(job(tmp_path, arm("broken", broken)), "cpu", lambda: False, lambda _: None)
    assert answer.outcome == "failed"
    assert answer.reason is not None
    assert answer.reason.startswith("calibration: the network of arm broken cannot be built: ")


def test_a_lock_is_written_once_and_again_only_when_asked(tmp_path: Path) -> None:
    told: list[str] = []
    first = calibrate(job(tmp_path), "cpu", lambda: False, lambda progress: told.append(progress.text))
    assert (first.outcome, first.found) == ("done", False)
    assert told == ["channels_last false", "channels_last true"]
    entry = read_lock(tmp_path).entry("cpu", "Some CPU")
    assert entry is not None
    assert (entry.arm, entry.batch_size, entry.images_a_run, entry.images_a_worker) == ("one", 32, 384, 768)
    assert entry.torch.startswith(torch.__version__)
    assert set(entry.chosen.given()) == {"channels_last"}
    assert all(trial.img_s is not None and trial.img_s > 0 for trial in entry.candidates)
    assert calibrate(job(tmp_path), "cpu", lambda: False, lambda _: None).found
    again = calibrate(job(tmp_path, again=True), "cpu", lambda: False, lambda _: None)
    assert (again.outcome, again.found) == ("done", False)
    assert len(read_lock(tmp_path).devices) == 1


def test_stopping_leaves_no_lock(tmp_path: Path) -> None:
    assert calibrate(job(tmp_path), "cpu", lambda: True, lambda _: None).outcome == "interrupted"
    assert read_lock(tmp_path).devices == ()


class Clocked(Workbench):
    """Candidates that take a given time a step on a clock that only they move, the machine slowing down."""

    def __init__(self, step_s: dict[str, float], *, drift: float = 0.0, out_of_memory: bool = False) -> None:
        super().__init__(config(), None, DEVICE, clock=lambda: self.now)  # type: ignore[arg-type]
        self.now, self.step_s, self.drift, self.out_of_memory = 0.0, step_s, drift, out_of_memory
        self.built: list[str] = []

    def _build(self, settings: Settings) -> Contender:
        name = settings.text()
        if self.out_of_memory and self._ready:
            raise torch.OutOfMemoryError("both do not fit")
        self.built.append(name)

        def train_once() -> None:
            self.now += self.step_s[name] * (1 + self.drift * self.now)

        return Contender(train_once, prepare_s=0.0)


def test_the_ratio_of_two_candidates_outlives_a_drift_of_the_machine() -> None:
    bench = Clocked({PLAIN.text(): 0.02, OTHER.text(): 0.01}, drift=0.05)
    assert bench.compare(None, PLAIN)[0] is None
    champion, challenger = bench.compare(PLAIN, OTHER)
    assert champion is not None
    assert challenger.img_s / champion.img_s == pytest.approx(2.0, rel=0.02)
    assert bench.built == [PLAIN.text(), OTHER.text()], "the champion stays as it is"


def test_candidates_that_do_not_fit_together_are_measured_one_after_the_other() -> None:
    bench = Clocked({PLAIN.text(): 0.02, OTHER.text(): 0.01}, out_of_memory=True)
    bench.compare(None, PLAIN)
    champion, challenger = bench.compare(PLAIN, OTHER)
    assert champion is not None
    assert (champion.img_s, challenger.img_s) == pytest.approx((32 / 0.02, 32 / 0.01))


def test_a_step_that_is_not_finite_does_not_run_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    data = open_splits(config().data, tmp_path, DEVICE)

    def explode(*_: Any, **__: Any) -> None:
        raise RuntimeError("/somewhere/deep/compiler.py broke\nand more")

    monkeypatch.setattr(calibrating, "make_driver", explode)
    with pytest.raises(Unmeasurable, match=r"^RuntimeError: compiler\.py broke$"):
        Workbench(config(), data, DEVICE).compare(None, PLAIN)


def test_measuring_stops_when_asked(tmp_path: Path) -> None:
    data = open_splits(config().data, tmp_path, DEVICE)
    with pytest.raises(Stopped):
        Workbench(config(), data, DEVICE, stop=lambda: True).compare(None, PLAIN)


@pytest.mark.gpu
def test_a_gpu_is_calibrated_with_graphs(tmp_path: Path) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    from bench.record.hardware import find_hardware
    from bench.study.device import resolve_device

    hardware = find_hardware(resolve_device("cuda:0"))
    assert hardware.model == torch.cuda.get_device_properties(0).name
    assert hardware.capability == torch.cuda.get_device_capability(0)
    fields = {**config().model_dump(exclude={"execution"}), "execution": {"auto": True, "amp": "auto"}}
    fields["train"] = {**fields["train"], "epochs": 10_000, "schedule": {"name": "constant"}}
    one = arm("one", BaseSpec.model_validate(fields))
    answer = calibrate(job(tmp_path, one, hardware=hardware), "cuda:0", lambda: False, lambda _: None)
    assert answer.outcome == "done", answer.reason
    entry = read_lock(tmp_path).entry("cuda", hardware.model)
    assert entry is not None
    assert entry.chosen.graph is True, entry
