"""One step: what a loss that is not finite leaves behind, which is nothing."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from architectures.noise import Dropout, NoiseState, set_key
from bench.study.specs import ExecutionSpec
from bench.train.held import Held
from bench.train.step import Step
from bench.train.tally import Counts
from bench.train.weights import weights_digest

CPU = torch.device("cpu")
OPTIMIZERS = {
    "sgd": {},
    "momentum": {"momentum": 0.9},
    "nesterov": {"momentum": 0.9, "nesterov": True, "weight_decay": 1e-3, "decay": "weights"},
    "adam": {"name": "adam", "lr": 1e-3},
    "adamw": {"name": "adamw", "lr": 1e-3, "weight_decay": 0.01},
    "own": {"name": "torch.optim:RMSprop", "lr": 1e-3},
}


@pytest.fixture(scope="module")
def batch():
    generator = torch.Generator().manual_seed(0)
    return (
        torch.randn(16, 1, 8, 8, generator=generator),
        torch.randint(0, 10, (16,), generator=generator),
    )


@pytest.mark.parametrize("bad_step", [0, 2, 4], ids=["first", "middle", "last"])
@pytest.mark.parametrize("on_device", [False, True], ids=["host", "device"])
@pytest.mark.parametrize("fused", [True, False], ids=["fused", "unfused"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_bad_loss_leaves_weights_and_statistics_as_they_were(
    network, recipe, batch, optimizer, fused, on_device, bad_step
):
    spec, execution = recipe(OPTIMIZERS[optimizer]), ExecutionSpec(fused=fused, channels_last=True)
    model = network()
    step = Step(model, spec, execution, CPU, gate_on_device=on_device)
    images, labels = batch
    before = None
    for index in range(5):
        if index == bad_step:
            before = weights_digest(model)
        inputs = images * torch.inf if index == bad_step else images
        if not step(inputs, labels, 0.01):
            break
    assert weights_digest(model) == before
    if on_device:
        assert step.tally.read().n_bad_steps == 5 - bad_step
    else:
        assert index == bad_step


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_gating_on_the_device_changes_no_bit_of_a_good_run(network, recipe, batch, optimizer):
    digests = []
    for on_device in (False, True):
        model = network()
        step = Step(model, recipe(OPTIMIZERS[optimizer]), ExecutionSpec(), CPU, gate_on_device=on_device)
        for _ in range(3):
            assert step(*batch, 0.01)
        counts = step.tally.read()
        digests.append((weights_digest(model), counts))
    assert digests[0] == digests[1]


@pytest.mark.parametrize("on_device", [False, True], ids=["host", "device"])
@pytest.mark.parametrize("optimizer", ["momentum", "adamw", "own"])
def test_fp16_skips_updates_whose_scaled_gradients_overflow_and_goes_on(
    network, recipe, batch, optimizer, on_device
):
    """The scale starts far too high, so the first steps overflow; the loss is finite, so nothing diverged."""
    spec = recipe(OPTIMIZERS[optimizer], clip_grad_norm=1.0 if optimizer == "momentum" else None)
    model = network()
    step = Step(model, spec, ExecutionSpec(amp="fp16"), CPU, gate_on_device=on_device)
    parameters = [parameter.detach().clone() for parameter in model.parameters()]
    step.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**40)
    assert step(*batch, 0.01)
    assert all(torch.equal(a, b) for a, b in zip(parameters, model.parameters(), strict=True))
    for _ in range(40):
        assert step(*batch, 0.01)
    assert step.scaler.get_scale() < 2.0**40
    assert step.tally.read().n_bad_steps == 0
    assert not any(torch.equal(a, b) for a, b in zip(parameters, model.parameters(), strict=True))
    assert all(parameter.isfinite().all() for parameter in model.parameters())


@pytest.mark.parametrize("on_device", [False, True], ids=["host", "device"])
def test_fp16_ends_on_a_bad_loss_like_fp32(network, recipe, batch, on_device):
    model = network()
    step = Step(model, recipe(), ExecutionSpec(amp="fp16"), CPU, gate_on_device=on_device)
    images, labels = batch
    step(images, labels, 0.01)
    before = weights_digest(model)
    assert step(images * torch.inf, labels, 0.01) is on_device
    assert weights_digest(model) == before


def test_a_step_equals_the_hand_written_one(network, recipe, batch):
    images, labels = batch
    spec = recipe({"momentum": 0.9, "weight_decay": 1e-4}, label_smoothing=0.1, clip_grad_norm=0.5)
    ours, bare = network(), network()
    step = Step(ours, spec, ExecutionSpec(fused=False), CPU)
    optimizer = torch.optim.SGD(bare.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
    for _ in range(3):
        step(images, labels, 0.05)
        optimizer.zero_grad()
        F.cross_entropy(bare(images), labels, label_smoothing=0.1).backward()
        torch.nn.utils.clip_grad_norm_(bare.parameters(), 0.5)
        optimizer.step()
    assert weights_digest(ours) == weights_digest(bare)


def test_clipping_shortens_the_gradient(network, recipe, batch):
    model = network()
    Step(model, recipe({}, clip_grad_norm=1e-3), ExecutionSpec(), CPU)(*batch, 0.0)
    norms = torch.stack([parameter.grad.norm() for parameter in model.parameters()])
    assert float(norms.norm()) == pytest.approx(1e-3, rel=1e-2)


def test_label_smoothing_follows_its_definition(network, recipe, batch):
    images, labels = batch
    model = network()
    logits = copy.deepcopy(model)(images)
    target = F.one_hot(labels, 10) * 0.8 + 0.02
    expected = -(target * logits.detach().log_softmax(1)).sum(1).mean()
    step = Step(model, recipe(label_smoothing=0.2), ExecutionSpec(), CPU)
    step(images, labels, 0.0)
    assert step.tally.read().loss_sum == pytest.approx(float(expected), rel=1e-6)


def test_counts_are_taken_before_the_update(network, recipe, batch):
    images, labels = batch
    model = network()
    expected = int((copy.deepcopy(model)(images).argmax(1) == labels).sum())
    step = Step(model, recipe(), ExecutionSpec(), CPU)
    step.tally.start(Counts(loss_sum=1.0, n_correct=100))
    step(images, labels, 0.1)
    counts = step.tally.read()
    assert counts.n_correct == 100 + expected
    assert counts.loss_sum > 1.0


def test_the_rate_and_the_momentum_of_the_step_are_used(network, recipe, batch):
    step = Step(network(), recipe(), ExecutionSpec(), CPU)
    step(*batch, 0.025, 0.5)
    group = step.optimizer.param_groups[0]
    assert (group["lr"], group["momentum"]) == (0.025, 0.5)


def test_dropout_is_another_at_another_step_and_with_another_key(recipe, batch):
    noise = NoiseState()
    model = nn.Sequential(nn.Flatten(), Dropout(0.5, noise), nn.Linear(64, 10))
    step = Step(model, recipe(), ExecutionSpec(), CPU)
    losses = []
    for key, number in ((1, 0), (1, 1), (2, 0), (1, 0)):
        set_key(model, key)
        step.tally.start(Counts())
        step(*batch, 0.0, number=number)
        losses.append(step.tally.read().loss_sum)
    assert losses[0] == losses[3]
    assert len(set(losses)) == 3


def test_a_rate_kept_in_a_tensor_is_filled(network, recipe, batch):
    step = Step(network(), recipe({"name": "adam"}), ExecutionSpec(fused=False), CPU)
    rate = torch.tensor(0.05)
    step.optimizer.param_groups[0]["lr"] = rate
    step(*batch, 0.025)
    assert step.optimizer.param_groups[0]["lr"] is rate
    assert float(rate) == pytest.approx(0.025)


def test_held_tensors_come_back_whatever_their_layout():
    dense = torch.arange(24.0).view(1, 2, 3, 4).to(memory_format=torch.channels_last)
    gaps = torch.arange(10.0)[::2]
    count = torch.tensor(3)
    live = [dense, gaps, count]
    before = [tensor.clone() for tensor in live]
    held = Held(live)
    for tensor in live:
        tensor.add_(1)
    held.settle(torch.tensor(True))
    assert all(torch.equal(a, b) for a, b in zip(live, before, strict=True))
    for tensor in live:
        tensor.add_(1)
    held.settle(torch.tensor(False))
    for tensor in live:
        tensor.add_(1)
    held.restore()
    assert all(torch.equal(a, b + 1) for a, b in zip(live, before, strict=True))
