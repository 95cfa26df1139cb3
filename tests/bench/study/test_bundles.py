# ruff: noqa: E501 - the expected lines stand whole, as a user sees them
"""Factors with a name of their own: levels that set several keys at once, in every design, and how wrong ones are told."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.study import bundles
from bench.study.arms import Design
from bench.study.check import merge
from bench.study.design import read_design
from bench.study.document import Document
from bench.study.model import Study
from bench.study.outline import StudyFile
from bench.study.specs import WeightsSpec

Load = Callable[..., Study]
Text = Callable[..., str]
Lines = Callable[..., list[str]]

BUNDLES = """\
  grid:
    treatment:
    - {label: BnB, set: {}}
    - {label: AnB, set: {weights: {from: pretrain, through: layer1}, train.freeze: transferred}}
    - {label: AnB+, set: {weights.from: pretrain, weights.through: layer1}}
    model.depth: [8, 14]
"""
PRETRAIN = ("design:\n", "  pretrain: {}\ndesign:\n")


@pytest.fixture
def bundled(study_text: Text) -> Text:
    """The right study with a factor of bundles and one of values; edits are made in the design."""

    def text(*edits: tuple[str, str], baseline: str = "") -> str:
        design = BUNDLES
        for old, new in edits:
            assert old in design
            design = design.replace(old, new)
        return study_text(("GRID", design), ("BASELINE", baseline), PRETRAIN)

    return text


def names(study: Study) -> list[str]:
    return [arm.name for arm in study.arms]


def test_a_grid_combines_bundles_with_values_and_goes_by_their_labels(bundled: Text, load: Load) -> None:
    study = load(bundled())
    assert names(study) == [
        f"treatment={treatment},model.depth={depth}"
        for treatment in ("BnB", "AnB", "AnB+")
        for depth in (8, 14)
    ]
    assert study.factors[0].levels == ("BnB", "AnB", "AnB+")
    fresh, frozen, tuned = (study.arms[n].config for n in (0, 2, 4))
    assert (fresh.weights, fresh.train.freeze) == (None, None)
    assert frozen.weights == tuned.weights == WeightsSpec(**{"from": "pretrain", "through": "layer1"})
    assert (frozen.train.freeze, tuned.train.freeze) == ("transferred", None)
    assert study.arms[3].levels == {"treatment": "AnB", "model.depth": 14}


def test_a_zip_pairs_bundles_with_values(bundled: Text, load: Load) -> None:
    study = load(bundled(("grid", "zip"), ("[8, 14]", "[8, 14, 20]")))
    assert names(study) == [
        "treatment=BnB,model.depth=8",
        "treatment=AnB,model.depth=14",
        "treatment=AnB+,model.depth=20",
    ]


def test_one_at_a_time_stands_on_the_bundle_that_changes_nothing(bundled: Text, load: Load) -> None:
    study = load(bundled(("grid", "one_at_a_time"), ("[8, 14]", "[8, 20]")))
    assert names(study) == [
        "treatment=BnB,model.depth=20",
        "treatment=AnB,model.depth=20",
        "treatment=AnB+,model.depth=20",
        "treatment=BnB,model.depth=8",
    ]


def test_one_at_a_time_makes_a_level_of_base_where_every_bundle_changes_it(bundled: Text, load: Load) -> None:
    without = ("    - {label: BnB, set: {}}\n", "")
    study = load(bundled(without, ("grid", "one_at_a_time"), ("[8, 14]", "[20]")))
    assert names(study) == [
        "treatment=base,model.depth=20",
        "treatment=AnB,model.depth=20",
        "treatment=AnB+,model.depth=20",
    ]
    assert study.factors[0].levels == ("base", "AnB", "AnB+")
    assert study.arms[0].config.weights is None


def test_a_bundle_that_repeats_base_is_the_level_of_base(study_text: Text, load: Load) -> None:
    design = (
        "  one_at_a_time:\n    recipe:\n    - {label: short, set: {train.epochs: 5}}\n"
        "    - {label: usual, set: {train.epochs: 10, train.batch_size: 128}}\n"
    )
    study = load(study_text(("GRID", design), ("BASELINE", "")))
    assert names(study) == ["recipe=usual", "recipe=short"]


def test_baseline_and_exclude_name_bundles_by_their_label(bundled: Text, load: Load) -> None:
    excluded = (
        "[8, 14]\n",
        "[8, 14]\n  exclude: [{treatment: BnB, model.depth: 8}, {treatment: AnB+}]\n",
    )
    study = load(bundled(excluded, baseline="baseline: {treatment: AnB, model.depth: 14}\n"))
    assert names(study) == [
        "treatment=AnB,model.depth=14",
        "treatment=BnB,model.depth=14",
        "treatment=AnB,model.depth=8",
    ]
    assert study.arms[0].is_baseline


WRONG = [
    pytest.param(
        (("train.freeze: t", "train.freze: t"),),
        [
            "21:70: design.grid.treatment[1].set.train.freze: unknown key; did you mean 'train.freeze'?",
        ],
        id="unknown key",
    ),
    pytest.param(
        (("freeze: transferred", "freeze: transfered"),),
        [
            "21:84: design.grid.treatment[1].set.train.freeze: 'transfered' is not allowed; did you mean 'transferred'?"
        ],
        id="wrong value",
    ),
    pytest.param(
        (("layer1}, train", "layer9}, train"),),
        [
            "21:61: design.grid.treatment[1].set.weights.through: 'layer9' is no stage of cifar_resnet; one of stem, layer1, layer2, layer3, head"
        ],
        id="wrong value inside a section",
    ),
    pytest.param(
        (("weights: {from: pretrain, through: layer1}, ", ""),),
        ["21:40: design.grid.treatment[1].set.train.freeze: 'transferred' needs weights.through"],
        id="rule between keys",
    ),
    pytest.param(
        (("BnB, set: {}", "BnB, set: {model.depth: 8}"),),
        ["20:26: design.grid.treatment[0].set.model.depth: is also set by model.depth; keep one of them"],
        id="set by another factor",
    ),
    pytest.param(
        (("BnB, set: {}", "BnB, set: {model: {name: cifar_resnet}}"),),
        ["20:26: design.grid.treatment[0].set.model: is also set by model.depth; keep one of them"],
        id="holds another factor",
    ),
    pytest.param(
        (("    model.depth: [8, 14]", "    other: [{label: a, set: {train.freeze: null}}]"),),
        [
            "21:70: design.grid.treatment[1].set.train.freeze: is also set by other; keep one of them",
            "23:30: design.grid.other[0].set.train.freeze: is also set by treatment; keep one of them",
        ],
        id="two bundles",
    ),
    pytest.param(
        (("BnB, set: {}", "BnB, set: {weights: timm, weights.through: stem}"),),
        [
            "20:41: design.grid.treatment[0].set.weights.through: is inside weights, which the design also sets; keep one of them"
        ],
        id="inside one another",
    ),
    pytest.param(
        (("AnB+", "AnB"),), ["22:7: design.grid.treatment[2]: 'AnB' is the same level as [1]"], id="one label"
    ),
    pytest.param(
        (("- {label: AnB,", "- {label: twin, set: {}}\n    - {label: AnB,"),),
        ["21:7: design.grid.treatment[1]: 'twin' is the same level as [0]"],
        id="equal sets",
    ),
    *(
        pytest.param(
            (("{label: BnB, set: {}}", level),),
            [
                "20:7: design.grid.treatment[0]: a level of a factor with a name of its own is written {label: …, set: {dotted.key: value, …}}"
            ],
            id=level,
        )
        for level in ("{set: {}}", "{label: BnB}", "{label: BnB, set: {}, x: 1}", "BnB", "[BnB]")
    ),
    pytest.param(
        (("BnB, set: {}", "BnB, set: [x]"),),
        [
            "20:7: design.grid.treatment[0]: set takes a mapping of dotted keys to values, {} for none; got ['x']"
        ],
        id="set of a list",
    ),
    pytest.param(
        (("label: BnB", "label: [x]"),),
        ["20:7: design.grid.treatment[0]: a label is a word or a number"],
        id="label of a list",
    ),
    pytest.param(
        (("treatment", "my treatment"),),
        [
            "19:5: design.grid.my treatment: is no name for a factor; use at most 64 letters, digits, '_' and '-', the first a letter"
        ],
        id="name",
    ),
    pytest.param(
        (("treatment", "my.treatment"),),
        [
            "19:5: design.grid.my.treatment: is no name for a factor; use at most 64 letters, digits, '_' and '-', the first a letter"
        ],
        id="name with a dot",
    ),
    pytest.param(
        (("treatment", "seed"),),
        ["19:5: design.grid.seed: is a column of the records already; give the factor another name"],
        id="name of a column",
    ),
    pytest.param(
        (("treatment", "train.schedule"),),
        [
            "19:5: design.grid.train.schedule: is a key of the study, so its levels are values; {label: …, set: {dotted.key: value, …}} is for a factor with a name of its own"
        ],
        id="name of a key",
    ),
]


@pytest.mark.parametrize(("edits", "expected"), WRONG)
def test_a_wrong_bundle_is_told_at_its_place(
    bundled: Text, lines: Lines, edits: tuple[tuple[str, str], ...], expected: list[str]
) -> None:
    assert [line.removeprefix("s.yaml:") for line in lines(bundled(*edits))] == expected


def test_a_wrong_name_of_a_bundle_gets_the_nearest_label(bundled: Text, lines: Lines) -> None:
    excluded = ("[8, 14]\n", "[8, 14]\n  exclude: [{treatment: AnC}]\n")
    told = lines(bundled(excluded, baseline="baseline: {treatment: Bnb, model.depth: 8}\n"))
    assert told == [
        "s.yaml:24:25: design.exclude[0].treatment: 'AnC' is no level of treatment; did you mean 'AnB'?",
        "s.yaml:25:23: baseline.treatment: 'Bnb' is no level of treatment; did you mean 'BnB'?",
    ]


def test_a_rule_that_one_bundle_breaks_is_told_of_what_it_sets(study_text: Text, lines: Lines) -> None:
    design = "  grid:\n    recipe:\n    - {label: a, set: {}}\n    - {label: b, set: {train.select: best_val, train.epochs: 3}}\n"
    assert lines(study_text(("GRID", design), ("BASELINE", ""))) == [
        "s.yaml:20:38: design.grid.recipe[1].set.train.select: base: val is 0 but select: best_val, early_stopping or plateau needs validation; raise data.val"
    ]


def test_arms_of_an_unused_source_are_told_apart_from_equal_arms(study_text: Text, lines: Lines) -> None:
    """They would be trained once and reported twice; `weights: pretrain` was forgotten."""
    source = ("design:\n", "  pretrain: {train: {epochs: 1, optimizer: {lr: 0.1}}}\ndesign:\n")
    design = (
        "  grid:\n    source:\n    - {label: short, set: {pretrain.train.epochs: 1, train.epochs: 3}}\n"
        "    - {label: long, set: {pretrain.train.epochs: 2, train.epochs: 3}}\n"
        "    - {label: used, set: {weights: pretrain}}\n"
    )
    assert lines(study_text(("GRID", design), ("BASELINE", ""), source)) == [
        "s.yaml:18:3: design.grid: arm source=long differs from arm source=short only in `pretrain`, from which neither starts; give them `weights: pretrain`"
    ]


def test_overriding_what_a_bundle_sets_names_the_factor(bundled: Text, lines: Lines, load: Load) -> None:
    rule = "the design varies {}; override design.grid.treatment instead"
    for override, key in (
        ("base.train.freeze=", "train.freeze"),
        ("base.weights.through=stem", "weights.through"),
    ):
        first, *_ = lines(bundled(), override)
        assert first == f"command line: {override}: {rule.format(key)}"
    study = load(
        bundled(), "design.grid.treatment=[{label: x, set: {train.epochs: 2}}]", "base.weights=pretrain"
    )
    assert names(study) == ["treatment=x,model.depth=8", "treatment=x,model.depth=14"]
    assert (
        names(load(bundled(), "baseline={treatment: AnB+, model.depth: 8}"))[0]
        == "treatment=AnB+,model.depth=8"
    )


KEYS = ["train.epochs", "train.batch_size", "data.split_seed", "execution.threads"]
SETS = st.dictionaries(st.sampled_from(KEYS[:3]), st.integers(2, 5), max_size=3)
BUNDLED = st.lists(SETS, min_size=1, max_size=5, unique_by=lambda one: frozenset(one.items()))
BASE = {"data": {}, "train": {"epochs": 1, "batch_size": 1}, "execution": {}}


def expand(kind: str, sets: list[dict[str, int]], threads: list[int]) -> Design:
    """A design of one factor of bundles and one of values."""
    treatment = [{"label": f"t{n}", "set": one} for n, one in enumerate(sets)]
    data = {
        "name": "x",
        "base": BASE,
        "design": {kind: {"treatment": treatment, "execution.threads": threads}},
    }
    design = read_design(StudyFile.model_validate(data), Document("s", data, {}))
    assert design.faults == []
    return design


def configured(design: Design) -> list[dict[str, Any]]:
    return [merge(BASE, one)[0] for one in design.combinations]


def with_set(settings: dict[str, int], threads: int | None = None) -> dict[str, Any]:
    """What a configuration has to be, by hand."""
    fields = {section: dict(inner) for section, inner in BASE.items()}
    for key, value in settings.items():
        section, _, name = key.partition(".")
        fields[section][name] = value
    if threads is not None:
        fields["execution"]["threads"] = threads
    return fields


@given(BUNDLED, st.lists(st.integers(2, 9), min_size=1, max_size=4, unique=True))
def test_a_grid_sets_all_of_each_bundle_with_each_value(
    sets: list[dict[str, int]], threads: list[int]
) -> None:
    design = expand("grid", sets, threads)
    assert configured(design) == [with_set(*pair) for pair in itertools.product(sets, threads)]
    assert len({one.name for one in design.combinations}) == len(sets) * len(threads)


@given(BUNDLED)
def test_a_zip_sets_the_nth_bundle_with_the_nth_value(sets: list[dict[str, int]]) -> None:
    threads = list(range(2, 2 + len(sets)))
    assert configured(expand("zip", sets, threads)) == [
        with_set(*pair) for pair in zip(sets, threads, strict=True)
    ]


@given(BUNDLED, st.lists(st.integers(2, 9), min_size=1, max_size=4, unique=True))
def test_one_at_a_time_changes_one_bundle_or_one_value(
    sets: list[dict[str, int]], threads: list[int]
) -> None:
    design = expand("one_at_a_time", sets, threads)
    found = configured(design)
    assert design.combinations[0].is_baseline
    assert found[0]["execution"] == {"threads": 1}, "the default, written out for the baseline"
    changes_nothing = [one for one in sets if with_set(one) == with_set({})]
    assert found[1:] == [
        *(with_set(one, 1) for one in sets if one not in changes_nothing[:1]),
        *(with_set({}, one) for one in threads),
    ]


COLUMNS = """
from bench.analyse.frame import runs_frame
print(" ".join(runs_frame([]).columns))
"""


def test_no_factor_can_take_a_column_of_the_records() -> None:
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run(
        [sys.executable, "-c", COLUMNS], cwd=root, capture_output=True, text=True, check=True
    )
    assert set(done.stdout.split()) <= bundles.RESERVED
