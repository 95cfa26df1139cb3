# ruff: noqa: E501 - the expected lines stand whole, as a user sees them
"""Frozen stages and rates by stage: what a study may say of them, and how what it may not is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import architectures
from bench.data import catalogue
from bench.study.check import check_arms
from bench.study.faults import StudyError
from bench.study.freezing import frozen_stages
from bench.study.model import Study
from bench.study.specs import BaseSpec, TrainSpec
from bench.study.trainable import trainable_parameters

Load = Callable[..., Study]
Text = Callable[..., str]
Lines = Callable[..., list[str]]

ALONE = (("design:\n", ""), ("GRID", ""), ("BASELINE", ""))
STAGES = "stem, layer1, layer2, layer3, head"
OURS = "name: cifar_resnet, depth: 20, residual: true"


def freezing(study_text: Text, line: str, *edits: tuple[str, str]) -> str:
    return study_text(("    select: last\n", f"    select: last\n    {line}\n"), *edits, *ALONE)


RIGHT = [
    pytest.param("freeze: {through: stem}", (), id="through"),
    pytest.param("freeze: {through: null}", (), id="through nothing"),
    pytest.param("freeze: {stages: layer2}", (), id="one stage"),
    pytest.param("freeze: {stages: [layer1, layer3]}", (), id="stages"),
    pytest.param("freeze: {all_but: head}", (), id="all but"),
    pytest.param("freeze: {all_but: [stem, head]}", (), id="all but two"),
    pytest.param("freeze: {through: layer2, unfreeze: {layer2: 2, stem: 10}}", (), id="unfreeze"),
    pytest.param("freeze: {through: head, unfreeze: {head: 1}}", (), id="all, but one from the start"),
    pytest.param("freeze: {through: head}", (("epochs: 10", "epochs: 0"),), id="all, without training"),
    pytest.param(
        "freeze: {through: stem, unfreeze: {stem: 10}}",
        (("epochs: 10", "steps: 100"),),
        id="tenth begun epoch",
    ),
    pytest.param("stage_lr: {stem: 0.1, head: 10}", (), id="rates"),
    pytest.param(
        "freeze: {stages: [blocks, whatever], unfreeze: {blocks: 3}}",
        ((OURS, "name: 'timm:resnet18', some_option: [1, 2]"),),
        id="stages that only torch knows",
    ),
]


@pytest.mark.parametrize(("line", "edits"), RIGHT)
def test_a_right_freezing_is_taken(
    study_text: Text, load: Load, line: str, edits: tuple[tuple[str, str], ...]
) -> None:
    assert len(load(freezing(study_text, line, *edits)).arms) == 1


WRONG = [
    pytest.param(
        "freeze: {through: layer9}",
        (),
        [f"15:23: base.train.freeze.through: 'layer9' is no stage of cifar_resnet; one of {STAGES}"],
        id="no such stage",
    ),
    pytest.param(
        "freeze: {through: fc}",
        (),
        ["15:23: base.train.freeze.through: 'fc' is no stage of cifar_resnet; did you mean 'head'?"],
        id="a module for its stage",
    ),
    pytest.param(
        "freeze: {stages: [stem, layr2, fc]}",
        (),
        [
            "15:29: base.train.freeze.stages[1]: 'layr2' is no stage of cifar_resnet; did you mean 'layer2'?",
            "15:36: base.train.freeze.stages[2]: 'fc' is no stage of cifar_resnet; did you mean 'head'?",
        ],
        id="among several",
    ),
    pytest.param(
        "freeze: {all_but: heads}",
        (),
        ["15:23: base.train.freeze.all_but: 'heads' is no stage of cifar_resnet; did you mean 'head'?"],
        id="one alone",
    ),
    pytest.param(
        "freeze: {through: head}",
        (),
        [
            "15:23: base.train.freeze.through: 'head' freezes every stage of cifar_resnet: nothing trains; epochs: 0 evaluates"
        ],
        id="through all",
    ),
    pytest.param(
        f"freeze: {{stages: [{STAGES}]}}",
        (),
        [
            "15:22: base.train.freeze.stages: freezes every stage of cifar_resnet: nothing trains; epochs: 0 evaluates"
        ],
        id="all stages",
    ),
    pytest.param(
        "freeze: {through: head}",
        ((OURS, "name: 'timm:resnet18'"),),
        [
            "15:23: base.train.freeze.through: 'head' freezes every stage of timm:resnet18: nothing trains; epochs: 0 evaluates"
        ],
        id="through all of a provided network",
    ),
    pytest.param(
        "freeze: {through: head, unfreeze: {head: 3, stem: 5}}",
        (),
        [
            "15:23: base.train.freeze.through: 'head' freezes every stage of cifar_resnet: nothing trains before epoch 3"
        ],
        id="all at first",
    ),
    pytest.param(
        "freeze: {through: layer2, unfreeze: {layr1: 2}}",
        (),
        [
            "15:42: base.train.freeze.unfreeze.layr1: is no stage of cifar_resnet; did you mean 'layer1'?",
        ],
        id="unfreeze no stage",
    ),
    pytest.param(
        "freeze: {through: layer1, unfreeze: {layer3: 2, layer1: 11, stem: 10}}",
        (),
        [
            "15:42: base.train.freeze.unfreeze.layer3: is not frozen; frozen are stem, layer1",
            "15:61: base.train.freeze.unfreeze.layer1: 11 is after the last epoch, 10",
        ],
        id="unfreeze in vain",
    ),
    pytest.param(
        "freeze: {through: layer1, unfreeze: {layer1: 11}}",
        (("epochs: 10", "steps: 100"),),
        ["15:50: base.train.freeze.unfreeze.layer1: 11 is after the last epoch, 10"],
        id="unfreeze after the last step",
    ),
    pytest.param(
        "freeze: {through: layer2, unfreeze: {layer2: 0}}",
        (),
        ["15:50: base.train.freeze.unfreeze.layer2: 0 is not above 0"],
        id="unfreeze before the start",
    ),
    pytest.param(
        "freeze: {}",
        (),
        ["15:5: base.train.freeze: give one of through, stages and all_but"],
        id="none of three",
    ),
    pytest.param(
        "freeze: {through: stem, stages: [stem]}",
        (),
        ["15:5: base.train.freeze: give one of through, stages and all_but"],
        id="two of three",
    ),
    pytest.param(
        "freeze: {unfreeze: {stem: 2}}",
        (),
        ["15:5: base.train.freeze: give one of through, stages and all_but"],
        id="unfreeze alone",
    ),
    pytest.param(
        "freeze: {trough: stem}",
        (),
        [
            "15:14: base.train.freeze.trough: unknown key; did you mean 'through'?",
        ],
        id="unknown key",
    ),
    pytest.param(
        "freeze: transfered",
        (),
        ["15:13: base.train.freeze: 'transfered' is not allowed; did you mean 'transferred'?"],
        id="a word misspelt",
    ),
    pytest.param(
        "freeze: transferred",
        (),
        ["15:13: base.train.freeze: 'transferred' needs weights.through"],
        id="nothing transferred",
    ),
    pytest.param(
        "stage_lr: {stem: 0.1, layr1: 0.1}",
        (),
        ["15:27: base.train.stage_lr.layr1: is no stage of cifar_resnet; did you mean 'layer1'?"],
        id="rate of no stage",
    ),
    pytest.param(
        "stage_lr: {stem: 0}",
        (),
        ["15:22: base.train.stage_lr.stem: 0 is not above 0"],
        id="rate of zero",
    ),
]


@pytest.mark.parametrize(("line", "edits", "expected"), WRONG)
def test_a_wrong_freezing_is_told_at_its_place(
    study_text: Text, lines: Lines, line: str, edits: tuple[tuple[str, str], ...], expected: list[str]
) -> None:
    told = lines(freezing(study_text, line, *edits))
    assert [one.removeprefix("s.yaml:") for one in told] == expected


def test_a_prefix_is_a_factor_from_none_to_all_but_the_head(
    study_text: Text, load: Load, lines: Lines
) -> None:
    grid = "  grid: {train.freeze.through: [null, stem, layer1, layer3]}\n"
    baseline = ("BASELINE", "baseline: {train.freeze.through: null}\n")
    study = load(study_text(("GRID", grid), baseline))
    assert [arm.levels["train.freeze.through"] for arm in study.arms] == [None, "stem", "layer1", "layer3"]
    assert study.arms[0].config.train.freeze is None
    assert lines(study_text(("GRID", grid.replace("layer3", "layer4")), baseline)) == [
        f"s.yaml:17:53: design.grid.train.freeze.through[3]: 'layer4' is no stage of cifar_resnet; one of {STAGES}"
    ]


def test_a_stage_that_one_network_lacks_is_told_of_that_network(study_text: Text, lines: Lines) -> None:
    arms = "  arms: {a: {model: {name: cifar_resnet20}}, b: {model: {name: resnet18}}}\n"
    freeze = ("    select: last\n", "    select: last\n    freeze: {through: layer4}\n")
    assert lines(study_text(("GRID", arms), ("BASELINE", ""), freeze)) == [
        "s.yaml:18:14: design.arms.a.model: base.train.freeze.through: 'layer4' is no stage of cifar_resnet20; one of stem, layer1, layer2, layer3, head"
    ]


def test_a_key_below_a_word_is_told_to_have_no_effect(study_text: Text, lines: Lines) -> None:
    """It was left out without a word, and the arm ran as if the study had not asked."""
    grid = "  grid: {data.normalize.mean: [{label: a, value: [0.5]}]}\n"
    assert lines(study_text(("GRID", grid), ("BASELINE", ""), ("val: 0", "val: 0, normalize: none"))) == [
        "s.yaml:17:43: design.grid.data.normalize.mean[0].value: has no effect: data.normalize is 'none', which holds no keys"
    ]


def test_epochs_are_counted_on_the_users_own_images(shared_data: Path, study_text: Text, load: Load) -> None:
    """2,000 steps of 128 of 50,000 images are six epochs, the last one begun."""
    own = ("name: digits", "name: parquet, path: cifar10-jpeg, image: img")
    steps = ("epochs: 10", "steps: 2000")

    def study(epoch: int) -> Study:
        return load(
            freezing(study_text, f"freeze: {{through: stem, unfreeze: {{stem: {epoch}}}}}", own, steps)
        )

    check_arms(study(6), shared_data)
    with pytest.raises(StudyError) as refusal:
        check_arms(study(7), shared_data)
    assert refusal.value.lines == (
        "s.yaml:15:46: base.train.freeze.unfreeze.stem: 7 is after the last epoch, 6",
    )


NAMES = ("stem", "layer1", "layer2", "head")


@pytest.mark.parametrize(
    ("freeze", "epoch", "frozen"),
    [
        (None, 1, set()),
        ({"through": "layer1"}, 1, {"stem", "layer1"}),
        ({"stages": ["layer2"]}, 1, {"layer2"}),
        ({"all_but": "head"}, 1, {"stem", "layer1", "layer2"}),
        ("transferred", 1, {"stem", "layer1", "layer2"}),
        ({"through": "layer1", "unfreeze": {"layer1": 3}}, 2, {"stem", "layer1"}),
        ({"through": "layer1", "unfreeze": {"layer1": 3}}, 3, {"stem"}),
    ],
)
def test_frozen_stages_of_an_epoch(freeze: object, epoch: int, frozen: set[str]) -> None:
    train = TrainSpec.model_validate({"epochs": 5, "optimizer": {"lr": 0.1}, "freeze": freeze})
    assert frozen_stages(train, "layer2", NAMES, epoch) == frozen


def config(model: dict[str, object], freeze: object = None, **sections: object) -> BaseSpec:
    train = {"epochs": 1, "optimizer": {"lr": 0.1}, "freeze": freeze}
    return BaseSpec.model_validate({"data": {"name": "cifar10"}, "model": model, "train": train, **sections})


@pytest.mark.parametrize(
    ("freeze", "n_trainable"),
    [
        (None, 11_181_642),
        ({"through": "stem"}, 11_172_106),
        ({"through": "layer1"}, 11_024_138),
        ({"through": "layer2"}, 10_498_570),
        ({"through": "layer3"}, 8_398_858),
        ({"through": "layer4"}, 5_130),
        ({"all_but": "head"}, 5_130),
        ({"all_but": "head", "unfreeze": {"layer4": 1}}, 8_398_858),
        ({"all_but": "head", "unfreeze": {"layer4": 2}}, 5_130),
    ],
)
def test_trainable_parameters_of_resnet18_are_those_of_its_parts(freeze: object, n_trainable: int) -> None:
    """He et al. (2016), table 1, with ten classes: sums of the parts 9,536, 147,968, 525,568, 2,099,712,
    8,393,728 and 5,130.
    """
    arm = config({"name": "resnet18"}, freeze)
    assert trainable_parameters(arm, catalogue.facts(arm.data, Path())) == n_trainable


def test_trainable_parameters_follow_what_was_transferred() -> None:
    arm = config({"name": "resnet18"}, "transferred", weights={"from": "random", "through": "layer4"})
    assert trainable_parameters(arm, catalogue.facts(arm.data, Path())) == 5_130


def test_trainable_parameters_are_unknown_without_facts_or_for_provided_networks() -> None:
    assert trainable_parameters(config({"name": "resnet18"}), None) is None
    provided = config({"name": "timm:resnet18"})
    assert architectures.is_external(provided.model.name)
    assert trainable_parameters(provided, catalogue.facts(provided.data, Path())) is None


@pytest.mark.parametrize("epoch", [1, 2, 3])
@pytest.mark.parametrize(
    "freeze",
    [
        None,
        "transferred",
        {"through": "layer1", "unfreeze": {"layer1": 2, "stem": 3}},
        {"stages": ["stem", "head"]},
        {"all_but": ["layer2"]},
    ],
)
def test_what_is_planned_as_frozen_is_what_training_freezes(freeze: object, epoch: int) -> None:
    from bench.train.freeze import frozen_stages as frozen_in_training

    train = TrainSpec.model_validate({"epochs": 5, "optimizer": {"lr": 0.1}, "freeze": freeze})
    assert frozen_stages(train, "stem", NAMES, epoch) == frozen_in_training(train, "stem", NAMES, epoch)
