"""Failed runs: exact intervals against statsmodels and scipy, and the two means side by side."""

from __future__ import annotations

import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as their_mcnemar
from statsmodels.stats.proportion import proportion_confint

from bench.analyse.failures import (
    clopper_pearson,
    compare_failures,
    failure_rate,
    mcnemar,
    wilson,
    with_failures,
)
from tests.bench.analyse.stat_helpers import scores


@pytest.mark.parametrize(("k", "n"), [(0, 3), (1, 5), (5, 5), (3, 10), (50, 100)])
def test_exact_intervals_equal_those_of_statsmodels(k, n):
    assert clopper_pearson(k, n) == pytest.approx(proportion_confint(k, n, method="beta"), abs=1e-12)
    assert wilson(k, n) == pytest.approx(proportion_confint(k, n, method="wilson"), abs=1e-12)


@pytest.mark.parametrize("n", [3, 5, 10])
def test_clopper_and_pearson_hold_their_coverage_at_every_rate(n):
    intervals = [clopper_pearson(k, n) for k in range(n + 1)]
    for rate in (0.01 * k for k in range(1, 100)):
        held = sum(stats.binom.pmf(k, n, rate) for k, (a, b) in enumerate(intervals) if a <= rate <= b)
        assert held >= 0.95 - 1e-12


def test_wilson_of_a_single_model_has_the_printed_interval():
    low, high = wilson(9300, 10_000)
    assert (100 * low, 100 * high) == pytest.approx((92.483, 93.484), abs=5e-4)


def test_failures_are_compared_by_fishers_exact_test():
    found = compare_failures((3, 5), (0, 5))
    assert found.p == pytest.approx(1 / 6)
    assert found.text.startswith("3 of 5 diverged (95 % interval 15 % to 95 %) against 0 of 5 diverged")
    assert compare_failures((0, 0), (1, 5)) is None
    assert failure_rate(0, 0).text == "0 of 0 diverged"


def test_diverged_runs_stand_at_chance_level_beside_the_mean_of_the_others():
    both = with_failures(scores((90.0, 92.0, 91.0), 0.1), (3,), 10.0)
    assert both.given_converged.mean == pytest.approx(91.0)
    assert (both.with_chance.n, both.with_chance.mean) == (4, pytest.approx(70.75))
    assert (both.rate.n_failed, both.rate.n) == (1, 4)
    assert both.labels == ("given that it converged", "diverged runs at chance level (10)")


def test_an_arm_that_always_diverged_still_has_a_mean_to_show():
    both = with_failures(scores((), 0.1), (0, 1, 2), 10.0)
    assert both.given_converged.mean is None
    assert both.with_chance.mean == 10.0


@pytest.mark.parametrize(("only_first", "only_second"), [(0, 0), (3, 1), (20, 5), (7, 7)])
def test_mcnemar_equals_that_of_statsmodels(only_first, only_second):
    theirs = their_mcnemar([[50, only_first], [only_second, 9]], exact=True).pvalue if only_first else 1.0
    assert mcnemar(only_first, only_second) == pytest.approx(theirs)
