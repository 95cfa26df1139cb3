"""Size of every test and coverage of every interval over studies in which nothing is to be found.

The short version runs 2,000 studies and is part of the default suite; `-m slow` runs the 20,000 of
`docs/simulations.md` and compares that page. Tolerance is 4 standard errors of the simulation around the true
value of each method, not around 5 % for all.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.analyse import null_studies as null
from bench.analyse.compare import compare
from bench.analyse.dunnett import dunnett, dunnett_quantile
from bench.analyse.equivalence import tost
from bench.analyse.multiplicity import benjamini_hochberg, family, holm
from bench.analyse.null_rates import SEEDS, simulate, simulate_looks
from bench.analyse.ordered import jonckheere, page
from bench.analyse.sequential import SequentialDesign, decide
from bench.analyse.simulations import main, page_of
from bench.analyse.student import Student
from bench.errors import UsageError
from tests.bench.analyse.stat_helpers import scores

PAGE = Path(__file__).resolve().parents[3] / "docs" / "simulations.md"


def off(rates):
    return [rate for rate in rates if not rate.holds]


@pytest.mark.parametrize("n", SEEDS)
def test_every_method_errs_as_often_as_it_says_in_2000_studies(n):
    rates = simulate("normal", n, 2000)
    assert len(rates) == 23
    assert off(rates) == []


def test_sequential_designs_err_as_often_as_they_say_in_2000_studies():
    rates = simulate_looks("normal", 2000)
    assert len(rates) == 10
    assert off(rates) == []


def test_a_rate_that_is_off_is_noticed():
    """The naive test at 5 % on every look, 10 % of the time: the check has to see it."""
    rates = simulate_looks("normal", 2000)
    (rate,) = [r for r in rates if r.method == "sequential t" and r.n == "5, 8, 10"]
    assert not type(rate)(**{**vars(rate), "found": 0.102}).holds


@pytest.mark.parametrize("n", SEEDS)
def test_the_studies_at_once_are_the_functions_of_the_report_one_by_one(n):
    arms = null.scores("lognormal", 25, 5, n, np.random.default_rng(n))
    first, second = arms[:, 0], arms[:, 1]
    (paired, half), (welch, half_welch) = null.t_test(first - second), null.welch_test(first, second)
    flip, ranks = null.sign_flip_p(first - second), null.mann_whitney_p(first, second)
    mean, se = null.mean_and_error(first - second)
    by_looks = null.tost_p(mean, se, n - 1, 1.0)
    for k in range(len(arms)):
        a, b = scores(first[k].tolist()), scores(second[k].tolist())
        c, w = compare(a, b, "paired"), compare(a, b, "welch")
        assert (c.p, w.p) == pytest.approx((paired[k], welch[k]))
        assert (c.ci95_high - c.delta, w.ci95_high - w.delta) == pytest.approx((half[k], half_welch[k]))
        assert (c.exact.p, w.exact.p) == pytest.approx((flip[k], ranks[k]))
        assert tost(c.student, 1.0).p == pytest.approx(by_looks[k])


@pytest.mark.parametrize("n", SEEDS)
def test_families_at_once_are_the_functions_of_the_report_one_by_one(n):
    arms = null.draw("normal", (40, 5, n), np.random.default_rng(n)) + np.array([1.2, 0, 0, 0, 0])[:, None]
    ps, _ = null.t_test(arms[:, 1:] - arms[:, :1])
    by_holm, by_bh = null.holm_rejects(ps), null.bh_rejects(ps)
    largest = null.dunnett_t(arms[:, 1:], arms[:, 0])
    bound = dunnett_quantile((0.5**0.5,) * 4, 5 * (n - 1), 0.95)
    assert by_bh.any()
    for k in range(len(arms)):
        each = ps[k].tolist()
        assert (min(holm(each)) <= 0.05, min(benjamini_hochberg(each)) <= 0.05) == (by_holm[k], by_bh[k])
        lines = dunnett(arms[k, 1:].tolist(), arms[k, 0].tolist())
        assert max(abs(line.t) for line in lines) == pytest.approx(largest[k])
        assert (min(line.p for line in lines) <= 0.05) == (largest[k] > bound)


def test_ordered_tests_at_once_are_the_functions_of_the_report_one_by_one():
    arms = null.scores("normal", 25, 4, 3, np.random.default_rng(1))
    pages, jts = null.page_p(arms), null.jonckheere_p(arms)
    for k in range(len(arms)):
        assert page(arms[k].T.tolist(), "rising").p == pytest.approx(pages[k])
        assert jonckheere(arms[k].tolist(), "rising").p == pytest.approx(jts[k])


def test_sequential_decisions_are_those_of_the_simulation():
    looks = (5, 8, 10)
    design, levels = SequentialDesign(looks), SequentialDesign(looks).nominal_alphas
    arms = null.scores("normal", 40, 2, 10, np.random.default_rng(2))
    arms[:, 0] += 0.8
    outcomes = set()
    for a, b in arms:
        for number, (n, level) in enumerate(zip(looks, levels, strict=True), start=1):
            found = decide(design, number, scores(a.tolist()), scores(b.tolist()), "paired", seeds=range(10))
            p, _ = null.t_test((a - b)[None, :n])
            assert (found.outcome == "different") == (p[0] <= level)
            outcomes.add(found.outcome)
    assert outcomes == {"different", "more seeds", "undecided"}


@pytest.mark.parametrize("errors", ["normal", "lognormal", "outlier"])
def test_errors_have_mean_zero_and_standard_deviation_one(errors):
    drawn = null.draw(errors, (400_000,), np.random.default_rng(0))
    assert drawn.mean() == pytest.approx(0, abs=0.01)
    assert drawn.std() == pytest.approx(1, abs=0.03)


def test_the_page_has_equal_bytes_on_two_runs():
    one = page_of(200)
    assert one == page_of(200)
    assert "| paired t | size | 3 |" in one


def test_the_page_needs_a_path():
    with pytest.raises(UsageError, match=r"usage: python -m bench\.analyse\.simulations"):
        main([])


def test_simultaneous_intervals_are_those_of_the_simulation():
    values = np.random.default_rng(0).normal(size=5)
    line = Student.of_values(values.tolist())
    c = compare(scores(values.tolist()), scores([0.0] * 5), "paired")
    (member, *_) = family([c] * 4).members
    assert (member.simultaneous_low, member.simultaneous_high) == pytest.approx(line.interval(1 - 0.05 / 4))


@pytest.mark.slow
@pytest.mark.parametrize("n", SEEDS)
def test_every_method_errs_as_often_as_it_says_in_20000_studies(n):
    assert off(simulate("normal", n)) == []


@pytest.mark.slow
def test_sequential_designs_err_as_often_as_they_say_in_20000_studies():
    assert off(simulate_looks("normal")) == []


@pytest.mark.slow
@pytest.mark.parametrize("n", SEEDS)
@pytest.mark.parametrize(("rule", "size"), [("paired", None), ("welch", {3: 0.0352, 5: 0.0442, 10: 0.0485})])
def test_compare_itself_errs_as_often_as_it_says_in_20000_studies(n, rule, size):
    """The function of the report, not its vectorised twin."""
    true = size[n] if size else 0.05
    gaps = np.random.default_rng([n, 7]).standard_normal((20_000, 2, n))
    found = np.mean([_rejects(a.tolist(), b.tolist(), rule) for a, b in gaps])
    assert found == pytest.approx(true, abs=4 * (true * (1 - true) / 20_000) ** 0.5)


def _rejects(a, b, rule):
    if rule == "paired":
        return Student.of_values([x - y for x, y in zip(a, b, strict=True)]).p <= 0.05
    return Student.of_arms((a, b), (1.0, -1.0)).p <= 0.05


@pytest.mark.slow
def test_the_committed_page_is_current():
    assert PAGE.read_text(encoding="utf-8") == page_of()
