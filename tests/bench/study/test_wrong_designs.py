# ruff: noqa: E501 - the expected lines stand whole, as a user sees them
"""Wrong designs: factors, levels, baselines, exclusions, and arms that cannot be built."""

from __future__ import annotations

from collections.abc import Callable

import pytest

WRONG = [
    pytest.param(
        (("[8, 20, 32, 56]", "[8, 19]"),),
        ["18:22: design.grid.model.depth[1]: 19 is not 6n+2; nearest 20"],
        id="depth",
    ),
    pytest.param(
        (("seeds: 3", "seeds: 1000000"),),
        ["17:3: design.grid: 8 arms with 1,000,000 seeds are 8,000,000 runs; a study has at most 100,000"],
        id="million",
    ),
    pytest.param(
        (("  grid:", "  zip: {train.epochs: [1]}\n  grid:"),),
        [
            "16:1: design: exactly one of grid, zip, arms, one_at_a_time, leave_one_out, path, factorial has to be given, got grid and zip"
        ],
        id="two-designs",
    ),
    pytest.param(
        (("GRID", "  exclude: [{model.depth: 8}]\n"),),
        [
            "16:1: design: exactly one of grid, zip, arms, one_at_a_time, leave_one_out, path, factorial has to be given, got none"
        ],
        id="no-design",
    ),
    pytest.param(
        (("[true, false]", "[]"),),
        ["19:21: design.grid.model.residual: needs at least 1 value, got 0"],
        id="empty-list",
    ),
    pytest.param(
        (("[true, false]", "[true, true]"),),
        ["19:28: design.grid.model.residual[1]: true is the same level as [0]"],
        id="dup-level",
    ),
    pytest.param(
        (
            ("model.residual: [true, false]", "train.optimizer.lr: [1, 1.0]"),
            (", model.residual: true}\n", ", train.optimizer.lr: 1}\n"),
        ),
        ["19:29: design.grid.train.optimizer.lr[1]: 1.0 is the same level as [0]"],
        id="dup-level-1.0",
    ),
    pytest.param(
        (("    model.residual: [", "    base.model.residual: ["),),
        [
            "19:5: design.grid.base.model.residual: factors are named without 'base.'; did you mean 'model.residual'?"
        ],
        id="factor-base.",
    ),
    pytest.param(
        (("    model.residual: [true", "    train.optmizer.lr: [true"),),
        ["19:5: design.grid.train.optmizer.lr: unknown key; did you mean 'train.optimizer.lr'?"],
        id="factor-typo",
    ),
    pytest.param(
        (("    model.residual: [", "    model.risidual: ["),),
        ["19:5: design.grid.model.risidual: unknown key; did you mean 'model.residual'?"],
        id="model-option-typo-factor",
    ),
    pytest.param(
        (("    model.residual: [true, false]", "    model: [{label: a, name: cifar_resnet}]"),),
        ["18:5: design.grid.model.depth: is inside model, which the design also sets; keep one of them"],
        id="prefix",
    ),
    pytest.param(
        (("    model.residual: [true, false]", "    train.optimizer: [{name: sgd, lr: 0.1}, [1,2]]"),),
        [
            "19:23: design.grid.train.optimizer[0]: a level that is a mapping needs a label: {label: …, value: …}",
            "19:45: design.grid.train.optimizer[1]: a level that is a list needs a label: {label: …, value: …}",
        ],
        id="unlabelled",
    ),
    pytest.param(
        (
            (
                "    model.residual: [true, false]",
                "    train.optimizer: [{label: a, name: sgd, lr: 0.1}, {label: b, name: sdg, lr: 0.1}, {label: c, value: {name: adam, lr: fast}}, {label: d, nam: adam, lr: 1}]",
            ),
            (", model.residual: true}\n", ", train.optimizer: a}\n"),
        ),
        [
            "19:72: design.grid.train.optimizer[1].name: 'sdg' is no optimizer; did you mean 'sgd'?",
            "19:122: design.grid.train.optimizer[2].value.lr: expected a number, got text 'fast'",
            "19:141: design.grid.train.optimizer[3].nam: unknown key; did you mean 'name'?",
        ],
        id="label-level-wrong",
    ),
    pytest.param(
        (("baseline: {model.depth: 20", "baseline: {model.deph: 20"),),
        ["20:12: baseline.model.deph: is no factor of the design; did you mean 'model.depth'?"],
        id="baseline-unknown-factor",
    ),
    pytest.param(
        (("baseline: {model.depth: 20", "baseline: {model.depth: 21"),),
        ["20:25: baseline.model.depth: 21 is not 6n+2; nearest 20"],
        id="baseline-bad-value",
    ),
    pytest.param(
        (("BASELINE", "baseline: foo\n"),),
        ["20:11: baseline: with grid, the baseline is a mapping of factors to levels"],
        id="baseline-text",
    ),
    pytest.param(
        (("baseline:", "  exclude: [{model.depth: 21}, {model.residul: true}, {}]\nbaseline:"),),
        [
            "20:27: design.exclude[0].model.depth: 21 is no level of model.depth; one of 20, 32, 56, 8",
            "20:33: design.exclude[1].model.residul: is no factor of the design; did you mean 'model.residual'?",
            "20:55: design.exclude[2]: names no level",
        ],
        id="exclude-unknown",
    ),
    pytest.param(
        (("  grid:", "  zip:"),),
        ["17:3: design.zip: lists of a zip have equal length, got model.depth 4, model.residual 2"],
        id="zip",
    ),
    pytest.param(
        (
            ("model.residual: [true, false]", "train.schedule.name: [onecycle, cosine]"),
            ("schedule: {name: onecycle}", "schedule: {name: onecycle, pct_start: 0.3}"),
            ("model.residual: true}\n", "train.schedule.name: cosine}\n"),
        ),
        [
            "19:37: design.grid.train.schedule.name[1]: base.train.schedule: pct_start is no option of cosine; it takes min_lr"
        ],
        id="section-rule-by-level",
    ),
    pytest.param(
        (
            ("epochs: 10", "epochs: ten"),
            ("lr: 0.1", "lr: -1"),
            ("digits", "digist"),
            ("[8, 20, 32, 56]", "[8, 19]"),
            ("select: last", "selct: last"),
            ("name: depth", "name: .x"),
        ),
        [
            "2:7: name: '.x' is no name for a study; use at most 64 letters, digits, '.', '_' and '-', the first a letter or digit",
            "7:16: base.data.name: 'digist' is no dataset; did you mean 'digits'?",
            "10:13: base.train.epochs: expected a whole number, got text 'ten'",
            "12:32: base.train.optimizer.lr: -1 is not above 0",
            "14:5: base.train.selct: unknown key; did you mean 'select'?",
            "18:22: design.grid.model.depth[1]: 19 is not 6n+2; nearest 20",
        ],
        id="many-faults",
    ),
    pytest.param(
        (("[8, 20, 32, 56]", "[8, '20', true, [1]]"),),
        [
            "18:22: design.grid.model.depth[1]: expected a whole number, got text '20'",
            "18:28: design.grid.model.depth[2]: expected a whole number, got true",
            "18:34: design.grid.model.depth[3]: a level that is a list needs a label: {label: …, value: …}",
        ],
        id="depth-text",
    ),
    pytest.param(
        (
            (
                "GRID",
                "  arms:\n    plain: {model.residual: false}\n    res: {}\n    x: {model.dpth: 8, foo: 2}\n    y: {model.residual: no}\n    z: 3\n",
            ),
            ("BASELINE", "baseline: rez\n"),
        ),
        [
            "20:9: design.arms.x.model.dpth: unknown key; did you mean 'model.depth'?",
            "20:24: design.arms.x.foo: unknown key; one of data, execution, model, pretrain, train, weights",
            "21:25: design.arms.y.model.residual: expected true or false, got text 'no'; write false",
            "22:8: design.arms.z: expected a mapping, got 3",
        ],
        id="arms-unknown-baseline",
    ),
    pytest.param(
        (
            ("GRID", "  arms:\n    plain: {model.residual: false}\n    res:\n    x: {model.depth: 20}\n"),
            ("BASELINE", "baseline: res\n"),
        ),
        ["20:5: design.arms.x: arm x has the same configuration as arm res"],
        id="arms-twins",
    ),
    pytest.param(
        (("BASELINE", "  exclude: [{model.residual: true}, {model.residual: false}]\n"),),
        ["20:3: design.exclude: leaves no arm"],
        id="exclude-all",
    ),
    pytest.param(
        (("GRID", "  grid: [1]\n"),),
        ["17:9: design.grid: expected a mapping, got a list"],
        id="grid-not-mapping",
    ),
    pytest.param(
        (("[true, false]", "true"),),
        ["19:21: design.grid.model.residual: expected a list, got true"],
        id="levels-scalar",
    ),
]


@pytest.mark.parametrize(("edits", "expected"), WRONG)
def test_a_wrong_design_is_told_at_its_place(
    study_text: Callable[..., str],
    lines: Callable[..., list[str]],
    edits: tuple[tuple[str, str], ...] | str,
    expected: list[str],
) -> None:
    text = edits if isinstance(edits, str) else study_text(*edits)
    assert [line.removeprefix("s.yaml:") for line in lines(text)] == expected
