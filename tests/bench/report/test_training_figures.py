"""Figures of how arms learn, by what they plot: bands, ways to a target, budgets, fronts, confusions."""

from __future__ import annotations

import csv
import dataclasses
import io
from types import SimpleNamespace

import numpy as np
import pytest

from bench.record.bits import Bits
from bench.report import figures, style
from bench.report.markdown import to_markdown
from bench.report.metric_figure import axis_label
from bench.report.table import to_csv
from bench.report.training_figures import confusion_figure, equal_figure, pareto_figure, reach_figure
from bench.report.training_tables import training_tables
from tests.bench.report.drawn import material


@pytest.fixture(autouse=True)
def _style():
    with style.fixed_style():
        yield


def with_target(given, pct):
    return dataclasses.replace(given, study=SimpleNamespace(target_val_top1_pct=pct))


def followed(fakes):
    """The depth study with the batch that its epochs are counted in."""
    records = fakes.depth_study()
    for index, record in enumerate(records):
        if record.kind == "run":
            train = {**record.config["train"], "batch_size": 128}
            records[index] = record.model_copy(update={"config": {**record.config, "train": train}})
    return records


def confused(fakes, n_classes, names=None):
    """Two arms of three seeds; the second takes the last class for the first."""
    records = []
    for arm in ("base", "other"):
        for seed in range(3):
            matrix = [[20 if t == p else 0 for p in range(n_classes)] for t in range(n_classes)]
            if arm == "other":
                matrix[-1][0], matrix[-1][-1] = 15, 5
            records.append(
                fakes.run(
                    {"arm": arm},
                    seed,
                    90.0,
                    confusion=matrix,
                    class_names=names or tuple(f"c{i}" for i in range(n_classes)),
                )
            )
    return records


def test_the_band_is_the_interval_of_the_mean_and_ends_at_a_hundred(fakes):
    """Seeds at 90, 95 and 100: mean 95, half width 4.303 · 5 / √3 = 12.4; the band ends at 100."""
    records = [
        fakes.run(
            {"a.b": level},
            seed,
            value,
            epochs=[row.model_copy(update={"val_top1_pct": value}) for row in fakes.curve(90, rng)],
        )
        for level in (1, 2)
        for seed, value in enumerate((90.0, 95.0, 100.0))
        for rng in [np.random.default_rng(seed)]
    ]
    axes = figures.curves_figure(material(records)).axes[1]
    bands = [collection.get_paths()[0].vertices[:, 1] for collection in axes.collections]
    assert len(bands) == 2
    assert (bands[0].min(), bands[0].max()) == (pytest.approx(82.58, abs=0.01), 100.0)


def test_without_a_target_nothing_is_timed(fakes):
    given = material(followed(fakes))
    assert reach_figure(given) == "the study declares no target"
    assert reach_figure(with_target(given, 100)) == "no run reached 100 % on validation"


def test_the_share_that_arrived_rises_by_one_run_at_a_time(fakes):
    given = with_target(material(followed(fakes)), 80)
    figure = reach_figure(given)
    assert [axes.get_xlabel() for axes in figure.axes] == ["epochs"] * 2 + ["seconds of training (log)"] * 2
    line = figure.axes[0].lines[0]
    assert line.get_drawstyle() == "steps-post"
    shares = line.get_ydata()
    assert shares[0] == 0
    assert set(np.round(np.diff(shares) * 3 / 100).tolist()) <= {0.0, 1.0, 2.0, 3.0}
    assert figure.axes[0].get_ylabel() == "runs at 80 % or above (%)"


def test_equal_budgets_have_a_panel_a_clock(fakes):
    figure = equal_figure(material(followed(fakes)))
    labels = list(dict.fromkeys(axes.get_xlabel() for axes in figure.axes))
    assert labels == ["epochs", "training time (s, log)", "operations (GFLOP, log)"]
    assert len(figure.axes) == 6


def test_the_front_joins_what_no_arm_beats(fakes):
    """Of two plain and residual networks of 8 layers and their deeper ones only the best small ones stand."""
    given = material(fakes.depth_study())
    speed, size = pareto_figure(given).axes
    assert speed.get_xlabel().startswith("training speed (images/s, log)")
    assert size.get_xlabel().startswith("parameters (M, log)")
    means = {arm.n_params: arm.estimate.mean for arm in given.block.arms}
    best = max(arm.estimate.mean for arm in given.block.arms)
    (steps,) = [line for line in size.lines if line.get_drawstyle() == "steps-post"]
    assert steps.get_ydata()[-1] == best
    assert sorted(steps.get_ydata()) == steps.get_ydata().tolist()
    assert set(steps.get_xdata()) <= {n / 1e6 for n in means}


def test_arms_of_several_test_sets_have_no_front(fakes):
    records = [fakes.run({"a.b": i}, 0, 90.0, metrics={"n_test": 100 * i, "n_params": i}) for i in (1, 2)]
    assert pareto_figure(material(records)).startswith("arms were tested on different images")


def test_a_matrix_shows_shares_of_rows_and_the_arm_that_differs(fakes):
    figure = confusion_figure(material(confused(fakes, 10)))
    left, right = figure.axes[:2]
    assert [axes.get_title() for axes in (left, right)] == ["base (baseline)", "other"]
    cells = {text.get_position(): text.get_text() for text in right.texts}
    assert (cells[0, 9], cells[9, 9]) == ("75", "25")
    assert len(left.texts) == 10


def test_a_matrix_of_many_classes_is_a_table_instead(fakes):
    records = confused(fakes, 31)
    given = material(records)
    assert (
        confusion_figure(given) == "31 classes are more than the 30 that can be read; see tables/confusions"
    )
    tables = {t.name: t for t in training_tables(records, given.summary, Bits({}), study=None, name="x")}
    assert "| c30        | c0        |       0.0 |      75.0 |" in to_markdown(tables["confusions"])


def test_hostile_class_names_are_drawn_as_text(fakes):
    names = ("$\\frac{1$", "深さ", "n" * 300, "\u202eevil", "<b>", "_^{}%#\\", "a\nb", "$$", "&amp;", "'\"")
    figure = confusion_figure(material(confused(fakes, 10, names)))
    style.settle(figure)
    figure.draw_without_rendering()
    assert style.saved(figure)["svg"].startswith(b"<?xml")


def test_tables_tell_the_way_equal_budgets_and_classes(fakes):
    records = followed(fakes)
    given = with_target(material(records), 80)
    made = training_tables(records, given.summary, Bits({}), study=given.study, name="x")
    assert [table.name for table in made] == ["reach", "reach_differences", "equal"]
    reach, _, equal = made
    assert reach.headers[2:5] == ("Reached", "Median (epochs)", "Mean up to 10 (epochs)")
    assert "not reached" in to_markdown(reach)
    assert to_csv(equal).count("\n") == 9
    confused_records = confused(fakes, 3)
    (classes,) = training_tables(
        confused_records, material(confused_records).summary, Bits({}), study=None, name="x"
    )
    assert "−75.0" in to_markdown(classes)


def test_the_way_to_the_target_is_compared_with_the_baselines(fakes):
    """Both were computed and shown nowhere: the difference of the restricted means and the log-rank test.

    56 plain layers never arrive and count as 10 epochs, the baseline arrives after 5, 6 and 6: +4.3. That all
    of three come before all of three has the least p, 2 of 20 splits.
    """
    records = followed(fakes)
    given = with_target(material(records), 80)
    tables = training_tables(records, given.summary, Bits({}), study=given.study, name="x")
    table = next(table for table in tables if table.name == "reach_differences")
    rows = {row["arm"]: row for row in csv.DictReader(io.StringIO(to_csv(table)))}
    assert len(rows) == len(given.block.arms) - 1
    plain = rows["model.depth=56,model.residual=false"]
    assert float(plain["difference_epochs"]) == pytest.approx(10 - 17 / 3)
    assert [float(plain[f"log_rank_{key}_epochs"]) for key in ("p", "least_p")] == pytest.approx([0.1, 0.1])
    assert (plain["log_rank_is_exact_epochs"], plain["rule"]) == ("true", "welch")
    text = to_markdown(table)
    assert "Difference up to 10 (epochs)" in text
    assert "+4.3 \\[+2.9, +5.8\\]" in text
    assert "no run of either arm arrived within the common budget" in text


def test_without_a_baseline_no_way_is_compared(fakes):
    records = followed(fakes)
    given = with_target(material(records), 80)
    arms = tuple(dataclasses.replace(arm, is_baseline=False, difference=None) for arm in given.block.arms)
    summary = dataclasses.replace(
        given.summary, blocks=(dataclasses.replace(given.block, arms=arms, baseline=None),)
    )
    tables = training_tables(records, summary, Bits({}), study=given.study, name="x")
    assert [table.name for table in tables] == ["reach", "equal"]


def test_a_logarithmic_axis_says_so(fakes):
    assert axis_label(material(fakes.depth_study()).layout.x) == "depth (layers, log)"
    linear = fakes.runs_of([({"a.b": level}, (97.0, 98.0, 99.0)) for level in (1, 2, 3)])
    assert axis_label(material(linear).layout.x) == "b"


def test_marks_stay_closer_to_their_level_than_half_a_layer(fakes):
    (axes,) = figures.metric_figure(material(fakes.depth_study())).axes
    places = [line.get_xdata()[0] for line in axes.lines if len(line.get_xdata()) == 4]
    assert len(places) == 2
    assert all(abs(place - 8) < 0.5 for place in places)


def test_a_long_list_of_two_crossed_factors_becomes_panels(fakes):
    tasks = [f"a task with a long name {i}" for i in range(5)]
    records = fakes.runs_of(
        [
            ({"task": t, "way": w}, (97.0, 98.0, 99.0))
            for t in tasks
            for w in ("from scratch", "tuned", "frozen")
        ]
    )
    figure = figures.metric_figure(material(records))
    assert [axes.get_title() for axes in figure.axes][:5] == tasks
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == [
        "from scratch",
        "tuned",
        "frozen",
    ]


def test_runs_whose_batch_is_not_recorded_have_no_clock(fakes):
    assert str(equal_figure(material(fakes.depth_study()))).startswith("the runs' batch")


def test_a_second_drawing_has_the_same_bytes(fakes):
    given = with_target(material(followed(fakes)), 80)
    drawn = []
    for _ in range(2):
        for draw in (reach_figure, equal_figure, pareto_figure):
            figure = draw(given)
            style.settle(figure)
            figure.draw_without_rendering()
            drawn.append(style.saved(figure))
    assert drawn[:3] == drawn[3:]
