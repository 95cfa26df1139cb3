"""Sequential designs: published bounds, decisions that replay, and the anytime-valid option."""

from __future__ import annotations

import json
import math

import pytest
from scipy.optimize import brentq

from bench.analyse.anytime import anytime, e_value, multiplier
from bench.analyse.boundaries import crossing_probabilities, obrien_fleming_spent, spending_bounds
from bench.analyse.compare import LOSS
from bench.analyse.estimate import Scores
from bench.analyse.null_rates import power_of_looks
from bench.analyse.sequential import Decision, SequentialDesign, decide, planned_looks, replay
from tests.bench.analyse.stat_helpers import scores


@pytest.mark.parametrize(
    ("looks", "bounds", "alphas", "t_bounds"),
    [
        ((5, 8, 10), (2.772, 2.221, 2.058), (0.00557, 0.0263, 0.0396), (5.43, 2.81, 2.41)),
        ((5, 10), (2.772, 1.979), (0.00557, 0.0478), (5.43, 2.29)),
        (
            (4, 6, 8, 10),
            (3.099, 2.553, 2.254, 2.063),
            (0.0019, 0.0107, 0.0242, 0.0391),
            (10.3, 3.97, 2.86, 2.41),
        ),
    ],
    ids=str,
)
def test_bounds_and_nominal_levels_are_those_of_the_table(looks, bounds, alphas, t_bounds):
    design = SequentialDesign(looks)
    assert design.z_bounds == pytest.approx(bounds, abs=5e-4)
    assert design.nominal_alphas == pytest.approx(alphas, abs=5e-5)
    assert design.t_bounds == pytest.approx(t_bounds, rel=2e-3)


def constant(looks, shape):
    """Pocock's or O'Brien and Fleming's constant of equally spaced looks at 5 %."""
    shares = [(k + 1) / looks for k in range(looks)]

    def excess(c):
        bounds = [c / math.sqrt(share) ** shape for share in shares]
        return sum(crossing_probabilities(bounds, shares)) - 0.05

    c = brentq(excess, 1.0, 5.0)
    return [c / math.sqrt(share) ** shape for share in shares]


@pytest.mark.parametrize(("looks", "c"), [(2, 2.178), (3, 2.289), (4, 2.361), (5, 2.413)])
def test_pococks_constants_are_the_published_ones(looks, c):
    assert constant(looks, 0)[-1] == pytest.approx(c, abs=5e-4)


@pytest.mark.parametrize(("looks", "c"), [(2, 1.977), (3, 2.004), (4, 2.024), (5, 2.040)])
def test_obrien_and_flemings_last_bounds_are_the_published_ones(looks, c):
    assert constant(looks, 1)[-1] == pytest.approx(c, abs=5e-4)


def test_all_obrien_and_fleming_bounds_are_the_published_ones():
    assert constant(3, 1) == pytest.approx([3.471, 2.454, 2.004], abs=6e-4)
    assert constant(5, 1) == pytest.approx([4.562, 3.226, 2.634, 2.281, 2.040], abs=6e-4)


def test_all_error_is_spent_at_the_last_look_and_none_before_the_first():
    assert obrien_fleming_spent(0.0, 0.05) == 0.0
    assert obrien_fleming_spent(1.0, 0.05) == pytest.approx(0.05)
    shares = (0.3, 0.5, 1.0)
    assert sum(crossing_probabilities(spending_bounds(shares, 0.05), shares)) == pytest.approx(0.05)


def test_a_single_look_is_the_fixed_test():
    assert SequentialDesign((7,)).nominal_alphas == pytest.approx((0.05,))


def test_error_is_divided_by_the_comparisons_that_share_it():
    shared = SequentialDesign((5, 8, 10), n_comparisons=4)
    assert shared.z_bounds == SequentialDesign((5, 8, 10), alpha=0.0125).z_bounds
    assert "shared by 4 comparisons" in shared.text


@pytest.mark.parametrize(("effect", "power", "seeds"), [(1, 0.78, 8.7), (2, 1.0, 6.8)])
def test_power_and_expected_seeds_are_those_of_the_table(effect, power, seeds):
    found = power_of_looks(effect, (5, 8, 10))
    assert found == (pytest.approx(power, abs=0.012), pytest.approx(seeds, abs=0.06))


def test_looks_that_do_not_ascend_are_refused():
    for looks in ((), (8, 5), (2, 5), (5, 5)):
        with pytest.raises(ValueError, match="do not ascend from three"):
            SequentialDesign(looks)
    with pytest.raises(ValueError, match="no level"):
        SequentialDesign((5,), alpha=0.0)


def test_looks_of_a_range_are_its_ends_and_its_middle():
    assert planned_looks(5, 10) == (5, 8, 10)
    assert planned_looks(3, 4) == (3, 4)
    assert planned_looks(5, 5) == (5,)


SEEDS = tuple(range(10))
BASE = scores((90.0, 90.2, 89.9, 90.1, 90.3, 90.0, 89.8, 90.2, 90.1, 90.0), 0.01)


def shifted(by, wobble=0.1):
    return Scores({s: v + by + wobble * (-1) ** s for s, v in BASE.by_seed.items()}, 0.01)


def look(arm, number=1, margin=0.5, looks=(5, 8, 10), **options):
    design = SequentialDesign(looks, margin=margin)
    return decide(design, number, arm, BASE, "paired", seeds=SEEDS, **options)


def test_a_clear_difference_stops_at_the_first_look_with_the_repeated_interval():
    found = look(shifted(2.0))
    design = SequentialDesign((5, 8, 10))
    assert (found.outcome, found.stops, found.seeds) == ("different", True, (0, 1, 2, 3, 4))
    se = 0.1 * math.sqrt(1.2) / math.sqrt(5)
    assert found.high - found.delta == pytest.approx(design.t_bounds[0] * se)
    assert "look 1 of 3 (5 seeds)" in found.text


def test_equal_arms_stop_for_equivalence_only_with_a_margin():
    assert look(shifted(0.0)).outcome == "equivalent"
    assert look(shifted(0.0), margin=None).outcome == "more seeds"
    assert look(shifted(0.0), 3, margin=None).outcome == "undecided"


def test_a_difference_within_the_margin_is_both():
    assert look(shifted(0.3), 3).outcome == "different and equivalent"


def test_seeds_beyond_the_look_are_not_looked_at():
    arm = Scores({**shifted(0.0, 1.0).by_seed, 9: 50.0}, 0.01)
    assert look(arm) == look(shifted(0.0, 1.0))


def test_a_spread_below_one_image_is_decided_by_the_repeated_interval():
    arm, base = scores((11.0,) * 5, 0.25), scores((99.0,) * 5, 0.25)
    found = decide(SequentialDesign((5, 10)), 1, arm, base, "welch", seeds=range(10))
    assert (found.p, found.outcome) == (None, "different")


def test_two_finished_seeds_ask_for_more():
    arm = Scores({0: 90.0, 1: 91.0}, 0.01)
    found = look(arm)
    assert (found.outcome, found.p, found.low) == ("more seeds", None, None)
    assert "no interval" in found.text


@pytest.mark.parametrize("options", [{}, {"scale": LOSS}], ids=["accuracy", "loss"])
def test_a_decision_survives_json_and_replays(options):
    found = look(shifted(0.6, 0.5), 2, **options)
    kept = Decision.from_dict(json.loads(json.dumps(found.as_dict())))
    assert kept == found
    assert replay(kept, shifted(0.6, 0.5), BASE, seeds=SEEDS) == ()


def test_a_changed_score_shows_in_the_replay():
    found = look(shifted(2.0))
    changed = Scores({**shifted(2.0).by_seed, 3: 80.0}, 0.01)
    differing = replay(found, changed, BASE, seeds=SEEDS)
    assert any(line.startswith("delta: kept 2.0") for line in differing)
    assert any(line == "outcome: kept different, again more seeds" for line in differing)


@pytest.mark.parametrize(("n", "width"), [(3, None), (4, 7.2), (5, 5.4), (8, 4.2), (10, 4.0)])
def test_widths_of_the_confidence_sequence_are_those_of_the_table(n, width):
    found = multiplier(n)
    assert found is None if width is None else found == pytest.approx(width, abs=0.05)


@pytest.mark.parametrize("n", [4, 5, 10, 50])
def test_the_confidence_sequence_ends_where_the_e_value_reaches_its_bound(n):
    assert e_value(multiplier(n), n) == pytest.approx(20.0)


def test_anytime_valid_evidence_is_told_in_words():
    gaps = [1.0, 1.1, 0.9, 1.05, 0.95]
    found = anytime(gaps)
    assert found.is_different
    assert found.low > 0
    assert "decided at 20" in found.text
    assert anytime([1.0, 1.1]).e_value is None
    assert "whole line" in anytime([1.0, 1.1, 0.9]).text
