"""The table of rivals: our fastest mode first, then by throughput, ratios with quartiles."""

from __future__ import annotations

from pathlib import Path

from rivals_helpers import make_rivals

from bench.record.rivals import FOLDER, write_rivals
from bench.report.documents import documents
from bench.report.markdown import to_markdown
from bench.report.rivals_table import rivals_table, workers_sentence


def test_the_table_says_who_is_how_much_slower() -> None:
    text = to_markdown(rivals_table([make_rivals()]))
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if "|" in line]
    assert rows[0] == ["trained by", "settings", "img/s", "bench is faster by"]
    assert rows[2:] == [
        ["bench", r"settings of ours\_best<sup>a</sup>", "1,000", ""],
        ["bare", "settings of bare", "990", r"1.01× \[1.00×, 1.02×\]"],
        ["bench", r"settings of ours\_eager", "400", r"2.50× \[2.48×, 2.52×\]"],
        [r"lightning\_bf16", r"settings of lightning\_bf16", "154", r"6.50× \[6.44×, 6.57×\]"],
        ["lightning", "settings of lightning", "120", r"8.30× \[8.22×, 8.38×\]"],
        ["plain", "settings of plain", "118", r"8.50× \[8.42×, 8.59×\]"],
    ]
    assert "<sup>a</sup> made ready (compiled, captured) in 31 s" in text


def test_the_caption_says_what_was_trained_and_how_it_was_timed() -> None:
    caption = rivals_table([make_rivals()]).caption
    assert caption.startswith("ResNet-20 on 1,280 images of digits an epoch, batch 128; SGD. ")
    assert "2 CPU threads" in caption
    assert "compilation and the first epoch are left out" in caption


def test_two_devices_stand_in_two_blocks() -> None:
    table = rivals_table([make_rivals(), make_rivals(device_kind="cuda", device="Some GPU", workers=None)])
    assert [group.label for group in table.groups] == ["Some CPU", "Some GPU"]


def test_workers_are_told_where_they_were_measured() -> None:
    assert workers_sentence([make_rivals(workers=None)]) is None
    assert workers_sentence([make_rivals(), make_rivals(workers=None)]) == (
        "2 one-thread workers carry out studies/depth.yaml 1.70 times as fast as one process with 2 threads "
        "(8 runs, Some CPU)."
    )


def test_the_readme_shows_what_was_measured(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("<!-- generated: rivals -->\nold\n<!-- end -->\n")
    (tmp_path / "studies").mkdir()
    readme = tmp_path / "README.md"
    assert "Not measured yet." in documents(tmp_path)[readme]
    write_rivals(tmp_path / FOLDER, make_rivals())
    lines = documents(tmp_path)[readme].splitlines()
    assert lines[1].startswith("ResNet-20 on 1,280 images")
    assert lines[-2].startswith("2 one-thread workers carry out studies/depth.yaml 1.70 times as fast")
    assert "old" not in lines
