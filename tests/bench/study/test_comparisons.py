# ruff: noqa: E501 - the expected lines stand whole, as a user sees them
"""Declared comparisons: which pairs they are, what is refused, and what their digest depends on."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bench.study.comparisons import UNDECLARED, pairs_of
from bench.study.identity import declaration, earlier_declaration
from bench.study.model import Study

TAIL = ("BASELINE", "baseline: {model.depth: 20, model.residual: true}\n")
Load = Callable[..., Study]
Text = Callable[..., str]


def declared(text: str) -> tuple[str, str]:
    """The study's last line with a declaration below it, in line 21."""
    return ("BASELINE", f"{TAIL[1]}comparisons: {text}\n")


def pairs(study: Study) -> tuple[tuple[str, str], ...]:
    baseline = study.baseline.name if study.baseline else None
    return pairs_of(study.comparisons, [arm.name for arm in study.arms], baseline)


def test_without_a_declaration_every_arm_is_compared_with_the_baseline(load: Load, study_text: Text) -> None:
    study = load(study_text())
    assert study.comparisons == UNDECLARED
    found = pairs(study)
    assert len(found) == 7
    assert {against for _, against in found} == {"model.depth=20,model.residual=true"}
    assert found[0][0] == "model.depth=8,model.residual=true"


def test_without_a_baseline_nothing_is_compared(load: Load, study_text: Text) -> None:
    assert pairs(load(study_text(("BASELINE", "")))) == ()


def test_all_pairs_are_each_counted_once(load: Load, study_text: Text) -> None:
    found = pairs(load(study_text(declared("{family: all_pairs}"))))
    assert len(found) == len({frozenset(pair) for pair in found}) == 8 * 7 // 2


def test_arms_are_named_by_name_or_by_levels(load: Load, study_text: Text) -> None:
    """Levels left out are the baseline's; where they fit one arm alone nothing has to be added."""
    family = (
        "{family: [['model.depth=8,model.residual=false', {model.depth: 56}], "
        "[{model.residual: false}, {model.depth: 32, model.residual: false}]]}"
    )
    assert pairs(load(study_text(declared(family)))) == (
        ("model.depth=8,model.residual=false", "model.depth=56,model.residual=true"),
        ("model.depth=20,model.residual=false", "model.depth=32,model.residual=false"),
    )


WRONG = [
    ("{margin: 1}", ["21:15: comparisons.margin: unknown key; did you mean 'margin_pp'?"]),
    ("{margin_pp: 0}", ["21:26: comparisons.margin_pp: 0 is not above 0"]),
    ("{alpha: 0.9}", ["21:22: comparisons.alpha: 0.9 is above 0.5"]),
    ("{correction: holms}", ["21:27: comparisons.correction: 'holms' is not allowed; did you mean 'holm'?"]),
    ("{family: basline}", ["21:23: comparisons.family: 'basline' is not allowed; did you mean 'baseline'?"]),
    ("{family: []}", ["21:23: comparisons.family: needs at least 1 value, got 0"]),
    ("{family: [[a]]}", ["21:24: comparisons.family[0]: needs at least 2 values, got 1"]),
    (
        "{family: [['model.depth=8,model.residual=flase', {model.depth: 8}]]}",
        [
            "21:25: comparisons.family[0][0]: 'model.depth=8,model.residual=flase' is no arm; did you mean 'model.depth=8,model.residual=false'?"
        ],
    ),
    (
        "{family: [[{model.dpth: 8}, {model.depth: 19}]]}",
        [
            "21:26: comparisons.family[0][0].model.dpth: is no factor of the design; did you mean 'model.depth'?",
            "21:56: comparisons.family[0][1].model.depth: 19 is no level of model.depth; one of 20, 32, 56, 8",
        ],
    ),
    (
        "{family: [[{model.depth: 8}, {model.depth: 8}]]}",
        ["21:24: comparisons.family[0]: compares model.depth=8,model.residual=true with itself"],
    ),
    (
        "{family: [[{model.depth: 8}, {}], [{}, {model.depth: 8}]]}",
        ["21:48: comparisons.family[1]: compares the same arms as [0]"],
    ),
    (
        "{family: all_pairs, correction: dunnett}",
        [
            "21:46: comparisons.correction: 'dunnett' compares arms with one baseline; use holm, or family: baseline"
        ],
    ),
]


@pytest.mark.parametrize(("text", "expected"), WRONG, ids=[text for text, _ in WRONG])
def test_a_wrong_declaration_is_told_with_its_place(
    study_text: Text, lines: Callable[..., list[str]], text: str, expected: list[str]
) -> None:
    assert lines(study_text(declared(text))) == [f"s.yaml:{line}" for line in expected]


def test_the_family_of_the_baseline_needs_one(study_text: Text, lines: Callable[..., list[str]]) -> None:
    text = study_text(("BASELINE", "comparisons: {correction: dunnett}\n"))
    assert lines(text) == [
        "s.yaml:20:1: comparisons.family: 'baseline' needs a baseline; declare one, or use all_pairs, or write the pairs out"
    ]


def test_levels_that_fit_several_arms_are_refused_where_no_baseline_decides(
    study_text: Text, lines: Callable[..., list[str]]
) -> None:
    text = study_text(("BASELINE", "comparisons: {family: [[{model.depth: 8}, {model.depth: 20}]]}\n"))
    assert lines(text) == [
        "s.yaml:20:25: comparisons.family[0][0]: 2 arms have these levels; say also model.residual",
        "s.yaml:20:43: comparisons.family[0][1]: 2 arms have these levels; say also model.residual",
    ]


def test_a_margin_in_points_is_no_margin_of_a_loss(study_text: Text, lines: Callable[..., list[str]]) -> None:
    text = study_text(declared("{margin_pp: 0.5}"), ("metric: test_top1_pct", "metric: test_loss"))
    assert lines(text) == [
        "s.yaml:21:26: comparisons.margin_pp: 0.5 is in percentage points, which test_loss is not; leave it out"
    ]


def test_an_override_reaches_into_the_declaration(load: Load, study_text: Text) -> None:
    study = load(study_text(), "comparisons.margin_pp=0.25")
    assert study.comparisons.margin_pp == 0.25
    assert study.results_name.startswith("depth+")


def test_an_override_of_an_unknown_key_of_the_declaration_names_the_nearest(
    study_text: Text, lines: Callable[..., list[str]]
) -> None:
    assert lines(study_text(), "comparisons.margn_pp=1") == [
        "command line: comparisons.margn_pp=1: unknown key; did you mean 'margin_pp'?"
    ]


def test_the_digest_of_a_study_that_declares_nothing_stays_what_it_was(load: Load, study_text: Text) -> None:
    """Every record written before comparisons could be declared holds this digest of the metric."""
    assert earlier_declaration(load(study_text())) == "843b4fe5184daa0a"
    defaults = load(study_text(declared("{family: baseline, alpha: 0.05}")))
    assert earlier_declaration(defaults) == "843b4fe5184daa0a"
    assert declaration(defaults) == declaration(load(study_text()))


def test_seeds_by_a_rule_and_another_baseline_are_other_declarations(load: Load, study_text: Text) -> None:
    """With comparisons at their defaults too: who adds seeds until something shows has to say so first."""
    found = {
        declaration(load(study_text())),
        declaration(load(study_text(("seeds: 3", "seeds: {min: 3, max: 9, until: decided}")))),
        declaration(load(study_text().replace("baseline: {model.depth: 20", "baseline: {model.depth: 8"))),
    }
    assert len(found) == 3


@pytest.mark.parametrize(
    "text", ["{margin_pp: 0.5}", "{alpha: 0.01}", "{correction: dunnett}", "{family: all_pairs}"]
)
def test_what_is_declared_changes_the_digest(load: Load, study_text: Text, text: str) -> None:
    assert declaration(load(study_text(declared(text)))) != declaration(load(study_text()))


def test_another_seed_or_arm_leaves_the_digest_alone_and_another_baseline_does_not(
    load: Load, study_text: Text
) -> None:
    mine = ("BASELINE", f"{TAIL[1]}comparisons: {{margin_pp: 0.5}}\n")
    before = declaration(load(study_text(mine)))
    more = study_text(mine, ("seeds: 3", "seeds: 5"), ("[8, 20, 32, 56]", "[8, 20, 32, 44, 56]"))
    assert declaration(load(more)) == before
    assert (
        declaration(load(study_text(mine).replace("baseline: {model.depth: 20", "baseline: {model.depth: 8")))
        != before
    )
