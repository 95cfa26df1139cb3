"""Two levels of inference against a two-way table by hand, statsmodels, and studies with a known spread."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from bench.analyse.levels import class_differences, flips, pigeonhole, seed_spread, two_levels


def tables(n=5, m=60, seed=0, shift=0.3):
    rng = np.random.default_rng(seed)
    hard = rng.normal(0.8, 1, m)
    return [rng.standard_normal((n, m)) < hard + rng.normal(0, 0.3, (n, 1)) + s for s in (shift, 0.0)]


def test_paired_standard_errors_are_those_of_the_two_way_table():
    arm, base = tables()
    found = two_levels(arm, base, "paired")
    gap = arm.astype(float) - base
    n, m = gap.shape
    assert found.delta_pp == pytest.approx(100 * gap.mean())
    assert found.se_seeds_pp == pytest.approx(100 * gap.mean(axis=1).std(ddof=1) / math.sqrt(n))
    assert found.se_images_pp == pytest.approx(100 * gap.mean(axis=0).std(ddof=1) / math.sqrt(m))
    rows = [{"seed": s, "image": i, "gap": gap[s, i]} for s in range(n) for i in range(m)]
    anova = anova_lm(ols("gap ~ C(seed) + C(image)", pd.DataFrame(rows)).fit())
    mean_square = anova["sum_sq"] / anova["df"]
    parts = [mean_square[name] / (n * m) for name in ("C(seed)", "C(image)", "Residual")]
    assert min(parts[:2]) > parts[2]
    assert found.se_both_pp == pytest.approx(100 * math.sqrt(parts[0] + parts[1] - parts[2]))


def test_welch_adds_the_arms_seeds_and_shares_their_images():
    arm, base = tables()
    found = two_levels(arm, base[:4], "welch")
    by_seed = [100 * table.mean(axis=1) for table in (arm, base[:4])]
    se = math.sqrt(sum(x.var(ddof=1) / len(x) for x in by_seed))
    assert found.se_seeds_pp == pytest.approx(se)
    by_image = 100 * (arm.mean(axis=0) - base[:4].mean(axis=0))
    assert found.se_images_pp == pytest.approx(by_image.std(ddof=1) / math.sqrt(60))
    assert found.n_seeds == 4


def test_the_distribution_is_never_surer_than_the_noise_of_single_answers():
    """Both components clip at 0 and leave the residual: answers that are coin flips."""
    rng = np.random.default_rng(3)
    arm, base = rng.random((2, 4, 50)) < 0.5
    found = two_levels(arm, base, "paired")
    assert found.se_both_pp > 0
    assert found.low_pp < found.delta_pp < found.high_pp


def test_where_all_answers_are_equal_one_image_stands_for_their_spread():
    """10 pp an image over three seeds: 10 / √3 × t(2) = 5.7735 × 4.3027 = 24.84; an interval of width 0 would
    claim that no new image could ever tell the arms apart."""
    same = np.ones((3, 10), dtype=bool)
    found = two_levels(same, same, "paired")
    assert (found.delta_pp, found.se_seeds_pp, found.se_images_pp) == (0, 0, 0)
    assert found.is_floored
    assert (found.low_pp, found.high_pp) == pytest.approx((-24.84, 24.84), abs=0.01)


def test_two_seeds_have_no_interval():
    assert two_levels(np.ones((2, 10), dtype=bool), np.zeros((2, 10), dtype=bool), "paired") is None


def test_one_seed_has_one_level_only():
    one = np.ones((1, 10), dtype=bool)
    assert two_levels(one, one, "paired") is None
    assert seed_spread(one) is None


def test_tables_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="10 images against 9"):
        two_levels(np.ones((2, 10), dtype=bool), np.ones((2, 9), dtype=bool), "welch")
    with pytest.raises(ValueError, match="do not pair"):
        two_levels(np.ones((2, 10), dtype=bool), np.ones((3, 10), dtype=bool), "paired")


@pytest.mark.parametrize("rule", ["paired", "welch"])
def test_the_pigeonhole_bootstrap_agrees_with_the_crossed_interval(rule):
    arm, base = tables(n=10, m=400, seed=1)
    found = two_levels(arm, base, rule)
    low, high = pigeonhole(arm, base, rule, np.random.default_rng(0))
    width = (high - low) / (found.high_pp - found.low_pp)
    assert 0.7 < width < 1.5
    assert low < found.delta_pp < high


def test_equal_generators_give_equal_bootstraps_and_others_do_not():
    arm, base = tables(m=2000)
    one, again, other = (pigeonhole(arm, base, "paired", np.random.default_rng(s)) for s in (1, 1, 2))
    assert one == again != other


def test_jordans_estimator_is_the_variance_less_the_luck_of_images():
    correct = tables(n=6, m=80)[0]
    acc = correct.mean(axis=1)
    luck = sum(correct[:, i].astype(float).var(ddof=1) for i in range(80)) / 80**2
    found = seed_spread(correct)
    assert found.sd_test_set_pp == pytest.approx(100 * acc.std(ddof=1))
    assert found.sd_distribution_pp**2 == pytest.approx(100**2 * 80 / 79 * (acc.var(ddof=1) - luck))


def test_jordans_estimator_is_unbiased_and_clips_at_zero():
    """Seeds with accuracies 0.8 and 0.9 by turns, images independent: variance .0025 whatever the images."""
    rng = np.random.default_rng(0)
    level = np.tile([0.8, 0.9], 500)
    found = seed_spread(rng.random((1000, 200)) < level[:, None])
    assert found.sd_distribution_pp == pytest.approx(5.0, abs=0.3)
    alternating = np.array([[True, False], [False, True]])
    assert (seed_spread(alternating).sd_distribution_pp, seed_spread(alternating).is_clipped) == (0.0, True)


def test_classes_are_compared_one_by_one_and_corrected_for_their_number():
    arm, base = tables(m=90)
    labels = np.arange(90) % 3
    held = class_differences(arm, base, labels, ("cat", "dog", "emu", "fox"), "paired")
    assert [one.comparison.arm for one in held.members] == ["cat", "dog", "emu"]
    dog = held.members[1].comparison
    own = 100 * (arm[:, 1::3].mean(axis=1) - base[:, 1::3].mean(axis=1))
    assert dog.delta == pytest.approx(own.mean())
    ps = [one.comparison.p for one in held.members]
    assert min(one.p_adjusted for one in held.members) == pytest.approx(min(1.0, 3 * min(ps)))


def test_images_flip_only_where_all_seeds_agree():
    arm = np.array([[1, 1, 0, 0, 1], [1, 0, 0, 0, 1]], dtype=bool)
    base = np.array([[0, 0, 1, 0, 1], [0, 0, 1, 0, 1]], dtype=bool)
    found = flips(arm, base)
    assert (found.gained, found.lost) == ((0,), (2,))
    assert found.text == "1 images gained and 1 lost in every seed, of 5"
