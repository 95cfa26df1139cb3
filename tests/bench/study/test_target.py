"""The target of training: where it stands, what is refused, and that it belongs to what is declared."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bench.study.identity import declaration
from bench.study.model import Study

TAIL = "baseline: {model.depth: 20, model.residual: true}\n"
Load = Callable[..., Study]
Text = Callable[..., str]


def with_target(text: str) -> tuple[str, str]:
    return ("BASELINE", f"{TAIL}target: {text}\n")


def test_a_target_is_a_validation_accuracy(load: Load, study_text: Text) -> None:
    study = load(study_text(with_target("{val_top1_pct: 95}")))
    assert study.target_val_top1_pct == 95
    assert study.document["target"] == {"val_top1_pct": 95}
    assert load(study_text()).target_val_top1_pct is None


def test_a_target_is_declared_before_the_runs(load: Load, study_text: Text) -> None:
    """Records made before there were targets keep their digest."""
    plain = load(study_text())
    targets = [load(study_text(with_target(f"{{val_top1_pct: {pct}}}"))) for pct in (95, 97.5)]
    assert declaration(plain) == declaration(load(study_text(("seeds: 3", "seeds: 5"))))
    assert len({declaration(study) for study in (plain, *targets)}) == 3


WRONG = [
    ("{val_top1_pct: 0}", "21:24: target.val_top1_pct: 0 is not above 0"),
    ("{val_top1_pct: 101}", "21:24: target.val_top1_pct: 101 is above 100"),
    ("{val_top: 95}", "21:10: target.val_top: unknown key; did you mean 'val_top1_pct'?"),
]


@pytest.mark.parametrize(("text", "expected"), WRONG, ids=[text for text, _ in WRONG])
def test_a_wrong_target_is_told_with_its_place(
    study_text: Text, lines: Callable[..., list[str]], text: str, expected: str
) -> None:
    assert f"s.yaml:{expected}" in lines(study_text(with_target(text)))


def test_an_override_may_set_a_target(load: Load, study_text: Text) -> None:
    study = load(study_text(), "target.val_top1_pct=90")
    assert study.target_val_top1_pct == 90
    assert study.results_name.startswith("depth+")


def test_a_throughput_study_has_no_target(lines: Callable[..., list[str]]) -> None:
    text = (
        "name: t\nkind: throughput\nbase:\n  data: {name: digits}\n  model: {name: cifar_resnet, depth: 20}\n"
    )
    said = lines(f"{text}target: {{val_top1_pct: 95}}\n")
    assert said == [
        "s.yaml:6:1: target: is no key of a throughput study, which trains to no end; leave it out"
    ]
