"""`bench paper`: numbers, tables and figures anew from the records, then the PDF where there is a TeX."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from bench.console.report import write_files
from bench.console.tables import print_json
from bench.errors import BenchError, EnvironmentFault
from bench.record.durable import write_if_changed
from bench.report.numbers_file import TABLES
from bench.report.paper import MAIN, Paper, open_paper

BUILD: Final = "build"
PDF: Final = f"{BUILD}/main.pdf"

_NO_TEX: Final = (
    "no TeX here, so no PDF (all else is up to date); on Debian: "
    "apt-get install latexmk lmodern texlive-latex-recommended texlive-pictures"
)
_UNDATED: Final = {"SOURCE_DATE_EPOCH": "0", "FORCE_SOURCE_DATE": "1"}
"""Equal sources give equal bytes: the PDF carries no clock."""

_TROUBLE: Final = re.compile(
    r"^(?:! .*|.*:\d+: .*|LaTeX Warning: (?:Reference|Citation|Label|There were).*|"
    r"Package natbib Warning: .*undefined.*|Overfull \\hbox \((?:[1-9]\d|[5-9]\.|\d{3,}).*)$",
    flags=re.MULTILINE,
)
"""Lines of TeX's log that a reader of the PDF would notice: what is unresolved, or out of the margin."""


class PaperFault(BenchError):
    """The PDF could not be built as it should be."""


def make_paper(folder: Path, results: Path, *, as_json: bool) -> int:
    """Bring the paper up to date with the records; exit code 0.

    Args:
        folder: `paper/`.
        results: The results' root.
        as_json: Print what was written as JSON.

    Raises:
        UsageError: A query is wrong, or the text takes a number that nobody asks for.
        EnvironmentFault: Records are damaged, or there is no TeX: all but the PDF is up to date then.
        PaperFault: TeX failed, or left something unresolved.
    """
    paper = open_paper(folder, results)
    for name, source in paper.sources.items():
        write_files(results / name, source.records, source.study)
    changed = [name for name, data in paper.files.items() if write_if_changed(folder / name, data)]
    for stray in sorted(set((folder / TABLES).glob("*.tex")) - {folder / name for name in paper.files}):
        stray.unlink()
    counted = f"{len(paper.numbers)} numbers, {len(paper.asks.tables)} tables of {len(paper.sources)} studies"
    sys.stderr.write(f"{folder}: {counted}; {len(changed)} files changed\n")
    strangers = paper.strangers()
    if strangers:
        raise PaperFault(*strangers)
    pdf = build_pdf(folder)
    if as_json:
        print_json({"pdf": str(pdf), "changed": changed, "numbers": _printed(paper)})
    else:
        sys.stdout.write(f"{pdf}\n")
    return 0


def build_pdf(folder: Path) -> Path:
    """Build `main.tex` with latexmk, in `build/`.

    Raises:
        EnvironmentFault: There is no TeX.
        PaperFault: It failed, or the log tells of something unresolved or out of the margin.
    """
    if shutil.which("latexmk") is None or shutil.which("pdflatex") is None:
        raise EnvironmentFault(_NO_TEX)
    words = ["latexmk", "-pdf", "-interaction=nonstopmode", "-halt-on-error", "-file-line-error", "-silent"]
    done = subprocess.run(  # noqa: S603 - our own file, no shell
        [*words, f"-outdir={BUILD}", MAIN],
        cwd=folder,
        env={**os.environ, **_UNDATED, "max_print_line": "1000"},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    log = folder / BUILD / MAIN.replace(".tex", ".log")
    told = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else done.stdout + done.stderr
    troubles = list(dict.fromkeys(_TROUBLE.findall(told)))
    if done.returncode != 0 or troubles:
        raise PaperFault(
            *(f"{folder / MAIN}: {line}" for line in troubles or ["latexmk failed; see its log"])
        )
    return folder / PDF


def _printed(paper: Paper) -> dict[str, str]:
    return {number.name: number.text for number in paper.numbers}
