# ruff: noqa: E501 - the expected lines stand whole, as a user sees them
"""Overrides: what they change, where they write their results, and what they may not do."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from bench.study.model import Study

ARMS = "  arms:\n    plain: {model.residual: false}\n    res.net: {model.residual: true}\n"

WRONG = [
    pytest.param(
        (),
        ("base.train.optimizer.lr=x",),
        ["command line: base.train.optimizer.lr=x: expected a number, got text 'x'"],
        id="ov-value",
    ),
    pytest.param(
        (),
        (
            "base.train.opitmizer.lr=1",
            "base.train.lr=1",
            "train.epochs=1",
            "epochs=2",
            "lr=3",
            "foo.bar=1",
            "seed=3",
            "design.gird.x=1",
            "name.x=1",
        ),
        [
            "command line: base.train.opitmizer.lr=1: unknown key; did you mean 'base.train.optimizer.lr'?",
            "command line: base.train.lr=1: unknown key; did you mean 'base.train.optimizer.lr'?",
            "command line: train.epochs=1: unknown key; did you mean 'base.train.epochs'?",
            "command line: epochs=2: unknown key; did you mean 'base.train.epochs'?",
            "command line: lr=3: unknown key; did you mean 'base.train.optimizer.lr'?",
            "command line: foo.bar=1: unknown key; one of base, baseline, comparisons, design, kind, metric, name, question, repeats, seeds, target",
            "command line: seed=3: unknown key; did you mean 'seeds'?",
            "command line: design.gird.x=1: unknown key; did you mean 'grid'?",
            "command line: name.x=1: unknown key; name holds no keys",
        ],
        id="ov-unknown",
    ),
    pytest.param(
        (),
        ("base.model.depth=20",),
        [
            "command line: base.model.depth=20: the design varies model.depth; override design.grid.model.depth instead"
        ],
        id="ov-varied",
    ),
    pytest.param(
        (),
        ("seeds", "=3", "a..b=1", "seeds=[1", "seeds=!!x 1"),
        [
            "command line: seeds: an override is written key=value, the key dotted: base.train.epochs=2",
            "command line: =3: an override is written key=value, the key dotted: base.train.epochs=2",
            "command line: a..b=1: an override is written key=value, the key dotted: base.train.epochs=2",
            "command line: seeds=[1: not valid YAML: the list is not closed; a ',' or ']' is missing",
            "command line: seeds=!!x 1: tags such as tag:yaml.org,2002:x are not allowed",
        ],
        id="ov-form",
    ),
    pytest.param(
        (), ("seeds=3", "seeds=4"), ["command line: seeds=4: the key is overridden twice"], id="ov-twice"
    ),
    pytest.param(
        (),
        ("design.grid.model.depth=[8,19]",),
        [
            "command line: design.grid.model.depth=[8,19]: design.grid.model.depth[1]: 19 is not 6n+2; nearest 20"
        ],
        id="ov-design",
    ),
    pytest.param((), ("seeds=0",), ["command line: seeds=0: 0 is not above 0"], id="ov-seeds"),
    pytest.param(
        (),
        ("base.train.steps=100",),
        [
            "command line: base.train.steps=100: base.train: give the budget as epochs or as steps, one of them"
        ],
        id="ov-section",
    ),
    pytest.param(
        (),
        ("base.train.epochs.x=100",),
        ["command line: base.train.epochs.x=100: unknown key; base.train.epochs holds no keys"],
        id="ov-through",
    ),
    pytest.param(
        (),
        ("design.zip.train.epochs=[1]",),
        [
            "command line: design.zip.train.epochs=[1]: design: exactly one of grid, zip, arms, one_at_a_time, leave_one_out, path, factorial has to be given, got grid and zip"
        ],
        id="ov-zip",
    ),
]


@pytest.mark.parametrize(("edits", "overrides", "expected"), WRONG)
def test_a_wrong_override_is_named_instead_of_a_line(
    study_text: Callable[..., str],
    lines: Callable[..., list[str]],
    edits: tuple[tuple[str, str], ...],
    overrides: tuple[str, ...],
    expected: list[str],
) -> None:
    assert lines(study_text(*edits), *overrides) == expected


def test_faults_of_the_file_and_of_overrides_are_told_together_the_file_first(
    study_text: Callable[..., str], lines: Callable[..., list[str]]
) -> None:
    told = lines(study_text(("epochs: 10", "epochs: x")), "base.train.lr=1", "base.train.batch_size=big")
    assert told == [
        "s.yaml:10:13: base.train.epochs: expected a whole number, got text 'x'",
        "command line: base.train.lr=1: unknown key; did you mean 'base.train.optimizer.lr'?",
        "command line: base.train.batch_size=big: expected a whole number, got text 'big'",
    ]


@pytest.mark.parametrize("key", ["base.model.residual", "base.model.residual.x"])
def test_overriding_what_an_arm_sets_names_the_arms_key(
    study_text: Callable[..., str], lines: Callable[..., list[str]], key: str
) -> None:
    text = study_text(("GRID", ARMS), ("BASELINE", "baseline: plain\n"))
    (line, *_) = lines(text, f"{key}=true")
    if key == "base.model.residual":
        assert line.endswith("override design.arms.plain.model.residual instead")
    else:
        assert line.endswith("unknown key; base.model.residual holds no keys")


def test_overriding_inside_a_section_that_the_design_replaces_names_the_factor(
    study_text: Callable[..., str], lines: Callable[..., list[str]]
) -> None:
    text = study_text(("GRID", "  grid: {train.optimizer: [{label: a, lr: 0.1}]}\n"), ("BASELINE", ""))
    (line,) = lines(text, "base.train.optimizer.lr=1")
    assert line.endswith("the design varies train.optimizer.lr; override design.grid.train.optimizer instead")


def test_an_override_reaches_base_design_and_baseline(
    study_text: Callable[..., str], load: Callable[..., Study]
) -> None:
    study = load(
        study_text(),
        "base.train.epochs=2",
        "design.grid.model.depth=[8, 14]",
        "baseline.model.depth=14",
        "base.train.optimizer.lr=1e-3",
        "base.execution={threads: 2}",
    )
    assert [arm.levels["model.depth"] for arm in study.arms] == [14, 8, 8, 14]
    config = study.arms[0].config
    assert (config.train.epochs, config.train.optimizer.lr, config.execution.threads) == (2, 1e-3, 2)
    assert study.document["base"]["train"]["epochs"] == 2
    assert study.document["design"]["grid"]["model.depth"] == [8, 14]


def test_an_override_makes_the_section_that_is_absent(
    study_text: Callable[..., str], load: Callable[..., Study]
) -> None:
    study = load(study_text(), "base.train.early_stopping.patience_epochs=3", "base.data.val=0.1")
    early_stopping = study.arms[0].config.train.early_stopping
    assert early_stopping is not None
    assert early_stopping.patience_epochs == 3


def test_an_override_of_an_arm_finds_names_with_dots(
    study_text: Callable[..., str], load: Callable[..., Study]
) -> None:
    text = study_text(("GRID", ARMS), ("BASELINE", "baseline: plain\n"))
    study = load(text, "design.arms.res.net.model.depth=56", "design.arms.deep={model.depth: 110}")
    depths = {arm.name: arm.config.model.options["depth"] for arm in study.arms}
    assert depths == {"plain": 20, "res.net": 56, "deep": 110}


@pytest.mark.parametrize(
    ("override", "seeds"), [("seeds=5", (0, 1, 2, 3, 4)), ("seeds=[7, 0]", (7, 0)), ("seeds=1", (0,))]
)
def test_more_seeds_extend_the_studys_own_folder(
    study_text: Callable[..., str], load: Callable[..., Study], override: str, seeds: tuple[int, ...]
) -> None:
    study = load(study_text(), override)
    assert study.seeds == seeds
    assert study.results_name == "depth"


def test_any_other_override_writes_beside_the_studys_folder(
    study_text: Callable[..., str], load: Callable[..., Study]
) -> None:
    """The folder is that of the recipe: seeds and the order of overrides have no part in it."""
    once = load(study_text(), "base.train.epochs=2", "base.train.batch_size=64")
    again = load(study_text(), "seeds=9", "base.train.batch_size=64", "base.train.epochs=2")
    other = load(study_text(), "base.train.epochs=3", "base.train.batch_size=64")
    assert re.fullmatch(r"depth\+[0-9a-f]{6}", once.results_name)
    assert again.results_name == once.results_name
    assert other.results_name != once.results_name


def test_an_override_of_null_clears_a_key(study_text: Callable[..., str], load: Callable[..., Study]) -> None:
    study = load(study_text(), "base.train.epochs=", "base.train.steps=20")
    assert (study.arms[0].config.train.epochs, study.arms[0].config.train.steps) == (None, 20)
