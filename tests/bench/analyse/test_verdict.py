"""Equivalence and verdicts: TOSTER's vignette, statsmodels, and every kind of verdict in words."""

from __future__ import annotations

import pytest
from statsmodels.stats.weightstats import ttost_ind, ttost_paired

from bench.analyse.compare import LOSS, compare
from bench.analyse.equivalence import tost
from bench.analyse.multiplicity import family
from bench.analyse.verdict import verdicts
from tests.bench.analyse.stat_helpers import SLEEP_1, SLEEP_2, scores

NEAR = ((90.0, 90.2, 89.9, 90.1), (90.05, 90.1, 90.0, 90.1))
WIDE = ((90.0, 93.0, 88.0, 91.0), (90.0, 91.0, 90.0, 89.0))
ABOVE = ((92.0, 92.4, 92.1, 92.2), (90.0, 90.2, 90.1, 90.1))
SLIGHTLY = ((90.30, 90.31, 90.29, 90.30), (90.0, 90.0, 89.99, 90.01))


def verdict(pair, *, margin=0.5, rule="welch", image=None, **options):
    c = compare(scores(pair[0], image), scores(pair[1], image), rule, **options)
    (one,) = verdicts(family([c]), margin=margin)
    return one


def test_welch_tost_of_the_sleep_data_has_the_figures_of_the_vignette():
    test = tost(compare(scores(SLEEP_1), scores(SLEEP_2), "welch").student, 0.5)
    assert (test.t_lower, test.p_lower) == pytest.approx((-1.271948, 0.890110), abs=5e-7)
    assert (test.t_upper, test.p_upper) == pytest.approx((-2.449678, 0.012451), abs=5e-7)
    assert (test.low, test.high) == pytest.approx((-3.053381, -0.106619), abs=5e-7)
    assert not test.is_equivalent


@pytest.mark.parametrize(("margin", "p"), [(2.5, 0.021117), (1.0, 0.914944)])
def test_paired_tost_of_the_sleep_data_has_the_printed_p(margin, p):
    test = tost(compare(scores(SLEEP_1), scores(SLEEP_2), "paired").student, margin)
    assert test.p == pytest.approx(p, abs=5e-7)
    assert test.is_equivalent == (p <= 0.05)


@pytest.mark.parametrize("margin", [0.3, 1.0, 3.0])
def test_tost_equals_statsmodels(margin):
    for rule, theirs in (
        ("paired", ttost_paired(_array(SLEEP_1), _array(SLEEP_2), -margin, margin)[0]),
        ("welch", ttost_ind(_array(SLEEP_1), _array(SLEEP_2), -margin, margin, usevar="unequal")[0]),
    ):
        assert tost(compare(scores(SLEEP_1), scores(SLEEP_2), rule).student, margin).p == pytest.approx(
            theirs
        )


def _array(values):
    import numpy as np

    return np.array(values)


@pytest.mark.parametrize(
    ("pair", "kind"),
    [
        (ABOVE, "better"),
        (ABOVE[::-1], "worse"),
        (NEAR, "equivalent"),
        (WIDE, "undecided"),
        (SLIGHTLY, "better but negligible"),
        (SLIGHTLY[::-1], "worse but negligible"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_verdict_is_reached(pair, kind):
    one = verdict(pair)
    assert one.kind == kind
    assert one.is_tie == (kind not in ("better", "worse"))
    assert kind in one.text
    assert "significant" not in one.text


def test_of_a_loss_the_lower_is_better():
    assert verdict(ABOVE, scale=LOSS).kind == "worse"


def test_without_a_margin_nothing_is_equivalent():
    one = verdict(NEAR, margin=None)
    assert (one.kind, one.equivalence) == ("undecided", None)
    assert "no margin declared" in one.text


def test_a_stuck_arm_is_worse_without_a_p_value():
    one = verdict(((11.0,) * 3, (99.0,) * 3), image=0.25)
    assert (one.kind, one.by_interval, one.p_adjusted) == ("worse", True, None)
    assert "spread below one test image (0.25 pp), no p-value" in one.text


def test_equal_arms_below_one_image_are_equivalent_without_a_p_value():
    one = verdict(((99.0,) * 5, (99.0,) * 5), image=0.1)
    assert (one.kind, one.by_interval, one.equivalence.p) == ("equivalent", True, None)


def test_a_spread_below_one_image_is_judged_at_the_familys_level():
    """A gap that clears 95 % of one comparison but not 99.5 % of ten stays undecided in the family of ten."""
    c = compare(scores((90.0, 90.0, 90.0), 0.25), scores((89.3, 89.3, 89.3), 0.25), "welch")
    (alone,) = verdicts(family([c]), margin=None)
    assert alone.kind == "better"
    assert {one.kind for one in verdicts(family([c] * 10), margin=None)} == {"undecided"}


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        (((90.0,), (80.0,)), "one seed"),
        (((90.0, 91.0), (80.0, 81.0)), "two seeds"),
        (((0.5,) * 3, (0.5,) * 3), "the same score in every seed of both"),
        (((0.5,) * 3, (0.4,) * 3), "equal in all seeds"),
    ],
    ids=["one seed", "two seeds", "same", "constant"],
)
def test_too_few_or_equal_seeds_are_undecided_with_the_reason(pair, words):
    one = verdict(pair)
    assert one.kind == "undecided"
    assert words in one.text


def test_holm_decides_and_not_the_single_p():
    """p about .02 alone; among five of its like none stands."""
    pair = ((90.8, 90.4, 90.5, 90.6), (90.0, 90.1, 89.8, 90.2))
    c = compare(scores(pair[0]), scores(pair[1]), "paired")
    assert 0.01 < c.p < 0.05
    assert verdicts(family([c]), margin=0.01)[0].kind == "better"
    five = verdicts(family([c] * 5), margin=0.01)
    assert [one.kind for one in five] == ["undecided"] * 5


def test_an_exploratory_table_says_so_in_every_verdict():
    c = compare(scores(ABOVE[0]), scores(ABOVE[1]), "welch")
    (one,) = verdicts(family([c], method="benjamini-hochberg"), margin=0.5)
    assert one.text.endswith("(exploratory)")


def test_a_margin_has_to_be_above_zero():
    with pytest.raises(ValueError, match="margin 0 is not above 0"):
        tost(compare(scores(SLEEP_1), scores(SLEEP_2), "welch").student, 0.0)
