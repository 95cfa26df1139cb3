"""Stop before any step, go on, and end with the same bits."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn

from architectures.noise import Dropout, NoiseState
from bench.study.specs import EarlyStoppingSpec, ExecutionSpec, FreezeSpec
from bench.train import checkpoint
from bench.train.weights import weights_digest

RECIPES = {
    "sgd": {"optimizer": {"lr": 0.1, "weight_decay": 1e-4}},
    "momentum onecycle": {
        "optimizer": {"lr": 0.1, "momentum": 0.9},
        "schedule": {"name": "onecycle", "cycle_momentum": True},
    },
    "nesterov multistep warmup": {
        "optimizer": {"lr": 0.1, "momentum": 0.9, "nesterov": True},
        "schedule": {"name": "multistep", "milestones": [1, 2], "warmup_steps": 7},
    },
    "adam cosine": {"optimizer": {"name": "adam", "lr": 0.01}, "schedule": {"name": "cosine"}},
    "adamw step": {
        "optimizer": {"name": "adamw", "lr": 0.01, "weight_decay": 0.1, "decay": "weights"},
        "schedule": {"name": "step", "every": 1},
    },
    "own plateau": {
        "optimizer": {"name": "torch.optim:NAdam", "lr": 0.01},
        "schedule": {"name": "plateau", "patience_epochs": 0},
        "clip_grad_norm": 1.0,
    },
    "best and stopping": {
        "optimizer": {"lr": 0.1, "momentum": 0.9},
        "select": "best_val",
        "early_stopping": EarlyStoppingSpec(patience_epochs=5),
        "label_smoothing": 0.1,
    },
    "gradual unfreezing": {
        "optimizer": {"lr": 0.1, "momentum": 0.9, "weight_decay": 1e-2, "decay": "weights"},
        "freeze": FreezeSpec(through="layer3", unfreeze={"layer3": 2, "layer2": 3}),
        "stage_lr": {"layer2": 0.1, "head": 2.0},
    },
    "adamw gradual unfreezing": {
        "optimizer": {"name": "adamw", "lr": 0.01, "weight_decay": 0.1},
        "freeze": FreezeSpec(stages=("stem", "layer2"), unfreeze={"stem": 3}),
    },
    "own gradual unfreezing": {
        "optimizer": {"name": "torch.optim:NAdam", "lr": 0.01, "weight_decay": 0.1},
        "freeze": FreezeSpec(all_but=("head",), unfreeze={"layer3": 2}),
    },
}
MIXED = {
    "optimizer": {"lr": 0.05, "momentum": 0.9},
    "mixup": 0.2,
    "cutmix": 1.0,
    "label_smoothing": 0.1,
    "ema": {"decay": 0.9, "warmup": True},
    "select": "best_val",
}
UNFREEZE_LAYER3 = FreezeSpec(through="layer3", unfreeze={"layer3": 2})
EXECUTIONS = {
    "fp32": ExecutionSpec(),
    "fp32 nhwc unfused": ExecutionSpec(channels_last=True, fused=False),
    "bf16 nhwc": ExecutionSpec(amp="bf16", channels_last=True),
    "fp16": ExecutionSpec(amp="fp16"),
}


def stop_at(step: int):
    """Stop before the given step of the call."""
    calls = itertools.count()
    return lambda: next(calls) == step


def comparable(result):
    return [row.model_dump(exclude={"epoch_time_s"}) for row in result.epochs]


def assert_resumes_exactly(fit, tmp_path, spec, stops, **options):
    whole, model = fit(spec, folder=tmp_path / "whole", **options)
    for stop in stops:
        folder = tmp_path / f"stopped {stop}"
        first, _ = fit(spec, folder=folder, should_stop=stop_at(stop), **options)
        assert first.outcome == "interrupted"
        heard = []
        second, resumed = fit(spec, folder=folder, on_epoch=heard.append, **options)
        assert tuple(heard) == second.epochs, "a resumed run first tells the rows that it has"
        assert (second.resumed_from_step, second.warnings) == (stop, ())
        assert weights_digest(resumed) == weights_digest(model), f"stopped before step {stop}"
        assert comparable(second) == comparable(whole)
        assert second.best_epoch == whole.best_epoch
        for name in (checkpoint.LAST, checkpoint.BEST):
            assert (folder / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_resumes_exactly(fit, recipe, tmp_path, name):
    assert_resumes_exactly(fit, tmp_path, recipe(epochs=3, **RECIPES[name]), stops=[0, 1, 4, 5, 8, 14])


@pytest.mark.parametrize("execution", EXECUTIONS)
@pytest.mark.parametrize("name", ["momentum onecycle", "adamw step"])
def test_every_precision_and_layout_resumes_exactly(fit, recipe, tmp_path, name, execution):
    spec = recipe(epochs=2, **RECIPES[name])
    assert_resumes_exactly(fit, tmp_path, spec, stops=[3, 7], execution=EXECUTIONS[execution])


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_unfreezing_resumes_exactly_in_every_precision_and_layout(fit, recipe, tmp_path, execution):
    spec = recipe(epochs=2, **RECIPES["gradual unfreezing"] | {"freeze": UNFREEZE_LAYER3})
    assert_resumes_exactly(fit, tmp_path, spec, stops=[3, 5, 7], execution=EXECUTIONS[execution])


def test_a_run_stopped_at_every_step_ends_the_same(fit, recipe, tmp_path):
    spec = recipe(steps=12, **RECIPES["momentum onecycle"])
    _, model = fit(spec, folder=tmp_path / "whole")
    for _ in range(12):
        result, stopped = fit(spec, folder=tmp_path / "steps", should_stop=stop_at(1))
    assert result.outcome == "finished"
    assert weights_digest(stopped) == weights_digest(model)


def test_augmentation_resumes_in_the_middle_of_an_epoch(fit, recipe, tmp_path):
    spec = recipe(epochs=2)
    assert_resumes_exactly(fit, tmp_path, spec, stops=[3], augment=("crop", "flip"))


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_every_component_at_once_resumes_exactly(fit, recipe, tmp_path, execution):
    spec = recipe(epochs=3, **MIXED)
    augment = ("trivial_augment", "crop", "flip", "erasing")
    assert_resumes_exactly(
        fit, tmp_path, spec, stops=[0, 4, 5, 8], execution=EXECUTIONS[execution], augment=augment
    )


def test_models_that_draw_from_torchs_generator_resume_exactly(fit, recipe, tmp_path):
    def model():
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Dropout(0.5), nn.Linear(32, 10))

    spec = recipe(epochs=2)
    _, whole = fit(spec, model=model(), folder=tmp_path / "whole")
    fit(spec, model=model(), folder=tmp_path / "stopped", should_stop=stop_at(6))
    _, resumed = fit(spec, model=model(), folder=tmp_path / "stopped")
    assert weights_digest(resumed) == weights_digest(whole)
    _, rarely = fit(recipe(epochs=2, eval_every_epochs=2), model=model(), folder=tmp_path / "rarely")
    assert weights_digest(rarely) == weights_digest(whole)


def test_what_dropout_drops_depends_on_the_step_alone(fit, recipe, tmp_path):
    def model():
        torch.manual_seed(0)
        noise = NoiseState()
        layers = nn.Linear(64, 32), Dropout(0.5, noise), nn.ReLU(), Dropout(0.2, noise), nn.Linear(32, 10)
        return nn.Sequential(nn.Flatten(), *layers)

    spec = recipe(epochs=2)
    first, whole = fit(spec, model=model(), folder=tmp_path / "whole")
    for stop in (0, 3, 5, 6):
        folder = tmp_path / f"stopped {stop}"
        fit(spec, model=model(), folder=folder, should_stop=stop_at(stop))
        _, resumed = fit(spec, model=model(), folder=folder)
        assert weights_digest(resumed) == weights_digest(whole)
    _, rarely = fit(recipe(epochs=2, eval_every_epochs=2), model=model(), folder=tmp_path / "rarely")
    assert weights_digest(rarely) == weights_digest(whole)
    other, _ = fit(spec, model=model(), folder=tmp_path / "key", key=2)
    assert other.epochs[0].train_loss != first.epochs[0].train_loss


def test_going_on_from_a_timed_checkpoint_after_a_kill_ends_the_same(fit, recipe, tmp_path):
    class Killed(Exception):
        pass

    def kill_at(step):
        calls = itertools.count()

        def should_stop():
            if next(calls) == step:
                raise Killed
            return False

        return should_stop

    spec = recipe(epochs=2, **RECIPES["momentum onecycle"])
    _, model = fit(spec, folder=tmp_path / "whole")
    ticks = itertools.count()
    with pytest.raises(Killed):
        fit(
            spec,
            folder=tmp_path / "killed",
            should_stop=kill_at(9),
            clock=lambda: float(next(ticks)),
            checkpoint_every_s=4.0,
        )
    result, resumed = fit(spec, folder=tmp_path / "killed")
    assert 0 < result.resumed_from_step <= 8
    assert weights_digest(resumed) == weights_digest(model)


def test_times_of_all_attempts_are_added(fit, recipe, tmp_path):
    def clock():
        ticks = itertools.count()
        return lambda: float(next(ticks))

    spec = recipe(epochs=2)
    whole, _ = fit(spec, folder=tmp_path / "whole", clock=clock())
    first, _ = fit(spec, folder=tmp_path / "stopped", clock=clock(), should_stop=stop_at(7))
    second, _ = fit(spec, folder=tmp_path / "stopped", clock=clock())
    assert 0 < first.train_time_s < second.train_time_s
    assert second.train_time_s == pytest.approx(whole.train_time_s, abs=2)
