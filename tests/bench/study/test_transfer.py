# ruff: noqa: E501 - the expected lines stand whole, as a user sees them
"""Where weights come from: sources, files and earlier runs that a study may name, and how wrong ones are told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.study.check import check_arms
from bench.study.faults import StudyError
from bench.study.model import Study

Load = Callable[..., Study]
Text = Callable[..., str]
Lines = Callable[..., list[str]]

ALONE = (("GRID", ""), ("BASELINE", ""))
OURS = "name: cifar_resnet, depth: 20, residual: true"
PRE = "weights: pretrain\n  pretrain: "
PART = "weights: {{from: pretrain, through: {}}}\n  pretrain: "
THIRTY = "{train: {epochs: 30, optimizer: {lr: 0.1}}}"


def starting(study_text: Text, section: str, *edits: tuple[str, str]) -> str:
    return study_text(("design:\n", f"  {section}\n"), *edits, *ALONE)


RIGHT = [
    pytest.param("weights: random", (), id="random"),
    pytest.param("weights: {from: random, through: layer2}", (), id="a random part"),
    pytest.param("weights: {from: null, through: null}", (), id="nothing"),
    pytest.param("weights: a/b.safetensors", (), id="safetensors"),
    pytest.param("weights: {from: b.pth, through: stem}", (), id="pth"),
    pytest.param("weights: b.pt", (), id="pt"),
    pytest.param("weights: {run: depth}", (), id="a run of a baseline"),
    pytest.param("weights: {run: 'depth/model.depth=8,model.residual=true'}", (), id="a run"),
    pytest.param("weights: timm", ((OURS, "name: resnet18"),), id="timm"),
    pytest.param("weights: timm", ((OURS, "name: 'timm:resnet18'"),), id="timm's own"),
    pytest.param("weights: timm", ((OURS, "name: 'timm:vit_x.augreg'"),), id="timm's own by recipe"),
    pytest.param(PRE + "{}", (), id="self-copy"),
    pytest.param(PRE + THIRTY, (("epochs: 10", "epochs: 0"),), id="a source's recipe"),
    pytest.param(PRE + "{data: {name: digits, classes: [0, 1]}}", (), id="a source's images"),
    pytest.param(PRE + "{data: {name: cifar10}}", (), id="colour to grey"),
    pytest.param(PRE + "{model: {name: cifar_resnet20}}", (), id="one network by two names"),
    pytest.param(PRE + "{model: {name: cifar_resnet20, drop_path_rate: 0.1}}", (), id="other noise"),
    pytest.param(PART.format("stem") + "{model: {name: cifar_resnet56}}", (), id="a prefix in common"),
    pytest.param(PART.format("head") + "{}", (), id="through the head"),
    pytest.param(
        PRE + "{model: {name: 'timm:resnet18', a: 1}}",
        ((OURS, "name: 'timm:resnet18', a: 1"),),
        id="a provided network",
    ),
    pytest.param(
        PART.format("anything") + "{}", ((OURS, "name: 'my.nets:build'"),), id="stages that only torch knows"
    ),
]


@pytest.mark.parametrize(("section", "edits"), RIGHT)
def test_a_right_start_is_taken(
    study_text: Text, load: Load, section: str, edits: tuple[tuple[str, str], ...]
) -> None:
    assert len(load(starting(study_text, section, *edits)).arms) == 1


ENDS = "a weights file ends in .safetensors, .pth or .pt; else one of pretrain, random, timm"
UNLIKE = "is another network than the arm's"

WRONG = [
    pytest.param(
        "weights: tim",
        (),
        ["16:12: base.weights: 'tim' is no source of weights; did you mean 'timm'?"],
        id="word",
    ),
    pytest.param(
        "weights: x/y.onnx",
        (),
        [f"16:12: base.weights: 'x/y.onnx' is no source of weights; {ENDS}"],
        id="suffix",
    ),
    pytest.param(
        "weights: {from: x.bin}",
        (),
        [f"16:19: base.weights.from: 'x.bin' is no source of weights; {ENDS}"],
        id="suffix in a section",
    ),
    pytest.param(
        "weights: {from: timm, run: x}",
        (),
        ["16:3: base.weights: give `from` or `run`, one of them"],
        id="two sources",
    ),
    pytest.param(
        "weights: {through: layer1}",
        (),
        ["16:3: base.weights: give `from` or `run`, one of them"],
        id="no source",
    ),
    pytest.param(
        "weights: {from: random, through: layr2}",
        (),
        ["16:36: base.weights.through: 'layr2' is no stage of cifar_resnet; did you mean 'layer2'?"],
        id="stage",
    ),
    *(
        pytest.param(
            f"weights: {{run: {run}}}",
            (),
            [f"16:18: base.weights.run: '{run}' names no run; write STUDY/ARM, or STUDY for its baseline"],
            id=run,
        )
        for run in ("../x/y", "depth/", "/depth")
    ),
    pytest.param(
        "weights: timm",
        (),
        [
            "16:12: base.weights: 'timm' has no weights for cifar_resnet; give a weights file, or a network that timm publishes"
        ],
        id="timm has none",
    ),
    pytest.param(
        "weights: {from: timm}",
        ((OURS, "name: 'timm:vit_tiny_patch16_224'"),),
        [
            "16:19: base.weights.from: 'timm' needs the recipe of timm:vit_tiny_patch16_224, as in timm:resnet18.a1_in1k"
        ],
        id="timm has several",
    ),
    pytest.param(
        "weights: pretrain",
        (),
        ["16:12: base.weights: 'pretrain' needs a `pretrain` section"],
        id="no section",
    ),
    pytest.param(
        "pretrain: {data: {name: mnist}}",
        (),
        ["16:3: base.pretrain: is used by no arm; give one `weights: pretrain`"],
        id="unused section",
    ),
    pytest.param(
        PRE + "{dta: {name: digits}}",
        (),
        ["17:14: base.pretrain.dta: unknown key; did you mean 'data'?"],
        id="typo",
    ),
    pytest.param(
        PRE + "{data: {classes: [0, 1]}}",
        (),
        ["17:14: base.pretrain.data.name: required key is missing"],
        id="no name",
    ),
    pytest.param(
        PRE + "{data: {name: digist}}",
        (),
        ["17:27: base.pretrain.data.name: 'digist' is no dataset; did you mean 'digits'?"],
        id="dataset",
    ),
    pytest.param(
        PRE + "{data: {name: digits, classes: [0, 99]}}",
        (),
        ["17:48: base.pretrain.data.classes[1]: 99 is no class; indices run from 0 to 9"],
        id="classes",
    ),
    pytest.param(
        PRE + "{data: {name: digits, image_size: 2}}",
        (),
        ["17:14: base.pretrain.data: 2 pixels a side are too few for cifar_resnet; at least 4"],
        id="image size",
    ),
    pytest.param(
        PRE + "{model: {name: cifar_resnet, depth: 19}}",
        (),
        ["17:49: base.pretrain.model.depth: 19 is not 6n+2; nearest 20"],
        id="option",
    ),
    pytest.param(
        PRE + "{model: {name: resnet18, layers: [1]}}",
        (),
        ["17:38: base.pretrain.model.layers: resnet18 has [2, 2, 2, 2]; resnet leaves it free"],
        id="settled option",
    ),
    pytest.param(
        PRE + "{train: {epochs: 0, optimizer: {lr: 0.1}}}",
        (),
        ["17:30: base.pretrain.train.epochs: 0 trains nothing; a source needs at least 1"],
        id="zero epochs",
    ),
    pytest.param(
        PRE + "{}",
        (("epochs: 10", "epochs: 0"),),
        ["17:3: base.pretrain: needs a `train` section of its own: the arm's trains nothing"],
        id="zero epochs of the arm",
    ),
    pytest.param(
        PRE + "{train: {epochs: 1, batch_size: 5000, optimizer: {lr: 0.1}}}",
        (),
        ["17:45: base.pretrain.train.batch_size: 5000 is larger than the training set of 1,438 images"],
        id="batch",
    ),
    pytest.param(
        PRE + "{data: {name: digits, train_size: 100}}",
        (),
        [
            "17:3: base.pretrain: train.batch_size: 128 is larger than the training set of 100 images; give a `train` section of its own"
        ],
        id="batch of the arm",
    ),
    pytest.param(
        PRE + "{train: {epochs: 1, freeze: {through: layer9}, stage_lr: {fc: 1}, optimizer: {lr: 0.1}}}",
        (),
        [
            "17:51: base.pretrain.train.freeze.through: 'layer9' is no stage of cifar_resnet; one of stem, layer1, layer2, layer3, head",
            "17:71: base.pretrain.train.stage_lr.fc: is no stage of cifar_resnet; did you mean 'head'?",
        ],
        id="stages of the source",
    ),
    pytest.param(
        PRE + "{train: {epochs: 1, freeze: transferred, optimizer: {lr: 0.1}}}",
        (),
        ["17:41: base.pretrain.train.freeze: 'transferred' needs weights.through"],
        id="nothing transferred to the source",
    ),
    pytest.param(
        PRE + "{train: {epochs: 1, select: best_val, optimizer: {lr: 0.1}}}",
        (),
        [
            "17:3: base.pretrain: val is 0 but select: best_val, early_stopping or plateau needs validation; raise data.val"
        ],
        id="no validation",
    ),
    pytest.param(
        PRE + "{model: {name: cifar_resnet, depth: 56}}",
        (),
        [
            f"17:14: base.pretrain.model: {UNLIKE}: depth 56 in the source, 20 here; copy a part by weights.through, or make them equal"
        ],
        id="depth",
    ),
    pytest.param(
        PRE + "{model: {name: mlp}}",
        (),
        [
            f"17:14: base.pretrain.model: {UNLIKE}: mlp in the source, cifar_resnet here; copy a part by weights.through, or make them equal"
        ],
        id="family",
    ),
    pytest.param(
        PART.format("layer1") + "{model: {name: cifar_resnet, depth: 56}}",
        (),
        ["17:14: base.pretrain.model: the source has 42,048 parameters in layer1, the arm 14,016"],
        id="depth of the part",
    ),
    pytest.param(
        PART.format("layer1") + "{model: {name: cifar_resnet20, residual: false}}",
        (),
        [f"17:14: base.pretrain.model: {UNLIKE}: residual false in the source, true here"],
        id="shortcuts of the part",
    ),
    pytest.param(
        PRE + "{model: {name: 'timm:resnet18', a: 2}}",
        ((OURS, "name: 'timm:resnet18', a: 1"),),
        [
            f"17:14: base.pretrain.model: {UNLIKE}: a 2 in the source, 1 here; copy a part by weights.through, or make them equal"
        ],
        id="option of a provided network",
    ),
    pytest.param(
        PRE + "{data: {name: digits}}",
        (("val: 0}", "val: 0, channels: 3}"),),
        [
            "17:3: base.pretrain: the source has 176 parameters in stem, the arm 464: images of 1 and of 3 channels"
        ],
        id="grey to colour",
    ),
    pytest.param(
        PRE + "{data: {name: mnist}}",
        ((OURS, "name: mlp"),),
        [
            "17:3: base.pretrain: the source has 100,480 parameters in stem, the arm 8,320: images of 28 and of 8 pixels a side"
        ],
        id="sizes of a dense network",
    ),
    pytest.param(
        PART.format("head") + "{data: {name: digits, classes: [0, 1]}}",
        (),
        [
            "16:38: base.weights.through: 'head' has 2 classes in the source and 10 here; copy through layer3, or leave `through` out"
        ],
        id="classes of the head",
    ),
]


@pytest.mark.parametrize(("section", "edits", "expected"), WRONG)
def test_a_wrong_start_is_told_at_its_place(
    study_text: Text, lines: Lines, section: str, edits: tuple[tuple[str, str], ...], expected: list[str]
) -> None:
    told = lines(starting(study_text, section, *edits))
    assert [line.removeprefix("s.yaml:") for line in told] == expected


def test_a_source_of_the_users_own_images_is_checked_when_they_are_there(
    shared_data: Path, tmp_path: Path, study_text: Text, load: Load
) -> None:
    own = "{data: {name: parquet, path: cifar10-jpeg, image: imq}, train: {epochs: 1, optimizer: {lr: 0.1}}}"
    study = load(starting(study_text, PRE + own))
    check_arms(study, tmp_path)
    with pytest.raises(StudyError) as refusal:
        check_arms(study, shared_data)
    assert refusal.value.lines == (
        "s.yaml:17:63: base.pretrain.data.image: 'imq' is no column of train.parquet; did you mean 'img'?",
    )


def test_one_arm_that_uses_a_source_is_enough(study_text: Text, load: Load) -> None:
    design = "  arms: {fresh: {}, copied: {weights: pretrain}}\n"
    study = load(
        study_text(("GRID", design), ("BASELINE", ""), ("design:\n", f"  pretrain: {THIRTY}\ndesign:\n"))
    )
    assert [arm.config.weights is None for arm in study.arms] == [True, False]


def test_what_is_wrong_with_a_source_is_told_of_the_level_that_makes_it(
    study_text: Text, lines: Lines
) -> None:
    design = "  grid: {pretrain.data.train_size: [500, 100], model.depth: [8, 20]}\n"
    source = ("design:\n", "  weights: pretrain\n  pretrain: {data: {name: digits}}\ndesign:\n")
    assert lines(study_text(("GRID", design), ("BASELINE", ""), source)) == [
        "s.yaml:19:42: design.grid.pretrain.data.train_size[1]: base.pretrain: train.batch_size: 128 is larger than the training set of 100 images; give a `train` section of its own"
    ]


def test_an_override_puts_a_key_beside_a_word(study_text: Text, load: Load, lines: Lines) -> None:
    text = starting(study_text, PRE + "{}")
    weights = load(text, "base.weights.through=layer2").arms[0].config.weights
    assert weights is not None
    assert (weights.source, weights.through) == ("pretrain", "layer2")
    assert lines(text, "base.weights.through=layer9") == [
        "command line: base.weights.through=layer9: 'layer9' is no stage of cifar_resnet; one of stem, layer1, layer2, layer3, head"
    ]
    assert lines(text, "base.weights=pretran") == [
        "command line: base.weights=pretran: 'pretran' is no source of weights; did you mean 'pretrain'?"
    ]


@pytest.mark.parametrize(
    "override",
    [
        "base.pretrain.train={epochs: 1, optimizer: {lr: 0.1}}",
        "base.train.freeze.through=stem",
        "base.train.stage_lr.stem=0.1",
        "base.pretrain.model.name=cifar_resnet20",
        "base.weights.run=depth",
    ],
)
def test_the_keys_of_transfer_are_overridden(study_text: Text, load: Load, override: str) -> None:
    changes = ("base.weights.from=null", "base.pretrain=null") if "run" in override else ()
    arm = load(starting(study_text, PRE + "{}"), *changes, override).arms[0]
    assert arm.config != load(starting(study_text, PRE + "{}")).arms[0].config


def test_options_of_a_provided_network_may_be_factors_and_overrides(
    study_text: Text, load: Load, lines: Lines
) -> None:
    grid = ("GRID", "  grid: {model.global_pool: [avg, max]}\n")
    study = load(study_text(grid, ("BASELINE", ""), (OURS, "name: 'timm:resnet18'")), "base.model.act=relu")
    assert [arm.config.model.options for arm in study.arms] == [
        {"global_pool": "avg", "act": "relu"},
        {"global_pool": "max", "act": "relu"},
    ]
    told = lines(study_text(grid, ("BASELINE", "")))
    assert told[0].startswith("s.yaml:17:10: design.grid.model.global_pool: unknown key; ")
