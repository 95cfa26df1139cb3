"""Trends and interactions against the worked examples, statsmodels and brute force."""

from __future__ import annotations

import math
from itertools import permutations, product

import pandas as pd
import pytest
from scipy.stats import page_trend_test, rankdata
from statsmodels.stats.anova import AnovaRM

from bench.analyse.compare import ERROR_PCT
from bench.analyse.contrast import contrast
from bench.analyse.estimate import Scores
from bench.analyse.interaction import difference_of_differences, slope_difference
from bench.analyse.ordered import jonckheere, jonckheere_variance, page, share_from
from bench.analyse.trend import quadratic_weights, trend
from tests.bench.analyse.stat_helpers import DEPTH_ROWS, DEPTHS, scores

COLUMNS = tuple(zip(*DEPTH_ROWS, strict=True))
PAGE_ROWS = [[n // 100, n // 10 % 10, n % 10] for n in (343, 224, 335, 132, 232, 245, 124, 344, 245, 134)]
"""Students' ratings of three ways of teaching; the example of `scipy.stats.page_trend_test`."""
PLAIN = ((9.6, 9.4, 9.7, 9.5, 9.8), (13.1, 14.2, 13.6, 12.8, 13.9))
RES = ((8.3, 8.2, 8.6, 8.4, 8.5), (6.9, 7.1, 6.8, 7.0, 7.2))


def depth_trend(**options):
    arms = [scores(column) for column in COLUMNS]
    return trend(arms, DEPTHS, factor="depth", scale=ERROR_PCT, **options)


def test_slope_per_doubling_has_the_printed_values():
    linear = depth_trend().linear
    assert linear.by_seed == pytest.approx((-0.859768, -0.696121, -0.942052, -0.820233), abs=5e-7)
    assert linear.estimate == pytest.approx(-0.829544, abs=5e-7)
    assert linear.student.t == pytest.approx(-16.2013, abs=5e-5)
    assert linear.p == pytest.approx(5.1156e-4, abs=5e-9)
    assert (linear.ci95_low, linear.ci95_high) == pytest.approx((-0.992492, -0.666595), abs=7e-7)
    assert linear.unit == "pp per doubling"


def test_slope_on_ranks_and_curvature_have_the_printed_values():
    """The printed contrast (2, −1, −2, −1, 2) is 1.65 in the mean, 7 times the second derivative."""
    found = depth_trend(spacing="rank")
    assert found.linear.student.t == pytest.approx(-17.8089, abs=5e-5)
    assert quadratic_weights(range(5)) == pytest.approx([w / 7 for w in (2, -1, -2, -1, 2)])
    assert found.quadratic.estimate == pytest.approx(1.65 / 7)
    assert found.quadratic.student.t == pytest.approx(12.4728, abs=5e-5)
    assert found.quadratic.p == pytest.approx(0.00111, abs=5e-6)
    assert found.quadratic.unit == "pp per step²"
    assert found.bend == "flattens or turns"


def bent(levels, curve, **options):
    """Three seeds that follow one curve from different heights."""
    heights = (0.0, 0.4, 1.1)
    return trend([scores([curve(level) + h for h in heights]) for level in levels], levels, **options)


def test_a_line_in_doublings_has_no_curvature():
    """Depths 8, 20, 32, 56 are uneven doublings: on their ranks this line was told as flattening."""
    found = bent((8, 20, 32, 56), lambda depth: 90 + 1.5 * math.log2(depth))
    assert found.linear.estimate == pytest.approx(1.5)
    assert found.quadratic.by_seed == pytest.approx((0.0,) * 3, abs=1e-9)
    assert found.bend is None


@pytest.mark.parametrize(
    ("levels", "spacing", "curve", "unit"),
    [
        ((8, 20, 32, 56), "log2", math.log2, "pp per doubling²"),
        ((0, 0.1, 0.3, 0.9), "number", float, "pp per unit²"),
        ((3, 4, 40), "rank", (3, 4, 40).index, "pp per step²"),
    ],
    ids=["doublings", "numbers", "ranks"],
)
def test_a_parabola_has_its_second_derivative_on_the_scale_of_the_slope(levels, spacing, curve, unit):
    """y = 90 + 2x − 0.7x² in x: −1.4 whatever the spacing of the levels."""
    found = bent(levels, lambda level: 90 + 2 * curve(level) - 0.7 * curve(level) ** 2, spacing=spacing)
    assert found.quadratic.by_seed == pytest.approx((-1.4,) * 3)
    assert found.quadratic.unit == unit


def test_page_of_the_depths_has_the_printed_p():
    test = page(DEPTH_ROWS, "falling")
    assert (test.statistic, test.is_exact) == (219, True)
    assert test.p == pytest.approx(8.198e-8, abs=5e-12)
    assert depth_trend().rank_test == test


def test_page_of_scipys_table_has_the_printed_statistic():
    """The printed p of .0018191162 is that of L >= 133 without ties, and five of the ten rows have some.

    Shuffling every row 400,000 times gives .00036 with a standard error of .00003.
    """
    test = page(PAGE_ROWS, "rising")
    assert (test.statistic, test.is_exact) == (133.5, True)
    assert test.p == pytest.approx(0.000384, abs=5e-7)
    untied = [(2, 4, 6)] * len(PAGE_ROWS)  # doubled ranks
    assert share_from(2 * 133, untied) == pytest.approx(0.0018191162, abs=5e-11)


def test_page_without_ties_equals_scipys_exact_p():
    rows = [[3.1, 2.0, 4.5, 6.0], [1.0, 2.5, 2.0, 3.0], [7.0, 8.0, 6.5, 9.0]]
    theirs = page_trend_test(rows, method="exact")
    ours = page(rows, "rising")
    assert (ours.statistic, ours.p) == (theirs.statistic, pytest.approx(theirs.pvalue, rel=1e-12))


@pytest.mark.parametrize(
    "rows",
    [
        [[98.6, 98.6, 98.9], [98.3, 98.6, 98.6], [98.6, 98.9, 98.9]],
        [[98.6, 98.6, 98.6, 98.9]] * 3,
        [[98.6, 98.6, 98.6]] * 2,
    ],
    ids=["pairs", "triples", "all equal"],
)
def test_page_with_ties_counts_the_arrangements_of_the_tied_ranks(rows):
    """Accuracies on few images tie, and the null of ranks without ties was called exact all the same."""
    weights = range(1, len(rows[0]) + 1)

    def statistic(rows):
        return sum(w * rank for row in rows for w, rank in zip(weights, rankdata(row), strict=True))

    every = [statistic(one) for one in product(*(list(permutations(row)) for row in rows))]
    test = page(rows, "rising")
    assert (test.statistic, test.is_exact) == (statistic(rows), True)
    assert test.p == pytest.approx(sum(one >= statistic(rows) - 1e-9 for one in every) / len(every))


def test_page_of_nine_levels_is_approximate():
    assert not page([list(range(9))] * 3, "rising").is_exact


@pytest.mark.parametrize(("m", "p"), [(2, 6.9e-5), (3, 5.8e-7)])
def test_page_decides_with_two_or_three_seeds(m, p):
    assert page([[1, 2, 3, 4, 5]] * m, "rising").p == pytest.approx(p, rel=0.01)


def test_jonckheere_of_the_depths_has_the_printed_z():
    test = jonckheere(COLUMNS, "rising")
    assert test.statistic == 2
    assert jonckheere_variance([4] * 5) == pytest.approx(226.667, abs=5e-4)
    assert (2 - 80) / jonckheere_variance([4] * 5) ** 0.5 == pytest.approx(-5.18085, abs=5e-6)
    assert jonckheere_variance([4] * 5, [2, 2, 1, 1, 2, 2]) < jonckheere_variance([4] * 5)
    assert test.z == pytest.approx(-5.18567, abs=5e-6)
    assert ((2 - 80) / test.z) ** 2 == pytest.approx(226.2456, abs=5e-5)


def test_jonckheere_counts_every_arrangement_where_nothing_ties():
    sizes, seen = (2, 1, 2), ((3, 1), (2,), (5, 4))
    counts = []
    for order in permutations(range(5)):
        groups = order[:2], order[2:3], order[3:]
        counts.append(
            sum(b > a for i in range(3) for j in range(i + 1, 3) for a in groups[i] for b in groups[j])
        )
    test = jonckheere(seen, "rising")
    assert test.is_exact
    assert test.p == pytest.approx(sum(c >= test.statistic for c in counts) / len(counts))
    mean = sum(counts) / len(counts)
    spread = sum((c - mean) ** 2 for c in counts) / len(counts)
    assert jonckheere_variance(sizes, [1] * 5) == pytest.approx(spread)


def test_jonckheere_variance_with_ties_equals_every_arrangement():
    values = (1, 1, 2, 3, 3)
    counts = []
    for order in permutations(values):
        groups = order[:2], order[2:3], order[3:]
        counts.append(
            sum(
                (b > a) + 0.5 * (a == b)
                for i in range(3)
                for j in range(i + 1, 3)
                for a in groups[i]
                for b in groups[j]
            )
        )
    mean = sum(counts) / len(counts)
    spread = sum((c - mean) ** 2 for c in counts) / len(counts)
    assert jonckheere_variance((2, 1, 2), [2, 1, 2]) == pytest.approx(spread)


def test_every_step_goes_one_way_only_where_the_weakest_does():
    found = depth_trend()
    assert (found.direction, len(found.steps)) == ("falling", 4)
    ps = [found.p_of_step(index) for index in range(4)]
    assert ps == [step.student.p_below for step in found.steps]
    assert found.p_of_step(found.weakest) == max(ps) > 0.05 > found.linear.p


def test_a_step_without_a_test_is_the_weakest():
    arms = [scores((1.0, 1.2, 0.9)), scores((2.0, 2.2, 1.9)), scores((4.0, 4.5, 3.6))]
    found = trend(arms, (1, 2, 4))
    assert found.steps[0].reason == "equal_in_all_seeds"
    assert (found.weakest, found.p_of_step(0)) == (0, None)


def test_seeds_of_their_own_are_ranked_by_jonckheere():
    arms = [Scores({10 * k + s: v for s, v in enumerate(column)}) for k, column in enumerate(COLUMNS)]
    found = trend(arms, DEPTHS, rule="welch")
    assert found.rank_test.method == "Jonckheere-Terpstra"
    assert found.linear.estimate == pytest.approx(-0.829544, abs=5e-7)
    assert trend(arms, DEPTHS, rule="paired").linear.reason == "no_pairs"


def test_levels_that_do_not_ascend_are_refused():
    with pytest.raises(ValueError, match="do not ascend"):
        trend([scores((1.0,))] * 2, (2, 1))
    with pytest.raises(ValueError, match="no log2"):
        trend([scores((1.0,))] * 2, (0, 1), spacing="log2")


def test_a_factor_that_starts_at_zero_counts_in_plain_numbers():
    found = trend([scores((1.0, 1.5, 1.2)), scores((3.0, 3.4, 3.3))], (0, 0.5))
    assert (found.spacing, found.quadratic) == ("number", None)
    assert found.linear.estimate == pytest.approx(4.0)


def interaction(**options):
    (p20, p56), (r20, r56) = ([scores(column) for column in arms] for arms in (PLAIN, RES))
    names = {"factor": "depth", "by": "residual", "levels": ("true", "false")}
    return difference_of_differences((r20, r56), (p20, p56), scale=ERROR_PCT, **names, **options)


def test_difference_of_differences_has_the_printed_values():
    found = interaction().contrast
    assert found.by_seed == pytest.approx((-4.9, -5.9, -5.7, -4.7, -5.4))
    assert (found.estimate, found.student.sd) == pytest.approx((-5.32, 0.511859), abs=5e-7)
    assert found.student.t == pytest.approx(-23.240528, abs=5e-7)
    assert found.p == pytest.approx(2.03154e-5, abs=5e-11)
    assert (found.ci95_low, found.ci95_high) == pytest.approx((-5.955557, -4.684443), abs=5e-7)
    assert interaction().text.endswith("depth's effect depends on residual")


def test_its_square_is_the_f_of_the_repeated_measures_anova():
    rows = [
        {"seed": seed, "kind": kind, "depth": depth, "y": y}
        for kind, arms in (("plain", PLAIN), ("res", RES))
        for depth, column in zip((20, 56), arms, strict=True)
        for seed, y in enumerate(column)
    ]
    table = AnovaRM(pd.DataFrame(rows), "y", "seed", within=["kind", "depth"]).fit().anova_table
    f = table.loc["kind:depth", "F Value"]
    assert f == pytest.approx(540.122137, abs=5e-7)
    assert interaction().contrast.student.t ** 2 == pytest.approx(f)


def test_two_levels_differ_in_slope_as_in_difference():
    (p20, p56), (r20, r56) = ([scores(column) for column in arms] for arms in (PLAIN, RES))
    slopes = slope_difference((r20, r56), (p20, p56), (20, 40))
    assert slopes.contrast.student.t == pytest.approx(-23.240528, abs=5e-7)
    assert slopes.contrast.unit == "pp per doubling"
    assert slopes.of_one.estimate == pytest.approx(-1.4)


def test_an_interaction_that_holds_zero_is_undecided():
    flat = [
        scores((1.0, 2.0, 3.5)),
        scores((2.0, 1.5, 3.0)),
        scores((1.2, 2.2, 2.9)),
        scores((2.1, 1.8, 3.3)),
    ]
    found = difference_of_differences((flat[0], flat[1]), (flat[2], flat[3]))
    assert "is undecided" in found.text


def test_a_contrast_below_one_image_of_its_heaviest_arm_has_no_p():
    arms = [scores((90.0, 90.0, 90.01), 0.1), scores((80.0, 80.0, 80.0), 0.1)]
    found = contrast(arms, (2.0, -2.0), name="twice")
    assert (found.reason, found.student.floor_sd) == ("below_one_image", pytest.approx(0.2))
    assert found.sign == 1
