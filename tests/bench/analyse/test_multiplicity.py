"""Families of comparisons: published adjustments, statsmodels and scipy as oracles, gaps that still count."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from bench.analyse.compare import compare
from bench.analyse.dunnett import dunnett, dunnett_cdf, dunnett_quantile
from bench.analyse.multiplicity import benjamini_hochberg, family, holm
from tests.bench.analyse.stat_helpers import scores

CONTROL = (7.40, 8.50, 7.20, 8.24, 9.84, 8.32)
DRUG_A = (9.76, 8.80, 7.68, 9.36)
DRUG_B = (12.80, 9.68, 12.16, 9.20, 10.55)
"""Dunnett (1955), blood counts."""

p_lists = st.lists(st.floats(1e-8, 1.0), min_size=1, max_size=12)


def test_holm_and_benjamini_hochberg_give_the_printed_values():
    ps = (0.01, 0.04, 0.03, 0.005)
    assert holm(ps) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert benjamini_hochberg(ps) == pytest.approx((0.02, 0.04, 0.04, 0.02))


@settings(max_examples=40, deadline=None)
@given(ps=p_lists)
def test_adjustments_equal_those_of_statsmodels(ps):
    assert holm(ps) == pytest.approx(multipletests(ps, method="holm")[1])
    assert benjamini_hochberg(ps) == pytest.approx(multipletests(ps, method="fdr_bh")[1])


def test_a_comparison_without_a_p_value_still_counts_in_its_family():
    assert holm((0.01, None, 0.03)) == pytest.approx((0.03, None, 0.06))
    assert benjamini_hochberg((0.01, None)) == pytest.approx((0.02, None))


def test_dunnett_gives_the_values_of_his_paper():
    a, b = dunnett((DRUG_A, DRUG_B), CONTROL)
    assert (a.t, b.t) == pytest.approx((0.857032, 3.693752), abs=5e-7)
    assert (a.p, b.p) == (pytest.approx(0.6201, abs=5e-5), pytest.approx(0.005825, abs=5e-7))
    assert (a.low, a.high, b.low, b.high) == pytest.approx((-1.2563, 2.5563, 0.8397, 4.4163), abs=5e-5)
    assert a.df == 12


def test_dunnett_equals_scipys_random_integration():
    theirs = stats.dunnett(DRUG_A, DRUG_B, control=CONTROL, random_state=np.random.default_rng(0))
    ours = dunnett((DRUG_A, DRUG_B), CONTROL)
    assert [line.p for line in ours] == pytest.approx(list(theirs.pvalue), abs=3e-4)
    ends = theirs.confidence_interval()
    assert [line.low for line in ours] == pytest.approx(list(ends.low), abs=2.5e-3)


@pytest.mark.parametrize("df", [2, 5, 12, 60])
@pytest.mark.parametrize("bound", [0.5, 2.0, 4.0])
def test_dunnett_with_one_arm_is_students_t(df, bound):
    assert dunnett_cdf(bound, (0.6,), df) == pytest.approx(1 - 2 * stats.t.sf(bound, df), abs=1e-9)


def test_dunnetts_bound_is_that_of_his_table():
    """Dunnett (1964), two-sided 5 %: 2.90 for five equal arms at 12 degrees, 2.57 for two at 10."""
    assert dunnett_quantile((0.5**0.5,) * 5, 12, 0.95) == pytest.approx(2.90, abs=5e-3)
    assert dunnett_quantile((0.5**0.5,) * 2, 10, 0.95) == pytest.approx(2.57, abs=5e-3)


def test_dunnett_says_when_it_cannot():
    assert dunnett(((1.0,),), (1.0, 2.0))[0].reason == "one_seed"
    assert dunnett(((1.0, 1.0),), (2.0, 2.0))[0].reason == "equal_in_all_seeds"
    assert dunnett(((),), (2.0, 2.0))[0].delta is None


def test_a_family_holds_bonferroni_intervals_and_names_its_method():
    cs = [compare(scores(a), scores(CONTROL), "welch") for a in (DRUG_A, DRUG_B)]
    held = family(cs)
    low, high = cs[0].student.interval(0.975)
    assert (held.members[0].simultaneous_low, held.members[0].simultaneous_high) == (low, high)
    assert held.text == "family-wise error of 2 comparisons held at 0.05 (Holm)"
    assert family(cs, method="benjamini-hochberg").text.startswith("exploratory: ")
    many = family(cs, method="dunnett", samples=(DRUG_A, DRUG_B), control=CONTROL)
    assert many.members[1].p_adjusted == pytest.approx(0.005825, abs=5e-7)
    with pytest.raises(ValueError, match="dunnett needs samples and control"):
        family(cs, method="dunnett")
