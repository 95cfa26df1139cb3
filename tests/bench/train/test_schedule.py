"""Learning rates against torch's own schedulers."""

from __future__ import annotations

import math

import pytest
import torch
from torch.optim import lr_scheduler as torchs

from bench.train.schedule import Schedule

STEPS_PER_EPOCH, EPOCHS = 7, 12
TOTAL = STEPS_PER_EPOCH * EPOCHS


def rates_of_torch(make, n: int = TOTAL, lr: float = 0.1) -> list[float]:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr, momentum=0.9)
    scheduler = make(optimizer)
    rates = []
    for _ in range(n):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def rates(recipe, schedule, *, steps_per_epoch=STEPS_PER_EPOCH, **budget) -> list[float]:
    spec = recipe({"lr": 0.1, "momentum": 0.9}, schedule, **(budget or {"epochs": EPOCHS}))
    mine = Schedule(spec, steps_per_epoch)
    return [mine.lr(step) for step in range(mine.total_steps)]


@pytest.mark.parametrize(
    ("schedule", "make"),
    [
        ({"name": "constant"}, lambda o: torchs.ConstantLR(o, factor=1.0)),
        ({"name": "step", "every": 10, "gamma": 0.5}, lambda o: torchs.StepLR(o, 10, 0.5)),
        ({"name": "multistep", "milestones": [5, 40]}, lambda o: torchs.MultiStepLR(o, [5, 40])),
        ({"name": "cosine"}, lambda o: torchs.CosineAnnealingLR(o, TOTAL)),
        ({"name": "cosine", "min_lr": 0.01}, lambda o: torchs.CosineAnnealingLR(o, TOTAL, 0.01)),
        ({"name": "onecycle"}, lambda o: torchs.OneCycleLR(o, 0.1, TOTAL, cycle_momentum=False)),
        (
            {"name": "onecycle", "pct_start": 0.15, "div_factor": 5.0, "final_div_factor": 100.0},
            lambda o: torchs.OneCycleLR(
                o, 0.1, TOTAL, pct_start=0.15, div_factor=5.0, final_div_factor=100.0, cycle_momentum=False
            ),
        ),
        (
            {"name": "constant", "warmup_steps": 20, "warmup_lr": 0.02},
            lambda o: torchs.LinearLR(o, start_factor=0.2, total_iters=20),
        ),
        (
            {"name": "constant", "warmup_steps": 20, "warmup_lr": 0.01, "warmup_shape": "constant"},
            lambda o: torchs.ConstantLR(o, factor=0.1, total_iters=20),
        ),
    ],
    ids=lambda value: " ".join(map(str, value.values())) if isinstance(value, dict) else "",
)
def test_rates_equal_those_of_torch_at_every_step(recipe, schedule, make):
    assert rates(recipe, schedule, steps=TOTAL) == pytest.approx(rates_of_torch(make), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("total", [1, 2, 3, 10])
def test_one_cycle_is_defined_for_budgets_at_which_torchs_divides_by_zero(recipe, total):
    found = rates(recipe, {"name": "onecycle", "pct_start": 0.1}, steps=total)
    assert all(0 < rate <= 0.1 + 1e-12 for rate in found)
    assert found[-1] == pytest.approx(0.1 / 25 / 1e4)


def test_cycled_momentum_equals_torchs(recipe):
    spec = recipe({"lr": 0.1, "momentum": 0.9}, {"name": "onecycle", "cycle_momentum": True}, epochs=EPOCHS)
    mine = Schedule(spec, STEPS_PER_EPOCH)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1, momentum=0.9)
    scheduler = torchs.OneCycleLR(optimizer, 0.1, TOTAL)
    for step in range(TOTAL):
        assert mine.momentum(step) == pytest.approx(optimizer.param_groups[0]["momentum"], rel=1e-9)
        optimizer.step()
        scheduler.step()


def test_one_cycle_leaves_momentum_alone_unless_told(recipe):
    spec = recipe({"lr": 0.1, "momentum": 0.9}, {"name": "onecycle"}, epochs=EPOCHS)
    assert Schedule(spec, STEPS_PER_EPOCH).momentum(3) is None


def test_milestones_count_in_the_unit_of_the_budget(recipe):
    in_epochs = rates(recipe, {"name": "multistep", "milestones": [2, 5]})
    in_steps = rates(
        recipe,
        {"name": "multistep", "milestones": [2 * STEPS_PER_EPOCH, 5 * STEPS_PER_EPOCH]},
        steps=TOTAL,
    )
    assert in_epochs == in_steps
    assert in_epochs[2 * STEPS_PER_EPOCH - 1 : 2 * STEPS_PER_EPOCH + 1] == pytest.approx([0.1, 0.01])


def test_warm_up_lies_over_the_schedule_whose_milestones_count_from_step_zero(recipe):
    plain = rates(recipe, {"name": "multistep", "milestones": [3, 6]})
    warmed = rates(recipe, {"name": "multistep", "milestones": [3, 6], "warmup_epochs": 2})
    assert warmed[2 * STEPS_PER_EPOCH :] == plain[2 * STEPS_PER_EPOCH :]
    assert warmed[0] == 0
    assert warmed[STEPS_PER_EPOCH] == pytest.approx(0.05)


@pytest.mark.parametrize("min_lr", [None, 0.03])
def test_plateau_falls_when_torchs_does(recipe, min_lr):
    losses = [1.0, 0.9, 0.9, 0.89999, 0.95, math.nan, 0.5, 0.6, 0.6, 0.6, 0.6, 0.6, 0.7, 0.8, 0.9]
    spec = recipe(
        {"lr": 0.1},
        {"name": "plateau", "gamma": 0.5, "patience_epochs": 2, "min_lr": min_lr},
        epochs=len(losses),
    )
    mine = Schedule(spec, STEPS_PER_EPOCH)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    theirs = torchs.ReduceLROnPlateau(optimizer, factor=0.5, patience=2, min_lr=min_lr or 0)
    for epoch, loss in enumerate(losses, start=1):
        mine.observe(loss, epoch)
        theirs.step(loss)
        assert mine.lr(0) == optimizer.param_groups[0]["lr"], epoch
    assert mine.lr(0) < 0.1


def test_plateau_counts_epochs_when_evaluations_are_rare(recipe):
    spec = recipe({"lr": 0.1}, {"name": "plateau", "patience_epochs": 3}, epochs=20)
    mine = Schedule(spec, STEPS_PER_EPOCH)
    mine.observe(1.0, 5)
    assert mine.lr(0) == 0.1
    mine.observe(1.0, 10)
    assert mine.lr(0) == pytest.approx(0.01)
