"""Figures by what they plot: axes, labels, series; and the same bytes again."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
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


def wild_study(fakes):
    """Named arms, one of which partly diverged and one never fitted into memory."""
    rng = np.random.default_rng(0)
    records = []
    for name in ("plain recipe", "cosine", "full recipe"):
        values = 95 + rng.normal(0, 0.5, 3)
        records += [fakes.run({"arm": name}, s, v, epochs=fakes.curve(v, rng)) for s, v in enumerate(values)]
        records.append(fakes.probe({"arm": name}, 3000 + rng.normal(0, 30, 8)))
    records += [
        fakes.run({"arm": "wild"}, 0, 80.0, epochs=fakes.curve(80, rng)),
        fakes.stopped({"arm": "wild"}, 1, "diverged", "at step 9", epochs=fakes.curve(50, rng)[:3]),
        fakes.stopped({"arm": "wild"}, 2, "diverged", "at step 9"),
        *(fakes.stopped({"arm": "huge"}, seed, "oom", "out of memory") for seed in range(3)),
    ]
    return records


def test_metric_against_depth_draws_every_seed_at_its_level(fakes):
    records = fakes.depth_study()
    (axes,) = figures.metric_figure(material(records)).axes
    assert axes.get_xlabel() == "depth (layers, log)"
    assert axes.get_ylabel() == "test top-1 accuracy (%)"
    assert axes.get_xscale() == "log"
    assert tick_texts(axes.xaxis) == ["8", "20", "32", "56"]
    drawn = dots(axes)
    values = sorted(r.metrics.test_top1_pct for r in records if r.kind == "run")
    assert sorted(drawn[:, 1]) == values
    nearest = {min((8, 20, 32, 56), key=lambda d: abs(np.log(x / d))) for x in drawn[:, 0]}
    assert nearest == {8, 20, 32, 56}


def test_means_and_intervals_are_those_of_the_summary(fakes):
    given = material(fakes.depth_study())
    (axes,) = figures.metric_figure(given).axes
    lines = {line.get_label(): line for line in axes.lines}
    for value in ("true", "false"):
        arms = [arm for arm in given.block.arms if arm.name.endswith(value)]
        arms.sort(key=lambda arm: arm.levels["model.depth"])
        means = [arm.estimate.mean for arm in arms]
        assert lines[f"residual = {value}"].get_ydata().tolist() == pytest.approx(means)
    bars = [c for container in axes.containers for c in container[2]]
    drawn = sorted(segment[:, 1].tolist() for bar in bars for segment in bar.get_segments())
    told = sorted([a.estimate.ci95_low, a.estimate.ci95_high] for a in given.block.arms)
    assert np.allclose(drawn, told)


def test_the_axis_stays_within_what_a_percentage_can_be(fakes):
    records = fakes.runs_of([({"a.b": 1}, (99.0, 99.5, 98.0)), ({"a.b": 2}, (30.0, 1.0, 20.0))])
    (axes,) = figures.metric_figure(material(records)).axes
    low, high = axes.get_ylim()
    assert low >= -7
    assert high <= 107


def test_a_category_has_points_and_no_line(fakes):
    records = fakes.runs_of(
        [({"data.augment": "none"}, (97.0, 98.0, 97.5)), ({"data.augment": "flip"}, (96.0,) * 3)]
    )
    (axes,) = figures.metric_figure(material(records)).axes
    assert tick_texts(axes.xaxis) == ["none", "flip"]
    assert {line.get_linestyle() for line in axes.lines if len(line.get_xdata()) > 1} <= {"None"}
    assert len(dots(axes)) == 6


def test_named_arms_are_rows_with_the_baseline_on_top(fakes):
    (axes,) = figures.metric_figure(material(wild_study(fakes))).axes
    assert tick_texts(axes.yaxis) == ["plain recipe", "cosine", "full recipe", "wild", "huge"]
    assert axes.yaxis_inverted()
    assert axes.get_xlabel() == "test top-1 accuracy (%)"
    assert [text.get_text() for text in axes.texts] == ["× 2/3 diverged", "× 3/3 out of memory"]
    assert len(dots(axes)) == 10


def test_runs_without_a_result_are_crosses_on_the_floor(fakes):
    records = fakes.runs_of([({"a.lr": 0.1}, (97.0, 98.0, 97.5)), ({"a.lr": 0.2}, (97.0, 98.0))])
    records.append(fakes.stopped({"a.lr": 0.2}, 2, "diverged", "at step 9"))
    figure = figures.metric_figure(material(records))
    (axes,) = figure.axes
    assert [line.get_marker() for line in axes.lines].count("x") == 1
    assert [text.get_text() for text in axes.texts] == ["1/3"]
    assert "×: runs without a result" in " ".join(figure.get_supxlabel().split())


def test_the_note_says_what_dots_bars_and_weights_are(fakes):
    figure = figures.metric_figure(material(fakes.depth_study()))
    text = " ".join(figure.get_supxlabel().split())
    assert text == "dots: seeds (n = 3); bars: mean, 95 % t-interval; weights of the last epoch"


def test_two_seeds_have_no_bars(fakes):
    records = fakes.runs_of([({"a.b": 1}, (97.0, 98.0)), ({"a.b": 2}, (96.0, 96.5))])
    figure = figures.metric_figure(material(records))
    assert not any(bar for c in figure.axes[0].containers for bar in c[2])
    assert "bars" not in figure.get_supxlabel()


def test_training_error_stands_beside_test_error_on_one_scale(fakes):
    records = fakes.depth_study()
    left, right = figures.errors_figure(material(records)).axes
    assert (left.get_ylabel(), right.get_ylabel()) == ("training error (%)", "test error (%)")
    assert left.get_ylim() == right.get_ylim()
    runs = [r for r in records if r.kind == "run"]
    assert sorted(dots(left)[:, 1]) == pytest.approx(sorted(100 - r.metrics.train_top1_pct for r in runs))
    assert sorted(dots(right)[:, 1]) == pytest.approx(sorted(100 - r.metrics.test_top1_pct for r in runs))


def test_curves_have_a_column_a_hue_and_a_row_a_quantity(fakes):
    figure = figures.curves_figure(material(fakes.depth_study()))
    assert [axes.get_title() for axes in figure.axes] == ["residual = true", "residual = false", "", ""]
    assert [axes.get_ylabel() for axes in figure.axes] == ["training loss", "", "validation top-1 (%)", ""]
    assert [axes.get_xlabel() for axes in figure.axes] == ["", "", "epoch", "epoch"]
    assert [len(axes.lines) for axes in figure.axes] == [4] * 4
    assert [len(strands_in(axes)) for axes in figure.axes] == [4 * 3] * 4
    (legend,) = figure.legends
    assert legend.get_title().get_text() == "depth (layers)"
    assert [text.get_text() for text in legend.get_texts()] == ["8", "20", "32", "56"]


def test_curves_of_named_arms_share_two_panels(fakes):
    figure = figures.curves_figure(material(wild_study(fakes)))
    assert [axes.get_ylabel() for axes in figure.axes] == ["training loss", "validation top-1 (%)"]
    ends = [line for line in figure.axes[0].lines if line.get_marker() == "x"]
    assert [line.get_xdata().tolist() for line in ends] == [[3]]
    assert "×: end of a run without a result" in " ".join(figure.get_supxlabel().split())


def test_more_than_a_dozen_arms_get_a_panel_each(fakes):
    rng = np.random.default_rng(0)
    records = [fakes.run({"arm": f"arm {i}"}, 0, 95.0, epochs=fakes.curve(95, rng)) for i in range(14)]
    figure = figures.curves_figure(material(records))
    assert [axes.get_title() for axes in figure.axes if axes.axison] == [
        f"{i + 1}  arm {i}" for i in range(14)
    ]


def test_a_loss_that_falls_by_decades_has_a_logarithmic_axis(fakes):
    rows = fakes.curve(95, np.random.default_rng(0))
    rows = tuple(row.model_copy(update={"train_loss": 2.0 / 2**row.epoch}) for row in rows)
    records = [fakes.run({"a.b": level}, 0, 95.0, epochs=rows) for level in (1, 2)]
    axes = figures.curves_figure(material(records)).axes[0]
    assert (axes.get_yscale(), axes.get_ylabel()) == ("log", "training loss (log)")


def test_without_validation_the_training_accuracy_is_drawn(fakes):
    rows = fakes.curve(95, np.random.default_rng(0))
    rows = tuple(row.model_copy(update={"val_loss": None, "val_top1_pct": None}) for row in rows)
    records = [fakes.run({"a.b": level}, 0, 95.0, epochs=rows) for level in (1, 2)]
    assert figures.curves_figure(material(records)).axes[1].get_ylabel() == "training top-1 (%)"


def test_accuracy_against_speed_stands_at_the_probes_median(fakes):
    given = material(fakes.depth_study())
    (axes,) = figures.speed_figure(given).axes
    assert axes.get_xlabel() == "training speed (images/s, log)"
    lines = {line.get_label(): line.get_xdata().tolist() for line in axes.lines}
    expected = [a.speed.median_img_s for a in given.block.arms if a.name.endswith("true")]
    assert sorted(lines["residual = true"]) == sorted(expected)
    assert sorted(text.get_text() for text in axes.texts) == sorted(["8", "20", "32", "56"] * 2)


def test_labels_of_the_speed_figure_do_not_overlap(fakes):
    figure = figures.speed_figure(material(wild_study(fakes)))
    style.settle(figure)
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert len(boxes) == 3
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[i + 1 :])


@pytest.mark.parametrize("stem", ["metric", "errors", "curves", "speed"])
@pytest.mark.parametrize("study", ["depth", "wild"])
def test_every_text_lies_within_the_figure(fakes, stem, study):
    records = fakes.depth_study() if study == "depth" else wild_study(fakes)
    figure = getattr(figures, f"{stem}_figure")(material(records))
    style.settle(figure)
    figure.draw_without_rendering()
    drawn, page = figure.get_tightbbox(), figure.bbox_inches
    assert min(drawn.x0, drawn.y0) >= -0.01
    assert drawn.x1 <= page.x1 + 0.01
    assert drawn.y1 <= page.y1 + 0.01


def test_a_figure_without_data_is_skipped_with_a_reason(fakes):
    levels = {"a.b": 1}
    failed = [fakes.stopped(levels, 0, "failed", "died"), fakes.stopped({"a.b": 2}, 0, "failed", "died")]
    drawn = {d.stem: d.skipped for d in draw_all(failed, summarise(failed, TOP1))}
    assert drawn == {
        "metric": "no finished run",
        "errors": "no finished run",
        "curves": "no run has two epochs",
        "speed": "fewer than two arms have both a result and a probe",
        "cost": "every arm trains all of its parameters",
        "forest": "no comparison has a result",
        "reach": "the study declares no target",
        "equal": "no run was validated on the way (data.val is 0, or there is one evaluation at the end)",
        "pareto": "fewer than two arms have a result",
        "confusion": "no finished run has a confusion matrix",
    }
    alone = [fakes.run(levels, 0, 98.0)]
    assert next(draw_all(alone, summarise(alone, TOP1))).skipped == "one arm: nothing to compare"


def test_two_kinds_of_device_get_figures_of_their_own(fakes):
    scores = [({"a.b": 1}, (97.0, 98.0, 99.0)), ({"a.b": 2}, (97.0, 98.0, 99.0))]
    records = [*fakes.runs_of(scores), *fakes.runs_of(scores, device_kind="cuda")]
    stems = [drawn.stem for drawn in draw_all(records, summarise(records, TOP1)) if drawn.files]
    assert stems == ["metric-cpu", "forest-cpu", "errors-cpu", "metric-cuda", "forest-cuda", "errors-cuda"]


def test_a_second_drawing_has_the_same_bytes(fakes):
    records = fakes.depth_study()
    first, second = (
        [d.files for d in draw_all(records, summarise(records, TOP1)) if d.files] for _ in range(2)
    )
    assert [sorted(files) for files in first] == [["pdf", "png", "svg"]] * 6
    assert first == second


def test_another_process_and_set_up_draw_the_same_bytes(fakes, tmp_path):
    """Neither hash seeds nor a user's matplotlibrc may show."""
    (tmp_path / "matplotlibrc").write_text("font.size: 20\naxes.facecolor: red\nsvg.hashsalt: mine\n")
    code = (
        "import hashlib, importlib.util, sys\n"
        "spec = importlib.util.spec_from_file_location('fakes', sys.argv[1])\n"
        "fakes = importlib.util.module_from_spec(spec); spec.loader.exec_module(fakes)\n"
        "from bench.analyse.summary import summarise\n"
        "from bench.report.figures import draw_all\n"
        "for records in (fakes.depth_study(), fakes.transfer_study(3)):\n"
        "    for d in draw_all(records, summarise(records, 'test_top1_pct')):\n"
        "        for name, data in d.files.items():\n"
        "            print(d.stem, name, hashlib.sha256(data).hexdigest())\n"
        "assert 'torch' not in sys.modules\n"
    )
    root = Path(__file__).parents[3]
    answer = subprocess.run(
        [sys.executable, "-c", code, fakes.__file__],
        check=True,
        capture_output=True,
        text=True,
        cwd=root,
        env={**os.environ, "MATPLOTLIBRC": str(tmp_path), "PYTHONHASHSEED": "7", "PYTHONPATH": str(root)},
    )
    mine = [
        f"{drawn.stem} {name} {hashlib.sha256(data).hexdigest()}"
        for records in (fakes.depth_study(), fakes.transfer_study(3))
        for drawn in draw_all(records, summarise(records, TOP1))
        for name, data in drawn.files.items()
    ]
    assert answer.stdout.splitlines() == mine


def test_files_carry_no_date_and_keep_text_as_text(fakes):
    records = fakes.depth_study()
    files = next(draw_all(records, summarise(records, TOP1))).files
    assert b"<dc:date>" not in files["svg"]
    assert b"font-family: 'DejaVu Sans', 'Verdana', 'Arial', sans-serif" in files["svg"]
    assert b">depth (layers, log)</text>" in files["svg"]
    assert b"CreationDate" not in files["pdf"]
    assert b"DejaVuSans" in files["pdf"]
    assert b"/FontFile2" in files["pdf"]


def test_the_users_settings_come_back():
    before = mpl.rcParams["font.size"]
    with style.fixed_style():
        mpl.rcParams["font.size"] = 33
    assert mpl.rcParams["font.size"] == before


@pytest.mark.parametrize(
    "name", ["$\\frac{1$", "a$b$c", "深さ", "x\x1b[31m", "\u202eevil", "<script>&amp;", "_^{}%#\\", "n" * 300]
)
def test_hostile_names_are_drawn_as_text(fakes, name):
    records = fakes.runs_of([({"arm": name}, (97.0, 98.0, 99.0)), ({"arm": "b"}, (97.0, 98.0, 99.0))])
    drawn = list(draw_all(records, summarise(records, TOP1)))
    assert drawn[0].files["svg"].startswith(b"<?xml")
    label = figures.metric_figure(material(records)).axes[0].get_yticklabels()[0]
    assert len(label.get_text()) < 300


def test_colours_are_distinct_for_the_colour_blind_palette():
    assert len(set(style.colours(None, 10))) == 10


def test_a_legend_at_column_width_wraps_rather_than_leaving_the_page(fakes):
    names, augments = ("sgd", "adam", "a longer name"), ("none", "crop", "flip")
    scores = [
        ({"train.optimizer.name": name, "data.augment": augment}, (97.0, 98.0, 99.0))
        for name in names
        for augment in augments
    ]
    figure = figures.metric_figure(material(fakes.runs_of(scores)))
    style.settle(figure)
    figure.draw_without_rendering()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [f"optimizer = {n}" for n in names]
    assert figure.get_tightbbox().x1 <= figure.bbox_inches.x1 + 0.01
