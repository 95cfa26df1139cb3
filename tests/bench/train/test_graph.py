"""The graphed step without a GPU: all of it but the recording is ordinary tensor work, so a CPU can check it.

In place of a CUDA graph a tape of the operators is repeated: what must lie on the device (rows, place, rates,
verdict, counts) either does, or the steps differ from those that Python drives.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pytest
import torch
from recorded import NotForGraphs, recorded

from architectures.noise import set_key
from bench.data import TrainBatches
from bench.data.mixing import Mixing
from bench.errors import UsageError
from bench.study.specs import ExecutionSpec, FreezeSpec
from bench.train.drive import StepDriver
from bench.train.graph import GraphDriver
from bench.train.schedule import Schedule
from bench.train.step import Step
from bench.train.weights import weights_digest

CPU = torch.device("cpu")
OPTIMIZERS = {
    "sgd": {},
    "momentum": {"momentum": 0.9, "nesterov": True, "weight_decay": 1e-3, "decay": "weights"},
    "adam": {"name": "adam", "lr": 1e-3},
    "adamw": {"name": "adamw", "lr": 1e-3, "weight_decay": 0.01},
}
UNFREEZING = FreezeSpec(through="layer2", unfreeze={"layer2": 2})
EVERYTHING = ("trivial_augment", "resized_crop", "flip", "erasing")
COMPONENTS = {
    "none": ((), {}),
    "augmented": (("crop", "flip", "erasing"), {}),
    "mixed": (("crop",), {"mixup": 0.2, "cutmix": 1.0, "label_smoothing": 0.1}),
    "averaged": ((), {"ema": {"decay": 0.9, "warmup": True}}),
    "all": (EVERYTHING, {"mixup": 0.2, "cutmix": 1.0, "ema": {"decay": 0.9}, "clip_grad_norm": 1.0}),
}


class HostBatches(TrainBatches):
    """Batches that say that they have to be moved."""

    @property
    def on_device(self):
        return False


def as_float32(lr):
    """Rates as the graph reads them."""
    return lambda number: float(np.float32(lr(number)))


def make(network, spec, *, execution=None, model=None):
    model = network() if model is None else model
    set_key(model, 7)
    return model, Step(model, spec, execution or ExecutionSpec(channels_last=True), CPU, gate_on_device=True)


def take(driver, n_epochs, steps_per_epoch, step):
    for epoch in range(n_epochs):
        if step.start_epoch(epoch + 1):
            driver.prepare()
        driver.start_epoch(epoch)
        for _ in range(steps_per_epoch):
            assert driver.step()


@pytest.mark.parametrize("kind", [TrainBatches, HostBatches], ids=["resident", "moved"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_replays_take_the_same_steps_to_the_last_bit(network, recipe, digits, optimizer, kind):
    spec = recipe(
        OPTIMIZERS[optimizer],
        epochs=3,
        schedule={"name": "onecycle"},
        stage_lr={"layer1": 0.5},
        clip_grad_norm=1.0,
    )
    digests = []
    for graphed in (False, True):
        batches = kind(digits.train, batch_size=32, augment=("crop", "flip"), key=1)
        model, step = make(network, spec)
        lr = as_float32(Schedule(spec, batches.steps_per_epoch).lr)
        if graphed:
            driver = GraphDriver(step, batches, lr, capture=recorded)
            assert driver.prepare() > 0
        else:
            driver = StepDriver(step, batches, lr)
        take(driver, 3, batches.steps_per_epoch, step)
        digests.append((weights_digest(model), step.tally.read()))
    assert digests[0][0] == digests[1][0]
    assert dataclasses.asdict(digests[0][1]) == pytest.approx(dataclasses.asdict(digests[1][1]))


def test_preparing_leaves_no_trace(network, recipe, digits):
    """Weights, statistics, moments, counts: practice steps are taken back before the first real one."""
    spec = recipe(OPTIMIZERS["adam"])
    batches = TrainBatches(digits.train, batch_size=32, augment=(), key=1)
    model, step = make(network, spec)
    driver = GraphDriver(step, batches, lambda _: 0.01, capture=recorded)
    before = weights_digest(model)
    for _ in range(2):
        driver.prepare()
        assert weights_digest(model) == before
        assert step.tally.read().loss_sum == 0
        moments = [value for state in step.optimizer.state.values() for value in state.values()]
        assert moments
        assert not any(value.any() for value in moments)
    driver.start_epoch(0)
    driver.step()
    digest = weights_digest(model)
    assert digest != before
    driver.prepare()
    assert weights_digest(model) == digest
    assert all(state["step"] == 1 for state in step.optimizer.state.values())


def test_an_epoch_is_taken_up_in_its_middle(network, recipe, digits):
    spec = recipe(OPTIMIZERS["momentum"])
    batches = TrainBatches(digits.train, batch_size=32, augment=("crop",), key=1)
    digests = []
    for stops in (False, True):
        model, step = make(network, spec)
        driver = GraphDriver(step, batches, lambda n: 0.01 * (n + 1), capture=recorded)
        driver.prepare()
        driver.start_epoch(1)
        for place in range(batches.steps_per_epoch):
            if stops and place == 2:
                driver.prepare()
                driver.start_epoch(1, 2)
            driver.step()
        digests.append(weights_digest(model))
    assert digests[0] == digests[1]


@pytest.mark.parametrize("batch_size", [155, 64], ids=["one step", "two steps"])
def test_an_epoch_may_be_shorter_than_the_practice(network, recipe, digits, batch_size):
    """Practice stays at the first step: beyond the last row there is nothing to read."""
    spec = recipe({"momentum": 0.9}, batch_size=batch_size)
    digests = []
    for graphed in (False, True):
        batches = TrainBatches(digits.train, batch_size=batch_size, augment=(), key=1)
        assert batches.steps_per_epoch <= 2
        model, step = make(network, spec)
        lr = as_float32(lambda _: 0.05)
        driver = (
            GraphDriver(step, batches, lr, capture=recorded) if graphed else StepDriver(step, batches, lr)
        )
        driver.prepare()
        take(driver, 3, batches.steps_per_epoch, step)
        digests.append(weights_digest(model))
    assert digests[0] == digests[1]


def test_dropout_draws_by_the_steps_number(recipe, digits):
    """The number reaches the noise layers by a tensor, so every replay drops other units."""
    import architectures

    spec = recipe(epochs=2)
    digests = []
    for graphed in (False, True):
        model = architectures.build("mlp", hidden=[32], dropout=0.5, num_classes=10, in_chans=1, img_size=8)
        architectures.initialise(model, 3)
        batches = TrainBatches(digits.train, batch_size=32, augment=(), key=1)
        model, step = make(None, spec, model=model)
        kind = GraphDriver if graphed else StepDriver
        driver = kind(
            step, batches, lambda _: float(np.float32(0.05)), **({"capture": recorded} if graphed else {})
        )
        driver.prepare()
        take(driver, 2, batches.steps_per_epoch, step)
        digests.append(weights_digest(model))
    assert digests[0] == digests[1]


def test_unfreezing_captures_again(network, recipe, digits):
    spec = recipe(epochs=3, freeze=UNFREEZING)
    batches = TrainBatches(digits.train, batch_size=32, augment=(), key=1)
    captures = []

    def counting(work, practise):
        captures.append(work)
        return recorded(work, practise)

    digests = []
    for graphed in (False, True):
        model, step = make(network, spec)
        lr = as_float32(lambda _: 0.05)
        driver = (
            GraphDriver(step, batches, lr, capture=counting) if graphed else StepDriver(step, batches, lr)
        )
        driver.prepare()
        take(driver, 3, batches.steps_per_epoch, step)
        digests.append(weights_digest(model))
    assert digests[0] == digests[1]
    assert len(captures) == 2


def test_a_bad_loss_stops_the_updates_of_all_replays_after_it(network, recipe, digits):
    spec = recipe(OPTIMIZERS["momentum"])
    batches = TrainBatches(digits.train, batch_size=32, augment=(), key=1)
    model, step = make(network, spec)
    driver = GraphDriver(step, batches, lambda n: 0.01 if n < 2 else float("inf"), capture=recorded)
    driver.prepare()
    driver.start_epoch(0)
    digests = []
    for _ in range(batches.steps_per_epoch):
        driver.step()
        digests.append(weights_digest(model))
    # Step 2 ruins the weights, which the loss of step 3 shows: from then on nothing changes.
    assert step.tally.read().n_bad_steps == batches.steps_per_epoch - 3
    assert len(set(digests)) == 3


@pytest.mark.parametrize(
    ("optimizer", "fused"),
    [({"name": "torch.optim:RMSprop", "lr": 1e-3}, True), ({}, False)],
    ids=["own", "unfused"],
)
def test_an_optimiser_that_reads_its_rate_from_python_is_refused(network, recipe, digits, optimizer, fused):
    _, step = make(network, recipe(optimizer), execution=ExecutionSpec(fused=fused))
    batches = TrainBatches(digits.train, batch_size=32, augment=(), key=1)
    with pytest.raises(UsageError, match="fused: true"):
        GraphDriver(step, batches, lambda _: 0.01)


@pytest.mark.parametrize("amp", ["none", "bf16", "fp16"])
@pytest.mark.parametrize("components", COMPONENTS)
def test_every_component_replays_to_the_last_bit(network, recipe, digits, components, amp):
    augment, fields = COMPONENTS[components]
    spec = recipe({"momentum": 0.9}, epochs=2, **fields)
    ends = []
    for graphed in (False, True):
        mixing = Mixing.of(spec, 10)
        batches = TrainBatches(digits.train, batch_size=32, augment=augment, key=1, mixing=mixing)
        model, step = make(network, spec, execution=ExecutionSpec(amp=amp, channels_last=True))
        lr = as_float32(lambda number: 0.05 / (number + 1))
        kind = GraphDriver if graphed else StepDriver
        driver = kind(step, batches, lr, **({"capture": recorded} if graphed else {}))
        driver.prepare()
        take(driver, 2, batches.steps_per_epoch, step)
        with step.judged():
            judged = weights_digest(model)
        ends.append((weights_digest(model), judged, step.tally.read().n_correct))
    assert ends[0] == ends[1]
    assert (judged != weights_digest(model)) is ("ema" in fields)


@pytest.fixture
def taped(monkeypatch):
    """A CPU on which runs may have a graph."""
    monkeypatch.setattr("bench.train.graph.capture_cuda", recorded)
    monkeypatch.setattr("bench.train.loop.Step", functools.partial(Step, gate_on_device=True))


@pytest.mark.parametrize("freeze", [None, UNFREEZING], ids=["all", "unfreezing"])
@pytest.mark.parametrize("components", ["none", "all"])
def test_a_whole_run_is_that_of_single_steps_stopped_or_not(fit, recipe, tmp_path, taped, components, freeze):
    """Evaluation, the best weights, checkpoints and thawing happen between replays, which must not notice."""
    augment, fields = COMPONENTS[components]
    optimizer = {"name": "adamw", "lr": 2.0**-8}  # as a float32 what it is as a float64
    spec = recipe(optimizer, epochs=3, select="best_val", freeze=freeze, **fields)
    ends = {}
    for graph in (False, True):
        for stopped in (False, True):
            options = {"augment": augment, "execution": ExecutionSpec(graph=graph), "checkpoint_every_s": 0.0}
            options["folder"] = tmp_path / f"{graph}-{stopped}"
            if stopped:
                asked = iter([False] * 7 + [True])
                first, _ = fit(spec, should_stop=lambda asked=asked: next(asked), **options)
                assert first.outcome == "interrupted"
            result, model = fit(spec, **options)
            curve = [row.model_copy(update={"epoch_time_s": 0.0}) for row in result.epochs]
            ends[graph, stopped] = weights_digest(model), result.best_epoch, curve
    assert ends[True, False] == ends[False, False]
    assert ends[True, True] == ends[False, True] == ends[False, False]


def test_a_run_with_a_graph_diverges_at_the_step_that_python_finds(fit, recipe, tmp_path, taped):
    spec = recipe({"lr": 2.0**100}, epochs=2)
    found = [
        fit(spec, folder=tmp_path / str(graph), execution=ExecutionSpec(graph=graph))[0]
        for graph in (False, True)
    ]
    assert [result.outcome for result in found] == ["diverged"] * 2
    assert found[0].diverged_step == found[1].diverged_step


@pytest.mark.parametrize(
    ("work", "named"),
    [
        (lambda x: float(x.sum()), "_local_scalar_dense"),
        (lambda x: x[x > 0], "index.Tensor"),
        (torch.rand_like, "rand_like"),
        (lambda x: x * torch.tensor([1.0, 2.0, 3.0]), "lift_fresh"),
    ],
    ids=["waits", "unknown shape", "draws", "uploads"],
)
def test_the_tape_refuses_what_no_capture_holds(work, named):
    with pytest.raises(NotForGraphs, match=named):
        recorded(lambda: work(torch.ones(3)), lambda: None)
