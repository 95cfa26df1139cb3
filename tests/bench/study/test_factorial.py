"""Two-level fractions against the published ones: arms, resolution, defining relation, aliases."""

from __future__ import annotations

import itertools

import pytest

from bench.study.factorial import Fraction, chains, signs_of, smallest_fraction
from bench.study.model import Factor


@pytest.mark.parametrize(
    ("n_factors", "resolution", "n_arms", "reached"),
    [
        pytest.param(3, 3, 4, 3, id="2^(3-1) III"),
        pytest.param(4, 4, 8, 4, id="2^(4-1) IV"),
        pytest.param(5, 3, 8, 3, id="2^(5-2) III"),
        pytest.param(5, 5, 16, 5, id="2^(5-1) V"),
        pytest.param(6, 4, 16, 4, id="2^(6-2) IV"),
        pytest.param(7, 3, 8, 3, id="2^(7-4) III"),
        pytest.param(7, 4, 16, 4, id="2^(7-3) IV"),
        pytest.param(8, 4, 16, 4, id="2^(8-4) IV"),
        pytest.param(8, 5, 64, 5, id="2^(8-2) V"),
        pytest.param(9, 4, 32, 4, id="2^(9-4) IV"),
        pytest.param(11, 3, 16, 3, id="2^(11-7) III"),
        pytest.param(11, 5, 128, 5, id="2^(11-4) V"),
    ],
)
def test_the_smallest_fraction_is_the_published_one(
    n_factors: int, resolution: int, n_arms: int, reached: int
) -> None:
    """Box, Hunter & Hunter (2005), table 6.22: runs and resolution of two-level fractions."""
    fraction = smallest_fraction([chr(65 + n) for n in range(n_factors)], resolution)
    assert fraction is not None
    assert (fraction.n_arms, fraction.resolution) == (n_arms, reached)
    rows = list(fraction.rows())
    assert len(set(rows)) == len(rows) == n_arms


def test_a_resolution_beyond_the_half_fraction_needs_all_combinations() -> None:
    assert smallest_fraction("ABCD", 5) is None


def test_the_defining_relation_of_two_generators_holds_their_product() -> None:
    """2^(5-2) with D = AB and E = AC: I = ABD = ACE = BCDE (Box, Hunter & Hunter, section 6.5)."""
    fraction = Fraction(tuple("ABCDE"), (("D", ("A", "B")), ("E", ("A", "C"))))
    assert ["".join(sorted(word)) for word in fraction.words] == ["ABD", "ACE", "BCDE"]
    assert fraction.resolution == 3
    assert fraction.text == "fractional factorial, 2^(5-2) = 8 arms of resolution III: D = A × B; E = A × C"


def test_aliases_are_those_of_the_defining_relation() -> None:
    fraction = Fraction(tuple("ABCDE"), (("D", ("A", "B")), ("E", ("A", "C"))))
    told = {chain.text for chain in chains(fraction.factors, list(fraction.rows()))}
    assert told == {
        "A + B × D + C × E",
        "B + A × D",
        "C + A × E",
        "D + A × B",
        "E + A × C",
        "B × C + D × E",
        "B × E + C × D",
    }


def test_a_half_fraction_of_resolution_iv_keeps_main_effects_clear() -> None:
    fraction = smallest_fraction("ABCD", 4)
    assert fraction is not None
    told = [chain.text for chain in chains(fraction.factors, list(fraction.rows()))]
    assert told == ["A", "B", "C", "D", "A × B + C × D", "A × C + B × D", "A × D + B × C"]


def test_a_full_factorial_has_no_aliases() -> None:
    rows = list(Fraction(tuple("ABC")).rows())
    assert rows == list(itertools.product((-1, 1), repeat=3))
    assert [chain.text for chain in chains("ABC", rows)] == ["A", "B", "C", "A × B", "A × C", "B × C"]


def test_opposite_columns_are_aliased_with_a_minus() -> None:
    rows = [(-1, -1, -1), (1, -1, 1), (-1, 1, 1), (1, 1, -1)]  # C = -AB
    assert [chain.text for chain in chains("ABC", rows)] == ["A − B × C", "B − A × C", "C − A × B"]


def test_signs_follow_the_declared_order_of_levels() -> None:
    factors = [Factor("a", (False, True)), Factor("lr", (0.1, 0.05))]
    assert signs_of({"a": True, "lr": 0.1}, factors) == (1, -1)
    assert signs_of({"a": True, "lr": 0.2}, factors) is None
