"""One comparison: Student's sleep data to the printed digits, an honest output for few or equal seeds."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bench.analyse.compare import ACCURACY_PCT, LOSS, Scale, compare, p_text
from bench.analyse.effect import error_reduction, hedges_j, standardised
from bench.analyse.estimate import Scores
from bench.analyse.exact import mann_whitney, prob_above, sign_flip
from bench.analyse.student import REASONS, Student, two_sided_p
from tests.bench.analyse.stat_helpers import SLEEP_1, SLEEP_2, scores

finite_scores = st.lists(st.integers(0, 400).map(lambda k: k / 4), min_size=0, max_size=6)


def numbers_in(value):
    """Every float within a dataclass, properties with a number included."""
    if isinstance(value, float):
        yield value
    elif isinstance(value, tuple):
        for inner in value:
            yield from numbers_in(inner)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from numbers_in(getattr(value, field.name))
        for name in ("t", "p", "ci95_low", "ci95_high", "gain", "prob_arm_better"):
            yield from numbers_in(getattr(value, name, None))


def test_paired_comparison_of_the_sleep_data_has_the_published_answer():
    c = compare(scores(SLEEP_1), scores(SLEEP_2), "paired")
    assert c.t == pytest.approx(-4.062128, abs=5e-7)
    assert c.df == 9
    assert c.p == pytest.approx(0.00283289, abs=5e-9)
    assert (c.ci95_low, c.ci95_high) == pytest.approx((-2.459886, -0.700114), abs=5e-7)
    assert c.effect.d == pytest.approx(-1.284558, abs=5e-7)
    assert c.effect.hedges_g == pytest.approx(-1.284558 * hedges_j(9), abs=1e-6)
    assert c.sd_differences == pytest.approx(1.229995, abs=5e-7)
    assert c.correlation == pytest.approx(0.795170, abs=5e-7)


def test_welch_comparison_of_the_sleep_data_has_the_published_answer():
    c = compare(scores(SLEEP_1), scores(SLEEP_2), "welch")
    assert c.t == pytest.approx(-1.860813, abs=5e-7)
    assert c.df == pytest.approx(17.776474, abs=5e-7)
    assert c.p == pytest.approx(0.0793941, abs=5e-8)
    assert (c.ci95_low, c.ci95_high) == pytest.approx((-3.365483, 0.205483), abs=5e-7)


def test_sign_flip_of_the_sleep_data_reaches_the_smallest_p_that_a_zero_difference_leaves():
    c = compare(scores(SLEEP_1), scores(SLEEP_2), "paired")
    assert c.exact.p == c.smallest_exact_p == 0.00390625 == 2 / 2**9


@pytest.mark.parametrize(("n", "smallest"), [(3, 0.25), (4, 0.125), (5, 0.0625), (6, 0.03125)])
def test_sign_flip_tells_the_smallest_p_of_its_seeds(n, smallest):
    test = sign_flip([1.0 + k for k in range(n)])
    assert (test.p, test.smallest_p) == (smallest, smallest)


@pytest.mark.parametrize("n", [3, 4, 5, 6])
def test_mann_whitney_tells_the_smallest_p_of_its_seeds(n):
    """.10, .029, .0079, .0022 for three to six seeds of each arm."""
    test = mann_whitney(range(n), range(10, 10 + n))
    assert test.p == test.smallest_p == pytest.approx(2 / math.comb(2 * n, n))


@pytest.mark.parametrize("seed", range(4))
def test_exact_tests_equal_those_of_scipy(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(0.5, 1, 7), rng.normal(0, 1, 6)
    theirs = stats.mannwhitneyu(a, b, method="exact")
    assert mann_whitney(a, b).p == pytest.approx(theirs.pvalue)
    assert prob_above(list(a), list(b)) == pytest.approx(theirs.statistic / 42)
    gaps = rng.normal(0.5, 1, 8)
    theirs = stats.permutation_test(
        (gaps,), np.sum, permutation_type="samples", n_resamples=np.inf, vectorized=False
    )
    assert sign_flip(gaps).p == pytest.approx(theirs.pvalue)


def test_prob_above_counts_a_tie_half() -> None:
    """Of the six pairs of (2, 3) and (1, 2, 3), three are won and two are ties."""
    assert prob_above([2.0, 3.0], [3.0, 1.0, 2.0]) == 4 / 6
    assert prob_above([], [1.0]) is None


def test_mann_whitney_counts_ties_as_all_splits_of_the_scores_do():
    from itertools import combinations

    a, b = (1.0, 1.0, 2.0), (2.0, 3.0, 3.0, 1.0)
    ranks = stats.rankdata([*a, *b])
    far = [abs(sum(ranks[list(split)]) - 3 * 8 / 2) for split in combinations(range(7), 3)]
    seen = abs(sum(ranks[:3]) - 12)
    assert mann_whitney(a, b).p == pytest.approx(sum(f >= seen for f in far) / 35)


def test_sign_flip_counts_forty_pairs_and_refuses_more():
    gaps = [(-1) ** k * (k + 1.0) for k in range(40)]
    normal = stats.norm.sf(abs(sum(gaps)) / math.sqrt(sum(g * g for g in gaps))) * 2
    assert sign_flip(gaps[:36]).p == pytest.approx(normal, abs=0.03)
    assert sign_flip([1.0] * 41) is None


@pytest.mark.parametrize(("df", "j"), [(2, 0.564190), (4, 0.797885), (9, 0.913875)])
def test_hedges_factor_is_exact(df, j):
    assert hedges_j(df) == pytest.approx(j, abs=5e-7)


def test_standardised_difference_of_independent_arms_uses_the_pooled_sd():
    effect = standardised([1.0, 2.0, 3.0], [3.0, 5.0, 7.0], "welch")
    assert effect.d == pytest.approx(-3 / math.sqrt(2.5))
    assert effect.bias_factor == pytest.approx(hedges_j(4))


def test_error_reduction_is_the_share_of_errors_saved_with_an_interval_from_the_log_ratio():
    """Errors 6, 7, 8 against 12, 14, 16: half of them, exactly so in every seed."""
    c = compare(scores((94.0, 93.0, 92.0)), scores((88.0, 86.0, 84.0)), "welch")
    assert c.error_reduction.reduction_pct == pytest.approx(50.0)
    se = math.sqrt(2 * (1 / 7) ** 2 / 3)
    half = stats.t.ppf(0.975, 4) * se
    assert c.error_reduction.ci95_low_pct == pytest.approx(100 * (1 - 0.5 * math.exp(half)))
    assert c.error_reduction.ci95_high_pct == pytest.approx(100 * (1 - 0.5 * math.exp(-half)))
    assert "50.0 % fewer errors" in c.error_reduction.text


def test_error_reduction_knows_arms_without_errors():
    assert error_reduction([1.0, 2.0, 1.0], [0.0, 0.0, 0.0], "paired") is None
    assert error_reduction([0.0] * 3, [1.0, 2.0, 3.0], "paired").ci95_low_pct is None


def test_p_above_follows_the_direction():
    arm, base = scores((1.0, 2.0, 3.0)), scores((0.5, 1.5, 2.0))
    assert compare(arm, base, "paired").prob_arm_better == pytest.approx(6.5 / 9)
    assert compare(arm, base, "paired", scale=LOSS).prob_arm_better == pytest.approx(2.5 / 9)


def test_gain_is_above_zero_where_a_loss_falls():
    c = compare(scores((0.1, 0.2, 0.15)), scores((0.3, 0.35, 0.4)), "welch", scale=LOSS)
    assert c.delta < 0 < c.gain


@pytest.mark.parametrize("rule", ["paired", "welch"])
@pytest.mark.parametrize(
    ("arm", "base", "image", "reason"),
    [
        ((), (1.0,), 0.1, None),
        ((90.0,), (80.0,), 0.1, "one_seed"),
        ((90.0, 91.0), (80.0, 80.5), 0.1, "two_seeds"),
        ((99.0,) * 3, (11.0,) * 3, 0.25, "below_one_image"),
        ((99.0, 99.1, 99.0), (98.0, 98.0, 98.1), 0.25, "below_one_image"),
        ((0.5,) * 3, (0.4,) * 3, None, "equal_in_all_seeds"),
        ((90.0, math.nan, 91.0), (90.0, 91.0, 92.0), 0.1, "not_finite"),
    ],
    ids=["no seed", "one seed", "two seeds", "stuck", "below one image", "equal losses", "not finite"],
)
def test_what_seeds_cannot_tell_has_a_reason_and_no_p(rule, arm, base, image, reason):
    c = compare(scores(arm, image), scores(base, image), rule)
    assert (c.p, c.t, c.exact, c.effect) == (None, None, None, None)
    assert c.reason == (reason or ("no_pairs" if rule == "paired" else "no_seed"))
    assert c.text.endswith(REASONS[c.reason])
    assert all(math.isfinite(x) for x in numbers_in(c))


def test_a_stuck_arm_takes_one_test_image_as_its_sd_and_says_so():
    """99 % in every seed against 11 %: 2.776445 × 0.25 × sqrt(2/3) on either side of 88 points."""
    c = compare(scores((99.0,) * 3, 0.25), scores((11.0,) * 3, 0.25), "welch")
    assert (c.delta, c.student.floor_sd) == (88.0, 0.25)
    assert c.ci95_high - c.delta == pytest.approx(0.566739, abs=1e-6)
    assert "takes one image as sd, no p-value" in c.text


@pytest.mark.parametrize("rule", ["paired", "welch"])
@settings(max_examples=60, deadline=None)
@given(arm=finite_scores, base=finite_scores, image=st.sampled_from([None, 0.01, 0.25, 2.0]))
def test_no_output_is_ever_nan_or_a_p_of_zero(rule, arm, base, image):
    c = compare(scores(arm, image), scores(base, image), rule)
    assert all(math.isfinite(x) for x in numbers_in(c))
    assert (c.p is None) == (c.reason is not None)
    assert c.p is None or 0 < c.p <= 1
    assert c.exact is None or 0 < c.exact.smallest_p <= c.exact.p <= 1
    assert c.text


def test_pairs_are_matched_by_seed():
    arm, base = Scores({2: 3.0, 0: 1.0, 1: 2.5, 7: 99.0}), Scores({0: 0.0, 1: 1.0, 2: 2.0, 5: 7.0})
    c = compare(arm, base, "paired")
    assert (c.seeds, c.n_arm, c.delta) == ((0, 1, 2), 3, pytest.approx((1 + 1.5 + 1) / 3))


def test_p_never_underflows_to_zero():
    assert two_sided_p(1e200, 500) > 0
    assert p_text(1e-300) == "< .0001"
    assert p_text(0.0132) == "= .013"


def test_a_throughput_has_no_error_reduction():
    speed = Scale(unit="img/s", perfect=None)
    assert (
        compare(scores((1.0, 2.0, 3.0)), scores((2.0, 2.5, 4.0)), "paired", scale=speed).error_reduction
        is None
    )
    assert ACCURACY_PCT.error(93.0) == 7.0


def test_one_sided_ps_add_up_to_one():
    line = Student.of_values([0.1, 0.5, 0.3, 0.4])
    assert line.p_above + line.p_below == pytest.approx(1.0)
    assert line.p == pytest.approx(2 * min(line.p_above, line.p_below))


@pytest.mark.parametrize("n", [3, 5, 10])
@pytest.mark.parametrize("seed", range(5))
def test_intervals_equal_those_of_scipy(n, seed):
    rng = np.random.default_rng(seed)
    arm, base = rng.normal(90, 2, n), rng.normal(91, 0.5, n)
    paired = compare(scores(arm), scores(base), "paired")
    theirs = stats.ttest_rel(arm, base).confidence_interval()
    assert (paired.ci95_low, paired.ci95_high) == pytest.approx((theirs.low, theirs.high))
    welch = compare(scores(arm), scores(base), "welch")
    theirs = stats.ttest_ind(arm, base, equal_var=False).confidence_interval()
    assert (welch.ci95_low, welch.ci95_high) == pytest.approx((theirs.low, theirs.high))


def test_welch_takes_arms_of_unequal_size():
    arm, base = (90.0, 91.0, 93.0, 90.5), (88.0, 89.0, 88.2)
    gap = compare(scores(arm), scores(base), "welch")
    theirs = stats.ttest_ind(arm, base, equal_var=False).confidence_interval()
    assert (gap.ci95_low, gap.ci95_high) == pytest.approx((theirs.low, theirs.high))
    assert (gap.n_arm, gap.n_baseline) == (4, 3)


@pytest.mark.parametrize("rule", ["paired", "welch"])
def test_a_difference_of_two_seeds_has_no_interval(rule):
    gap = compare(scores((97.0, 98.0)), scores((96.0, 96.5)), rule)
    assert gap.delta == pytest.approx(1.25)
    assert (gap.ci95_low, gap.ci95_high, gap.correlation) == (None, None, None)
    assert gap.reason == "two_seeds"


def test_a_stuck_arm_against_a_perfect_one_has_a_finite_interval():
    """99 % in every seed against 11 %: sd 0 and 0, so both take one image; 2.776445 × 0.25 × sqrt(2/3)."""
    gap = compare(scores((11.0,) * 3, 0.25), scores((99.0,) * 3, 0.25), "welch")
    assert (gap.delta, gap.df, gap.student.floor_sd) == (-88.0, 4.0, 0.25)
    assert gap.ci95_high - gap.delta == pytest.approx(0.566739, abs=1e-6)
    assert "one test image" in gap.student.note
    assert gap.correlation is None


def test_welch_keeps_a_spread_above_one_image_in_either_arm():
    arm, base = (99.0, 99.0, 99.25), (40.0, 55.0, 31.0)
    gap = compare(scores(arm, 0.25), scores(base, 0.25), "welch")
    theirs = stats.ttest_ind(arm, base, equal_var=False).confidence_interval()
    assert (gap.ci95_low, gap.ci95_high) == pytest.approx((theirs.low, theirs.high))
    assert gap.student.floor_sd is None


def test_pairs_that_all_differ_alike_take_one_image():
    gap = compare(scores((98.0, 97.0, 99.0), 0.25), scores((97.0, 96.0, 98.0), 0.25), "paired")
    assert (gap.delta, gap.student.floor_sd) == (1.0, 0.25)
    assert gap.ci95_high - gap.delta == pytest.approx(0.621034, abs=1e-6)
    assert gap.correlation == pytest.approx(1.0)
