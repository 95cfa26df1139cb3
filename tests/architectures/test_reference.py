"""Every network against its publication and against timm's twin; and that the proof can fail."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn

import architectures
from architectures import reference
from architectures.published import CASES, IMAGE_SIZES, ODD_SIZE

pytest.importorskip("timm")

LARGE = ("resnet101", "resnet152")
BY_LABEL = {case.label: case for case in CASES}
RESNET18 = dataclasses.replace(BY_LABEL["resnet18"], img_sizes=(ODD_SIZE,))


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=case.label, marks=[pytest.mark.slow] if case.name in LARGE else [])
        for case in CASES
    ],
)
def test_a_network_equals_its_publication_and_timm(case):
    assert list(reference.differences(case)) == []


@pytest.mark.parametrize("depth", [101, 152])
def test_keys_counts_and_stages_of_the_large_equal_timm(depth):
    """What the slow test above holds too, without computing: so that the default suite knows every ResNet."""
    case = BY_LABEL[f"resnet{depth}"]
    assert list(reference.count_differences(case)) == []
    assert list(reference.stage_differences(case)) == []
    with torch.device("meta"):
        ours = architectures.build(case.name, **case.shape)
        theirs = reference._twin(case)
    assert list(reference.key_differences(ours, theirs)) == []


def test_every_resnet_is_compared_at_224_160_and_an_odd_size_in_both_precisions():
    compared = {case.name: case.img_sizes for case in CASES if case.twin is not None and not case.options}
    assert compared == {f"resnet{depth}": IMAGE_SIZES for depth in (18, 34, 50, 101, 152)}
    assert IMAGE_SIZES == (224, 160, 97)
    assert {torch.float32: 1e-5, torch.float64: 1e-10} == reference.TOLERANCE


def test_every_builder_has_a_case():
    assert {case.name for case in CASES} == set(architectures.names())


@pytest.mark.parametrize("zero_init_last", [True, False])
def test_zero_init_starts_as_timms(zero_init_last):
    ours = architectures.build("resnet18", **RESNET18.shape, zero_init_last=zero_init_last)
    architectures.initialise(ours, 3)
    theirs = reference._twin(RESNET18, zero_init_last=zero_init_last)
    assert list(reference.moment_differences(ours, theirs)) == []


def test_drop_path_rates_rise_as_timms():
    ours = architectures.build("resnet18", **RESNET18.shape, drop_path_rate=0.3)
    theirs = reference._twin(RESNET18, drop_path_rate=0.3)
    rates = [
        getattr(block.drop_path, "rate", 0.0) for n in range(1, 5) for block in getattr(ours, f"layer{n}")
    ]
    timms = [
        getattr(block.drop_path, "drop_prob", 0.0)
        for n in range(1, 5)
        for block in getattr(theirs, f"layer{n}")
    ]
    assert rates == pytest.approx(timms)
    assert rates[-1] == 0.3


class TestTheProofFails:
    """Each difference that a careless network could have is found."""

    @pytest.fixture
    def twins(self):
        ours, theirs = reference.pair(RESNET18)
        reference.carry_over(ours, theirs, 64)
        return ours.double(), theirs.double()

    def test_not_for_equal_twins(self, twins):
        assert list(reference.logit_differences(*twins, 64)) == []
        assert list(reference.gradient_differences(*twins)) == []

    @pytest.mark.parametrize(
        "change",
        [
            lambda model: setattr(model.layer1[1].bn2, "eps", 1e-6),
            lambda model: setattr(model.layer3[0].conv1, "padding_mode", "circular"),
            lambda model: model.layer2[0].conv2.weight.data[0, 0, 0, 0].add_(1e-7),
            lambda model: setattr(model, "maxpool", nn.AvgPool2d(3, 2, 1)),
        ],
        ids=["epsilon", "padding", "one weight", "pooling"],
    )
    def test_for_other_arithmetic(self, twins, change):
        change(twins[0])
        found = list(reference.logit_differences(*twins, 64))
        assert any(words.startswith("logits at 64 px in float64, eval:") for words in found)
        assert any(words.startswith("logits at 64 px in float64, train:") for words in found)
        assert list(reference.gradient_differences(*twins))

    def test_for_another_momentum_of_the_statistics(self, twins):
        twins[0].bn1.momentum = 0.01
        found = list(reference.logit_differences(*twins, 64))
        assert [words.split(" at ")[0] for words in found] == ["bn1.running_mean", "bn1.running_var"]

    def test_for_gradients_that_are_cut(self, twins):
        twins[0].layer1.register_full_backward_hook(lambda _m, grads, _o: tuple(g * 0.5 for g in grads))
        found = list(reference.gradient_differences(*twins))
        assert found[0].startswith("gradient of conv1.weight: 5.0e-01 apart")

    def test_for_keys(self, twins):
        ours, theirs = twins
        ours.extra = nn.Linear(1, 1)
        del ours.bn1
        assert list(reference.key_differences(ours, theirs)) == [
            "5 keys missing, as bn1.bias",
            "2 keys unexpected, as extra.bias",
        ]

    def test_for_their_order(self, twins):
        ours, theirs = twins
        ours.conv1, conv1 = None, ours.conv1
        del ours.conv1
        ours.conv1 = conv1
        assert list(reference.key_differences(ours, theirs)) == ["keys in another order"]

    def test_for_shapes(self, twins):
        ours, theirs = twins
        ours.fc = nn.Linear(512, 3)
        assert next(reference.key_differences(ours, theirs)) == (
            "fc.weight has shape (3, 512), timm's (1000, 512)"
        )

    @pytest.mark.parametrize(
        ("change", "word"),
        [
            (lambda model: nn.init.kaiming_normal_(model.conv1.weight), "conv1.weight starts with deviation"),
            (lambda model: model.fc.weight.data.add_(0.01), "fc.weight starts with mean"),
            (
                lambda model: nn.init.zeros_(model.layer1[0].bn2.weight),
                "layer1.0.bn2.weight starts otherwise",
            ),
            (lambda model: model.bn1.running_var.fill_(2), "bn1.running_var starts otherwise"),
        ],
        ids=["fan-in", "mean", "zero gamma", "statistics"],
    )
    def test_for_another_initialisation(self, change, word):
        ours, theirs = reference.pair(RESNET18)
        with torch.no_grad():
            change(ours)
        found = list(reference.moment_differences(ours, theirs))
        assert any(words.startswith(word) for words in found), found

    @pytest.mark.parametrize(
        ("changes", "word"),
        [
            ({"n_params": 1}, "11,689,512 parameters, not 1"),
            ({"macs": 1}, "1,814,073,344 multiply-adds, not 1"),
            ({"gmacs": 1.8}, "1.814 GMACs, not 1.8"),
            ({"twin": "resnet34"}, "1,814,073,344 multiply-adds, timm's 3,663,761,408"),
        ],
    )
    def test_for_counts(self, changes, word):
        assert list(reference.count_differences(dataclasses.replace(RESNET18, **changes))) == [word]

    def test_for_the_shapes_and_strides_of_stages(self):
        case = dataclasses.replace(RESNET18, options={"stem": "cifar"}, img_sizes=(64,))
        found = list(reference.stage_differences(case))
        assert "stages at 64 px give [(1, 64, 64, 64)" in found[0]
        assert found[1] == "strides at 64 px are not [2, 4, 8, 16, 32]"
