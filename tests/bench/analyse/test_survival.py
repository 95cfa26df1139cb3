"""Time to a target with runs that never got there: the 6-MP trial, scipy, statsmodels, brute force."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy import stats
from statsmodels.duration.survfunc import SurvfuncRight

from bench.analyse.logrank import log_rank
from bench.analyse.survival import (
    Times,
    area_under_curve,
    compare_times,
    first_reached,
    rmst,
    time_to_target,
    value_at,
)

T1 = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
E1 = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
T2 = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]
"""Weeks of remission under 6-MP and placebo; Freireich et al. (1963), Blood 21."""

DRUG = Times(
    {s: float(t) if e else None for s, (t, e) in enumerate(zip(T1, E1, strict=True))},
    35.0,
    ends={s: float(t) for s, (t, e) in enumerate(zip(T1, E1, strict=True)) if not e},
)
PLACEBO = Times({s: float(t) for s, t in enumerate(T2)}, 35.0)


def reached(*times, horizon=10.0):
    return Times(dict(enumerate(times)), horizon)


def test_log_rank_of_the_trial_has_the_published_values():
    test = compare_times(DRUG, PLACEBO).log_rank
    assert test.z == pytest.approx(-4.097919, abs=5e-7)
    assert test.chi2 == pytest.approx(16.792941, abs=5e-7)
    assert test.p == test.p_chi2 == pytest.approx(4.16881e-05, abs=5e-11)
    assert not test.is_exact


def test_kaplan_meier_of_the_trial_has_the_published_values():
    drug, placebo = time_to_target(DRUG), time_to_target(PLACEBO)
    curve = {step.time: step.survival for step in drug.curve}
    assert (curve[6.0], curve[23.0]) == pytest.approx((0.857143, 0.448179), abs=5e-7)
    assert (drug.median, placebo.median) == (23, 8)
    assert (drug.n_reached, drug.n) == (9, 21)


def test_restricted_means_of_the_trial_have_the_published_values():
    assert rmst(DRUG, 35.0).estimate == pytest.approx(23.2874, abs=5e-5)
    assert rmst(PLACEBO, 35.0).estimate == pytest.approx(8.6667, abs=5e-5)
    assert rmst(DRUG, 23.0).estimate == pytest.approx(17.9092, abs=5e-5)


def test_the_curve_and_the_log_rank_equal_scipys_and_statsmodels():
    data = stats.CensoredData.right_censored(T1, ~np.array(E1, dtype=bool))
    theirs = stats.ecdf(data).sf
    other = SurvfuncRight(np.array(T1), np.array(E1))
    ours = time_to_target(DRUG).curve
    for step in ours:
        assert step.survival == pytest.approx(float(theirs.evaluate(step.time)))
    assert [s.survival for s in ours] == pytest.approx(list(other.surv_prob))
    assert compare_times(DRUG, PLACEBO).log_rank.z == pytest.approx(stats.logrank(data, T2).statistic)


def test_the_permutation_of_the_log_rank_counts_every_split():
    a = [(2.0, True), (3.0, True), (10.0, False)]
    b = [(5.0, True), (10.0, False), (10.0, False), (7.0, True)]
    ours, both = log_rank(a, b), [*a, *b]

    def excess(split):
        total = 0.0
        for time in {t for t, hit in both if hit}:
            at_risk = [k for k, (t, _) in enumerate(both) if t >= time]
            events = sum(both[k] == (time, True) for k in at_risk)
            total += sum(both[k] == (time, True) for k in split)
            total -= events * sum(k in split for k in at_risk) / len(at_risk)
        return abs(total)

    every = [excess(split) for split in combinations(range(7), 3)]
    assert ours.is_exact
    assert ours.p == pytest.approx(np.mean([e >= every[0] - 1e-9 for e in every]))
    assert ours.smallest_p == pytest.approx(np.mean([e >= max(every) - 1e-9 for e in every]))


def test_three_against_three_cannot_go_below_a_tenth():
    test = compare_times(reached(1.0, 2.0, 3.0), reached(None, None, None)).log_rank
    assert test.p == test.smallest_p == pytest.approx(0.1)


def test_a_target_that_nobody_reached_has_no_median_and_no_test():
    never = reached(None, None, None)
    found = time_to_target(never)
    assert (found.n_reached, found.n, found.median) == (0, 3, None)
    assert (found.rmst.estimate, found.rmst.reason) == (10.0, "equal_in_all_seeds")
    both = compare_times(never, never)
    assert both.log_rank is None
    assert both.rmst_difference.reason == "equal_in_all_seeds"


def test_half_of_the_runs_make_a_median():
    assert time_to_target(reached(2.0, 4.0, None, None)).median == 4.0
    assert time_to_target(reached(2.0, None, None)).median is None


def test_a_run_that_missed_the_target_counts_as_the_horizon():
    found = time_to_target(reached(2.0, 4.0, None))
    theirs = stats.ttest_1samp([2.0, 4.0, 10.0], 0).confidence_interval()
    assert found.rmst.estimate == pytest.approx(16 / 3)
    assert found.interval() == (max(0.0, theirs.low), min(10.0, theirs.high))


def test_restricted_means_pair_by_seed_where_asked():
    line = compare_times(reached(2.0, 4.0, None), reached(3.0, 6.0, None), "paired").rmst_difference
    assert line.estimate == pytest.approx(-1.0)
    assert line.df == 2
    welch = compare_times(reached(2.0, 4.0, 5.0), reached(3.0, 6.0, None)).rmst_difference
    theirs = stats.ttest_ind([2, 4, 5], [3, 6, 10], equal_var=False)
    assert welch.p == pytest.approx(theirs.pvalue)


def test_greenwoods_variance_without_early_ends_is_the_variance_of_the_mean():
    """Area and Greenwood's variance of a whole sample are its mean and its variance over n."""
    whole = np.array([2.0, 4.0, 7.0, 9.0])
    early = Times({0: 2.0, 1: 4.0, 2: 7.0, 3: 9.0, 4: None}, 10.0, ends={4: 9.5})
    line = rmst(early, 9.0)
    capped = np.minimum([*whole, 9.5], 9.0)
    assert line.estimate == pytest.approx(capped.mean())
    assert line.se == pytest.approx(capped.std(ddof=0) / 5**0.5)


def test_horizons_have_to_agree():
    with pytest.raises(ValueError, match="one horizon"):
        compare_times(reached(1.0), reached(1.0, horizon=20.0))
    with pytest.raises(ValueError, match="beyond the horizon"):
        reached(11.0)
    with pytest.raises(ValueError, match="have no pairs"):
        compare_times(DRUG, PLACEBO, "paired")


def test_the_first_evaluation_at_the_target_counts():
    assert first_reached([1, 2, 3, 4], [50.0, None, 90.0, 80.0], 90.0) == 3
    assert first_reached([1, 2], [0.5, 0.2], 0.3, higher_is_better=False) == 2
    assert first_reached([1, 2], [50.0, 60.0], 90.0) is None


def test_area_under_a_curve_is_its_mean_height_over_the_whole_budget():
    assert area_under_curve([1.0, 2.0], [50.0, 90.0], horizon=2.0, start=10.0) == pytest.approx(50.0)
    stopped = area_under_curve([1.0], [50.0], horizon=2.0, start=10.0, after=10.0)
    assert stopped == pytest.approx((30 + 10) / 2)
    assert area_under_curve([], [], horizon=2.0, start=10.0) == 10.0


def test_value_at_a_budget_is_the_last_one_within_it():
    assert value_at([1.0, 2.0, 3.0], [10.0, 20.0, 30.0], 2.5) == 20.0
    assert value_at([1.0], [10.0], 0.5) is None
