"""Intervals against numbers with a source: Student's sleep data, hand-worked cases, scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from bench.analyse.estimate import Scores, difference, mean_interval, t_quantile

SLEEP_1 = (0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0)
SLEEP_2 = (1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4)
"""Extra hours of sleep under two drugs; Student (1908), R's data set `sleep`."""


def scores(values, one_image=None):
    return Scores(dict(enumerate(values)), one_image)


def test_paired_difference_of_the_sleep_data_has_the_published_interval():
    gap = difference(scores(SLEEP_1), scores(SLEEP_2), "paired")
    assert gap.delta == pytest.approx(-1.58)
    assert (gap.ci95_low, gap.ci95_high) == pytest.approx((-2.459886, -0.700114), abs=5e-7)
    assert (gap.df, gap.n_arm, gap.n_baseline) == (9, 10, 10)
    assert gap.correlation == pytest.approx(np.corrcoef(SLEEP_1, SLEEP_2)[0, 1])


def test_welch_difference_of_the_sleep_data_has_the_published_interval():
    gap = difference(scores(SLEEP_1), scores(SLEEP_2), "welch")
    assert (gap.ci95_low, gap.ci95_high) == pytest.approx((-3.365483, 0.205483), abs=5e-7)
    assert gap.df == pytest.approx(17.776474, abs=5e-7)


def test_mean_of_one_two_three_has_the_interval_worked_by_hand():
    """Mean 2, sd 1, half width 4.302653 / sqrt(3) = 2.484138."""
    estimate = mean_interval(scores((1.0, 2.0, 3.0), one_image=0.1))
    assert (estimate.n, estimate.mean, estimate.sd) == (3, 2.0, 1.0)
    assert (estimate.ci95_low, estimate.ci95_high) == pytest.approx((-0.484138, 4.484138), abs=1e-6)
    assert estimate.floor_sd is None
    assert estimate.note is None


@pytest.mark.parametrize(("df", "quantile"), [(2, 4.303), (3, 3.182), (4, 2.776), (7, 2.365), (9, 2.262)])
def test_t_quantiles_are_those_of_the_tables(df, quantile):
    assert t_quantile(df) == pytest.approx(quantile, abs=5e-4)


@pytest.mark.parametrize("n", [3, 5, 10])
@pytest.mark.parametrize("seed", range(5))
def test_intervals_equal_those_of_scipy(n, seed):
    rng = np.random.default_rng(seed)
    arm, base = rng.normal(90, 2, n), rng.normal(91, 0.5, n)
    one = mean_interval(scores(arm))
    theirs = stats.ttest_1samp(arm, 0).confidence_interval()
    assert (one.ci95_low, one.ci95_high) == pytest.approx((theirs.low, theirs.high))
    paired = difference(scores(arm), scores(base), "paired")
    theirs = stats.ttest_rel(arm, base).confidence_interval()
    assert (paired.ci95_low, paired.ci95_high) == pytest.approx((theirs.low, theirs.high))
    welch = difference(scores(arm), scores(base), "welch")
    theirs = stats.ttest_ind(arm, base, equal_var=False).confidence_interval()
    assert (welch.ci95_low, welch.ci95_high) == pytest.approx((theirs.low, theirs.high))


def test_welch_takes_arms_of_unequal_size():
    arm, base = (90.0, 91.0, 93.0, 90.5), (88.0, 89.0, 88.2)
    gap = difference(scores(arm), scores(base), "welch")
    theirs = stats.ttest_ind(arm, base, equal_var=False).confidence_interval()
    assert (gap.ci95_low, gap.ci95_high) == pytest.approx((theirs.low, theirs.high))
    assert (gap.n_arm, gap.n_baseline) == (4, 3)


def test_no_run_has_no_number_and_says_so():
    estimate = mean_interval(scores(()))
    assert (estimate.n, estimate.mean, estimate.sd, estimate.ci95_low) == (0, None, None, None)
    assert estimate.note == "no finished run"
    assert difference(scores(()), scores((1.0,)), "welch").note == "no finished run"
    assert difference(scores(()), scores((1.0,)), "paired").note == "no seed finished in both arms"


def test_one_seed_has_a_mean_and_no_interval():
    estimate = mean_interval(scores((97.5,), one_image=0.25))
    assert (estimate.mean, estimate.sd, estimate.ci95_low, estimate.half_width) == (97.5, None, None, None)
    assert estimate.note == "1 seed: no interval"


def test_two_seeds_have_a_mean_and_no_interval():
    estimate = mean_interval(scores((97.0, 98.0), one_image=0.25))
    assert (estimate.mean, estimate.ci95_low, estimate.ci95_high) == (97.5, None, None)
    assert estimate.sd == pytest.approx(math.sqrt(0.5))
    assert estimate.note == "2 seeds: points only, no interval"


@pytest.mark.parametrize("rule", ["paired", "welch"])
def test_a_difference_of_two_seeds_has_no_interval(rule):
    gap = difference(scores((97.0, 98.0)), scores((96.0, 96.5)), rule)
    assert gap.delta == pytest.approx(1.25)
    assert (gap.ci95_low, gap.ci95_high, gap.correlation) == (None, None, None)
    assert "no interval" in gap.note


def test_equal_scores_take_one_test_image_as_their_spread():
    """Half width 4.302653 × 0.25 / sqrt(3) = 0.621034."""
    estimate = mean_interval(scores((99.0, 99.0, 99.0), one_image=0.25))
    assert (estimate.mean, estimate.sd, estimate.floor_sd) == (99.0, 0.0, 0.25)
    assert estimate.half_width == pytest.approx(0.621034, abs=1e-6)
    assert "one test image" in estimate.note


def test_a_stuck_arm_against_a_perfect_one_has_a_finite_interval():
    """99 % in every seed against 11 %: sd 0 and 0, so both take one image; 2.776445 × 0.25 × sqrt(2/3)."""
    gap = difference(scores((11.0,) * 3, 0.25), scores((99.0,) * 3, 0.25), "welch")
    assert (gap.delta, gap.df, gap.floor_sd) == (-88.0, 4.0, 0.25)
    assert gap.half_width == pytest.approx(0.566739, abs=1e-6)
    assert "one test image" in gap.note
    assert gap.correlation is None


def test_welch_keeps_a_spread_above_one_image_in_either_arm():
    arm, base = (99.0, 99.0, 99.25), (40.0, 55.0, 31.0)
    gap = difference(scores(arm, 0.25), scores(base, 0.25), "welch")
    theirs = stats.ttest_ind(arm, base, equal_var=False).confidence_interval()
    assert (gap.ci95_low, gap.ci95_high) == pytest.approx((theirs.low, theirs.high))
    assert gap.floor_sd is None


def test_pairs_that_all_differ_alike_take_one_image():
    gap = difference(scores((98.0, 97.0, 99.0), 0.25), scores((97.0, 96.0, 98.0), 0.25), "paired")
    assert (gap.delta, gap.floor_sd) == (1.0, 0.25)
    assert gap.half_width == pytest.approx(0.621034, abs=1e-6)
    assert gap.correlation == pytest.approx(1.0)


def test_a_loss_has_no_ruler_so_equal_seeds_have_no_interval():
    """Sums of equal floats may be off by an ulp, which must not pass for a spread."""
    losses = (0.1 + 0.2, 0.3, 0.3)
    estimate = mean_interval(scores(losses))
    assert (estimate.sd, estimate.ci95_low, estimate.note) == (0.0, None, "equal in all seeds: no interval")
    shifted = tuple(value + 0.1 for value in losses)
    assert difference(scores(shifted), scores(losses), "paired").ci95_low is None
    assert difference(scores(shifted), scores(losses), "welch").ci95_low is None


def test_pairing_uses_the_common_seeds_and_says_so():
    arm = Scores({0: 90.0, 1: 91.0, 2: 92.5}, 0.1)
    base = Scores({0: 89.0, 1: 90.5, 2: 91.0, 3: 70.0}, 0.1)
    gap = difference(arm, base, "paired")
    assert gap.delta == pytest.approx(1.0)
    assert gap.note == "over the 3 seeds that finished in both arms"


def test_pairing_matches_seeds_and_not_positions():
    arm = Scores({2: 92.0, 0: 90.0, 1: 91.0}, 0.01)
    base = Scores({0: 89.0, 1: 90.5, 2: 91.4}, 0.01)
    theirs = stats.ttest_rel((90.0, 91.0, 92.0), (89.0, 90.5, 91.4)).confidence_interval()
    gap = difference(arm, base, "paired")
    assert (gap.ci95_low, gap.ci95_high) == pytest.approx((theirs.low, theirs.high))
