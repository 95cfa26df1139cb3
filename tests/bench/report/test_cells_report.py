"""A throughput study's report: the table as text, the figures by what they plot, the files as a whole."""

from __future__ import annotations

import csv
import io

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure

from bench.analyse.cells import summarise_cells
from bench.analyse.roofline import roofline_of
from bench.report import batch_figure, cells_figures, latex, markdown, matrix_figure, roofline_figure, style
from bench.report.cells_finding import cells_finding
from bench.report.cells_print import parts_for_print
from bench.report.cells_report import write_cells_report
from bench.report.cells_table import cells_table, speed_text
from bench.report.table import to_csv
from bench.report.terminal import to_plain
from tests.bench.analyse.cell_fakes import cell, cells, grid_study, out_of_memory, throughput_study
from tests.bench.report.drawn import dots, tick_texts

EAGER, COMPILED = {"execution.compile": "none"}, {"execution.compile": "default"}


def block_of(records):
    (block,) = summarise_cells(records).blocks
    return block


def drawn(draw, records):
    """A figure of the only block, drawn once as for saving."""
    with style.fixed_style():
        figure = draw(block_of(records))
        assert isinstance(figure, Figure), figure
        figure.draw_without_rendering()
        return figure


def table_of(records):
    return cells_table(summarise_cells(records), name="fake")


def shown(table, header):
    """Texts of a column that people see."""
    index = next(i for i, column in enumerate(table.columns) if column.header == header)
    return [row[index].text for group in table.groups for row in group.rows]


def small_study():
    """A baseline, the same compiled, and a batch that did not fit; numbers without spread."""

    def steady(levels, speed):
        arm = f"execution.compile={levels['execution.compile']}"
        compiles = {"compile_cold_s": 10.0, "compile_warm_s": 1.0} if levels is COMPILED else {}
        return [
            cell(arm, levels, i, windows_img_s=[speed * (1 + 0.002 * i)] * 20, metrics=compiles)
            for i in range(3)
        ]

    return [*steady(EAGER, 1000.0), *steady(COMPILED, 1500.0)]


def test_the_table_shows_speed_spread_shares_and_costs():
    table = table_of(small_study())
    assert shown(table, "Speed (img/s)") == ["1,002", "1,503"]
    assert shown(table, "× baseline") == ["1.00", "1.50"]
    assert shown(table, "Windows × repeats") == ["20 × 3", "20 × 3"]
    assert shown(table, "p95 step (ms)") == ["128", "85.2"]
    assert shown(table, "Compile, cold / warm (s)") == ["–", "10 / 1.0"]
    assert shown(table, "Break-even (images)") == ["–", "30,000"]
    assert shown(table, "Allocated / reserved (GiB)") == ["8.22 / 9.29"] * 2


def test_columns_without_a_value_are_left_to_the_csv():
    table = table_of(cells("a", {}, device_kind="cpu"))
    assert not {"Allocated / reserved (GiB)", "Energy (J/img)", "Break-even (images)"} & set(table.headers)
    (row,) = csv.DictReader(io.StringIO(to_csv(table)))
    assert (row["peak_allocated_bytes"], row["joules_per_image"]) == ("", "")
    assert (row["network"], row["precision"], row["layout"], row["mode"]) == (
        "resnet50",
        "bf16",
        "NHWC",
        "none",
    )


def test_a_cell_out_of_memory_is_a_row_with_its_reason():
    table = table_of([*cells("a", {}), *out_of_memory("huge", {"train.batch_size": 2048})])
    assert shown(table, "Speed (img/s)")[1] == "out of memory"
    assert shown(table, "Windows × repeats")[1] == "0/3"
    assert "repeats 0, 1, 2: out of memory at batch 2,048" in table.footnotes


def test_a_noisy_cell_is_marked():
    table = table_of(cells("a", {}, metrics={"noise": ("windows spread by 7.1 % (IQR over median)",)}))
    assert table.footnotes == ("noisy: repeats 0, 1, 2: windows spread by 7.1 % (IQR over median)",)
    assert "<sup>a</sup>" in markdown.to_markdown(table)


def test_the_a_a_check_stands_below_the_table_with_how_it_was_judged():
    notes = [note for note in table_of(throughput_study()).footnotes if note.startswith("A/A check of")]
    assert len(notes) == 1
    assert "equal within their spread" in notes[0]
    assert "equal if the 99 % t-interval of their log ratio holds 0 or lies within ±1 %" in notes[0]


def test_a_compiled_cell_that_is_no_faster_never_breaks_even():
    records = [
        *cells("e", EAGER, windows_img_s=[100.0] * 20),
        *cells("c", COMPILED, windows_img_s=[90.0] * 20),
    ]
    assert shown(table_of(records), "Break-even (images)") == ["–", "never"]


@pytest.mark.parametrize(
    ("medians", "text"),
    [((4949.0, 4952.0, 4955.0), "4,952"), ((4900.0, 4952.0, 5000.0), "4,950"), ((2.5, 2.612, 2.7), "2.61")],
)
def test_speeds_are_rounded_where_repeats_begin_to_differ(medians, text):
    records = [cell("a", {}, i, windows_img_s=[speed] * 20) for i, speed in enumerate(medians)]
    (arm,) = block_of(records).arms
    assert speed_text(arm) == text


def test_print_has_speeds_and_costs_as_tables_of_their_own():
    table = table_of(throughput_study())
    speeds, costs = parts_for_print(table)
    assert "MFU (%)" in speeds.headers
    assert costs.headers[1:] == (
        "Allocated / reserved (GiB)",
        "Compile, cold / warm (s)",
        "Break-even (images)",
        "Energy (J/img)",
    )
    assert set(speeds.footnotes) | set(costs.footnotes) == set(table.footnotes)
    assert latex.to_latex(costs, label="x").count(r"\begin{tabular}") == 1


def test_a_study_without_costs_is_one_table_in_print():
    table = table_of(cells("a", {}, device_kind="cpu"))
    assert parts_for_print(table) == (table,)


def test_the_finding_tells_the_ends_the_gaps_and_the_check():
    said = cells_finding(summarise_cells(throughput_study()))
    assert said is not None
    assert said.startswith(
        "Against the baseline centre (4,952 img/s), the fastest cell is name=cifar_resnet20"
    )
    assert "1 cell of 32 without a result. A/A check of centre and aa=True: equal" in said
    assert said.endswith("1 cell of 31 with a result flagged as noisy.")


def test_the_twin_of_the_baseline_is_neither_the_fastest_nor_the_slowest():
    records = [
        *cells("a", {"measure.aa": False}),
        *cells("b", {"measure.aa": True}, windows_img_s=[1.0] * 20),
    ]
    said = cells_finding(summarise_cells(records))
    assert said is not None
    assert said.startswith("aa=false: 4,9")
    assert "A/A check of aa=false and A/A twin: not equal" in said


def test_a_study_without_results_finds_nothing():
    assert cells_finding(summarise_cells(out_of_memory("a", {}))) is None


def test_the_square_is_found_among_the_spokes_of_a_centre():
    """Spokes add levels that no other cell has; the square leaves them out."""
    spoke = cells("spoke", {"arm": "spoke"}, settings={"execution.compile": "reduce-overhead"})
    (square,) = matrix_figure.squares_of(block_of([*throughput_study(), *spoke]).arms)
    assert square.precisions == ("fp32", "bf16", "fp16")
    assert square.modes == ("none", "default", "max-autotune")
    assert square.layouts == ("NCHW", "NHWC")
    assert square.title == "resnet50 (224 px), train, batch 128"


def test_spokes_alone_are_no_square():
    spokes = [{"execution.amp": "none"}, {"execution.compile": "default"}, {"execution.channels_last": False}]
    records = cells("centre", {})
    for number, settings in enumerate(spokes):
        records += cells(f"spoke {number}", settings)
    assert matrix_figure.squares_of(block_of(records).arms) == []


def test_the_matrix_writes_every_speed_and_its_multiple():
    figure = drawn(cells_figures.matrix, throughput_study())
    nchw, nhwc = figure.axes
    assert (nchw.get_title(), nhwc.get_title()) == ("NCHW", "NHWC")
    assert tick_texts(nchw.yaxis) == ["fp32", "bf16 AMP", "fp16 AMP"]
    assert tick_texts(nchw.xaxis) == ["none", "default", "max-\nautotune"]
    texts = [text.get_text() for text in nchw.texts]
    assert texts[:2] == ["1,239", "× 1.00"]
    assert "4,952" in [text.get_text() for text in nhwc.texts]


def test_the_matrix_shows_a_cell_that_did_not_fit():
    levels = [
        {"execution.amp": amp, "execution.compile": c}
        for amp in ("none", "bf16")
        for c in ("none", "default")
    ]
    records = [r for n, own in enumerate(levels) for r in (cells if n else out_of_memory)(f"a{n}", own)]
    (axes,) = drawn(cells_figures.matrix, records).axes
    assert "out of\nmemory" in [text.get_text() for text in axes.texts]


def test_throughput_is_drawn_against_batch_size_with_the_end_of_memory():
    (axes,) = drawn(cells_figures.batch, throughput_study()).axes
    assert axes.get_xlabel() == "batch size (images)"
    assert axes.get_ylabel() == "throughput (images/s)"
    assert tick_texts(axes.xaxis) == ["32", "64", "128", "256", "512", "2,048"]
    line = next(line for line in axes.lines if len(line.get_xdata()) == 5)
    assert list(line.get_xdata()) == [32, 64, 128, 256, 512]
    crosses = [line for line in axes.lines if line.get_marker() == "x"]
    assert [list(cross.get_xdata()) for cross in crosses] == [[2048]]


def test_the_range_of_the_repeats_stands_within_a_batch_figure():
    """The axis was once cut at the highest median, and with it the bars."""
    records = [
        cell(f"a{size}", {"train.batch_size": size}, i, windows_img_s=[speed] * 20)
        for size in (32, 64)
        for i, speed in enumerate((500.0, 1000.0, 1500.0))
    ]
    (axes,) = drawn(cells_figures.batch, records).axes
    assert axes.get_ylim()[1] > 1500


def test_lines_of_a_batch_figure_are_told_apart_by_what_differs():
    series = batch_figure.series_of(block_of(grid_study()).arms)
    assert [one.label for one in series] == [
        "resnet18, eager",
        "resnet18, compiled",
        "resnet50, eager",
        "resnet50, compiled",
    ]
    assert batch_figure.explanation(series).startswith("train, synthetic input, 224 px, bf16, NHWC; points")


def test_the_roofline_marks_every_network_with_its_share():
    records = [*cells("a", {"model.name": "resnet18"}), *cells("b", {"model.name": "resnet50"})]
    (axes,) = drawn(cells_figures.roofline, records).axes
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert axes.get_xlabel() == "arithmetic intensity (FLOP/byte, fused traffic)"
    assert axes.get_ylabel() == "achieved arithmetic (TFLOP/s)"
    assert [text.get_text() for text in axes.texts] == ["resnet18, 29 %", "resnet50, 38 %"]
    marks = [line for line in axes.lines if line.get_marker() == "o"]
    assert len(marks) == 2


def test_a_crowded_roofline_numbers_its_marks_and_names_them_beside():
    figure = drawn(cells_figures.roofline, throughput_study())
    (axes,) = figure.axes
    assert sorted(text.get_text() for text in axes.texts) == [str(number) for number in range(1, 9)]
    key = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    assert {"8  cifar_resnet20 (32 px), 6.0 %", "7  resnet50 fp32, 59 %", "1  resnet18, 29 %"} <= set(key)
    assert "4  resnet50 bf16 inference, 30 %" in key
    assert {"bf16: 790 TFLOP/s", "training", "inference"} <= set(key)


def test_images_of_another_size_are_told_beside_the_mark():
    found = roofline_of(block_of(throughput_study()).arms)
    assert not isinstance(found, str)
    assert found.usual_size == 224
    names = [roofline_figure.label_of(point, found) for point in found.points]
    assert "resnet50 (160 px), 35 %" in names
    assert "224 px unless said" in roofline_figure.explanation(found)


def test_every_repeat_is_a_dot_of_its_row():
    records = [*cells("a", {}), *cells("b", EAGER, 2), *out_of_memory("c", COMPILED)]
    figure = drawn(cells_figures.rows_figure, records)
    (axes,) = figure.axes
    places = dots(axes)
    assert sorted(places[:, 1]) == [0, 0, 0, 1, 1]
    medians = sorted(repeat.median_img_s for arm in block_of(records).arms for repeat in arm.repeats)
    assert sorted(places[:, 0]) == medians
    assert [text.get_text() for text in axes.texts] == ["× 1/3 not run", "× 3/3 out of memory"]


@pytest.mark.parametrize(
    ("draw", "records", "reason"),
    [
        (
            cells_figures.matrix,
            cells("a", {}),
            "no cells that differ in nothing but precision, compile and layout",
        ),
        (cells_figures.batch, cells("a", {}), "no cells differ in their batch size alone"),
        (
            cells_figures.roofline,
            cells("a", {}, metrics={"fused_bytes_per_image": None}),
            "no cell has counts of arithmetic and traffic",
        ),
    ],
    ids=["matrix", "batch", "roofline"],
)
def test_a_figure_without_data_is_skipped_with_a_reason(draw, records, reason):
    assert str(draw(block_of(records))).startswith(reason)


def report(folder, records):
    return write_cells_report(folder, records, question="How <fast>?", name="fake")


def files_of(folder):
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}


def test_a_report_writes_csv_table_figures_and_rows_for_timm(tmp_path):
    done = report(tmp_path, throughput_study())
    names = files_of(tmp_path)
    assert {f"figures/{stem}.{x}" for stem in cells_figures.STEMS for x in style.FORMATS} <= set(names)
    assert {"records.csv", "tables/cells.md", "tables/cells.csv", "tables/cells.tex"} <= set(names)
    assert "timm/benchmark-train-amp_bf16-nhwc-pt2150-cu132-h200.csv" in names
    assert sorted(done.files) == sorted(done.changed) == sorted(names.values())
    assert done.skipped == {}
    assert names["tables/cells.md"].read_text(encoding="utf-8").startswith("*How &lt;fast&gt;?*\n\nAgainst")
    assert names["tables/cells.tex"].read_text(encoding="utf-8").count(r"\begin{table}") == 2
    assert "Speed (img/s)" in to_plain(done.table)


def test_a_second_report_changes_nothing_whatever_the_users_style(tmp_path):
    report(tmp_path, small_study())
    with mpl.rc_context({"font.size": 20, "lines.linewidth": 9}):
        assert report(tmp_path, small_study()).changed == ()


def test_two_kinds_of_device_have_figures_and_rows_of_their_own(tmp_path):
    records = [*cells("a", {}), *cells("a", {}, device_kind="cpu")]
    report(tmp_path, records)
    names = set(files_of(tmp_path))
    assert {"figures/cells-cuda.svg", "figures/cells-cpu.svg"} <= names
    assert "figures/cells.svg" not in names
    assert {name.split("-")[-2] for name in names if name.startswith("timm/")} == {"cu132", "cpu"}


def test_what_is_no_longer_made_is_removed_and_the_users_files_stay(tmp_path):
    report(tmp_path, [*cells("a", {"train.batch_size": 64}), *cells("b", {"train.batch_size": 128})])
    assert (tmp_path / "figures" / "batch.svg").is_file()
    (tmp_path / "timm" / "mine.csv").write_text("mine")
    again = report(tmp_path, cells("a", {"measure.work": "infer"}))
    assert not (tmp_path / "figures" / "batch.svg").exists()
    assert (tmp_path / "timm" / "mine.csv").read_text() == "mine"
    removed = {path.relative_to(tmp_path).as_posix() for path in again.removed}
    assert "timm/benchmark-train-amp_bf16-nhwc-pt2150-cu132-h200.csv" in removed


def test_a_study_in_which_nothing_fitted_still_has_its_table(tmp_path):
    done = report(tmp_path, out_of_memory("a", {}))
    assert set(done.skipped.values()) == {"no cell has a result"}
    assert "out of memory" in (tmp_path / "tables" / "cells.md").read_text(encoding="utf-8")
