"""Optimisers: groups, options, and the user's own."""

from __future__ import annotations

import pytest
import torch

from bench.errors import UsageError
from bench.study.specs import OptimizerSpec
from bench.train.optim import build_optimizer

CPU = torch.device("cpu")


def build(model, *, fused=True, lr_scales=None, **fields):
    spec = OptimizerSpec(lr=0.1, **fields)
    return build_optimizer(list(model.parameters()), spec, fused=fused, device=CPU, lr_scales=lr_scales)


@pytest.mark.parametrize(
    ("fields", "kind", "expected"),
    [
        ({"momentum": 0.9, "nesterov": True}, torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
        ({"name": "adam"}, torch.optim.Adam, {"betas": (0.9, 0.999), "eps": 1e-8}),
        (
            {"name": "adamw", "betas": (0.8, 0.9), "eps": 1e-4, "weight_decay": 0.1},
            torch.optim.AdamW,
            {"betas": (0.8, 0.9), "eps": 1e-4, "weight_decay": 0.1},
        ),
    ],
    ids=["sgd", "adam", "adamw"],
)
@pytest.mark.parametrize("fused", [True, False])
def test_options_reach_the_optimiser(network, fields, kind, expected, fused):
    optimizer = build(network(), fused=fused, **fields)
    assert type(optimizer) is kind
    assert len(optimizer.param_groups) == 1
    group = optimizer.param_groups[0]
    assert {key: group[key] for key in expected} == expected
    assert bool(group["fused"]) is fused


def test_decay_of_weights_spares_norms_and_biases(network):
    model = network()
    decaying, spared = build(model, weight_decay=0.01, decay="weights").param_groups
    assert decaying["weight_decay"] == 0.01
    assert {parameter.ndim for parameter in decaying["params"]} == {2, 4}
    assert spared["weight_decay"] == 0
    assert {parameter.ndim for parameter in spared["params"]} == {1}
    n_parameters = len(decaying["params"]) + len(spared["params"])
    assert n_parameters == len(list(model.parameters()))


def test_rates_by_stage_are_groups_of_their_own_beside_those_of_decay(network):
    model = network()
    scales = dict.fromkeys(model.layer1.parameters(), 0.1) | {model.fc.weight: 10.0, model.fc.bias: 10.0}
    groups = build(model, lr_scales=scales, weight_decay=0.01, decay="weights").param_groups
    found = [(group["lr"], group["weight_decay"], len(group["params"])) for group in groups]
    rate = 0.1
    assert found == [
        (rate, 0.01, 5),
        (rate, 0.0, 10),
        (rate * 0.1, 0.01, 2),
        (rate * 0.1, 0.0, 4),
        (rate * 10, 0.01, 1),
        (rate * 10, 0.0, 1),
    ]


def test_an_optimiser_may_hold_nothing(network):
    for decay in ("all", "weights"):
        optimizer = build_optimizer([], OptimizerSpec(lr=0.1, decay=decay), fused=True, device=CPU)
        optimizer.step()
        assert [group["params"] for group in optimizer.param_groups] == [[]]


def test_a_users_callable_gets_groups_rate_and_options(network):
    optimizer = build(
        network(),
        name="torch.optim:RMSprop",
        weight_decay=0.01,
        decay="weights",
        options={"alpha": 0.5},
    )
    assert type(optimizer) is torch.optim.RMSprop
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.01, 0.0]
    assert optimizer.param_groups[0]["alpha"] == 0.5
    assert optimizer.param_groups[0]["lr"] == 0.1


def test_a_users_callable_keeps_its_own_weight_decay_unless_the_study_sets_one(network):
    optimizer = build(network(), name="torch.optim:AdamW")
    assert optimizer.param_groups[0]["weight_decay"] == 0.01  # torch's default


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_module:thing", "cannot be imported: No module named"),
        ("torch.optim:Nope", "cannot be imported: .*Nope"),
    ],
)
def test_a_callable_that_cannot_be_imported_is_refused(network, name, message):
    with pytest.raises(UsageError, match=message):
        build(network(), name=name)


def test_a_callable_that_returns_no_optimiser_is_refused(network, tmp_path, monkeypatch):
    (tmp_path / "my_wrong_recipe.py").write_text("def make(groups, lr):\n    return dict(lr=lr)\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UsageError, match="returned dict, not a torch Optimizer"):
        build(network(), name="my_wrong_recipe:make")
