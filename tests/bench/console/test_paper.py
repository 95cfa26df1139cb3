"""`bench paper` and `bench trace`: from records to macros, tables and PDF, and from a number to its runs."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from command_line import ROOT, bench

NUMBERS = """\
[depth]
plain56 = {of = "mean", arm = "depth=56, residual=false"}
loss = {of = "difference", arm = "depth=56, residual=false"}

[tables.depth]
study = "depth"
rows = "model.depth"
across = "model.residual"
caption = "Depth."
"""

TEXT = r"""\documentclass{article}
\usepackage{booktabs}
\input{numbers}
\begin{document}
Down by \num{depth.loss} to \num{depth.plain56}.
\input{tables/depth}
\end{document}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small paper beside the committed depth study."""
    results = tmp_path / "results" / "depth"
    results.mkdir(parents=True)
    for name in ("records.jsonl", "correct.npz", "study.yaml"):
        shutil.copy(ROOT / "results" / "depth" / name, results)
    (tmp_path / "paper").mkdir()
    (tmp_path / "paper" / "numbers.toml").write_text(NUMBERS)
    (tmp_path / "paper" / "main.tex").write_text(TEXT)
    return tmp_path


def test_without_tex_all_but_the_pdf_is_made_and_one_line_says_what_to_install(folder: Path) -> None:
    nowhere = folder / "bin"
    nowhere.mkdir()
    answer = bench("paper", cwd=folder, PATH=str(nowhere))
    assert answer.returncode == 3
    assert answer.stderr.splitlines()[-1].startswith("no TeX here, so no PDF")
    assert "apt-get install latexmk" in answer.stderr.splitlines()[-1]
    assert r"\setnum{depth.plain56}{26}" in (folder / "paper" / "numbers.tex").read_text()
    assert r"26 $\pm$ 14" in (folder / "paper" / "tables" / "depth.tex").read_text()
    assert (folder / "results" / "depth" / "tables" / "arms.tex").is_file()


def test_the_pdf_holds_the_numbers_and_equal_records_give_equal_bytes(folder: Path) -> None:
    if shutil.which("latexmk") is None or shutil.which("pdftotext") is None:
        pytest.skip("no TeX or no pdftotext here")
    answer = bench("paper", "--json", cwd=folder)
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["numbers"] == {"depth.plain56": "26", "depth.loss": "\N{MINUS SIGN}73"}
    pdf = folder / "paper" / "build" / "main.pdf"
    text = subprocess.run(["pdftotext", pdf, "-"], capture_output=True, text=True, check=True).stdout
    assert "to 26." in text
    assert "??" not in text
    first = pdf.read_bytes()
    shutil.rmtree(pdf.parent)
    assert bench("paper", cwd=folder).returncode == 0
    assert pdf.read_bytes() == first


def test_a_number_that_nobody_asks_for_and_one_that_nobody_prints_are_faults(folder: Path) -> None:
    text = TEXT.replace("depth.loss", "depth.los")
    (folder / "paper" / "main.tex").write_text(text)
    answer = bench("paper", cwd=folder)
    assert answer.returncode == 1
    assert "paper/main.tex:5: no number depth.los in numbers.toml" in answer.stderr
    assert "paper/numbers.toml: number depth.loss is used nowhere" in answer.stderr


def test_trace_leads_from_a_number_to_its_runs_and_from_a_run_to_its_places(folder: Path) -> None:
    answer = bench("trace", "depth.plain56", "--json", cwd=folder)
    assert answer.returncode == 0, answer.stderr
    (number,) = json.loads(answer.stdout)
    assert number["text"] == "26"
    assert number["used"] == ["paper/main.tex:5"]
    assert [run["seed"] for run in number["runs"]] == [0, 1, 2, 3, 4]
    run_id = number["runs"][0]["run_id"]
    (folder / "README.md").write_text("# Bench\n\n![Depth](results/depth/figures/metric.svg)\n")
    (found,) = json.loads(bench("trace", run_id[:8], "--json", cwd=folder).stdout)
    assert found["run_id"] == run_id
    assert "paper/main.tex:5: depth.plain56 = 26" in found["used"]
    assert "paper/main.tex:6: table depth" in found["used"]
    assert "README.md:3: depth" in found["used"]
    shown = bench("trace", "26", cwd=folder).stdout
    assert shown.startswith("depth.plain56 = 26\n")


def test_trace_of_nothing_says_what_is_near(folder: Path) -> None:
    answer = bench("trace", "depth.plain5", cwd=folder)
    assert answer.returncode == 2
    assert "did you mean 'depth.plain56'?" in answer.stderr


def test_a_rerun_gives_the_recorded_bits_or_a_value_within_their_spread(tmp_path: Path) -> None:
    """On the machine type that recorded them the bits are equal, elsewhere the spread decides."""
    words = ("--results", ROOT / "results", "--rerun", "1", "--draw", "3", "--json")
    answer = bench("verify", ROOT / "studies" / "depth.yaml", *words, cwd=tmp_path, OMP_NUM_THREADS="1")
    assert answer.returncode == 0, answer.stderr
    (one,) = json.loads(answer.stdout)["reruns"]
    assert one["verdict"] == "exactly" if one["is_promised"] else one["verdict"] != "not"
    assert list(tmp_path.iterdir()) == []


def test_reruns_that_this_machine_cannot_train_say_what_is_missing(tmp_path: Path) -> None:
    words = ("--results", ROOT / "results", "--rerun", "1", "--data", tmp_path)
    answer = bench("verify", ROOT / "studies" / "transfer.yaml", *words, cwd=tmp_path)
    assert answer.returncode == 3
    assert "transfer: " in answer.stderr
