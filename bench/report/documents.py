"""The parts of README.md and studies/README.md that come from studies and records, never typed.

    python -m bench.report.documents          write them
    python -m bench.report.documents --check  exit 1 and name what is out of date

A part of README.md stands between `<!-- generated: NAME -->` and `<!-- end -->`; studies/README.md is whole.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

from bench.analyse.summary import summarise
from bench.record.durable import write_if_changed
from bench.record.rivals import FOLDER, read_rivals
from bench.record.store import read_records
from bench.report.finding import finding
from bench.report.markdown import escape, to_markdown
from bench.report.rivals_table import rivals_table, workers_sentence
from bench.report.studies_index import IndexEntry, studies_index
from bench.study.load import grown_by_decisions, load_study

MAIN = "depth"
"""The study that the README shows."""


def documents(checkout: Path) -> dict[Path, str]:
    """Every generated document of a checkout, by path."""
    readme = checkout / "README.md"
    return {
        readme: _fill(readme.read_text(encoding="utf-8"), checkout),
        checkout / "studies" / "README.md": studies_index(_entries(checkout)),
    }


def _fill(text: str, checkout: Path) -> str:
    def replace(match: re.Match[str]) -> str:
        content = _PARTS[match.group(1)](checkout)
        return f"<!-- generated: {match.group(1)} -->\n{content}\n<!-- end -->"

    return re.sub(r"<!-- generated: (\w+) -->\n.*?<!-- end -->", replace, text, flags=re.DOTALL)


def _finding(checkout: Path) -> str:
    study = load_study(checkout / "studies" / f"{MAIN}.yaml")
    records = read_records(checkout / "results" / MAIN / "records.jsonl")
    said = finding(summarise(records, study.metric, study=study))
    return f"> *{escape(study.question)}* {escape(said or 'Not run yet.')}"


def _study(checkout: Path) -> str:
    text = (checkout / "studies" / f"{MAIN}.yaml").read_text(encoding="utf-8")
    return f"```yaml\n{text.rstrip()}\n```"


def _rivals(checkout: Path) -> str:
    measured = read_rivals(checkout / FOLDER)
    if not measured:
        return "Not measured yet."
    said = workers_sentence(measured)
    table = to_markdown(rivals_table(measured)).rstrip()
    return f"{table}\n\n{escape(said)}" if said else table


_PARTS: dict[str, Callable[[Path], str]] = {"finding": _finding, "rivals": _rivals, "study": _study}


def _entries(checkout: Path) -> list[IndexEntry]:
    results = checkout / "results"
    declared = [load_study(path) for path in sorted((checkout / "studies").glob("*.yaml"))]
    studies = [grown_by_decisions(study, results / study.name) for study in declared]
    return [IndexEntry.of(study, read_records(results / study.name / "records.jsonl")) for study in studies]


def main(arguments: list[str]) -> int:
    """Write the documents of the current folder's checkout, or check them."""
    made = documents(Path.cwd())
    if "--check" not in arguments:
        for path, text in made.items():
            write_if_changed(path, text.encode())
        return 0
    stale = [path for path, text in made.items() if path.read_text(encoding="utf-8") != text]
    for path in stale:
        sys.stderr.write(f"{path.name}: out of date; run: python -m bench.report.documents\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
