"""Declared comparisons from records to verdicts: families, failures, bold, and what was declared late."""

from __future__ import annotations

import dataclasses

import pytest

from bench.analyse.declared import best_arms, scale_of
from bench.analyse.summary import summarise
from bench.report.finding import finding
from bench.report.words import declared_late
from bench.study.comparisons import ComparisonsSpec
from bench.study.identity import declaration, earlier_declaration
from tests.bench.analyse.test_summary import study_of

TOP1 = "test_top1_pct"
A, B, C = ({"train.lr": lr} for lr in (0.1, 0.2, 0.4))
NAMES = {"train.lr=0.1": A, "train.lr=0.2": B, "train.lr=0.4": C}
SCORES = ((96.0, 97.0, 98.0), (97.1, 98.0, 99.2), (90.0, 91.5, 92.0))
"""Of B − A: 1.1, 1.0, 1.2, mean 1.1, sd 0.1, t = 1.1 / (0.1 / sqrt 3) = 19.053; of C − A: −6, −5.5, −6."""


CLOSE = ((96.0, 97.0, 98.0), (96.1, 97.0, 97.9), (90.0, 91.5, 92.0))
"""Of B − A: 0.1, 0, −0.1."""


def declared(fakes, spec, scores=SCORES, **changes):
    study = dataclasses.replace(
        study_of(NAMES, baseline="train.lr=0.1", seeds=(0, 1, 2)), comparisons=ComparisonsSpec(**spec)
    )
    changes = {"declaration": declaration(study), "metrics": {"n_test": 10_000}, **changes}
    records = fakes.runs_of(zip((A, B, C), scores, strict=True), **changes)
    return summarise(records, TOP1, study=study)


def test_paired_comparisons_worked_by_hand_are_adjusted_by_holm(fakes):
    """p of t = 19.0526 at 2 df is 1 − t / sqrt(t² + 2) = .0027435; of t = 5.8333 / (.288675 / sqrt 3) = 35
    it is .00081533; Holm doubles the smaller and leaves the larger."""
    (block,) = declared(fakes, {}).blocks
    first, second = block.comparisons
    assert (first.result.rule, first.arm, first.against) == ("paired", "train.lr=0.2", "train.lr=0.1")
    assert first.result.delta == pytest.approx(1.1)
    assert first.result.p == pytest.approx(0.0027435, rel=1e-4)
    assert first.p_adjusted == pytest.approx(0.0027435, rel=1e-4)
    assert second.p_adjusted == pytest.approx(2 * 0.00081533, rel=1e-4)
    assert (first.verdict, second.verdict) == ("better", "worse")
    assert block.family.text == "family-wise error of 2 comparisons held at 0.05 (Holm)"


def test_the_arm_found_better_is_best_and_the_baseline_does_not_lead_by_others_being_worse(fakes):
    best = [arm.name for arm in declared(fakes, {}).arms if arm.is_best]
    assert best == ["train.lr=0.2"]
    worse_only = ((96.0, 97.0, 98.0), (90.0, 91.1, 92.0), (90.0, 91.5, 92.0))
    assert not any(arm.is_best for arm in declared(fakes, {}, worse_only).arms)


def test_among_all_pairs_the_unbeaten_arm_is_best(fakes):
    (block,) = declared(fakes, {"family": "all_pairs"}).blocks
    assert [(c.arm, c.against) for c in block.comparisons] == [
        ("train.lr=0.2", "train.lr=0.1"),
        ("train.lr=0.4", "train.lr=0.1"),
        ("train.lr=0.4", "train.lr=0.2"),
    ]
    assert best_arms(block.comparisons) == {"train.lr=0.2"}


def test_pairs_written_out_are_the_whole_family(fakes):
    (block,) = declared(fakes, {"family": [["train.lr=0.4", "train.lr=0.2"]]}).blocks
    (only,) = block.comparisons
    assert (only.result.arm, only.result.baseline) == ("lr=0.4", "lr=0.2")
    assert only.p_adjusted == only.result.p
    assert [arm.difference is not None for arm in block.arms] == [False, True, True]


def test_a_declared_margin_lets_a_small_difference_be_equivalent(fakes):
    """B − A is 0.1, 0, −0.1: the 90 % interval is ±2.920 × 0.1 / sqrt 3 = ±0.1686."""
    (block,) = declared(fakes, {"margin_pp": 0.3}, CLOSE).blocks
    first = block.comparisons[0]
    assert first.verdict == "equivalent"
    assert (first.equivalence.low, first.equivalence.high) == pytest.approx((-0.1686, 0.1686), abs=1e-4)
    (narrow,) = declared(fakes, {"margin_pp": 0.1}, CLOSE).blocks
    assert narrow.comparisons[0].verdict == "undecided"


def test_equivalence_is_held_over_the_family_as_differences_are(fakes):
    """Alone t = .2 / (.1 / sqrt 3) = 3.464 has p = .0371; beside one that is far off twice that."""
    alone = {"margin_pp": 0.2, "family": [["train.lr=0.2", "train.lr=0.1"]]}
    (one,) = declared(fakes, alone, CLOSE).blocks[0].comparisons
    assert (one.verdict, one.equivalence_p) == ("equivalent", pytest.approx(0.0371, abs=1e-4))
    assert one.text.endswith("within ±0.2 pp, TOST p = .037")
    (block,) = declared(fakes, {"margin_pp": 0.2}, CLOSE).blocks
    one = block.comparisons[0]
    assert (one.verdict, one.equivalence_p) == ("undecided", pytest.approx(0.0742, abs=1e-4))
    assert one.text.endswith("not shown to lie within ±0.2 pp (TOST Holm p = .074)")


def test_a_spread_below_one_image_is_equivalent_by_the_familys_interval(fakes):
    """Sd 1 of 50 images: 2 points / sqrt 3 × 4.303 (95 %, Bonferroni of two at 90 %) = 4.97."""
    flat = ((90.0,) * 3, (90.0, 90.0, 92.0), (50.0,) * 3)
    for margin, verdict in ((6.0, "equivalent"), (5.5, "undecided")):
        (block,) = declared(fakes, {"margin_pp": margin}, flat, metrics={"n_test": 50}).blocks
        assert block.comparisons[0].result.reason == "below_one_image"
        assert block.comparisons[0].verdict == verdict


def test_a_stuck_arm_against_a_perfect_one_gets_a_verdict_without_a_p_value(fakes):
    stuck = ((99.0,) * 3, (99.0,) * 3, (11.0,) * 3)
    (block,) = declared(fakes, {}, stuck).blocks
    same, worse = block.comparisons
    assert (worse.verdict, worse.result.p, worse.p_adjusted) == ("worse", None, None)
    assert worse.claim.by_interval
    assert (same.verdict, same.result.p) == ("undecided", None)


def test_one_seed_is_undecided_with_its_reason(fakes):
    (block,) = declared(fakes, {}, ((96.0,), (97.0,), (90.0,))).blocks
    assert {c.verdict for c in block.comparisons} == {"undecided"}
    assert all("one seed" in c.text for c in block.comparisons)


def test_an_arm_that_never_ran_keeps_its_place_in_the_family(fakes):
    """Leaving it out after looking would make the others easier: one p-value of two is still doubled."""
    (block,) = declared(fakes, {}, (*SCORES[:2], ())).blocks
    first, missing = block.comparisons
    assert first.p_adjusted == pytest.approx(2 * first.result.p)
    assert (missing.verdict, missing.p_adjusted, missing.result.reason) == ("undecided", None, "no_seed")


def test_dunnett_gives_way_to_holm_where_an_arm_has_too_few_seeds(fakes):
    (block,) = declared(fakes, {"correction": "dunnett"}, (*SCORES[:2], ())).blocks
    assert (block.family.method, block.family_note) == (
        "holm",
        "Holm in Dunnett's place: an arm has fewer than 3 seeds",
    )


def test_dunnett_tells_of_unequal_spreads(fakes):
    (block,) = declared(fakes, {"correction": "dunnett"}, (*SCORES[:2], (50.0, 91.5, 92.0))).blocks
    assert block.family.method == "dunnett"
    assert block.family_note.endswith("it takes variances for equal, while sds range from 1 to 24")


def test_dunnett_takes_difference_and_p_value_from_the_same_seeds(fakes):
    """Pairs of the two surviving seeds would say +1 where all seeds, and Dunnett's p-value, say −5."""
    scores = ((90.0, 91.0, 92.0), (91.0, 92.0, 70.0), (90.0, 91.5, 92.0))
    (block,) = declared(fakes, {"correction": "dunnett"}, scores).blocks
    first = block.comparisons[0]
    assert first.result.rule == "welch"
    assert first.result.delta == pytest.approx(253 / 3 - 91)
    assert first.adjusted.simultaneous_low < first.result.delta < first.adjusted.simultaneous_high
    assert "pairs by seed go unused; Holm would use them" in block.family_note


def test_runs_under_another_declaration_are_counted(fakes):
    assert declared(fakes, {}).declared_after is None
    assert declared(fakes, {"margin_pp": 0.5}, declaration="843b4fe5184daa0a").declared_after == 9


def test_records_from_before_the_baseline_was_part_of_the_digest_are_not_late(fakes):
    study = study_of(NAMES, baseline="train.lr=0.1", seeds=(0, 1, 2))
    assert earlier_declaration(study) == "843b4fe5184daa0a" != declaration(study)
    assert declared(fakes, {}, declaration="843b4fe5184daa0a").declared_after is None


def test_another_baseline_after_the_runs_is_told(fakes):
    """Whoever looks first may choose what everything is compared with."""
    before = study_of(NAMES, baseline="train.lr=0.4", seeds=(0, 1, 2))
    assert declared(fakes, {}, declaration=declaration(before)).declared_after == 9


@pytest.mark.parametrize(("before", "told"), [(2, "raised from 2 to 3"), (8, "cut from 8 to 3")])
def test_seeds_that_were_added_or_left_out_after_runs_are_told(fakes, before, told):
    summary = declared(fakes, {}, n_seeds_declared=before)
    assert declared_late(summary) == f" (seeds {told} after 9 runs)"
    assert declared_late(declared(fakes, {}, n_seeds_declared=3)) == ""


def test_an_arm_that_won_by_its_survivors_is_not_bold_and_says_how_many_there_are(fakes):
    """Three runs a point better, three without a score: the sentence names the arm, and nothing is bold."""
    study = study_of({"train.lr=0.1": A, "train.lr=0.2": B}, baseline="train.lr=0.1", seeds=range(6))
    records = [fakes.run(A, seed, 96.0 + seed / 10) for seed in range(6)]
    records += [fakes.run(B, seed, 97.0 + seed / 10 + seed % 2 / 100) for seed in range(3)]
    records += [fakes.stopped(B, seed, "diverged", "loss not finite") for seed in (3, 4, 5)]
    summary = summarise(records, TOP1, study=study)
    assert summary.blocks[0].comparisons[0].verdict == "better"
    assert not any(arm.is_best for arm in summary.arms)
    assert ", of survivors: 3 of 6 runs of lr=0.2 diverged" in finding(summary)


def test_diverged_runs_are_compared_exactly_and_counted_at_chance(fakes):
    """2 of 3 against 0 of 3: Fisher's p = 2 × C(3,2)·C(3,0)/C(6,2) = .4; (90 + 50 + 50) / 3 = 63.33."""
    confusion = ((40, 10), (0, 50))
    base = [fakes.run(A, seed, 97.0 + seed, confusion=confusion) for seed in range(3)]
    wild = [fakes.run(B, 0, 90.0, confusion=confusion)]
    wild += [fakes.stopped(B, seed, "diverged", "loss not finite") for seed in (1, 2)]
    (block,) = summarise([*base, *wild], TOP1).blocks
    (found,) = block.comparisons
    assert found.failures.p == pytest.approx(0.4)
    assert "2 of 3 diverged" in found.text
    arm = block.arms[1]
    assert (arm.failures.chance, arm.failures.with_chance.n) == (50.0, 3)
    assert arm.failures.with_chance.mean == pytest.approx(190 / 3)
    assert arm.estimate.mean == 90.0
    assert block.arms[0].failures is None


def test_a_loss_is_better_where_it_falls():
    assert not scale_of("test_loss").higher_is_better
    assert scale_of("test_loss").unit == ""
    assert (scale_of(TOP1).perfect, scale_of("test_error_pct").perfect) == (100.0, None)
