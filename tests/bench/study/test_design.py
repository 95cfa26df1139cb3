"""Designs become arms: which, in which order, how they are named, and where the baseline stands."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bench.study.design import read_design
from bench.study.document import Document
from bench.study.model import Study
from bench.study.naming import slugs
from bench.study.outline import StudyFile
from bench.study.yaml import parse

Load = Callable[..., Study]
Text = Callable[..., str]


def names(study: Study) -> list[str]:
    return [arm.name for arm in study.arms]


def test_a_grid_holds_every_combination_the_baseline_first(study_text: Text, load: Load) -> None:
    study = load(study_text(("[8, 20, 32, 56]", "[8, 20]")))
    assert names(study) == [
        "model.depth=20,model.residual=true",
        "model.depth=8,model.residual=true",
        "model.depth=8,model.residual=false",
        "model.depth=20,model.residual=false",
    ]
    assert [arm.is_baseline for arm in study.arms] == [True, False, False, False]
    assert study.design == "grid"
    assert [(factor.key, factor.levels) for factor in study.factors] == [
        ("model.depth", (8, 20)),
        ("model.residual", (True, False)),
    ]


def test_levels_reach_the_configuration(study_text: Text, load: Load) -> None:
    study = load(study_text())
    for arm in study.arms:
        assert arm.config.model.options == {
            "depth": arm.levels["model.depth"],
            "residual": arm.levels["model.residual"],
        }


def test_a_zip_pairs_levels_in_order(study_text: Text, load: Load) -> None:
    design = "  zip: {model.depth: [8, 14], train.epochs: [1, 2]}\n"
    study = load(study_text(("GRID", design), ("BASELINE", "")))
    assert names(study) == ["model.depth=8,train.epochs=1", "model.depth=14,train.epochs=2"]
    assert study.baseline is None


def test_arms_keep_their_names_and_the_baseline_goes_first(study_text: Text, load: Load) -> None:
    design = "  arms:\n    plain: {model.residual: false}\n    resnet:\n    deep: {model.depth: 56}\n"
    study = load(study_text(("GRID", design), ("BASELINE", "baseline: resnet\n")))
    assert names(study) == ["resnet", "plain", "deep"]
    assert study.arms[1].levels == {"arm": "plain"}
    assert study.factors[0].levels == ("plain", "resnet", "deep")
    assert study.arms[2].config.model.options == {"depth": 56, "residual": True}


def test_one_at_a_time_changes_one_factor_and_takes_the_rest_from_baseline_and_base(
    study_text: Text, load: Load
) -> None:
    design = (
        "  one_at_a_time:\n    model.depth: [8, 14]\n    model.residual: [true, false]\n"
        "    train.label_smoothing: [0.1]\n"
    )
    study = load(study_text(("GRID", design), ("BASELINE", "baseline: {model.depth: 8}\n")))
    assert names(study) == [
        "model.depth=8,model.residual=true,train.label_smoothing=0.0",
        "model.depth=14,model.residual=true,train.label_smoothing=0.0",
        "model.depth=8,model.residual=false,train.label_smoothing=0.0",
        "model.depth=8,model.residual=true,train.label_smoothing=0.1",
    ]
    assert study.arms[0].is_baseline
    assert study.factors[2].levels == (0.0, 0.1), "the default, which only the baseline has, comes first"


def test_one_at_a_time_without_a_baseline_stands_on_base(study_text: Text, load: Load) -> None:
    design = "  one_at_a_time: {train.optimizer: [{label: adam, name: adam, lr: 1e-3}], model.depth: [8]}\n"
    study = load(study_text(("GRID", design), ("BASELINE", "")))
    assert names(study) == [
        "train.optimizer=base,model.depth=20",
        "train.optimizer=adam,model.depth=20",
        "train.optimizer=base,model.depth=8",
    ]
    assert study.baseline is study.arms[0]


def test_a_baseline_without_its_factors_value_is_a_fault(study_text: Text, lines: Any) -> None:
    design = "  one_at_a_time: {model.depth: [8, 14]}\n"
    told = lines(study_text(("GRID", design), ("BASELINE", ""), ("depth: 20, ", "")))
    assert told == [
        (
            "s.yaml:17:19: design.one_at_a_time.model.depth: "
            "the baseline says nothing of model.depth, nor does base"
        )
    ]


def test_exclude_leaves_out_what_it_names_but_never_the_baseline(study_text: Text, load: Load) -> None:
    exclude = "  exclude:\n  - {model.depth: 20}\n  - {model.depth: 56, model.residual: false}\nbaseline:"
    study = load(study_text(("baseline:", exclude)))
    assert names(study) == [
        "model.depth=20,model.residual=true",
        "model.depth=8,model.residual=true",
        "model.depth=8,model.residual=false",
        "model.depth=32,model.residual=true",
        "model.depth=32,model.residual=false",
        "model.depth=56,model.residual=true",
    ]


def test_a_baseline_outside_the_design_is_added(study_text: Text, load: Load) -> None:
    study = load(study_text(("baseline: {model.depth: 20", "baseline: {model.depth: 44")))
    assert names(study)[0] == "model.depth=44,model.residual=true"
    assert len(study.arms) == 9
    assert study.factors[0].levels == (44, 8, 20, 32, 56)


def test_a_factor_on_a_section_replaces_it_and_reads_by_its_label(study_text: Text, load: Load) -> None:
    design = (
        "  grid:\n    train.optimizer:\n    - {label: sgd, name: sgd, lr: 0.1}\n"
        "    - {label: adam, value: {name: adam, lr: 1e-3}}\n"
        "    data.augment: [none, {label: both, value: [flip, crop]}]\n"
    )
    study = load(study_text(("GRID", design), ("BASELINE", "baseline: {train.optimizer: sgd}\n")))
    assert names(study)[0] == "train.optimizer=sgd,data.augment=none"
    assert len(study.arms) == 4
    last = study.arms[-1]
    assert last.levels == {"train.optimizer": "adam", "data.augment": "both"}
    assert last.config.train.optimizer.momentum is None, "replaced, not merged"
    assert last.config.data.augment == ("crop", "flip")


def test_a_wrong_factor_beside_a_baseline_that_says_too_little_is_told(study_text: Text, lines: Any) -> None:
    """The baseline's missing level was dropped from its tuple, and levels no longer met their factors."""
    design = "  grid: {model.depth: [8, 14], model.residul: [true]}\n"
    told = lines(study_text(("GRID", design), ("BASELINE", "baseline: {}\n"), ("depth: 20, ", "")))
    assert told == [
        "s.yaml:17:32: design.grid.model.residul: unknown key; did you mean 'model.residual'?",
    ]


def test_a_study_without_a_design_has_one_arm(study_text: Text, load: Load) -> None:
    study = load(study_text(("design:\n", ""), ("GRID", ""), ("BASELINE", "")))
    assert names(study) == ["base"]
    assert (study.factors, study.design, study.arms[0].levels) == ((), None, {})


def test_a_study_of_a_few_lines_takes_defaults_for_its_head(load: Load) -> None:
    study = load(
        "name: x\nbase: {data: {name: digits}, model: {name: cifar_resnet, depth: 8}, "
        "train: {epochs: 1, optimizer: {lr: 0.1}}}\n"
    )
    assert (study.metric, study.seeds, study.question) == ("test_top1_pct", (0, 1, 2), "")
    assert study.document["metric"] == "test_top1_pct"


def test_a_grid_of_a_million_runs_is_refused_at_once_with_its_count(study_text: Text, lines: Any) -> None:
    levels = list(range(1, 501))
    factors = f"  grid:\n    train.batch_size: {levels}\n    data.split_seed: {levels}\n"
    started = time.perf_counter()
    told = lines(study_text(("GRID", factors), ("BASELINE", ""), ("seeds: 3", "seeds: 4")))
    assert told == [
        "s.yaml:17:3: design.grid: 250,000 arms with 4 seeds are 1,000,000 runs; a study has at most 100,000"
    ]
    assert time.perf_counter() - started < 1


def test_a_hundred_thousand_runs_are_not_too_many(study_text: Text, load: Load) -> None:
    assert len(load(study_text(), "seeds=12500").seeds) * 8 == 100_000


def test_a_fault_of_a_combination_names_the_arm(study_text: Text, lines: Any) -> None:
    """Neither level is wrong by itself; `exclude` can mend it."""
    design = "  grid: {train.select: [last, best_val], data.val: [0, 0.1]}\n"
    told = lines(study_text(("GRID", design), ("BASELINE", "")))
    assert told == [
        (
            "s.yaml:6:1: base: val is 0 but select: best_val, early_stopping or plateau needs validation; "
            "raise data.val (arm train.select=best_val,data.val=0)"
        )
    ]


def expand(kind: str, factors: dict[str, list[int]]) -> list[str]:
    """Names of a design's arms, by way of a document."""
    text = f"name: x\nbase: {{train: {{batch_size: 1}}}}\ndesign: {{{kind}: {factors}}}\n"
    parsed = parse(text, "s")
    design = read_design(StudyFile.model_validate(parsed.data), Document("s", parsed.data, parsed.marks))
    assert design.faults == []
    return [one.name for one in design.combinations]


KEYS = ["train.epochs", "train.batch_size", "data.split_seed", "data.train_size"]
FACTORS = st.dictionaries(
    st.sampled_from(["execution.threads", "train.eval_every_epochs", "data.split_seed"]),
    st.lists(st.integers(2, 9), min_size=1, max_size=5, unique=True),
    min_size=1,
)


@given(FACTORS)
def test_one_at_a_time_has_one_arm_and_one_more_for_each_other_level(factors: dict[str, list[int]]) -> None:
    """1 + Σ(k - 1) arms where the levels hold the baseline's; these leave it out, so 1 + Σ k."""
    with_base = {key: [0 if key == "data.split_seed" else 1, *levels] for key, levels in factors.items()}
    n_arms = 1 + sum(len(levels) - 1 for levels in with_base.values())
    assert len(expand("one_at_a_time", with_base)) == n_arms
    assert set(expand("one_at_a_time", factors)) == set(expand("one_at_a_time", with_base))


@given(FACTORS)
def test_a_grid_is_the_product_and_its_arms_are_distinct(factors: dict[str, list[int]]) -> None:
    arms = expand("grid", factors)
    n_arms = 1
    for levels in factors.values():
        n_arms *= len(levels)
    assert len(set(arms)) == len(arms) == n_arms


@given(st.sets(st.text(min_size=1, max_size=120), max_size=20))
def test_slugs_are_short_safe_and_distinct_even_where_case_is_not(arms: set[str]) -> None:
    made = slugs(arms)
    assert len({slug.lower() for slug in made.values()}) == len(arms)
    for slug in made.values():
        assert 0 < len(slug) <= 80
        assert set(slug) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._=-")
        assert slug[0] not in ".-"


@given(st.permutations(["a", "A", "b c", "b-c", "x" * 90, "x" * 91]))
def test_a_slug_does_not_depend_on_the_order_of_arms(arms: list[str]) -> None:
    assert slugs(arms) == slugs(sorted(arms))
