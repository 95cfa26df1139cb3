"""Frozen stages keep every bit, cost no backward pass, and thaw when their epoch comes."""

from __future__ import annotations

import itertools
import sys
from collections import OrderedDict

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn

import architectures
from bench.data import TrainBatches
from bench.errors import UsageError
from bench.measure.network import count_trainable
from bench.study.specs import ExecutionSpec, FreezeSpec
from bench.train import checkpoint
from bench.train.freeze import Freezer, count_trainable_at_start, frozen_stages
from bench.train.step import Step
from bench.train.weights import copied, state_of, weights_digest

CPU = torch.device("cpu")
NAMES = ("stem", "layer1", "layer2", "layer3", "head")
OPTIMIZERS = {
    "momentum": {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.1},
    "adam": {"name": "adam", "lr": 0.01, "weight_decay": 0.1},
    "adamw": {"name": "adamw", "lr": 0.01, "weight_decay": 0.1, "decay": "weights"},
    "own": {"name": "torch.optim:RMSprop", "lr": 0.01, "weight_decay": 0.1},
}
EXECUTIONS = {
    "fused": ExecutionSpec(),
    "unfused": ExecutionSpec(fused=False),
    "bf16": ExecutionSpec(amp="bf16", channels_last=True),
    "fp16": ExecutionSpec(amp="fp16"),
}
FREEZES = {
    "prefix": (FreezeSpec(through="layer1"), {"stem", "layer1"}),
    "middle": (FreezeSpec(stages=("layer2",)), {"layer2"}),
    "all but head": (FreezeSpec(all_but=("head",)), {"stem", "layer1", "layer2", "layer3"}),
    "head": (FreezeSpec(stages=("head",)), {"head"}),
}


@pytest.fixture(scope="module")
def batch():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(16, 1, 8, 8, generator=generator), torch.arange(16) % 10


def of_stages(model, names):
    """The part of the state that belongs to the stages."""
    prefixes = [f"{prefix}." for name in names for prefix in architectures.stages(model)[name]]
    return {key: value for key, value in state_of(model).items() if key.startswith(tuple(prefixes))}


def changed(before, model):
    return {key for key, value in state_of(model).items() if not torch.equal(before[key], value)}


class TwoParts(nn.Module):
    """A network with layers that keep statistics of other kinds, whose stages are said by the test."""

    def __init__(self, stages=None) -> None:
        super().__init__()
        self.first = nn.utils.parametrizations.spectral_norm(nn.Linear(64, 8))
        self.norm = nn.InstanceNorm1d(1, affine=True, track_running_stats=True)
        self.last = nn.Linear(8, 10)
        self._stages = stages or {"stem": ("first", "norm"), "head": ("last",)}

    def stages(self):
        return OrderedDict(self._stages)

    def forward(self, x):
        return self.last(self.norm(self.first(x.flatten(1))[:, None])[:, 0])


@pytest.mark.parametrize(
    ("freeze", "epoch", "expected"),
    [
        (None, 1, ()),
        (FreezeSpec(through="stem"), 1, ("stem",)),
        (FreezeSpec(through="layer2"), 1, ("stem", "layer1", "layer2")),
        (FreezeSpec(stages=("layer3", "layer1")), 1, ("layer1", "layer3")),
        (FreezeSpec(all_but=("head",)), 1, NAMES[:-1]),
        ("transferred", 1, ("stem", "layer1")),
        (FreezeSpec(through="layer2", unfreeze={"layer2": 2, "layer1": 4}), 1, NAMES[:3]),
        (FreezeSpec(through="layer2", unfreeze={"layer2": 2, "layer1": 4}), 2, NAMES[:2]),
        (FreezeSpec(through="layer2", unfreeze={"layer2": 2, "layer1": 4}), 3, NAMES[:2]),
        (FreezeSpec(through="layer2", unfreeze={"layer2": 2, "layer1": 4}), 4, NAMES[:1]),
        (FreezeSpec(through="layer2", unfreeze={"layer2": 2, "layer1": 4}), sys.maxsize, NAMES[:1]),
    ],
)
def test_stages_are_frozen_by_name_and_epoch(recipe, freeze, epoch, expected):
    assert frozen_stages(recipe(freeze=freeze), "layer1", NAMES, epoch) == set(expected)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"freeze": FreezeSpec(through="layer9")}, r"train\.freeze\.through: 'layer9' is no stage of this n"),
        ({"freeze": FreezeSpec(stages=("stem", "hea"))}, r"freeze\.stages: 'hea' .* did you mean 'head'\?"),
        ({"freeze": FreezeSpec(all_but=("fc",))}, r"freeze\.all_but: 'fc' .* did you mean 'head'\?"),
        (
            {"freeze": FreezeSpec(through="stem", unfreeze={"layer1": 2})},
            r"freeze\.unfreeze: 'layer1' is not frozen; one of stem",
        ),
        ({"freeze": FreezeSpec(stages=("qqq",))}, r"one of stem, layer1, layer2, layer3, head"),
        ({"freeze": "transferred"}, r"transferred needs weights\.through"),
        ({"stage_lr": {"layer7": 0.1}}, r"train\.stage_lr: 'layer7' is no stage"),
    ],
)
def test_a_wrong_stage_is_refused_by_name(network, recipe, fields, message):
    with pytest.raises(UsageError, match=message):
        Freezer(network(), recipe(**fields))


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ({"stem": ("first",), "head": ("last",)}, "norm.weight belongs to no stage"),
        ({"stem": ("first", "norm"), "head": ("last",)}, "tied.* is shared by stages stem and head"),
    ],
)
def test_stages_that_do_not_part_the_parameters_are_refused(recipe, stages, message):
    model = TwoParts(stages)
    if "tied" in message:
        model._stages["head"] = ("last", "tied")
        model.tied = model.norm
    with pytest.raises(UsageError, match=message):
        Freezer(model, recipe(freeze=FreezeSpec(through="stem")))
    Freezer(model, recipe())


def test_a_network_without_stages_cannot_be_frozen(recipe):
    with pytest.raises(UsageError, match=r"train\.freeze: Flatten has neither a linear layer nor"):
        Freezer(nn.Flatten(), recipe(freeze=FreezeSpec(through="stem")))


@pytest.mark.parametrize(
    ("execution", "freeze"),
    [("fused", freeze) for freeze in FREEZES] + [(name, "prefix") for name in EXECUTIONS if name != "fused"],
)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_run_changes_no_bit_of_a_frozen_stage_and_all_of_the_others(
    fit, network, recipe, optimizer, execution, freeze
):
    spec, frozen = FREEZES[freeze]
    model = network()
    before = copied(state_of(model))
    recipe = recipe(OPTIMIZERS[optimizer], epochs=1, freeze=spec, clip_grad_norm=1.0)
    fit(recipe, model=model, execution=EXECUTIONS[execution])
    assert changed(before, model) == set(before) - set(of_stages(model, frozen))


@pytest.mark.parametrize("bad_step", [None, 2])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_gate_on_the_device_changes_no_bit_of_a_frozen_stage(network, recipe, batch, optimizer, bad_step):
    spec, frozen = FREEZES["prefix"]
    model = network()
    before = copied(state_of(model))
    step = Step(model, recipe(OPTIMIZERS[optimizer], freeze=spec), ExecutionSpec(), CPU, gate_on_device=True)
    for index in range(4):
        step(batch[0] * torch.inf if index == bad_step else batch[0], batch[1], 0.01)
    assert changed(before, model) == set(before) - set(of_stages(model, frozen))


def test_every_layer_that_keeps_statistics_stays_as_it_was(fit, recipe):
    model = TwoParts()
    before = copied(state_of(model))
    fit(recipe(epochs=1, freeze=FreezeSpec(through="stem")), model=model)
    assert changed(before, model) == {"last.weight", "last.bias"}
    fit(recipe(epochs=1), model=(live := TwoParts()))
    assert {"norm.running_mean", "first.parametrizations.weight.0._u"} <= changed(before, live)


def test_a_frozen_batch_norm_normalises_by_what_it_has_seen_before(network, recipe, batch):
    model = network()
    Step(model, recipe(freeze=FreezeSpec(through="layer1")), ExecutionSpec(), CPU)(*batch, 0.0)
    modes = {name: module.training for name, module in model.named_modules() if "bn" in name}
    assert {name for name, training in modes.items() if not training} == {
        "bn1",
        "layer1.0.bn1",
        "layer1.0.bn2",
    }


@pytest.mark.parametrize(
    ("freeze", "without"), [("prefix", {"stem", "layer1"}), ("middle", set()), ("all but head", {*NAMES[:4]})]
)
def test_the_backward_pass_does_not_enter_a_frozen_prefix(network, recipe, batch, freeze, without):
    spec, frozen = FREEZES[freeze]
    model = network()
    outputs = {}
    stages = architectures.stages(model)
    for name in NAMES:
        last = model.get_submodule(stages[name][-1])
        last.register_forward_hook(lambda _m, _x, y, name=name: outputs.update({name: y.requires_grad}))
    step = Step(model, recipe(freeze=spec), ExecutionSpec(), CPU)
    step(*batch, 0.01)
    assert {name for name, recorded in outputs.items() if not recorded} == without
    for name in NAMES:
        grads = [
            model.get_parameter(key).grad
            for key in of_stages(model, {name})
            if key in dict(model.named_parameters())
        ]
        assert all((grad is None) is (name in frozen) for grad in grads)


def test_gradual_unfreezing_equals_the_hand_written_loop(fit, network, digits, recipe):
    spec = recipe(
        {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.01},
        epochs=3,
        freeze=FreezeSpec(through="layer2", unfreeze={"layer2": 2, "layer1": 3}),
        stage_lr={"layer2": 0.3, "head": 3.0},
    )
    _, ours = fit(spec, execution=ExecutionSpec(fused=False))
    bare = network()
    groups = [
        {"params": [*bare.layer1.parameters(), *bare.layer3.parameters()]},
        {"params": list(bare.layer2.parameters()), "lr": 0.05 * 0.3},
        {"params": list(bare.fc.parameters()), "lr": 0.05 * 3.0},
    ]
    optimizer = torch.optim.SGD(groups, lr=0.05, momentum=0.9, weight_decay=0.01)
    batches = TrainBatches(digits.train, batch_size=32, augment=(), key=1)
    waiting = {0: (bare.layer1, bare.layer2), 1: (bare.layer1,), 2: ()}
    for epoch in range(3):
        bare.train().requires_grad_(True)
        for frozen in (bare.conv1, bare.bn1, *waiting[epoch]):
            frozen.eval().requires_grad_(False)
        for images, labels in batches.epoch(epoch):
            optimizer.zero_grad()
            F.cross_entropy(bare(images), labels).backward()
            optimizer.step()
    assert weights_digest(ours) == weights_digest(bare)


def test_each_stage_begins_to_change_in_its_epoch(fit, network, recipe):
    model = network()
    seen = [copied(state_of(model))]
    spec = recipe(epochs=3, freeze=FreezeSpec(all_but=("head",), unfreeze={"layer3": 2, "stem": 3}))
    fit(spec, model=model, on_epoch=lambda _row: seen.append(copied(state_of(model))))
    moved = []
    for before, after in itertools.pairwise(seen):
        keys = {key for key in before if not torch.equal(before[key], after[key])}
        moved.append({name for name in NAMES if keys & set(of_stages(model, {name}))})
    assert moved == [{"head"}, {"head", "layer3"}, {"head", "layer3", "stem"}]


@pytest.mark.parametrize("on_device", [False, True], ids=["host", "device"])
def test_a_users_optimiser_that_decays_without_gradients_cannot_reach_what_waits(
    network, recipe, batch, on_device, tmp_path, monkeypatch
):
    (tmp_path / "my_shrinking.py").write_text(
        "import torch\n"
        "class Shrink(torch.optim.Optimizer):\n"
        "    def __init__(self, groups, lr):\n"
        "        super().__init__(groups, dict(lr=lr))\n"
        "    @torch.no_grad()\n"
        "    def step(self, closure=None):\n"
        "        for group in self.param_groups:\n"
        "            for parameter in group['params']:\n"
        "                parameter.mul_(0.9)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    model = network()
    before = copied(state_of(model))
    freeze = FreezeSpec(through="layer1", unfreeze={"layer1": 2})
    spec = recipe({"name": "my_shrinking:Shrink"}, freeze=freeze)
    step = Step(model, spec, ExecutionSpec(), CPU, gate_on_device=on_device)
    for _ in range(2):
        step(*batch, 0.01)
    assert not changed(before, model) & set(of_stages(model, {"stem", "layer1"}))
    assert step.start_epoch(2)
    step(*batch, 0.01)
    assert "layer1.0.conv1.weight" in changed(before, model)
    assert not changed(before, model) & set(of_stages(model, {"stem"}))


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_everything_may_be_frozen_until_its_epoch_comes(fit, network, recipe, execution):
    model = network()
    before = copied(state_of(model))
    spec = recipe(epochs=2, freeze=FreezeSpec(through="head", unfreeze={"head": 2}), clip_grad_norm=1.0)
    result, _ = fit(spec, model=model, execution=EXECUTIONS[execution])
    assert result.outcome == "finished"
    assert changed(before, model) == {"fc.weight", "fc.bias"}


def test_a_stages_rate_multiplies_the_schedules_and_the_users_own(
    network, recipe, batch, tmp_path, monkeypatch
):
    (tmp_path / "my_halving.py").write_text(
        "import torch\n"
        "def make(groups, lr):\n"
        "    halved = [dict(group, lr=group.get('lr', lr) / 2) for group in groups]\n"
        "    return torch.optim.SGD(halved, lr=lr)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    for optimizer, factor in (({"lr": 0.3}, 1.0), ({"lr": 0.3, "name": "my_halving:make"}, 0.5)):
        step = Step(network(), recipe(optimizer, stage_lr={"stem": 0.1, "head": 7.0}), ExecutionSpec(), CPU)
        step(*batch, 0.2)
        rates = [group["lr"] for group in step.optimizer.param_groups]
        assert rates == [0.2 * 0.1 * factor, 0.2 * factor, 0.2 * 7.0 * factor]


@pytest.mark.parametrize("schedule", ["constant", "cosine", "onecycle", "plateau"])
@pytest.mark.parametrize("freeze", [None, FreezeSpec(through="head"), FreezeSpec(all_but=("head",))])
def test_a_budget_of_no_epochs_writes_the_weights_as_they_are(
    fit, network, recipe, tmp_path, schedule, freeze
):
    spec = recipe(epochs=0, freeze=freeze, schedule={"name": schedule}, select="best_val")
    result, model = fit(spec)
    assert (result.outcome, result.steps, result.epochs, result.warnings) == ("finished", 0, (), ())
    assert weights_digest(model) == weights_digest(network())
    for name in (checkpoint.LAST, checkpoint.BEST):
        written = load_file(tmp_path / name)
        assert all(torch.equal(written[key], value) for key, value in state_of(network()).items())


def test_parameters_that_a_network_holds_frozen_itself_stay_so(fit, network, recipe):
    model = network()
    model.layer2.requires_grad_(False)
    before = copied(state_of(model))
    fit(recipe(freeze=FreezeSpec(through="layer2", unfreeze={"layer2": 2})), model=model)
    moved = changed(before, model)
    assert "layer2.0.conv1.weight" not in moved
    assert "layer2.0.bn1.running_mean" in moved
    assert "layer3.0.conv1.weight" in moved


@pytest.mark.parametrize(
    ("freeze", "expected"),
    [
        (None, 75_002),
        (FreezeSpec(through="stem"), 75_002 - 176),
        (FreezeSpec(all_but=("head",)), 650),
        (FreezeSpec(all_but=("head",), unfreeze={"layer1": 2}), 650),
        (FreezeSpec(through="head"), 0),
    ],
)
def test_the_trainable_count_is_that_of_the_start_before_and_after_training(
    fit, network, recipe, freeze, expected
):
    model, spec = network(), recipe(freeze=freeze)
    n_before = count_trainable_at_start(model, spec)
    fit(spec, model=model)
    assert (n_before, count_trainable_at_start(model, spec)) == (expected, expected)


@pytest.mark.parametrize(
    ("through", "expected"),
    [
        (None, 11_181_642),
        ("stem", 11_172_106),
        ("layer1", 11_024_138),
        ("layer2", 10_498_570),
        ("layer3", 8_398_858),
        ("layer4", 5_130),
    ],
)
def test_resnet18_has_the_published_counts_of_trainable_parameters(recipe, through, expected):
    """ResNet-18 for 10 classes, less its stem (9,536), layer1 (147,968), layer2 (525,568) and so on."""
    with torch.device("meta"):
        model = architectures.build("resnet18", num_classes=10, in_chans=3, img_size=224)
    freeze = FreezeSpec(through=through) if through else None
    assert count_trainable_at_start(model, recipe(freeze=freeze)) == expected
    assert count_trainable_at_start(model, recipe(freeze=through and "transferred"), through) == expected
    Freezer(model, recipe(freeze=freeze))
    assert count_trainable(model) == expected
