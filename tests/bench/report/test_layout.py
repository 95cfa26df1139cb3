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


STAGES = ("stem", "layer1", "layer2")


@pytest.mark.parametrize(
    ("key", "levels", "is_ordinal"),
    [
        ("weights.through", ("stem", "layer1"), True),
        ("train.freeze.through", ("blocks.0", "norm"), True),
        ("unit", ("stem", "layer1", "head"), True),
        ("unit", ("stages.0", "stages.1"), True),
        ("model.stem", ("cifar", "imagenet"), False),
        ("model.depth", (8, 20), False),
        ("model.name", ("resnet18", "resnet34"), False),
        ("weights.through", (None, "stem"), False),
    ],
    ids=str,
)
def test_stages_of_a_network_are_an_order(key, levels, is_ordinal):
    axis = axis_of(Factor(key, levels), key.rpartition(".")[2])
    assert (axis.is_ordinal, axis.is_ordered) == (is_ordinal, is_ordinal or axis.is_number)


def test_stages_take_the_x_axis_in_declared_order_and_a_number_becomes_the_hue(fakes):
    layout = layout_of(fakes, *grid(data__train_size=(20, 50, 200), weights__through=STAGES))
    assert (layout.x.key, layout.hue.key, layout.panel) == ("weights.through", "data.train_size", None)
    assert layout.x.levels == STAGES
    assert layout.x.header == "layers copied, up to and including"


def test_beside_stages_the_factor_with_fewest_levels_becomes_panels(fakes):
    arms = grid(treatment=("frozen", "fine-tuned"), data__train_size=(20, 50, 200), weights__through=STAGES)
    layout = layout_of(fakes, *arms)
    assert [axis.key for axis in (layout.x, layout.hue, layout.panel)] == [
        "weights.through",
        "data.train_size",
        "treatment",
    ]
    assert layout.panel.entry("frozen") == "frozen"


def test_a_baseline_without_a_stage_is_a_line_across(fakes):
    arms = grid(treatment=("AnB", "BnB"), weights__through=STAGES)
    layout = layout_of(fakes, {"treatment": "base", "weights.through": None}, *arms)
    assert layout.reference == "treatment=base,weights.through=null"
    assert (layout.x.levels, layout.hue.levels) == (STAGES, ("AnB", "BnB"))


def test_a_number_that_the_baseline_has_none_of_stays_a_number(fakes):
    layout = layout_of(fakes, *({"train.clip_grad_norm": level} for level in (None, 0.5, 1.0, 2.0)))
    assert (layout.x.levels, layout.x.is_number) == ((0.5, 1.0, 2.0), True)
    assert layout.reference == "train.clip_grad_norm=null"


def test_a_null_that_other_arms_have_too_is_a_level(fakes):
    arms = grid(train__clip_grad_norm=(None, 1.0), train__lr=(0.1, 0.2))
    layout = layout_of(fakes, *arms)
    assert layout.reference is None
    assert layout.hue.levels == (None, 1.0)
