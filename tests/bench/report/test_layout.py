"""The figure for a factor is chosen from what the factor is."""

from __future__ import annotations

import itertools

import pytest

from bench.analyse.summary import summarise
from bench.report.layout import axis_of, choose_layout
from bench.study.model import Factor


def layout_of(fakes, *arms):
    return choose_layout(summarise([fakes.run(levels, 0, 98.0) for levels in arms], "test_top1_pct"))


def grid(**factors):
    keys = [key.replace("__", ".") for key in factors]
    return [dict(zip(keys, levels, strict=True)) for levels in itertools.product(*factors.values())]


@pytest.mark.parametrize(
    ("levels", "scale", "base"),
    [
        ((8, 20, 32, 56), "log", 2),
        ((20, 32, 44, 56, 110), "log", 2),
        ((32, 64, 128, 256), "log", 2),
        ((0.001, 0.01, 0.1, 1.0), "log", 10),
        ((1, 2, 3, 4, 5), "linear", 2),
        ((10, 12, 14), "linear", 2),
        ((0, 1, 2), "linear", 2),
        ((0.0, 1e-4, 5e-4, 0.1), "even", 2),
        ((True, False), "even", 2),
        ((None, 1, 2), "even", 2),
        (("crop", "flip"), "even", 2),
    ],
    ids=str,
)
def test_an_axis_is_logarithmic_where_levels_grow_by_factors(levels, scale, base):
    axis = axis_of(Factor("model.x", levels), "x")
    assert (axis.scale, axis.log_base) == (scale, base)


def test_numbers_ascend_and_categories_stay_as_declared():
    assert axis_of(Factor("model.depth", (56, 8, 20)), "depth").levels == (8, 20, 56)
    assert axis_of(Factor("data.augment", ("flip", "crop")), "augment").levels == ("flip", "crop")


def test_true_is_not_mistaken_for_one():
    axis = axis_of(Factor("model.x", (1, True)), "x")
    assert (axis.rank(1), axis.rank(True)) == (0, 1)


def test_a_number_takes_the_x_axis_and_the_other_factor_becomes_the_hue(fakes):
    layout = layout_of(fakes, *grid(model__residual=(True, False), model__depth=(8, 20, 56)))
    assert (layout.x.key, layout.hue.key) == ("model.depth", "model.residual")
    assert layout.x.header == "depth (layers)"
    assert layout.hue.entry(True) == "residual = true"


def test_of_two_categories_the_one_with_more_levels_takes_the_x_axis(fakes):
    layout = layout_of(fakes, *grid(model__residual=(True, False), data__augment=("a", "b", "c")))
    assert (layout.x.key, layout.hue.key) == ("data.augment", "model.residual")


@pytest.mark.parametrize(
    "arms",
    [
        [{"arm": "plain"}, {"arm": "full"}],
        grid(a__x=(1, 2), a__y=(1, 2), a__z=(1, 2)),
        grid(a__name=("short", "a name much too long for a tick")),
        grid(a__name=tuple("abcdefghi")),
        [{"a.x": n, "a.y": n} for n in (1, 2, 3, 4)],
        [{"a.x": 1}],
    ],
    ids=["named arms", "three factors", "long names", "many categories", "sparse zip", "one arm"],
)
def test_what_fits_no_axes_becomes_a_list(fakes, arms):
    assert layout_of(fakes, *arms).is_list


def test_a_place_beside_a_level_follows_the_scale():
    depth = axis_of(Factor("model.depth", (8, 16, 32)), "depth")
    assert depth.shifted(8, 0.5) == pytest.approx(8 * 2**0.5)
    width = axis_of(Factor("model.width", (10, 12, 16)), "width")
    assert width.shifted(10, 0.5) == pytest.approx(11)
