"""The moving average of the weights: as timm's, and what is judged and kept in the weights' place."""

from __future__ import annotations

import pytest
import torch
from recorded import recorded
from safetensors.torch import load_file
from timm.utils import ModelEmaV3

from bench.data import EvalBatches, TrainBatches
from bench.study.specs import EmaSpec, ExecutionSpec
from bench.train.evaluate import evaluate
from bench.train.graph import GraphDriver
from bench.train.step import Step
from bench.train.weights import copied, state_of

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    "execution", [ExecutionSpec(), ExecutionSpec(channels_last=True)], ids=["nchw", "nhwc"]
)
@pytest.mark.parametrize("warmup", [False, True])
def test_the_average_is_timms(network, recipe, digits, warmup, execution):
    spec = recipe(ema=EmaSpec(decay=0.9, warmup=warmup))
    step = Step(network(), spec, execution, CPU)
    theirs = ModelEmaV3(step.model, decay=0.9, use_warmup=warmup)
    batches = TrainBatches(digits.train, batch_size=32, augment=(), key=1)
    number = 0
    for epoch in range(5):
        for images, labels in batches.epoch(epoch):
            step(images, labels, 0.05, number=number)
            number += 1
            theirs.update(step.model, step=number)
    before = copied(state_of(step.model))
    with step.judged():
        found = copied(state_of(step.model))
    after = copied(state_of(step.model))
    for name, expected in theirs.module.state_dict().items():
        torch.testing.assert_close(found[name], expected, rtol=2e-5, atol=1e-6)
        assert torch.equal(before[name], after[name])
    apart = [
        name
        for name in found
        if found[name].is_floating_point() and not torch.equal(found[name], before[name])
    ]
    assert len(apart) > 0.9 * sum(value.is_floating_point() for value in found.values())


def test_validation_files_and_model_are_of_the_average(fit, recipe, digits, tmp_path):
    """The last row's validation is that of the file, whose weights the model has in the end."""
    result, model = fit(recipe(ema=EmaSpec(decay=0.95), epochs=3, select="best_val"), folder=tmp_path)
    last = load_file(tmp_path / "last.safetensors")
    assert all(torch.equal(last[name], value) for name, value in state_of(model).items())
    found = evaluate(
        model, EvalBatches(digits.val, 1024), num_classes=10, execution=ExecutionSpec(), device="cpu"
    )
    assert found.loss == pytest.approx(result.epochs[-1].val_loss)
    best = load_file(tmp_path / "best.safetensors")
    model.load_state_dict(best)
    found = evaluate(
        model, EvalBatches(digits.val, 1024), num_classes=10, execution=ExecutionSpec(), device="cpu"
    )
    assert found.top1_pct == pytest.approx(result.epochs[result.best_epoch - 1].val_top1_pct)


def test_training_itself_does_not_feel_it(fit, recipe, tmp_path):
    plain, _ = fit(recipe(epochs=3), folder=tmp_path / "plain")
    averaged, _ = fit(recipe(epochs=3, ema=EmaSpec(decay=0.9)), folder=tmp_path / "averaged")
    assert [row.train_loss for row in plain.epochs] == [row.train_loss for row in averaged.epochs]
    assert [row.val_loss for row in plain.epochs] != [row.val_loss for row in averaged.epochs]


def test_a_bad_step_moves_nothing_on_a_device(network, recipe):
    """Gated by the verdict, as weights and statistics are."""
    step = Step(network(), recipe(ema=EmaSpec(decay=0.9)), ExecutionSpec(), CPU, gate_on_device=True)
    images, labels = torch.randn(32, 1, 8, 8), torch.arange(32) % 10
    for _ in range(3):
        step(images, labels, 0.05)
    with step.judged():
        before = copied(state_of(step.model))
    step(torch.full_like(images, torch.inf), labels, 0.05)
    step(images, labels, 0.05)
    with step.judged():
        after = copied(state_of(step.model))
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_preparing_a_graph_leaves_no_trace(network, recipe, digits):
    step = Step(network(), recipe(ema=EmaSpec(decay=0.9)), ExecutionSpec(), CPU, gate_on_device=True)
    batches = TrainBatches(digits.train, batch_size=32, augment=(), key=1)

    driver = GraphDriver(step, batches, lambda _: 0.05, capture=recorded)
    before = step.average.contents()
    driver.prepare()
    after = step.average.contents()
    assert all(torch.equal(before[name], after[name]) for name in before)
    driver.start_epoch(0)
    driver.step()
    moved = step.average.contents()
    assert moved["average_steps"] == 1
    assert any(not torch.equal(before[name], moved[name]) for name in before)


def test_frozen_stages_are_their_own_average(fit, recipe, network, tmp_path):
    model = network()
    before = copied(state_of(model))
    fit(recipe(ema=EmaSpec(decay=0.9), freeze={"through": "layer2"}, epochs=3), model=model, folder=tmp_path)
    for name, value in state_of(model).items():
        assert torch.equal(value, before[name]) == name.startswith(("conv1", "bn1", "layer1", "layer2")), name
