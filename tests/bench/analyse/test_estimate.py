"""Intervals of a mean against numbers with a source: hand-worked cases, scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from bench.analyse.estimate import Scores, mean_interval, t_quantile


def scores(values, one_image=None):
    return Scores(dict(enumerate(values)), one_image)


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
    arm = rng.normal(90, 2, n)
    one = mean_interval(scores(arm))
    theirs = stats.ttest_1samp(arm, 0).confidence_interval()
    assert (one.ci95_low, one.ci95_high) == pytest.approx((theirs.low, theirs.high))


def test_no_run_has_no_number_and_says_so():
    estimate = mean_interval(scores(()))
    assert (estimate.n, estimate.mean, estimate.sd, estimate.ci95_low) == (0, None, None, None)
    assert estimate.note == "no finished run"


def test_one_seed_has_a_mean_and_no_interval():
    estimate = mean_interval(scores((97.5,), one_image=0.25))
    assert (estimate.mean, estimate.sd, estimate.ci95_low, estimate.half_width) == (97.5, None, None, None)
    assert estimate.note == "1 seed: no interval"


def test_two_seeds_have_a_mean_and_no_interval():
    estimate = mean_interval(scores((97.0, 98.0), one_image=0.25))
    assert (estimate.mean, estimate.ci95_low, estimate.ci95_high) == (97.5, None, None)
    assert estimate.sd == pytest.approx(math.sqrt(0.5))
    assert estimate.note == "2 seeds: points only, no interval"


def test_equal_scores_take_one_test_image_as_their_spread():
    """Half width 4.302653 × 0.25 / sqrt(3) = 0.621034."""
    estimate = mean_interval(scores((99.0, 99.0, 99.0), one_image=0.25))
    assert (estimate.mean, estimate.sd, estimate.floor_sd) == (99.0, 0.0, 0.25)
    assert estimate.half_width == pytest.approx(0.621034, abs=1e-6)
    assert "one test image" in estimate.note


def test_a_loss_has_no_ruler_so_equal_seeds_have_no_interval():
    """Sums of equal floats may be off by an ulp, which must not pass for a spread."""
    losses = (0.1 + 0.2, 0.3, 0.3)
    estimate = mean_interval(scores(losses))
    assert (estimate.sd, estimate.ci95_low, estimate.note) == (0.0, None, "equal in all seeds: no interval")


def test_a_score_that_is_not_finite_leaves_no_number_and_says_so():
    found = mean_interval(Scores({0: 1.0, 1: math.nan, 2: 3.0}))
    assert (found.n, found.mean, found.sd, found.ci95_low) == (3, None, None, None)
    assert found.note == "a score is not finite"
