"""Figures of studies that copy and freeze: stages in order, the baseline across, panels, cost."""

from __future__ import annotations

import numpy as np
import pytest

from bench.analyse.summary import summarise
from bench.report import figures, style
from bench.report.figures import draw_all
from bench.report.strands import strands_in
from tests.bench.report.drawn import TOP1, dots, material, tick_texts


@pytest.fixture(autouse=True)
def _style():
    with style.fixed_style():
        yield


def lines_by_label(axes):
    return {line.get_label(): line for line in axes.lines if not line.get_label().startswith("_")}


def panel_study(fakes, n_seeds=3):
    """Treatments by stage by number of images, as real transfer asks for, with a file as source."""
    rng = np.random.default_rng(5)
    arms = [("scratch", None, 50)]
    arms += [(t, s, n) for t in ("frozen", "tuned") for s in fakes.STAGES for n in (20, 50, 200)]
    records = []
    for treatment, stage, n_images in arms:
        levels = {"treatment": treatment, "weights.through": stage, "data.train_size": n_images}
        for seed in range(n_seeds):
            value = 70 + n_images / 10 + float(rng.normal(0, 2))
            counts = {"n_params": 77_754, "n_trainable_params": 650 if treatment == "frozen" else 77_754}
            records.append(fakes.run(levels, seed, value, epochs=fakes.curve(value, rng), metrics=counts))
        records.append(fakes.probe(levels, (5000 + rng.normal(0, 60, 8)).tolist()))
    return records


def test_stages_stand_in_network_order_with_a_line_a_treatment(fakes):
    figure = figures.metric_figure(material(fakes.transfer_study(5)))
    (axes,) = figure.axes
    assert tick_texts(axes.xaxis) == ["stem", "layer1", "layer2", "layer3"]
    assert axes.get_xlabel() == "layers copied, up to and including"
    lines = lines_by_label(axes)
    assert list(lines) == ["AnB", "AnB+", "BnB", "BnB+", "random", "base (baseline)"]
    treatments = [lines[name] for name in list(lines)[:5]]
    assert [len(line.get_xdata()) for line in treatments] == [4] * 5
    for look in ("get_color", "get_marker", "_dash_pattern"):
        looks = [getattr(line, look) for line in treatments]
        assert len({str(one() if callable(one) else one) for one in looks}) == 5
    for line in treatments:
        assert np.abs(line.get_xdata() - np.arange(4)).max() < 0.32


def test_the_baseline_is_a_line_across_with_its_interval_as_a_band(fakes):
    given = material(fakes.transfer_study(5))
    figure = figures.metric_figure(given)
    (axes,) = figure.axes
    base = given.block.arms[0]
    line = lines_by_label(axes)["base (baseline)"]
    assert set(line.get_ydata()) == {base.estimate.mean}
    assert line.get_xdata() == [0, 1]
    (band,) = [patch for patch in axes.patches if patch.get_alpha() is not None]
    low, high = band.get_y(), band.get_y() + band.get_height()
    assert (low, high) == pytest.approx((base.estimate.ci95_low, base.estimate.ci95_high))
    left = dots(axes)[dots(axes)[:, 0] < -0.4]
    assert sorted(left[:, 1]) == sorted(point.value for point in base.points)
    assert "bars and band: mean, 95 % t-interval" in " ".join(figure.get_supxlabel().split())


def test_the_note_of_a_transfer_figure_says_what_the_intervals_hold_for(fakes):
    def note(records):
        return " ".join(figures.metric_figure(material(records)).get_supxlabel().split())

    assert "seed s of an arm with a source starts from seed s of its source" in note(fakes.transfer_study(3))
    of_file = note(fakes.transfer_study(3, sources=False, weights="weights/resnet20.pth"))
    assert "resnet20.pth share it in all seeds: their intervals hold for this source alone" in of_file


def test_curves_of_a_transfer_study_have_a_column_a_stage_and_a_colour_a_treatment(fakes):
    figure = figures.curves_figure(material(fakes.transfer_study(3)))
    titles = [axes.get_title() for axes in figure.axes[:4]]
    assert titles == [f"copied through {stage}" for stage in fakes.STAGES]
    assert [len(axes.lines) for axes in figure.axes] == [6] * 8
    assert [len(strands_in(axes)) for axes in figure.axes] == [6 * 3] * 8
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "AnB",
        "AnB+",
        "BnB",
        "BnB+",
        "random",
        "base (baseline)",
    ]


def test_cost_draws_parameters_and_speed_against_the_stage(fakes):
    given = material(fakes.transfer_study(3))
    left, right = figures.cost_figure(given).axes
    assert left.get_ylabel() == "trainable parameters (M, log)"
    assert right.get_ylabel() == "training speed (images/s)"
    assert tick_texts(left.xaxis) == ["stem", "layer1", "layer2", "layer3"]
    lines = lines_by_label(left)
    assert lines["AnB"].get_ydata().tolist() == [0.07729, 0.07265, 0.057898, 0.00065]
    assert lines["AnB+"].get_ydata().tolist() == [0.077754] * 4
    assert set(lines["base (baseline)"].get_ydata()) == {0.077754}
    medians = [arm.speed.median_img_s for arm in given.block.arms if arm.levels["treatment"] == "random"]
    assert lines_by_label(right)["random"].get_ydata().tolist() == medians


def test_cost_without_probes_has_one_axis_and_says_so(fakes):
    records = [record for record in fakes.transfer_study(3) if record.kind == "run"]
    figure = figures.cost_figure(material(records))
    assert [axes.get_ylabel() for axes in figure.axes] == ["trainable parameters (M, log)"]
    assert "no speed: no probe" in figure.get_supxlabel()


def test_counts_of_one_size_are_drawn_from_zero_with_room_above(fakes):
    counts = {None: 100_000, "stem": 90_000, "layer1": 80_000}
    records = [
        fakes.run(
            {"train.freeze.through": stage}, 0, 98.0, metrics={"n_params": 100_000, "n_trainable_params": n}
        )
        for stage, n in counts.items()
    ]
    (axes,) = figures.cost_figure(material(records)).axes
    assert axes.get_ylabel() == "trainable parameters (M)"
    low, high = axes.get_ylim()
    assert low == 0
    assert high > 0.105


def test_cost_is_skipped_where_nothing_is_frozen_or_no_order_is_there(fakes):
    assert figures.cost_figure(material(fakes.depth_study())) == "every arm trains all of its parameters"
    some = {"n_params": 100, "n_trainable_params": 10}
    arms = [fakes.run({"arm": name}, 0, 98.0, metrics=some) for name in "ab"]
    assert figures.cost_figure(material(arms)) == "every arm trains the same number of parameters"
    arms[0] = fakes.run({"arm": "a"}, 0, 98.0)
    assert figures.cost_figure(material(arms)) == "no ordered factor takes the x axis"


def test_a_third_factor_becomes_panels_on_one_scale(fakes):
    given = material(panel_study(fakes))
    left, right = figures.metric_figure(given).axes
    assert [left.get_title(), right.get_title()] == ["frozen", "tuned"]
    assert left.get_ylim() == right.get_ylim()
    for axes, treatment in ((left, "frozen"), (right, "tuned")):
        lines = lines_by_label(axes)
        assert list(lines)[:3] == [f"train size = {n}" for n in (20, 50, 200)]
        arms = [a for a in given.block.arms if a.levels["treatment"] == treatment]
        means = [a.estimate.mean for a in arms if a.levels["data.train_size"] == 50]
        assert lines["train size = 50"].get_ydata().tolist() == means


@pytest.mark.parametrize("stem", ["metric", "errors", "curves", "speed", "cost"])
@pytest.mark.parametrize("study", ["transfer", "panels"])
def test_no_text_of_a_transfer_figure_leaves_the_page_or_covers_another(fakes, stem, study):
    records = fakes.transfer_study(3) if study == "transfer" else panel_study(fakes)
    figure = getattr(figures, f"{stem}_figure")(material(records))
    style.settle(figure)
    figure.draw_without_rendering()
    drawn, page = figure.get_tightbbox(), figure.bbox_inches
    assert min(drawn.x0, drawn.y0) >= -0.01
    assert drawn.x1 <= page.x1 + 0.01
    assert drawn.y1 <= page.y1 + 0.01
    texts = [text for legend in figure.legends for text in legend.get_texts()]
    texts += [text for axes in figure.axes for text in axes.texts]
    texts += [axes.title for axes in figure.axes if axes.get_title()]
    boxes = [text.get_window_extent() for text in texts]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[i + 1 :])


def test_a_second_drawing_of_a_transfer_study_has_the_same_bytes(fakes):
    records = fakes.transfer_study(3)
    first, second = (
        [d.files for d in draw_all(records, summarise(records, TOP1)) if d.files] for _ in range(2)
    )
    assert [sorted(files) for files in first] == [["pdf", "png", "svg"]] * 7
    assert first == second
