"""Rounding: only the digits that the spread supports."""

from __future__ import annotations

import pytest

from bench import units


@pytest.mark.parametrize(
    ("uncertainty", "decimals"),
    [
        (1.24, 1),
        (3.5, 1),
        (3.6, 0),
        (12.0, 0),
        (36.0, -1),
        (0.42, 1),
        (0.28, 2),
        (0.96, 1),
        (9.6, 0),
        (180, -1),
    ],
)
def test_an_uncertainty_keeps_two_digits_below_355_and_else_one(uncertainty, decimals):
    """The rule of the Particle Data Group; 0.96 counts as 1.0."""
    assert units.decimals_for(uncertainty) == decimals


@pytest.mark.parametrize("uncertainty", [0.0, -1.0, float("nan"), float("inf")])
def test_no_uncertainty_supports_no_digits(uncertainty):
    with pytest.raises(ValueError, match="is not above 0"):
        units.decimals_for(uncertainty)


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (98.049, 1, "98.0"),
        (-0.04, 1, "0.0"),
        (-0.8, 1, "−0.8"),
        (12345.6, 0, "12,346"),
        (12345.6, -2, "12,300"),
        (-60.2, 0, "−60"),
    ],
)
def test_numbers_have_a_true_minus_and_no_negative_zero(value, decimals, text):
    assert units.fixed(value, decimals) == text


@pytest.mark.parametrize(("value", "text"), [(1.04, "+1.0"), (0.04, "0.0"), (-0.04, "0.0"), (-1.0, "−1.0")])
def test_differences_carry_their_sign(value, text):
    assert units.signed(value, 1) == text


def test_sizes_read_in_millions_and_gib():
    assert units.millions(269_722) == "0.270"
    assert units.millions(75_290) == "0.0753"
    assert units.millions(19_421_274) == "19.4"
    assert units.gib(3 * 2**30) == "3.00"
    assert units.significant(0) == "0"


@pytest.mark.parametrize(
    ("seconds", "text"), [(3.46, "3.5 s"), (98, "98 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")]
)
def test_time_spans_read_in_two_units(seconds, text):
    assert units.duration(seconds) == text


def test_factors_have_words_and_units():
    assert units.factor_header("model.depth", "depth") == "depth (layers)"
    assert units.factor_header("train.epochs", "epochs") == "epochs"
    assert units.factor_header("train.optimizer.lr", "lr") == "learning rate"
