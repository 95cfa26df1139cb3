# ruff: noqa: E501 - the expected lines stand whole, as a user sees them
"""Leave one out, path and factorial: which arms they are, how far decisions take them, and what is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bench.study.model import Growth, Study

HEAD = """\
name: s
seeds: 3
base:
  data: {name: digits, augment: [crop, flip], val: 0.1}
  model: {name: cifar_resnet, depth: 8}
  train:
    epochs: 2
    optimizer: {name: sgd, lr: 0.1, momentum: 0.9}
    label_smoothing: 0.1
design:
"""

LEAVE_ONE_OUT = """\
  leave_one_out:
    crop: {without: {data.augment: [flip]}}
    flip: {without: {data.augment: [crop]}}
    decay: {with: {train.optimizer.weight_decay: 5e-4}}
    smoothing: {without: {train.label_smoothing: 0}}
"""

PATH = """\
  path:
    augment: {without: {data.augment: none}}
    decay: {with: {train.optimizer.weight_decay: 5e-4}}
    smoothing: {without: {train.label_smoothing: 0}}
    nesterov: {with: {train.optimizer.nesterov: true}}
"""

FACTORIAL = """\
  factorial:
    augment: {without: {data.augment: none}}
    decay: {with: {train.optimizer.weight_decay: 5e-4}}
    train.label_smoothing: [0, 0.1]
    train.optimizer.lr: [0.05, 0.1]
"""


def told(study: Study) -> dict[str, tuple[object, ...]]:
    """What the components set, by arm."""
    return {
        arm.name: (
            arm.config.data.augment,
            arm.config.train.optimizer.weight_decay,
            arm.config.train.label_smoothing,
        )
        for arm in study.arms
    }


def test_leave_one_out_takes_each_component_from_the_full_recipe(load: Callable[..., Study]) -> None:
    study = load(HEAD + LEAVE_ONE_OUT)
    assert told(study) == {
        "full": (("crop", "flip"), 5e-4, 0.1),
        "without crop": (("flip",), 5e-4, 0.1),
        "without flip": (("crop",), 5e-4, 0.1),
        "without decay": (("crop", "flip"), 0.0, 0.1),
        "without smoothing": (("crop", "flip"), 5e-4, 0.0),
    }
    assert study.baseline is not None
    assert study.baseline.name == "full"
    assert study.arms[3].levels == {"crop": True, "flip": True, "decay": False, "smoothing": True}
    assert study.arms[3].slug == "without-decay"
    assert [factor.key for factor in study.factors] == ["crop", "flip", "decay", "smoothing"]


def test_a_path_begins_with_the_bare_recipe_each_component_alone_and_the_full_one(
    load: Callable[..., Study],
) -> None:
    study = load(HEAD + PATH)
    assert [arm.name for arm in study.arms] == ["bare", "augment", "decay", "smoothing", "nesterov", "full"]
    assert told(study)["bare"] == ((), 0.0, 0.0)
    assert told(study)["full"] == (("crop", "flip"), 5e-4, 0.1)
    assert study.baseline is not None
    assert study.baseline.name == "bare"


def test_a_path_grows_by_the_arms_that_follow_from_its_choices(load: Callable[..., Study]) -> None:
    load(HEAD + PATH)
    from pathlib import Path

    from bench.study.load import load_study

    grown = load_study(Path("s.yaml"), (), Growth({"cpu": ("smoothing", "augment")}))
    names = [arm.name for arm in grown.arms]
    assert names[:5] == ["bare", "augment", "decay", "smoothing", "nesterov"]
    assert names[-1] == "full"
    assert set(names[5:-1]) == {
        "augment+smoothing",
        "decay+smoothing",
        "smoothing+nesterov",
        "augment+decay+smoothing",
        "augment+smoothing+nesterov",
    }
    assert grown.grown_arms == set(names[5:-1])
    assert told(grown)["decay+smoothing"] == ((), 5e-4, 0.1)


def test_paths_of_two_kinds_of_device_are_both_in_the_study(load: Callable[..., Study]) -> None:
    load(HEAD + PATH)
    from pathlib import Path

    from bench.study.load import load_study

    grown = load_study(Path("s.yaml"), (), Growth({"cpu": ("smoothing",), "cuda": ("decay",)}))
    assert {"augment+smoothing", "augment+decay", "decay+smoothing"} <= grown.grown_arms


def test_a_full_factorial_has_every_combination_and_its_last_factor_varies_fastest(
    load: Callable[..., Study],
) -> None:
    study = load(HEAD + FACTORIAL)
    assert len(study.arms) == 16
    assert study.arms[0].name == "augment=false,decay=false,train.label_smoothing=0,train.optimizer.lr=0.05"
    assert study.arms[1].levels["train.optimizer.lr"] == 0.1
    assert len({arm.config.model_dump_json() for arm in study.arms}) == 16


@pytest.mark.parametrize(
    "fraction",
    ["  resolution: 4\n", "  generators: {train.optimizer.lr: [augment, decay, train.label_smoothing]}\n"],
)
def test_a_fraction_has_the_arms_of_its_generators(load: Callable[..., Study], fraction: str) -> None:
    study = load(HEAD + FACTORIAL + fraction)
    assert len(study.arms) == 8
    for arm in study.arms:
        signs = [
            1 if arm.levels["augment"] else -1,
            1 if arm.levels["decay"] else -1,
            1 if arm.levels["train.label_smoothing"] == 0.1 else -1,
            1 if arm.levels["train.optimizer.lr"] == 0.1 else -1,
        ]
        assert signs[0] * signs[1] * signs[2] == signs[3]


def test_the_baseline_of_a_factorial_comes_first(load: Callable[..., Study]) -> None:
    study = load(HEAD + FACTORIAL + "baseline: {augment: true, decay: false}\n")
    assert study.arms[0].levels == {
        "augment": True,
        "decay": False,
        "train.label_smoothing": 0.1,
        "train.optimizer.lr": 0.1,
    }
    assert len(study.arms) == 16


def test_seeds_until_decided_start_with_the_least(load: Callable[..., Study]) -> None:
    study = load((HEAD + LEAVE_ONE_OUT).replace("seeds: 3", "seeds: {min: 5, max: 10, until: decided}"))
    assert study.seeds == (0, 1, 2, 3, 4)
    assert study.seeds_rule is not None
    assert study.seeds_rule.looks == (5, 8, 10)
    assert study.document["seeds"] == {"min": 5, "max": 10, "until": "decided"}


def test_decided_comparisons_leave_their_arms_with_fewer_seeds(load: Callable[..., Study]) -> None:
    load((HEAD + LEAVE_ONE_OUT).replace("seeds: 3", "seeds: {min: 5, max: 10}"))
    from pathlib import Path

    from bench.study.load import load_study

    grown = load_study(Path("s.yaml"), (), Growth({}, {"full": 8, "without crop": 8}))
    assert len(grown.seeds) == 8
    assert len(grown.seeds_of("full")) == len(grown.seeds_of("without crop")) == 8
    assert len(grown.seeds_of("without decay")) == 5


def test_an_override_reaches_into_a_component(load: Callable[..., Study]) -> None:
    study = load(HEAD + LEAVE_ONE_OUT, "design.leave_one_out.decay.with.train.optimizer.weight_decay=1e-3")
    assert told(study)["full"][1] == 1e-3


def test_an_override_of_the_seeds_rule_stays_in_the_studys_folder(load: Callable[..., Study]) -> None:
    text = (HEAD + LEAVE_ONE_OUT).replace("seeds: 3", "seeds: {min: 5, max: 10}")
    study = load(text, "seeds.max=6")
    assert study.seeds_rule is not None
    assert study.seeds_rule.max == 6
    assert study.results_name == "s"


def edited(text: str, *edits: tuple[str, str]) -> str:
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new)
    return text


WRONG = [
    pytest.param(
        edited(HEAD + LEAVE_ONE_OUT, ("crop: {without: {data.augment: [flip]}}", "crop: [1, 2]")),
        [
            "12:11: design.leave_one_out.crop: a component is written {with: {dotted.key: value, …}} or {without: {…}}; got [1, 2]"
        ],
        id="no-component",
    ),
    pytest.param(
        edited(HEAD + LEAVE_ONE_OUT, ("crop: {without:", "crop: {witout:")),
        [
            "12:12: design.leave_one_out.crop.witout: is no side of a component; did you mean 'without'?; a component is written {with: {dotted.key: value, …}} or {without: {…}}"
        ],
        id="no-side",
    ),
    pytest.param(
        edited(HEAD + LEAVE_ONE_OUT, ("train.label_smoothing: 0}", "train.label_smothing: 0}")),
        [
            "15:27: design.leave_one_out.smoothing.without.train.label_smothing: unknown key; did you mean 'train.label_smoothing'?"
        ],
        id="unknown-key",
    ),
    pytest.param(
        edited(HEAD + LEAVE_ONE_OUT, ("    crop:", "    full:")),
        ["12:5: design.leave_one_out.full: is the arm with all components; rename it"],
        id="name-full",
    ),
    pytest.param(
        edited(HEAD + LEAVE_ONE_OUT, ("    smoothing:", "    train.label_smoothing:")),
        [
            "15:5: design.leave_one_out.train.label_smoothing: a component has a name of its own, without dots, and is written {with: {dotted.key: value, …}} or {without: {…}}"
        ],
        id="name-dotted",
    ),
    pytest.param(
        edited(HEAD + LEAVE_ONE_OUT, ("    smoothing:", "    seed:")),
        ["15:5: design.leave_one_out.seed: is a column of the records already; give the factor another name"],
        id="name-column",
    ),
    pytest.param(
        edited(
            HEAD + LEAVE_ONE_OUT,
            ("smoothing: {without: {train.label_smoothing: 0}}", "smoothing: {without: {}}"),
        ),
        ["15:17: design.leave_one_out.smoothing.without: takes a mapping of dotted keys to values; got {}"],
        id="empty-side",
    ),
    pytest.param(
        HEAD + LEAVE_ONE_OUT + "    more: {with: {train.optimizer.weight_decay: 1e-3}}\n",
        [
            "16:19: design.leave_one_out.more.with.train.optimizer.weight_decay: is also set by decay; keep one of them"
        ],
        id="same-key-present",
    ),
    pytest.param(
        HEAD + LEAVE_ONE_OUT + "    same: {without: {train.epochs: 2}}\n",
        ["11:3: design.leave_one_out: arm without same has the same configuration as arm full"],
        id="no-effect",
    ),
    pytest.param(
        HEAD + LEAVE_ONE_OUT + "baseline: {crop: false}\n",
        ["16:1: baseline: with leave_one_out the full recipe is the baseline; leave it out"],
        id="baseline",
    ),
    pytest.param(
        HEAD + LEAVE_ONE_OUT + "  exclude: [{crop: false}]\n",
        ["16:3: design.exclude: has no use with leave_one_out; take the component out instead"],
        id="exclude",
    ),
    pytest.param(
        edited(HEAD + PATH, ("val: 0.1", "val: 0")),
        [
            "4:52: base.data.val: is 0 but design.path chooses on val_top1_pct, which needs validation; raise it"
        ],
        id="path-val",
    ),
    pytest.param(
        edited(HEAD + PATH, ("seeds: 3", "seeds: {min: 3, max: 5, until: decided}")),
        ["2:25: seeds.until: is for arms that are known beforehand; design.path takes a number of seeds"],
        id="path-seeds",
    ),
    pytest.param(
        HEAD + PATH + "    crop: {without: {data.augment: [flip]}}\n",
        ["16:22: design.path.crop.without.data.augment: is also set by augment; keep one of them"],
        id="path-same-key",
    ),
    pytest.param(
        edited(HEAD + FACTORIAL, ("[0, 0.1]", "[0, 0.1, 0.2]")),
        ["14:5: design.factorial.train.label_smoothing: a factor of a factorial has two levels, got 3"],
        id="three-levels",
    ),
    pytest.param(
        edited(HEAD + FACTORIAL, ("[0, 0.1]", "0.1")),
        [
            "14:28: design.factorial.train.label_smoothing: a factor of a factorial has two levels, [first, second], or is a component"
        ],
        id="one-level",
    ),
    pytest.param(
        HEAD + FACTORIAL + "  resolution: 5\n",
        [
            "16:15: design.resolution: 5 no fraction of 4 factors has it; leave it out for all 2^4 combinations"
        ],
        id="resolution",
    ),
    pytest.param(
        HEAD + FACTORIAL + "  resolution: 4\n  generators: {decay: [augment, train.optimizer.lr]}\n",
        [
            "11:3: design.factorial: takes generators or resolution, not both: either says which fraction is run"
        ],
        id="both",
    ),
    pytest.param(
        HEAD + FACTORIAL + "  generators: {deca: [augment, train.optimizer.lr]}\n",
        ["16:16: design.generators.deca: is no factor of the design; did you mean 'decay'?"],
        id="generator-unknown",
    ),
    pytest.param(
        HEAD + FACTORIAL + "  generators: {decay: [augment, decay]}\n",
        ["16:33: design.generators.decay[1]: 'decay' is itself generated; name factors that are not"],
        id="generator-itself",
    ),
    pytest.param(
        HEAD
        + FACTORIAL
        + "  generators: {decay: [augment, train.label_smoothing], train.optimizer.lr: [augment, train.label_smoothing]}\n",
        [
            "16:3: design.generators: decay and train.optimizer.lr always move together in this fraction; choose other generators"
        ],
        id="generators-alike",
    ),
    pytest.param(
        HEAD + LEAVE_ONE_OUT + "  resolution: 4\n",
        ["16:3: design.resolution: is for a factorial; this design has none"],
        id="resolution-alone",
    ),
    pytest.param(
        HEAD + FACTORIAL + "  exclude: [{augment: true, decay: true}]\n",
        [
            "16:3: design.exclude: leaves holes in the factorial, whose effects need every arm; take a fraction instead"
        ],
        id="factorial-exclude",
    ),
    pytest.param(
        HEAD
        + FACTORIAL
        + "  resolution: 4\nbaseline: {augment: true, decay: true, train.label_smoothing: 0}\n",
        [
            "17:1: baseline: is no arm of the fractional factorial, 2^(4-1) = 8 arms of resolution IV: train.optimizer.lr = augment × decay × train.label_smoothing; name one of its arms"
        ],
        id="factorial-baseline",
    ),
    pytest.param(
        edited(HEAD + LEAVE_ONE_OUT, ("seeds: 3", "seeds: {min: 5, max: 5}")),
        ["2:1: seeds: max 5 is not above min 5; for one number write seeds: 5"],
        id="seeds-order",
    ),
    pytest.param(
        edited(HEAD + LEAVE_ONE_OUT, ("seeds: 3", "seeds: {min: 2, max: 5}")),
        ["2:14: seeds.min: 2 is below 3"],
        id="seeds-least",
    ),
    pytest.param(
        edited(HEAD, ("seeds: 3", "seeds: {min: 3, max: 5}"), ("design:\n", "")),
        ["2:1: seeds: has nothing to decide: declare a baseline or comparisons, or give a number of seeds"],
        id="seeds-nothing",
    ),
]


@pytest.mark.parametrize(("text", "expected"), WRONG)
def test_a_wrong_ablation_is_told_at_its_place(
    lines: Callable[..., list[str]], text: str, expected: list[str]
) -> None:
    assert [line.removeprefix("s.yaml:") for line in lines(text)] == expected


def test_an_override_that_both_sides_set_is_void(lines: Callable[..., list[str]]) -> None:
    text = edited(
        HEAD + LEAVE_ONE_OUT,
        ("smoothing: {without:", "smoothing: {with: {train.label_smoothing: 0.2}, without:"),
    )
    assert lines(text, "base.train.label_smoothing=0.3") == [
        "command line: base.train.label_smoothing=0.3: the design varies train.label_smoothing; override design.leave_one_out.smoothing instead"
    ]
