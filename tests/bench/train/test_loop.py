"""A whole run: budgets, rows, what validation decides, and what must not change the weights."""

from __future__ import annotations

import functools
import itertools

import pytest
import torch
from safetensors.torch import load_file

from bench.study.specs import EarlyStoppingSpec, ExecutionSpec
from bench.train import checkpoint, loop
from bench.train.evaluate import Evaluation
from bench.train.step import Step
from bench.train.weights import load_weights, weights_digest


class Bomb(torch.nn.Module):
    """A network whose training loss is NaN at one call, counted from 0."""

    def __init__(self, network: torch.nn.Module, at: int) -> None:
        super().__init__()
        self.network, self.at, self.calls = network, at, itertools.count()

    def forward(self, images):
        logits = self.network(images)
        if self.training and next(self.calls) == self.at:
            return logits * torch.nan
        return logits


@pytest.fixture
def scripted(monkeypatch):
    """Replace evaluations by given (loss, top-1) pairs; the network trains all the same."""

    def script(*pairs):
        answers = iter(pairs)

        def evaluate(*_args, **_kwargs):
            loss, top1_pct = next(answers)
            return Evaluation(loss, top1_pct, None, 0.0, None, None, None)

        monkeypatch.setattr(loop, "evaluate", evaluate)

    return script


def test_a_budget_in_epochs_gives_a_row_each_and_learns(fit, recipe, digits):
    heard = []
    result, _ = fit(recipe(epochs=6), on_epoch=heard.append)
    assert result.outcome == "finished"
    assert [row.epoch for row in result.epochs] == [1, 2, 3, 4, 5, 6]
    assert tuple(heard) == result.epochs
    assert (result.steps, result.images) == (30, 30 * 32)
    assert result.epochs[-1].train_loss < 0.5 * result.epochs[0].train_loss
    assert result.epochs[-1].train_top1_pct > 80
    assert all(row.val_loss is not None and row.epoch_time_s > 0 for row in result.epochs)
    assert result.train_time_s == pytest.approx(sum(row.epoch_time_s for row in result.epochs))
    assert result.compile_time_s is None
    assert result.peak_memory_bytes is None
    assert result.resumed_from_step is None


def test_a_budget_in_steps_may_end_inside_an_epoch(fit, recipe):
    spec = recipe(steps=8, schedule={"name": "multistep", "milestones": [7]})
    result, _ = fit(spec)
    assert [row.epoch for row in result.epochs] == [1, 2]
    assert result.steps == 8
    assert result.epochs[-1].lr == pytest.approx(0.005)
    assert result.epochs[-1].val_top1_pct is not None


def test_a_budget_in_steps_trains_the_same_as_one_in_epochs(fit, recipe):
    assert weights_digest(fit(recipe(epochs=2))[1]) == weights_digest(fit(recipe(steps=10))[1])


def test_no_epochs_train_nothing(fit, recipe, network, tmp_path):
    result, model = fit(recipe(epochs=0))
    assert (result.outcome, result.epochs, result.steps) == ("finished", (), 0)
    assert weights_digest(model) == weights_digest(network())
    assert (tmp_path / checkpoint.LAST).exists()


def test_one_key_gives_one_result_and_others_give_others(fit, network):
    digests = [weights_digest(fit(key=key)[1]) for key in (1, 1, 2)]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 2
    assert weights_digest(fit(model=network(2))[1]) not in digests


def test_evaluation_and_checkpoints_change_no_weight(fit, recipe, tmp_path):
    reference = weights_digest(fit(recipe(epochs=3))[1])
    for every, seconds in ((2, 20.0), (3, 0.0)):
        spec = recipe(epochs=3, eval_every_epochs=every)
        result, model = fit(spec, folder=tmp_path / str(every), checkpoint_every_s=seconds)
        assert weights_digest(model) == reference
        evaluated = [row.epoch for row in result.epochs if row.val_loss is not None]
        assert evaluated == ([2, 3] if every == 2 else [3])


def test_global_settings_and_generators_are_put_back(fit, network):
    model = network()
    before = torch.get_rng_state(), torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    fit(model=model, execution=ExecutionSpec(threads=2 if before[1] == 1 else 1))
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1:] == (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled())


@pytest.mark.parametrize("on_device", [False, True], ids=["host", "device"])
@pytest.mark.parametrize("at", [0, 7, 9], ids=["first", "middle", "last"])
def test_a_run_diverges_at_the_step_of_its_first_bad_loss(
    fit, recipe, network, tmp_path, monkeypatch, at, on_device
):
    monkeypatch.setattr(loop, "Step", functools.partial(Step, gate_on_device=on_device))
    result, model = fit(recipe(steps=10), model=Bomb(network(), at))
    assert (result.outcome, result.diverged_step, result.steps) == ("diverged", at, at)
    assert len(result.epochs) == at // 5
    until = recipe(steps=at) if at else recipe(epochs=0)
    _, expected = fit(until, folder=tmp_path / "until")
    assert weights_digest(model.network) == weights_digest(expected)
    saved = load_file(tmp_path / checkpoint.LAST)
    assert all(tensor.isfinite().all() for tensor in saved.values())


def test_weights_that_overflow_without_a_bad_loss_diverge_too_and_are_not_written(fit, recipe, tmp_path):
    """One step at a huge rate: its loss is finite, the weights it leaves are not."""
    result, _ = fit(recipe({"lr": 1e39}, steps=1))
    assert (result.outcome, result.diverged_step) == ("diverged", 1)
    assert not (tmp_path / checkpoint.LAST).exists()


def test_interruption_of_overflown_weights_leaves_no_checkpoint(fit, recipe, tmp_path):
    calls = itertools.count()
    result, _ = fit(recipe({"lr": 1e39}, steps=5), should_stop=lambda: next(calls) == 1)
    assert result.outcome == "interrupted"
    assert not (tmp_path / checkpoint.CHECKPOINT).exists()


def test_best_is_the_highest_validation_accuracy_and_the_earliest_of_equals(
    fit, recipe, network, scripted, tmp_path
):
    pairs = [(0.9, 50.0), (0.5, 80.0), (0.4, 80.0), (float("nan"), 90.0)]
    scripted(*pairs)
    result, model = fit(recipe(epochs=4, select="best_val"))
    assert result.best_epoch == 2
    assert result.epochs[-1].val_loss is None
    last = weights_digest(model)
    load_weights(model, tmp_path / checkpoint.BEST)
    scripted(*pairs)
    _, at_two = fit(recipe(epochs=2), folder=tmp_path / "two")
    assert weights_digest(model) == weights_digest(at_two) != last
    load_weights(model, tmp_path / checkpoint.LAST)
    assert weights_digest(model) == last


def test_without_a_finite_validation_loss_the_last_weights_stand_for_the_best(
    fit, recipe, scripted, tmp_path
):
    scripted((float("nan"), 90.0), (float("inf"), 95.0))
    result, _ = fit(recipe(epochs=2, select="best_val"))
    assert (result.outcome, result.best_epoch) == ("finished", None)
    assert "last weights stand for the best" in result.warnings[0]
    assert (tmp_path / checkpoint.BEST).read_bytes() == (tmp_path / checkpoint.LAST).read_bytes()


@pytest.mark.parametrize(
    ("stopping", "epochs"),
    [
        (EarlyStoppingSpec(patience_epochs=2), 5),
        (EarlyStoppingSpec(patience_epochs=1), 4),
        (EarlyStoppingSpec(patience_epochs=2, min_delta=0.2), 4),
        (EarlyStoppingSpec(patience_epochs=2, metric="val_top1_pct"), 6),
        (EarlyStoppingSpec(patience_epochs=9), 7),
    ],
    ids=["patience 2", "patience 1", "min_delta", "top1", "never"],
)
def test_early_stopping_ends_after_patience_evaluations_without_a_better_value(
    fit, recipe, scripted, stopping, epochs
):
    losses = [1.0, 0.7, 0.6, 0.65, 0.61, 0.5, 0.4]
    top1s = [10.0, 20.0, 30.0, 40.0, 40.0, 40.0, 50.0]
    scripted(*zip(losses, top1s, strict=True))
    result, _ = fit(recipe(epochs=7, early_stopping=stopping))
    assert (result.outcome, len(result.epochs)) == ("finished", epochs)


def test_plateau_lowers_the_rate_after_validation_stalls(fit, recipe, scripted):
    scripted(*[(1.0, 50.0)] * 4)
    result, _ = fit(recipe(epochs=4, schedule={"name": "plateau", "patience_epochs": 1}))
    assert [row.lr for row in result.epochs] == pytest.approx([0.05, 0.05, 0.05, 0.005])


def test_cycled_momentum_reaches_the_optimiser(fit, recipe):
    plain = fit(recipe(epochs=1, schedule={"name": "onecycle"}))[1]
    cycled = fit(recipe(epochs=1, schedule={"name": "onecycle", "cycle_momentum": True}))[1]
    assert weights_digest(plain) != weights_digest(cycled)


def test_time_counts_steps_and_not_pauses(fit, recipe, tmp_path, monkeypatch):
    """A clock that moves 1 s a reading, and 1000 s a checkpoint."""
    now = itertools.count()
    offset = [0]

    def clock():
        return float(next(now) + offset[0])

    save = checkpoint.save

    def slow_save(*args):
        offset[0] += 1000
        save(*args)

    monkeypatch.setattr(checkpoint, "save", slow_save)
    result, _ = fit(recipe(epochs=2), clock=clock, checkpoint_every_s=3.0)
    assert offset[0] >= 2000
    assert result.train_time_s < 100


def test_without_validation_images_the_val_columns_are_empty(tmp_path, network, recipe):
    from bench.data import open_splits
    from bench.study.specs import DataSpec

    data = open_splits(DataSpec(name="digits", train_size=64, val=0.0), tmp_path, "cpu")
    result = loop.train(
        network(),
        data,
        spec=recipe(epochs=1),
        execution=ExecutionSpec(),
        augment=(),
        key=1,
        device="cpu",
        folder=tmp_path,
        identity="",
    )
    assert (result.epochs[0].val_loss, result.epochs[0].val_top1_pct) == (None, None)
    assert result.best_epoch is None
    assert not (tmp_path / checkpoint.BEST).exists()
