"""The report's files: complete, repeatable, and swept of what it no longer makes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bench.analyse.summary import summarise
from bench.report.finding import finding
from bench.report.studies_index import IndexEntry, cost, studies_index
from bench.report.write import write_report

TOP1 = "test_top1_pct"
ALL_TRAIN = "every arm trains all of its parameters"
NOT_DRAWN = {
    "reach": "the study declares no target",
    "equal": "the runs' batch or number of training images is not recorded",
    "confusion": "no finished run has a confusion matrix",
}
"""Figures of which these records know nothing."""


def report(folder, records):
    return write_report(folder, records, metric=TOP1, question="Does <depth> hurt?", name="fake")


def test_a_report_writes_csv_tables_and_figures(fakes, tmp_path):
    done = report(tmp_path, fakes.depth_study())
    written = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    expected = ["epochs.csv", "records.csv", "report.html", "seals.csv"]
    expected += [
        f"figures/{s}.{x}"
        for s in ("metric", "forest", "errors", "curves", "speed", "pareto")
        for x in ("svg", "pdf", "png")
    ]
    expected += [
        f"tables/{stem}.{suffix}"
        for stem in ("arms", "differences", "effects")
        for suffix in ("md", "csv", "tex")
    ]
    assert written == sorted(expected)
    assert sorted(done.files) == sorted(done.changed) == sorted(tmp_path / name for name in expected)
    assert done.skipped == {"cost": ALL_TRAIN, **NOT_DRAWN}
    assert done.table.name == "arms"


def test_a_second_report_changes_nothing(fakes, tmp_path):
    report(tmp_path, fakes.depth_study())
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in tmp_path.rglob("*.*")}
    again = report(tmp_path, fakes.depth_study())
    assert again.changed == ()
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in tmp_path.rglob("*.*")} == before


def test_what_is_no_longer_made_is_removed_and_the_users_files_stay(fakes, tmp_path):
    records = fakes.depth_study()
    report(tmp_path, records)
    (tmp_path / "figures" / "mine.svg").write_text("mine")
    without_probes = [record for record in records if record.kind == "run"]
    again = report(tmp_path, without_probes)
    assert [path.name for path in again.removed] == ["speed.pdf", "speed.png", "speed.svg"]
    assert not (tmp_path / "figures" / "speed.svg").exists()
    assert (tmp_path / "figures" / "mine.svg").read_text() == "mine"
    assert again.skipped == {
        "speed": "fewer than two arms have both a result and a probe",
        "cost": ALL_TRAIN,
        **NOT_DRAWN,
    }


def test_the_markdown_table_opens_with_question_and_finding(fakes, tmp_path):
    done = report(tmp_path, fakes.depth_study())
    lines = (tmp_path / "tables" / "arms.md").read_text().splitlines()
    assert lines[0] == "*Does &lt;depth&gt; hurt?*"
    assert lines[2].startswith("From depth=8 to depth=56, test top-1 accuracy changes by −0.92 pp")
    assert lines[4].startswith(
        "Against the baseline depth=20, residual=true (98.0 % test top-1 accuracy, n = 3)"
    )
    assert done.finding.startswith("From depth=8 to depth=56")
    assert "\n\nAgainst the baseline" in done.finding


def test_a_study_in_which_everything_failed_still_has_its_tables(fakes, tmp_path):
    records = [fakes.stopped({"a.b": level}, 0, "failed", "worker died") for level in (1, 2)]
    done = report(tmp_path, records)
    assert "worker died" in (tmp_path / "tables" / "arms.md").read_text()
    assert done.finding is None
    assert set(done.skipped) == {
        *("metric", "forest", "errors", "curves", "speed", "cost", "pareto"),
        *NOT_DRAWN,
    }


def test_a_study_without_records_writes_headers(tmp_path):
    done = report(tmp_path, [])
    assert (tmp_path / "records.csv").read_text().count("\n") == 1
    assert done.table.groups == ()


def test_the_report_never_imports_torch():
    code = (
        "import sys, bench.report.write, bench.report.figures, bench.report.studies_index\n"
        "import bench.report.terminal\n"
        "assert not {'torch', 'timm', 'torchvision'} & set(sys.modules)"
    )
    root = Path(__file__).parents[3]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root)


def test_one_arm_is_told_by_its_mean(fakes):
    records = fakes.runs_of([({"a.b": 1}, (97.0, 98.0, 99.0))])
    assert finding(summarise(records, TOP1)) == "Test top-1 accuracy: a.b=1 98.0 %."


def test_the_index_lists_question_cost_and_finding(fakes):
    records = fakes.depth_study()
    entries = [
        IndexEntry("depth", "Does depth hurt?", Path("studies/depth.yaml"), TOP1, 8, 3, records),
        IndexEntry("wide", "Is <wide> better?", Path("studies/wide.yaml"), TOP1, 1, 5),
    ]
    page = studies_index(entries)
    assert page.startswith("<!-- Generated")
    assert "## [depth](<depth.yaml>)" in page
    assert "- **Size:** 8 arms × 3 seeds = 24 runs" in page
    assert "- **Cost:** 24 runs, 84 s of training on Example CPU 9000" in page
    assert "- **Finding:** From depth=8 to depth=56, test top-1 accuracy changes by" in page
    assert "Is &lt;wide&gt; better?" in page
    assert (
        "- **Size:** 1 arm × 5 seeds = 5 runs\n- **Cost:** not known yet\n- **Finding:** not run yet" in page
    )
    assert studies_index(entries) == page


def test_cost_is_told_by_device(fakes):
    levels = {"a.b": 1}
    gpu = fakes.run(levels, 0, 98.0, device_kind="cuda", environment={"device": "GPU X"})
    assert cost([fakes.run(levels, 0, 98.0), gpu]) == (
        "1 run, 3.5 s of training on Example CPU 9000; 1 run, 3.5 s of training on GPU X"
    )


def test_a_transfer_study_gets_every_figure_and_its_sources_stand_nowhere(fakes, tmp_path):
    done = report(tmp_path, fakes.transfer_study(3))
    assert done.skipped == NOT_DRAWN
    written = [path for path in tmp_path.rglob("*.*") if path.suffix in (".csv", ".md", ".tex")]
    written.remove(tmp_path / "seals.csv")  # of every line, sources too
    assert written
    assert not any("pretrain-1" in path.read_text() for path in written)
    assert (tmp_path / "records.csv").read_text().count("\n") == 1 + 21 * 3
    assert (tmp_path / "epochs.csv").read_text().count("\n") == 1 + 21 * 3 * 10
    assert report(tmp_path, fakes.transfer_study(3)).changed == ()


def test_cost_counts_the_sources(fakes):
    records = [fakes.source_run(0, 97.0), *fakes.runs_of([({"a.b": 1}, (98.0, 97.0))])]
    assert cost(records) == "3 runs (1 of them sources), 10 s of training on Example CPU 9000"
