"""Power: the tables of the literature, statsmodels, and a simulation of the equivalence test."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.power import TTestIndPower, TTestPower

from bench.analyse.null_studies import mean_and_error, tost_p
from bench.analyse.power import (
    detectable,
    equivalence_power,
    equivalence_seeds,
    noether_n,
    seeds_needed,
    t_power,
)


@pytest.mark.parametrize(("effect", "n"), [(1, 10), (1.5, 6), (2, 5), (3, 4)])
def test_seeds_needed_by_pairs_are_those_of_the_table(effect, n):
    assert seeds_needed(effect, "paired") == n


@pytest.mark.parametrize(("effect", "n"), [(0.5, 64), (1, 17), (1.5, 9), (2, 6), (3, 4)])
def test_seeds_needed_by_two_arms_are_those_of_the_table(effect, n):
    assert seeds_needed(effect, "welch") == n


@pytest.mark.parametrize(
    ("n", "paired", "two"), [(3, 3.26, 3.07), (5, 1.68, 2.02), (8, 1.16, 1.51), (10, 1.00, 1.32)]
)
def test_detectable_effects_are_those_of_the_table(n, paired, two):
    assert detectable(n, "paired").effect == pytest.approx(paired, abs=5e-3)
    assert detectable(n, "welch").effect == pytest.approx(two, abs=5e-3)


@pytest.mark.parametrize("n", [3, 5, 10])
@pytest.mark.parametrize("effect", [0.2, 1.0, 2.5])
@pytest.mark.parametrize("alpha", [0.05, 0.005])
def test_power_equals_that_of_statsmodels(n, effect, alpha):
    assert t_power(effect, n, "paired", alpha=alpha) == pytest.approx(
        TTestPower().power(effect, n, alpha), abs=1e-6
    )
    assert t_power(effect, n, "welch", alpha=alpha) == pytest.approx(
        TTestIndPower().power(effect, n, alpha), abs=1e-6
    )


def test_five_seeds_see_the_points_that_the_literature_says():
    """0.34 points paired at an sd of differences of 0.2, 0.40 unpaired at an sd of 0.2 in each arm."""
    assert detectable(5, "paired", sd=0.2).delta == pytest.approx(0.34, abs=5e-3)
    found = detectable(5, "welch", sd=0.2)
    assert found.delta == pytest.approx(0.40, abs=6e-3)
    assert found.text == "5 seeds find a difference of 0.4 (sd of each arm 0.2) with 80% power"


def test_more_comparisons_need_more_seeds():
    assert seeds_needed(1.5, "paired", n_comparisons=10) > seeds_needed(1.5, "paired")
    many = detectable(5, "paired", n_comparisons=10)
    assert many.alpha == pytest.approx(0.005)
    assert t_power(many.effect, 5, "paired", alpha=0.005) == pytest.approx(0.8)


def test_power_stays_a_number_far_out():
    """scipy's noncentral t returns NaN at some of these."""
    effects = [0.1 * k for k in range(200)]
    powers = [t_power(effect, 5, "paired", alpha=0.005) for effect in effects]
    assert powers == sorted(powers)
    assert powers[0] == pytest.approx(0.005)
    assert powers[-1] == pytest.approx(1.0)


def test_what_cannot_be_found_is_none():
    assert detectable(2, "paired") is None
    assert seeds_needed(0.001, "paired") is None
    assert t_power(1000.0, 5, "paired") == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("sd", "margin", "row"),
    [
        (0.2, 0.5, (0.75, 0.96, 0.995, 1, 1, 1)),
        (0.2, 0.3, (0.33, 0.54, 0.74, 0.86, 0.97, 0.99)),
        (0.3, 0.5, (0.41, 0.65, 0.84, 0.93, 0.99, 1)),
        (0.2, 0.2, (0.13, 0.20, 0.29, 0.41, 0.64, 0.80)),
    ],
)
def test_power_of_equivalence_is_that_of_the_table(sd, margin, row):
    found = [equivalence_power(n, sd, margin) for n in (3, 4, 5, 6, 8, 10)]
    assert found == pytest.approx(row, abs=6e-3)


def test_power_of_equivalence_at_the_margin_is_its_level():
    assert equivalence_power(10, 0.1, 1.0, truth=1.0) == pytest.approx(0.05, abs=1e-6)


def test_power_of_equivalence_equals_a_simulation_off_centre():
    gaps = 0.15 + 0.3 * np.random.default_rng(0).standard_normal((40_000, 6))
    delta, se = mean_and_error(gaps)
    found = float((tost_p(delta, se, 5, 0.5) <= 0.05).mean())
    assert equivalence_power(6, 0.3, 0.5, truth=0.15) == pytest.approx(found, abs=4 * (0.25 / 40_000) ** 0.5)


@pytest.mark.parametrize("rule", ["paired", "welch"])
def test_the_seeds_that_show_equivalence_are_the_fewest_with_the_power(rule):
    """Table above: at an sd of .2 of the differences and a margin of .3, 5 seeds have .74 and 6 have .86."""
    n = equivalence_seeds(0.2, 0.3, rule)
    assert equivalence_power(n, 0.2, 0.3, rule=rule) >= 0.8 > equivalence_power(n - 1, 0.2, 0.3, rule=rule)
    assert (n == 6) is (rule == "paired")
    assert equivalence_seeds(0.2, 0.3, rule, n_comparisons=10) > n
    assert equivalence_seeds(0.2, 1e-6, rule) is None


def test_power_of_equivalence_of_independent_arms_equals_a_simulation():
    draws = 0.3 * np.random.default_rng(1).standard_normal((40_000, 2, 8))
    delta = draws.mean(axis=2) @ np.array([1, -1])
    se = np.sqrt(draws.var(axis=2, ddof=1).mean(axis=1) * 2 / 8)
    found = float((tost_p(delta, se, 14, 0.5) <= 0.05).mean())
    assert equivalence_power(8, 0.3, 0.5, rule="welch") == pytest.approx(
        found, abs=4 * (0.25 / 40_000) ** 0.5
    )


def test_noethers_sample_size_is_his():
    assert noether_n(0.75) == pytest.approx(28.859, abs=5e-4)
