"""Trends and interactions read off a design: hand-worked slopes, and when there is none."""

from __future__ import annotations

import pytest

from bench.analyse.summary import summarise

TOP1 = "test_top1_pct"


def grid(fakes, scores, keys=("model.depth", "model.residual")):
    return fakes.runs_of([(dict(zip(keys, levels, strict=True)), values) for levels, values in scores])


PLAIN_20, PLAIN_56 = (9.6, 9.4, 9.7, 9.5, 9.8), (13.1, 14.2, 13.6, 12.8, 13.9)
RESIDUAL_20, RESIDUAL_56 = (8.3, 8.2, 8.6, 8.4, 8.5), (6.9, 7.1, 6.8, 7.0, 7.2)
"""Made-up errors whose difference of differences is −4.9, −5.9, −5.7, −4.7, −5.4."""


def test_the_interaction_of_two_factors_is_the_published_difference_of_differences(fakes):
    records = grid(
        fakes,
        [
            ((20, True), RESIDUAL_20),
            ((56, True), RESIDUAL_56),
            ((20, False), PLAIN_20),
            ((56, False), PLAIN_56),
        ],
    )
    (block,) = summarise(records, TOP1).blocks
    (both,) = block.interactions
    found = both.differences.contrast
    assert (both.factor, both.by, both.one, both.other) == ("model.depth", "model.residual", True, False)
    assert found.by_seed == pytest.approx((-4.9, -5.9, -5.7, -4.7, -5.4))
    assert found.student.t == pytest.approx(-23.240528, abs=5e-7)
    assert (found.ci95_low, found.ci95_high) == pytest.approx((-5.955557, -4.684443), abs=5e-7)
    assert both.slopes is None
    assert block.trends == ()


def test_the_reference_level_is_the_baselines(fakes):
    rows = [((depth, flag), (50.0, 51.0, 53.0)) for flag in (False, True) for depth in (20, 56)]
    (block,) = summarise(grid(fakes, rows), TOP1).blocks
    assert (block.interactions[0].one, block.interactions[0].other) == (False, True)


def test_an_ordered_factor_has_a_trend_for_each_level_of_the_other(fakes):
    """Depth doubles twice and the score falls by 1, 2 and 3 a doubling: the slope is −2, sd 1."""
    falls = (1.0, 2.0, 3.0)
    rows = [
        ((depth, flag), tuple(90 - fall * doublings for fall in falls))
        for flag in (True, False)
        for depth, doublings in ((32, 2), (8, 0), (16, 1))
    ]
    (block,) = summarise(grid(fakes, rows), TOP1).blocks
    assert [one.where for one in block.trends] == [{"model.residual": True}, {"model.residual": False}]
    first = block.trends[0]
    assert first.levels == (8, 16, 32)
    assert first.trend.linear.by_seed == pytest.approx((-1.0, -2.0, -3.0))
    assert first.trend.linear.unit == "pp per doubling"
    assert block.interactions[0].slopes.contrast.estimate == pytest.approx(0.0)


def test_stages_count_by_their_rank(fakes):
    stages = ("stem", "layer1", "layer2")
    rows = [((stage,), (90.0 - rank, 91.0 - rank, 93.0 - 2 * rank)) for rank, stage in enumerate(stages)]
    (block,) = summarise(grid(fakes, rows, ("weights.through",)), TOP1).blocks
    (one,) = block.trends
    assert one.levels == stages
    assert one.trend.linear.by_seed == pytest.approx((-1.0, -1.0, -2.0))
    assert one.trend.linear.unit == "pp per step"


@pytest.mark.parametrize(
    "rows",
    [
        [((20, True), (1.0, 2.0, 3.0)), ((56, True), (1.0, 2.0, 3.0)), ((20, False), (1.0, 2.0, 3.0))],
        [((20, True), (1.0, 2.0, 3.0)), ((56, True), (1.0, 2.0, 3.0))],
        [((20, True), (1.0, 2.0, 3.0)), ((56, False), (1.0, 2.0, 3.0))],
    ],
    ids=["a-cell-missing", "one-factor", "zip"],
)
def test_what_is_no_whole_grid_has_no_interaction(fakes, rows):
    (block,) = summarise(grid(fakes, rows), TOP1).blocks
    assert block.interactions == ()


def test_a_factor_of_many_levels_interacts_level_by_level_with_the_first(fakes):
    study = fakes.transfer_study(3)
    (block,) = summarise(study, TOP1).blocks
    assert [both.other for both in block.interactions] == ["AnB+", "BnB", "BnB+", "random"]
    assert {both.one for both in block.interactions} == {"AnB"}
    assert block.interactions[0].ends == ("stem", "layer3")
