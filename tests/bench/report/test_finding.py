"""The generated sentences: what is found, what verdicts say, and the words that never stand there."""

from __future__ import annotations

import csv
import dataclasses
import io

import pytest
from scipy import stats

from bench.analyse.summary import summarise
from bench.report.effects_table import effects_table
from bench.report.finding import finding, verdicts_sentence
from bench.report.markdown import to_markdown
from bench.report.table import to_csv
from bench.study.comparisons import ComparisonsSpec
from tests.bench.analyse.test_summary import study_of

TOP1 = "test_top1_pct"


def said(records, **options):
    return finding(summarise(records, TOP1, **options))


def test_two_crossed_factors_that_interact_are_the_finding(fakes):
    summary = summarise(fakes.depth_study(), TOP1)
    assert finding(summary) == (
        "From depth=8 to depth=56, test top-1 accuracy changes by −0.92 pp (95 % interval −1.87 to +0.03) "
        "with residual=true and by −61 pp (95 % interval −95 to −27) with residual=false: the effect of "
        "depth depends on residual, difference of differences +60 pp (95 % interval +27 to +93), p = .016, "
        "3 seeds."
    )
    assert verdicts_sentence(summary).startswith("Against the baseline depth=20, residual=true")


def test_what_is_decided_is_named_with_its_interval(fakes):
    scores = [({"a.b": 1}, (97.0, 98.0, 99.0)), ({"a.b": 2}, (91.1, 92.0, 92.9))]
    assert said(fakes.runs_of(scores)) == (
        "Against the baseline b=1 (98.0 % test top-1 accuracy, n = 3): worse at b=2, −6.0 pp (95 % interval "
        "−6.6 to −5.4); family-wise error of 1 comparison held at 0.05 (Holm)."
    )


def test_where_nothing_is_decided_the_largest_difference_is_told(fakes):
    records = [
        fakes.run({"a.lr": 0.1}, 0, 97.0),
        fakes.run({"a.lr": 0.2}, 0, 90.0),
        fakes.stopped({"a.lr": 0.4}, 0, "diverged", "at step 3"),
    ]
    assert said(records) == (
        "Against the baseline lr=0.1 (97.0 % test top-1 accuracy, n = 1): undecided in 1 of 2 comparisons, "
        "the difference −7.0 pp (no interval at this number of seeds) at lr=0.2; not made in 1 of 2, an arm "
        "of which has no result; family-wise error of 2 comparisons held at 0.05 (Holm); 1 run of 3 without "
        "a result."
    )
    records = [fakes.run({"a.lr": lr}, 0, score) for lr, score in ((0.1, 97.0), (0.2, 90.0), (0.4, 95.0))]
    assert "undecided in 2 of 2 comparisons, the largest difference −7.0 pp" in said(records)


@pytest.mark.parametrize("phrase", ["significant", "no difference", "NaN", "nan"])
def test_no_sentence_claims_that_nothing_differs(fakes, phrase):
    equal = fakes.runs_of([({"a.b": 1}, (97.0, 98.0, 99.0)), ({"a.b": 2}, (99.0, 98.0, 97.0))])
    for records in (equal, fakes.depth_study(), fakes.transfer_study(3)):
        assert phrase not in said(records)


def test_comparisons_of_several_pairs_name_both_arms(fakes):
    arms = {f"a.b={level}": {"a.b": level} for level in (1, 2, 3)}
    study = dataclasses.replace(
        study_of(arms, baseline=None, seeds=(0, 1, 2)), comparisons=ComparisonsSpec(family="all_pairs")
    )
    values = ((97.0, 98.0, 99.0), (91.0, 92.1, 93.0), (97.1, 98.0, 98.8))
    told = said(fakes.runs_of(zip(arms.values(), values, strict=True)), study=study)
    assert told.startswith("Comparisons: better at b=3 against b=2, +5.9")
    assert "worse at b=2 against b=1, −6.0" in told
    assert "undecided in 1 of 3 comparisons" in told
    assert "(declared after 9 runs)" in told


def test_the_effects_table_holds_trends_and_interaction(fakes):
    table = effects_table(summarise(fakes.depth_study(), TOP1), name="fake")
    effects = [row[0].text for row in table.groups[0].rows]
    assert effects[0:2] + effects[4:6] == ["slope over depth", "curvature over depth"] * 2
    assert [effect.partition(",")[0] for effect in effects[2:4] + effects[6:8]] == [
        "order (Page",
        "weakest step",
    ] * 2
    assert effects[8:] == ["change over depth 8 to 56", "slope over depth"]
    assert "residual: true − false" in to_csv(table)


def test_the_effects_table_names_the_rank_test_and_the_step_that_tells_least(fakes):
    """Both were computed and shown nowhere. Three seeds fall from 8 to 20 layers, and less from 20 to 56.

    Two seeds have the one order of six that Page's L is largest for; the third ties at 20 and 56 layers, for
    which two of six are: L is at its largest with a share of 1/6 · 1/6 · 1/3, and twice that is two-sided.
    """
    curves = ((98.0, 98.2, 98.4), (90.0, 93.0, 90.1), (88.0, 91.0, 90.1))
    arms = [({"model.depth": d}, values) for d, values in zip((8, 20, 56), curves, strict=True)]
    table = effects_table(summarise(fakes.runs_of(arms), TOP1), name="fake")
    rows = {row["effect"]: row for row in csv.DictReader(io.StringIO(to_csv(table)))}
    page, step = rows["order over depth, falling"], rows["weakest step over depth, 20 to 56"]
    assert (page["estimate"], page["unit"], page["test"]) == ("41.5", "L", "Page, exact")
    assert (page["n_seeds"], page["t"]) == ("3", "")
    assert step["test"] == "t, one-sided"
    assert float(page["p"]) == pytest.approx(2 / 108)
    theirs = stats.ttest_ind(curves[2], curves[1], equal_var=False, alternative="less")
    assert float(step["p"]) == pytest.approx(theirs.pvalue)
    assert "| order (Page, exact), falling" in to_markdown(table)
    assert "weakest step, 20 to 56" in to_markdown(table)


def test_a_study_without_an_order_has_no_effects_table(fakes):
    records = fakes.runs_of([({"arm": "a"}, (1.0, 2.0)), ({"arm": "b"}, (1.0, 2.0))])
    assert effects_table(summarise(records, TOP1), name="fake") is None
