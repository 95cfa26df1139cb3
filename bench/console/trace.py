"""`bench trace`: from a number to the runs behind it, and from a run to every place that stands on it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.console.columns import print_columns
from bench.console.tables import print_json
from bench.errors import UsageError, nearest
from bench.record.schema import Finished, Record, RunRecord
from bench.record.store import read_records
from bench.report.numbers import Number
from bench.report.numbers_file import NUMBERS_FILE
from bench.report.paper import Paper, open_paper
from bench.units import plural

_LEAST_DIGITS = 4
"""Of a run's id, as its beginning."""


@dataclass(frozen=True)
class _Line:
    """One run with its study's folder name."""

    study: str
    record: Finished


def trace(what: str, folder: Path, results: Path, *, as_json: bool) -> int:
    """Print the runs behind a number, or the places that use a run; exit code 0.

    Args:
        what: A number by its name (`depth.plain56`) or as it is printed, or a run's id or its beginning.
        folder: `paper/`.
        results: The results' root.
        as_json: On stdout, for a script.

    Raises:
        UsageError: Nothing is called so.
        EnvironmentFault: Records are damaged.
    """
    paper = open_paper(folder, results) if (folder / NUMBERS_FILE).is_file() else None
    numbers = (
        [] if paper is None else [number for number in paper.numbers if what in (number.name, number.text)]
    )
    if paper is not None and numbers:
        _show_numbers(numbers, paper, as_json=as_json)
        return 0
    lines = _lines(results)
    found = [line for line in lines if line.record.run_id == what]
    if not found and len(what) >= _LEAST_DIGITS:
        found = [line for line in lines if line.record.run_id.startswith(what)]
    if not found:
        known = [] if paper is None else [number.name for number in paper.numbers]
        raise UsageError(f"{what}: no number and no run is called so; {_hint(what, known)}")
    _show_runs(found, paper, results, as_json=as_json)
    return 0


def places_of(record: Record, study: str, paper: Paper | None, results: Path) -> list[str]:
    """Where a run's record is used: numbers with their lines in the text, tables, figures, README, files.

    Args:
        record: The run.
        study: Its results folder's name.
        paper: With its numbers answered.
        results: The results' root.
    """
    folder, places = results / study, []
    if paper is not None and isinstance(record, RunRecord):
        for number in paper.numbers:
            if any(run.run_id == record.run_id and run.study == record.study for run in number.runs):
                places += [f"{place}: {number.name} = {number.text}" for place in _places(paper, number.name)]
        tables = {ask.name for ask in paper.asks.tables if ask.study == study}
        for use in paper.uses:
            is_ours = use.name in tables if use.kind == "table" else use.name.startswith(f"{study}/")
            if use.kind != "number" and is_ours:
                places.append(f"{use.place}: {use.kind} {use.name}")
    kept = [
        *folder.glob("*.csv"),
        *folder.glob("*.html"),
        *folder.glob("t*/*"),
        *folder.glob("figures/*.svg"),
    ]
    return [*places, *_in_readme(study), *(str(path) for path in sorted(kept))]


def _show_numbers(numbers: Sequence[Number], paper: Paper, *, as_json: bool) -> None:
    if as_json:
        print_json([_number(number, paper) for number in numbers])
        return
    for number in numbers:
        used = ", ".join(_places(paper, number.name)) or "nowhere"
        told = f"{number.name} = {number.text}\n  asks  {number.query.text}\n  used  {used}\n"
        sys.stdout.write(f"{told}  {plural(len(number.runs), 'run')} behind it:\n")
        metric = (
            number.query.metric or paper.sources[number.runs[0].study].study.metric if number.runs else ""
        )
        rows = [
            (run.study, run.arm, str(run.seed), run.run_id, run.status, _value(run, metric))
            for run in number.runs
        ]
        print_columns(("study", "arm", "seed", "run", "status", metric), rows)


def _in_readme(study: str) -> list[str]:
    """Lines of README that show something of a study's results."""
    readme = Path("README.md")
    if not readme.is_file():
        return []
    lines = readme.read_text(encoding="utf-8").splitlines()
    return [
        f"{readme}:{at}: {study}" for at, line in enumerate(lines, start=1) if f"results/{study}/" in line
    ]


def _number(number: Number, paper: Paper) -> dict[str, Any]:
    return {
        "number": number.name,
        "text": number.text,
        "asks": number.query.model_dump(exclude_none=True),
        "used": _places(paper, number.name),
        "runs": [
            {"study": run.study, "arm": run.arm, "seed": run.seed, "run_id": run.run_id, "status": run.status}
            for run in number.runs
        ],
    }


def _show_runs(lines: Sequence[_Line], paper: Paper | None, results: Path, *, as_json: bool) -> None:
    told = []
    for line in lines:
        record, used = line.record, places_of(line.record, line.study, paper, results)
        told.append(
            {
                "run_id": record.run_id,
                "study": line.study,
                "arm": record.arm,
                "seed": record.seed,
                "status": record.status,
                "used": used,
            }
        )
        if not as_json:
            head = f"{record.run_id}  {line.study}: {record.arm} seed {record.seed}, {record.status}"
            sys.stdout.write("\n".join([head, *(f"  {place}" for place in used)]) + "\n")
    if as_json:
        print_json(told)


def _places(paper: Paper, name: str) -> list[str]:
    return [use.place for use in paper.uses if (use.kind, use.name) == ("number", name)]


def _lines(results: Path) -> list[_Line]:
    return [
        _Line(path.parent.name, record)
        for path in sorted(results.glob("*/records.jsonl"))
        for record in read_records(path)
        if isinstance(record, Finished)
    ]


def _value(run: RunRecord, metric: str) -> str:
    value = getattr(run.metrics, metric, None)
    return "" if value is None else f"{value:.4g}"


def _hint(what: str, known: Sequence[str]) -> str:
    return (
        nearest(what, known)
        if known and "." in what
        else f"a run is named by its id or the first {_LEAST_DIGITS} digits of it or more"
    )
