"""Speed in windows, by an injected clock; and an arm as it really trains."""

from __future__ import annotations

import pytest
import torch

import architectures
from bench.data import open_splits
from bench.errors import BenchError
from bench.measure.probe import probe, probe_arm
from bench.study.specs import DataSpec, ExecutionSpec, OptimizerSpec, TrainSpec


class Machine:
    """A clock that moves by the cost of each step, and notes when it was waited for."""

    def __init__(self, step_s: float) -> None:
        self.step_s, self.now_s, self.n_steps, self.waits = step_s, 0.0, 0, []

    def step(self) -> None:
        self.now_s += self.step_s
        self.n_steps += 1

    def wait(self) -> None:
        self.waits.append(self.n_steps)

    def clock(self) -> float:
        return self.now_s


def test_windows_hold_as_many_steps_as_their_time_asks_for():
    machine = Machine(0.0101)
    found = probe(machine.step, wait=machine.wait, clock=machine.clock)
    assert found.steps_per_window == 20
    assert found.times_s == pytest.approx([20 * 0.0101] * 5)
    assert machine.n_steps == found.warmup_steps + 5 * 20


def test_a_window_holds_at_least_one_step_and_the_warm_up_three():
    machine = Machine(7.0)
    found = probe(machine.step, wait=machine.wait, clock=machine.clock)
    assert (found.steps_per_window, found.warmup_steps) == (1, 6)


def test_inside_a_window_nothing_waits():
    machine = Machine(0.06)
    found = probe(machine.step, wait=machine.wait, clock=machine.clock)
    timed = [count for count in machine.waits if count > found.warmup_steps]
    assert timed == [found.warmup_steps + 4 * (window + 1) for window in range(5)]


def _arm(tmp_path):
    data = open_splits(DataSpec(name="digits", train_size=64), tmp_path, "cpu")
    model = architectures.build("cifar_resnet", depth=8, num_classes=10, in_chans=1, img_size=8)
    architectures.initialise(model, 1)
    spec = TrainSpec(epochs=1, batch_size=16, optimizer=OptimizerSpec(lr=1e9, momentum=0.9))
    return model, data, spec


def test_an_arm_is_timed_whatever_its_learning_rate(tmp_path):
    model, data, spec = _arm(tmp_path)
    weights = [parameter.detach().clone() for parameter in model.parameters()]
    found = probe_arm(
        model, data, spec=spec, execution=ExecutionSpec(), augment=("crop",), key=1, device="cpu"
    )
    assert len(found.windows_img_s) == 5
    assert all(speed > 0 for speed in found.windows_img_s)
    assert (found.compile_time_s, found.peak_memory_bytes) == (None, None)
    assert all(torch.equal(a, b) for a, b in zip(weights, model.parameters(), strict=True))


@pytest.mark.parametrize(("through", "n_grads"), [("layer1", 14), ("head", 0)])
def test_a_probe_takes_the_steps_of_the_frozen_arm(tmp_path, through, n_grads):
    model, data, spec = _arm(tmp_path)
    spec = spec.model_copy(update={"freeze": "transferred"})
    options = {"spec": spec, "execution": ExecutionSpec(), "augment": (), "key": 1, "device": "cpu"}
    found = probe_arm(model, data, weights_through=through, **options)
    assert all(speed > 0 for speed in found.windows_img_s)
    assert sum(parameter.grad is not None for parameter in model.parameters()) == n_grads


def test_a_network_without_a_finite_loss_has_no_speed(tmp_path):
    model, data, spec = _arm(tmp_path)
    torch.nn.init.constant_(model.fc.weight, torch.nan)
    with pytest.raises(BenchError, match="no speed to measure"):
        probe_arm(model, data, spec=spec, execution=ExecutionSpec(), augment=(), key=1, device="cpu")
