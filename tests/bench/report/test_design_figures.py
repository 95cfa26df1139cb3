"""The figures and the table of a design: by what they plot and tell, and the same bytes again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from bench.analyse.summary import summarise
from bench.record.schema import Record
from bench.report import style
from bench.report.design_figures import FIGURES
from bench.report.design_table import design_table
from bench.report.figures import STEMS, draw_all
from bench.report.layout import choose_layout
from bench.report.markdown import to_markdown
from bench.report.material import Material
from bench.report.table import to_csv
from bench.study.load import load_study
from bench.study.model import Growth, Study

BASE = """\
name: fake
seeds: 3
base:
  data: {name: digits, val: 0.1}
  model: {name: cifar_resnet, depth: 20}
  train: {epochs: 10, optimizer: {name: sgd, lr: 0.1}}
design:
"""

COMPONENTS = """\
    smoothing: {with: {train.label_smoothing: 0.1}}
    decay: {with: {train.optimizer.weight_decay: 5e-4}}
    nesterov: {with: {train.optimizer.momentum: 0.9}}
"""


@pytest.fixture(autouse=True)
def _style() -> Any:
    with style.fixed_style():
        yield


def load(folder: Path, design: str, growth: Growth | None = None) -> Study:
    path = folder / "s.yaml"
    path.write_text(f"{BASE}  {design}:\n{COMPONENTS}")
    return load_study(path, (), growth)


def records_of(
    fakes: Any, study: Study, scores: Mapping[str, Sequence[float]], vals: Mapping[str, float] | None = None
) -> list[Record]:
    return [
        fakes.run(
            dict(arm.levels),
            seed,
            value,
            arm=arm.name,
            config=fakes.config({}),
            metrics={"val_top1_pct": None if vals is None else vals[arm.name]},
        )
        for arm in study.arms
        if arm.name in scores
        for seed, value in enumerate(scores[arm.name])
    ]


def drawn(stem: str, records: Sequence[Record], study: Study) -> Any:
    summary = summarise(records, "test_top1_pct", study=study)
    (block,) = summary.blocks
    return FIGURES[stem](Material(records, summary, block, choose_layout(summary), study))


def table_of(records: Sequence[Record], study: Study) -> Any:
    return design_table(summarise(records, "test_top1_pct", study=study), records, study, name="fake")


LOO = {
    "full": (90.0, 91.0, 92.0),
    "without smoothing": (80.0, 81.5, 82.0),
    "without decay": (90.5, 90.5, 92.5),
    "without nesterov": (93.0, 94.0, 95.5),
}


def test_contributions_are_bars_from_the_full_recipe_ranked_by_gain(fakes: Any, tmp_path: Path) -> None:
    study = load(tmp_path, "leave_one_out")
    figure = drawn("contributions", records_of(fakes, study, LOO), study)
    assert isinstance(figure, Figure)
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.get_yticklabels()] == [
        "full recipe",
        "− smoothing",
        "− decay",
        "− nesterov",
    ]
    bars = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in axes.patches]
    assert bars[0] == (pytest.approx(91), pytest.approx(91 - (29.5 / 3)))
    assert bars[2][1] == pytest.approx(91 + 9.5 / 3)
    told = [text.get_text() for text in axes.texts]
    assert told[0].startswith("+9.8 [")
    assert told[2].startswith("−3.2 [")
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["helps", "harms", "undecided"]


def test_a_change_without_a_result_keeps_its_row_and_its_reason(fakes: Any, tmp_path: Path) -> None:
    study = load(tmp_path, "leave_one_out")
    records = records_of(fakes, study, {name: LOO[name] for name in ("full", "without smoothing")})
    levels = dict(study.arms[2].levels)
    records += [fakes.stopped(levels, s, "diverged", "at step 9", arm="without decay") for s in range(3)]
    (axes,) = drawn("contributions", records, study).axes
    assert [text.get_text() for text in axes.get_yticklabels()][2:] == ["− decay", "− nesterov"]
    assert "diverged" in [text.get_text() for text in axes.texts]


PATH_VALS = {
    "bare": 80.0,
    "smoothing": 82.0,
    "decay": 84.0,
    "nesterov": 83.0,
    "full": 90.0,
    "smoothing+decay": 86.0,
    "decay+nesterov": 85.0,
}


def test_a_path_joins_what_was_chosen_and_names_what_was_passed_over(fakes: Any, tmp_path: Path) -> None:
    study = load(tmp_path, "path", Growth({"cpu": ("decay", "smoothing")}))
    scores = {name: (value, value + 1, value + 2) for name, value in PATH_VALS.items()}
    figure = drawn("path", records_of(fakes, study, scores, PATH_VALS), study)
    assert isinstance(figure, Figure)
    upper, lower = figure.axes
    passed, chosen = upper.get_lines()
    assert sorted(zip(passed.get_xdata(), passed.get_ydata(), strict=True)) == [(1, 82), (1, 83), (2, 85)]
    assert list(chosen.get_ydata()) == [80, 84, 86, 90]
    assert sorted(text.get_text() for text in upper.texts) == ["nesterov", "nesterov", "smoothing"]
    assert [t.get_text() for t in lower.get_xticklabels()] == ["bare", "+ decay", "+ smoothing", "+ nesterov"]
    assert [text.get_text() for text in lower.texts] == ["+4.0", "+2.0", "+4.0"]


def factorial_scores(study: Study) -> dict[str, tuple[float, ...]]:
    scores = {}
    for arm in study.arms:
        a, b = (1 if arm.levels[key] else -1 for key in ("smoothing", "decay"))
        scores[arm.name] = tuple(
            80 + seed + 2 * a + 0.5 * b + a * b + 0.3 * b * (seed - 1) for seed in range(3)
        )
    return scores


def test_effects_are_a_forest_of_main_effects_above_interactions(fakes: Any, tmp_path: Path) -> None:
    study = load(tmp_path, "factorial")
    records = records_of(fakes, study, factorial_scores(study))
    (axes,) = drawn("effects", records, study).axes
    assert [text.get_text() for text in axes.get_yticklabels()] == [
        "smoothing",
        "decay",
        "nesterov",
        "smoothing × decay",
        "smoothing × nesterov",
        "decay × nesterov",
    ]
    assert axes.get_xlabel() == "effect on test top-1 (pp)"
    markers = [line for line in axes.get_lines() if line.get_marker() in ("D", "s")]
    assert [float(line.get_xdata()[0]) for line in markers[:4]] == pytest.approx([4, 1, 0, 2], abs=1e-9)


def test_interactions_are_two_lines_a_pair(fakes: Any, tmp_path: Path) -> None:
    study = load(tmp_path, "factorial")
    figure = drawn("interactions", records_of(fakes, study, factorial_scores(study)), study)
    panels = [axes for axes in figure.axes if axes.axison]
    assert len(panels) == 3
    lines = [line for line in panels[0].get_lines() if len(line.get_xdata()) == 2]
    assert [list(line.get_ydata()) for line in lines] == [
        pytest.approx([81 - 2 - 0.5 + 1, 81 + 2 - 0.5 - 1]),
        pytest.approx([81 - 2 + 0.5 - 1, 81 + 2 + 0.5 + 1]),
    ]


@pytest.mark.parametrize("stem", FIGURES)
def test_another_design_has_no_such_figure_and_says_nothing_of_it(
    fakes: Any, tmp_path: Path, stem: str
) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(BASE + "  grid: {model.depth: [8, 20]}\n")
    study = load_study(path)
    records = records_of(fakes, study, {arm.name: (90.0, 91.0) for arm in study.arms})
    assert drawn(stem, records, study) is None
    summary = summarise(records, "test_top1_pct", study=study)
    assert stem in STEMS
    assert stem not in {one.stem for one in draw_all(records, summary, study=study)}
    assert table_of(records, study) is None


def test_the_table_of_contributions(fakes: Any, tmp_path: Path) -> None:
    study = load(tmp_path, "leave_one_out")
    text = to_markdown(table_of(records_of(fakes, study, LOO), study))
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert rows[0].replace(" ", "") == "|Component|Itbrings|Unit|95%interval|Seeds|p|p(Holm)|"
    assert [row.split("|")[1].strip() for row in rows[2:]] == ["smoothing", "decay", "nesterov"]
    assert rows[2].split("|")[2].strip() == "+9.8"


def test_the_table_of_a_fraction_states_its_aliases(fakes: Any, tmp_path: Path) -> None:
    load(tmp_path, "factorial")
    path = tmp_path / "s.yaml"
    path.write_text(path.read_text() + "  resolution: 3\n")
    study = load_study(path)
    table = table_of(records_of(fakes, study, factorial_scores(study)), study)
    assert "2^(3-1) = 4 arms of resolution III: nesterov = smoothing × decay" in table.caption
    lines = to_csv(table).splitlines()
    assert [line.split(",")[1:3] for line in lines[1:]] == [
        ["smoothing", "decay × nesterov"],
        ["decay", "smoothing × nesterov"],
        ["nesterov", "smoothing × decay"],
    ]


def test_the_table_of_a_path_tells_each_choice(fakes: Any, tmp_path: Path) -> None:
    study = load(tmp_path, "path", Growth({"cpu": ("decay", "smoothing")}))
    scores = {name: (value, value + 1, value + 2) for name, value in PATH_VALS.items()}
    text = to_markdown(table_of(records_of(fakes, study, scores, PATH_VALS), study))
    assert "smoothing 82.00, nesterov 83.00" in text
    assert "no other was left" in text
    assert "the test set chose nothing" in text


def test_equal_records_give_equal_bytes(fakes: Any, tmp_path: Path) -> None:
    study = load(tmp_path, "factorial")
    records = records_of(fakes, study, factorial_scores(study))
    first, second = (style.saved(drawn("effects", records, study)) for _ in range(2))
    assert first == second
