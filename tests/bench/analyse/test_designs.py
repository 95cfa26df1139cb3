"""Contributions, effects, paths and looks, from scores that are worked out by hand."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.analyse.design_contributions import Contributions, contributions
from bench.analyse.design_factorial import Effects, effects
from bench.analyse.design_path import next_step, replay_step
from bench.analyse.design_seeds import due_looks, replay_look
from bench.analyse.design_walk import walk
from bench.analyse.foresight import foresee
from bench.analyse.power import detectable
from bench.analyse.summary import Block, summarise
from bench.record.schema import Record
from bench.study.decisions import PathDecision
from bench.study.load import load_study
from bench.study.model import Growth, Study

BASE = """\
name: fake
seeds: 3
base:
  data: {name: digits, val: 0.1}
  model: {name: cifar_resnet, depth: 20}
  train: {epochs: 10, optimizer: {name: sgd, lr: 0.1}}
"""

COMPONENTS = """\
    smoothing: {with: {train.label_smoothing: 0.1}}
    decay: {with: {train.optimizer.weight_decay: 5e-4}}
    nesterov: {with: {train.optimizer.momentum: 0.9}}
"""


@pytest.fixture
def study(tmp_path: Path) -> Any:
    def load(design: str, text: str = BASE, growth: Growth | None = None) -> Study:
        path = tmp_path / "s.yaml"
        path.write_text(f"{text}design:\n  {design}:\n{COMPONENTS}")
        return load_study(path, (), growth)

    return load


def records_of(
    fakes: Any, study: Study, scores: Mapping[str, Sequence[float]], vals: Mapping[str, float] | None = None
) -> list[Record]:
    """Runs of some arms, seeds from 0; `vals` are validation accuracies, the same for every seed."""
    return [
        fakes.run(
            dict(arm.levels),
            seed,
            value,
            arm=arm.name,
            config=fakes.config({}),
            metrics={"val_top1_pct": None if vals is None else vals[arm.name] + 0.1 * seed},
        )
        for arm in study.arms
        if arm.name in scores
        for seed, value in enumerate(scores[arm.name])
    ]


def block_of(records: Sequence[Record], study: Study) -> Block:
    (block,) = summarise(records, "test_top1_pct", study=study).blocks
    return block


def test_a_contribution_is_full_minus_without_seed_by_seed(fakes: Any, study: Any) -> None:
    """By hand: differences 2, 4, 3 have mean 3, sd 1, half-width 4.30265/√3 = 2.48414."""
    loo = study("leave_one_out")
    scores = {
        "full": (90.0, 91.0, 92.0),
        "without smoothing": (88.0, 87.0, 89.0),
        "without decay": (90.0, 91.0, 92.0),
        "without nesterov": (91.0, 93.0, 95.0),
    }
    found = contributions(block_of(records_of(fakes, loo, scores), loo), "leave_one_out", "test_top1_pct")
    assert isinstance(found, Contributions)
    first = found.changes[0]
    assert first.name == "smoothing"
    assert first.contrast.by_seed == (2.0, 4.0, 3.0)
    assert first.contrast.estimate == pytest.approx(3)
    assert (first.contrast.ci95_low, first.contrast.ci95_high) == pytest.approx(
        (3 - 2.48414, 3 + 2.48414), abs=1e-4
    )
    assert first.placed == pytest.approx((91 - 2, 91 - 4, 91 - 3))
    assert [one.name for one in found.ranked] == ["smoothing", "decay", "nesterov"]


def test_a_contribution_is_called_what_the_verdict_calls_it(fakes: Any, study: Any) -> None:
    """Gaps 1, 2, 1.5 have t = 1.5 / (.5 / √3) = 5.196 and p = .035, whose interval leaves 0 out: of three
    comparisons that is no finding, and a figure that says so beside an undecided verdict is wrong."""
    loo = study("leave_one_out", f"{BASE}comparisons: {{margin_pp: 0.5}}\n")
    full = (90.0, 91.0, 92.0)
    gaps = {"smoothing": (5.0, 5.1, 5.2), "decay": (1.0, 2.0, 1.5), "nesterov": (0.01, 0.0, -0.01)}
    scores = {
        f"without {name}": tuple(v - g for v, g in zip(full, gap, strict=True)) for name, gap in gaps.items()
    }
    records = [
        record.model_copy(update={"metrics": record.metrics.model_copy(update={"n_test": 1_000_000})})
        for record in records_of(fakes, loo, {"full": full, **scores})
    ]
    found = contributions(block_of(records, loo), "leave_one_out", "test_top1_pct")
    assert isinstance(found, Contributions)
    assert [one.standing for one in found.changes] == ["helps", "undecided", "no difference that matters"]
    assert found.changes[1].contrast.sign == 1


def test_one_at_a_time_is_level_minus_baseline(fakes: Any, tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(BASE + "design: {one_at_a_time: {train.optimizer.lr: [0.1, 0.2, 0.4]}}\n")
    oat = load_study(path)
    scores = {
        "train.optimizer.lr=0.1": (90.0, 91.0, 92.0),
        "train.optimizer.lr=0.2": (91.0, 93.0, 93.0),
    }
    found = contributions(block_of(records_of(fakes, oat, scores), oat), "one_at_a_time", "test_top1_pct")
    assert isinstance(found, Contributions)
    assert [one.contrast.estimate for one in found.changes] == [pytest.approx(4 / 3), None]
    assert found.ranked[0].name == "lr=0.2"


def test_effects_are_those_of_the_model_that_made_the_scores(fakes: Any, study: Any) -> None:
    """Scores of 80 ± 2 (smoothing) ± 0.5 (decay) ± 1 (both): effects 4, 1 and an interaction of 2."""
    full = study("factorial")
    scores = {}
    for arm in full.arms:
        a, b, _ = (1 if arm.levels[key] else -1 for key in ("smoothing", "decay", "nesterov"))
        scores[arm.name] = tuple(80 + seed + 2 * a + 0.5 * b + a * b for seed in range(3))
    found = effects(block_of(records_of(fakes, full, scores), full), full.factors, "test_top1_pct")
    assert isinstance(found, Effects)
    told = {one.chain.name: one.contrast.estimate for one in found.effects}
    assert told == {
        "smoothing": pytest.approx(4),
        "decay": pytest.approx(1),
        "nesterov": pytest.approx(0, abs=1e-9),
        "smoothing × decay": pytest.approx(2),
        "smoothing × nesterov": pytest.approx(0, abs=1e-9),
        "decay × nesterov": pytest.approx(0, abs=1e-9),
    }
    assert found.is_full
    assert found.mean_at({0: 1, 1: 1})[1] == pytest.approx(81 + 2 + 0.5 + 1)


def test_a_fraction_adds_up_what_it_aliases(fakes: Any, study: Any, tmp_path: Path) -> None:
    """With nesterov = smoothing × decay, an interaction of the two reads as an effect of nesterov."""
    study("factorial")
    path = tmp_path / "s.yaml"
    path.write_text(path.read_text() + "  resolution: 3\n")
    half = load_study(path)
    scores = {}
    for arm in half.arms:
        a, b = (1 if arm.levels[key] else -1 for key in ("smoothing", "decay"))
        scores[arm.name] = tuple(80 + seed + 1.5 * a * b for seed in range(3))
    found = effects(block_of(records_of(fakes, half, scores), half), half.factors, "test_top1_pct")
    assert isinstance(found, Effects)
    told = {one.chain.text: one.contrast.estimate for one in found.effects}
    assert told["nesterov + smoothing × decay"] == pytest.approx(3)
    assert not found.is_full


def test_effects_need_every_arm(fakes: Any, study: Any) -> None:
    full = study("factorial")
    scores = {arm.name: (80.0, 81.0, 82.0) for arm in full.arms[:-1]}
    reason = effects(block_of(records_of(fakes, full, scores), full), full.factors, "test_top1_pct")
    assert reason == (
        "an effect needs every arm, and smoothing=true, decay=true, nesterov=true has no finished run"
    )


SINGLES = {"bare": 80.0, "smoothing": 82.0, "decay": 84.0, "nesterov": 83.0, "full": 90.0}


def test_a_step_takes_the_best_on_validation_whatever_the_test_set_says(fakes: Any, study: Any) -> None:
    path = study("path")
    scores = {name: (99.0 - value,) * 3 for name, value in SINGLES.items()}  # the test set says the opposite
    step = next_step(path, records_of(fakes, path, scores, SINGLES), "cpu", ())
    assert isinstance(step, PathDecision)
    assert step.chosen == "decay"
    assert [one.mean_val_top1_pct for one in step.candidates] == pytest.approx([82.1, 84.1, 83.1])


def test_of_equal_candidates_the_first_declared_is_taken(fakes: Any, study: Any) -> None:
    path = study("path")
    records = records_of(fakes, path, dict.fromkeys(SINGLES, (50.0,) * 3), dict.fromkeys(SINGLES, 80.0))
    step = next_step(path, records, "cpu", ())
    assert step is not None
    assert step.chosen == "smoothing"


def test_a_step_waits_for_every_run_and_for_failed_ones_to_be_mended(fakes: Any, study: Any) -> None:
    path = study("path")
    records = records_of(fakes, path, dict.fromkeys(SINGLES, (50.0,) * 3), SINGLES)
    assert next_step(path, [r for r in records if (r.arm, r.seed) != ("decay", 2)], "cpu", ()) is None
    assert next_step(path, records, "cuda", ()) is None
    failed = [
        r.model_copy(update={"status": "failed"}) if (r.arm, r.seed) == ("decay", 2) else r for r in records
    ]
    assert next_step(path, failed, "cpu", ()) is None


def test_a_candidate_that_diverged_is_passed_over(fakes: Any, study: Any) -> None:
    path = study("path")
    records = records_of(fakes, path, dict.fromkeys(SINGLES, (50.0,) * 3), SINGLES)
    wild = [
        r.model_copy(update={"status": "diverged"}) if (r.arm, r.seed) == ("decay", 1) else r for r in records
    ]
    step = next_step(path, wild, "cpu", ())
    assert step is not None
    assert step.chosen == "nesterov"
    assert step.candidates[1].passed_over == "diverged"
    assert "decay passed over (diverged)" in step.text


def test_a_path_without_a_candidate_ends(fakes: Any, study: Any) -> None:
    path = study("path")
    records = records_of(fakes, path, dict.fromkeys(SINGLES, (50.0,) * 3), SINGLES)
    wild = [r.model_copy(update={"status": "diverged"}) for r in records]
    step = next_step(path, wild, "cpu", ())
    assert step is not None
    assert step.chosen is None
    assert step.text.startswith("step 1 ends: no candidate has a result")


def test_a_replayed_step_tells_what_differs(fakes: Any, study: Any) -> None:
    path = study("path")
    records = records_of(fakes, path, dict.fromkeys(SINGLES, (50.0,) * 3), SINGLES)
    step = next_step(path, records, "cpu", ())
    assert step is not None
    assert replay_step(path, records, step) == ()
    better = {**SINGLES, "nesterov": 99.0}
    changed = records_of(fakes, path, dict.fromkeys(SINGLES, (50.0,) * 3), better)
    assert replay_step(path, changed, step) == ("step 1 of the path: kept decay, again nesterov",)
    assert replay_step(path, records[:3], step) == ("step 1 of the path: its runs are not there any more",)


def test_a_walk_tells_candidates_and_gains(fakes: Any, study: Any) -> None:
    growth = Growth({"cpu": ("decay", "smoothing")})
    path = study("path", growth=growth)
    vals = {**SINGLES, "smoothing+decay": 86.0, "decay+nesterov": 85.0}
    scores = {name: (value, value + 1, value + 2) for name, value in vals.items()}
    records = records_of(fakes, path, scores, vals)
    steps = walk(block_of(records, path), records, path, "test_top1_pct")
    assert not isinstance(steps, str)
    assert [step.component for step in steps] == [None, "decay", "smoothing", "nesterov"]
    assert [step.arm.name for step in steps] == ["bare", "decay", "smoothing+decay", "full"]
    assert [len(step.tried) for step in steps] == [0, 3, 2, 1]
    assert [step.gain.estimate for step in steps[1:] if step.gain] == pytest.approx([4, 2, 4])
    assert steps[1].mean_val_top1_pct == pytest.approx(84.1)


UNTIL = BASE.replace("seeds: 3", "seeds: {min: 3, max: 6, until: decided}")


def test_looks_are_due_when_both_arms_have_their_seeds_and_alpha_is_shared(fakes: Any, study: Any) -> None:
    loo = study("leave_one_out", UNTIL)
    scores = {
        "full": (90.0, 91.0, 92.0),
        "without smoothing": (20.5, 21.0, 22.5),
        "without decay": (90.5, 90.0, 92.5),
        "without nesterov": (90.0, 91.0),
    }
    records = records_of(fakes, loo, scores)
    found = due_looks(loo, records, "cpu", ())
    assert [(one.arm, one.outcome) for one in found] == [
        ("without smoothing", "different"),
        ("without decay", "more seeds"),
    ]
    assert {one.n_comparisons for one in found} == {3}
    assert found[0].next_n_seeds == 3
    assert found[1].next_n_seeds == 5
    assert due_looks(loo, records, "cpu", found) == []
    for one in found:
        assert replay_look(records, one) == ()
    forged = found[1].model_copy(update={"outcome": "different"})
    assert replay_look(records, forged) == (
        "look 1 at without decay against full: outcome: kept different, again more seeds",
    )


def test_what_is_open_at_the_most_seeds_stays_undecided(fakes: Any, study: Any) -> None:
    loo = replace(study("leave_one_out", UNTIL))
    rows = ((90.0, 91.0, 92.0, 90.0, 91.0, 92.0), (90.5, 90.0, 92.5, 90.5, 90.0, 92.5))
    scores = dict(zip(("full", "without decay"), rows, strict=True))
    records = records_of(fakes, loo, scores)
    kept: list[Any] = []
    for _ in range(3):
        kept += due_looks(loo, records, "cpu", kept)
    assert [(one.look, one.n_seeds, one.outcome) for one in kept] == [
        (1, 3, "more seeds"),
        (2, 5, "more seeds"),
        (3, 6, "undecided"),
    ]


def test_verdicts_come_from_the_looks_and_not_from_one_test_at_the_end(fakes: Any, study: Any) -> None:
    """Paired t of 5 seeds: p = .022, below .05, above the nominal alpha of the last look, shared by three."""
    loo = study(
        "leave_one_out", UNTIL.replace("max: 6", "max: 5"), Growth({}, {"full": 5, "without decay": 5})
    )
    gaps = (1.0, 2.0, 1.5, 0.2, 2.5)
    scores = {
        "full": (90.0, 91.0, 92.0, 90.0, 91.0),
        "without decay": tuple(v - g for v, g in zip((90.0, 91.0, 92.0, 90.0, 91.0), gaps, strict=True)),
    }
    block = block_of(records_of(fakes, loo, scores), loo)
    (one,) = (c for c in block.comparisons if c.arm == "without decay")
    assert (one.result.p, one.result.reason, one.verdict) == (None, "by_looks", "undecided")
    assert one.claim.reason == "look 3 of 3 at 5 seeds"
    assert block.family is not None
    assert block.family.text == "family-wise error of 3 comparisons held at 0.05 (group-sequential)"
    assert block.family_note is not None
    assert block.family_note.startswith("looks at 3, 4, 5 seeds")


def test_the_difference_beside_a_verdict_is_that_of_its_look(fakes: Any, study: Any) -> None:
    """Decided at three seeds; the two that came for other comparisons have no say, and p-values neither."""
    loo = study(
        "leave_one_out", UNTIL.replace("max: 6", "max: 5"), Growth({}, {"full": 5, "without decay": 5})
    )
    base = (90.0, 91.0, 92.0, 90.0, 91.0)
    gaps = (20.0, 20.01, 20.02, -60.0, -60.0)
    scores = {"full": base, "without decay": tuple(v - g for v, g in zip(base, gaps, strict=True))}
    block = block_of(records_of(fakes, loo, scores), loo)
    (one,) = (c for c in block.comparisons if c.arm == "without decay")
    assert (one.verdict, one.claim.reason) == ("worse", "look 1 of 3 at 3 seeds")
    assert one.result.delta == pytest.approx(-20.01)
    assert (one.result.p, one.result.n_arm) == (None, 3)
    low, high = one.result.student.interval() or (0.0, 0.0)
    assert low < -20.01 < high < 0
    assert high - low > 2 * 4.303 * 0.01 / 3**0.5  # wider than the interval of one test
    assert (one.adjusted.simultaneous_low, one.adjusted.simultaneous_high) == (low, high)
    assert "(repeated interval " in one.text
    assert next(arm for arm in block.arms if arm.name == "without decay").difference == one.result


def test_seeds_that_are_not_planned_are_no_gaps(fakes: Any, study: Any) -> None:
    loo = study("leave_one_out", UNTIL, Growth({}, {"full": 5, "without decay": 5}))
    scores = {arm.name: tuple(90.0 + seed for seed in range(len(loo.seeds_of(arm.name)))) for arm in loo.arms}
    block = block_of(records_of(fakes, loo, scores), loo)
    assert [(arm.name, arm.n_runs, arm.gaps) for arm in block.arms] == [
        ("full", 5, ()),
        ("without smoothing", 3, ()),
        ("without decay", 5, ()),
        ("without nesterov", 3, ()),
    ]


def test_power_is_that_of_the_shared_alpha_in_sds_and_then_in_points(fakes: Any, study: Any) -> None:
    loo = study("leave_one_out", BASE.replace("seeds: 3", "seeds: 5"))
    (before,) = foresee(loo, (), "cpu")
    expected = detectable(5, "paired", alpha=0.05, n_comparisons=3)
    assert expected is not None
    assert before.effect == pytest.approx(expected.effect)
    assert (before.sd, before.n_pilot, before.n_pairs) == (None, 0, 3)
    gaps = (1.0, -1.0, 0.0, 2.0, -2.0)  # sd √2.5
    scores = {"full": (90.0,) * 5, "without decay": tuple(90.0 + gap for gap in gaps)}
    (after,) = foresee(loo, records_of(fakes, loo, scores), "cpu")
    assert after.sd == pytest.approx(2.5**0.5)
    assert after.delta == pytest.approx(expected.effect * 2.5**0.5)
    assert [size for size, _ in after.needed] == [0.5, 1.0]
    assert "in 1 recorded" in after.text


def test_unlike_networks_are_foreseen_unpaired(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(BASE + "design: {grid: {model.depth: [8, 20]}}\nbaseline: {model.depth: 20}\n")
    (only,) = foresee(load_study(path), (), "cpu")
    assert only.rule == "welch"
    assert "1 comparison of unlike networks or images, alpha 0.05: 3 seeds find 3.1 sd of an arm" in only.text


def test_names_of_subsets_do_not_depend_on_the_order_of_choice() -> None:
    from bench.study.recipe_designs import subset_name

    for order in itertools.permutations(("c", "a")):
        assert subset_name(order, ("a", "b", "c")) == "a+c"
    assert subset_name((), ("a", "b")) == "bare"
    assert subset_name(("b", "a"), ("a", "b")) == "full"
