"""The forest plot by what it draws: rows, intervals, verdicts, margin, and the middle shown again."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from bench.analyse.summary import summarise
from bench.report.forest_figure import forest_figure
from bench.report.layout import choose_layout
from bench.report.material import Material
from bench.study.comparisons import ComparisonsSpec
from tests.bench.analyse.test_summary import study_of
from tests.bench.report.drawn import TOP1, material, tick_texts


def texts(axes):
    return [note.get_text() for note in axes.texts]


def bars(axes):
    """Ends of the intervals drawn, by row."""
    lines = (line.get_xydata() for line in axes.lines if len(line.get_xydata()) == 2)
    return {int(data[0][1]): (data[0][0], data[1][0]) for data in lines if data[0][1] == data[1][1]}


def test_every_comparison_is_a_row_with_its_interval_and_its_verdict(fakes):
    drawn = material(fakes.depth_study())
    axes = forest_figure(drawn).axes
    comparisons = drawn.block.comparisons
    assert tick_texts(axes[0].yaxis) == [c.result.arm for c in comparisons]
    assert texts(axes[-1]) == [c.verdict for c in comparisons]
    assert axes[0].get_xlabel() == "difference (pp)"
    found = bars(axes[0])
    for row, comparison in enumerate(comparisons):
        assert found[row] == pytest.approx((comparison.result.ci95_low, comparison.result.ci95_high))


def test_the_middle_is_shown_again_where_one_difference_dwarfs_the_others(fakes):
    """Plain networks fall by tens of points beside differences of one; in the middle they are arrows."""
    first, middle = forest_figure(material(fakes.depth_study())).axes
    assert (first.get_title(), middle.get_title()) == ("all", "magnified")
    assert np.ptp(middle.get_xlim()) < np.ptp(first.get_xlim()) / 3
    assert "<" in {line.get_marker() for line in middle.lines}


def test_differences_of_one_size_take_one_panel_with_the_margin(fakes):
    arms = {f"a.b={level}": {"a.b": level} for level in (1, 2, 3)}
    study = dataclasses.replace(
        study_of(arms, baseline="a.b=1", seeds=(0, 1, 2)), comparisons=ComparisonsSpec(margin_pp=0.5)
    )
    values = ((97.0, 98.0, 99.0), (96.9, 98.1, 99.0), (95.0, 96.2, 97.0))
    records = fakes.runs_of(zip(arms.values(), values, strict=True), metrics={"n_test": 10_000})
    summary = summarise(records, TOP1, study=study)
    figure = forest_figure(Material(records, summary, summary.blocks[0], choose_layout(summary), study))
    (axes,) = figure.axes
    assert texts(axes) == ["equivalent", "worse"]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["worse", "equivalent", "margin ±0.5 pp"]
    assert "declared after 9 runs" in figure.get_supxlabel().replace("\n", " ")


def test_a_study_without_comparisons_has_no_forest(fakes):
    one = fakes.runs_of([({"a.b": 1}, (97.0, 98.0))])
    assert forest_figure(material(one)) == "no comparison is declared, and there is no baseline"
    failed = [fakes.stopped({"a.b": level}, 0, "failed", "worker died") for level in (1, 2)]
    assert forest_figure(material(failed)) == "no comparison has a result"
