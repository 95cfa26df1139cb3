"""`bench report`: tables and figures from the committed records alone. Asks nothing of the machine."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from bench.console.tables import results_console
from bench.errors import EnvironmentFault, UsageError
from bench.record.schema import Record
from bench.record.store import read_records
from bench.record.study_file import Declared, read_declared
from bench.study.model import Study


def write_reports(studies: Sequence[Path], overrides: Sequence[str], results: Path) -> int:
    """Write the report of each study, or of every one under `results`; exit code 0.

    Raises:
        UsageError: A study is wrong.
        EnvironmentFault: There are no records, or damaged ones.
    """
    folders = [_folder(study, overrides, results) for study in studies] or _all_folders(results)
    for folder in folders:
        records = read_records(folder / "records.jsonl")
        if not records:
            raise EnvironmentFault(f"{folder}: no records yet; `bench run` makes them")
        report_study(read_declared(folder), folder, records, results_console())
    return 0


def report_study(study: Study | Declared, folder: Path, records: Sequence[Record], console: Console) -> None:
    """Write tables and figures of one study and print its table to stdout."""
    from bench.report.write import write_report  # noqa: PLC0415 - pandas and seaborn load here

    if not records:
        sys.stderr.write(f"{study.name}: no run has finished, so there is nothing to report\n")
        return
    written = write_report(folder, records, metric=study.metric, question=study.question, name=study.name)
    written.show(console)


def _folder(path: Path, overrides: Sequence[str], results: Path) -> Path:
    from bench.study.load import load_study  # noqa: PLC0415 - not needed when every folder is reported

    return results / load_study(path, tuple(overrides)).results_name


def _all_folders(results: Path) -> list[Path]:
    folders = sorted(path.parent for path in results.glob("*/records.jsonl"))
    if not folders:
        raise UsageError(f"{results}: no study has records here; name a study or a --results folder")
    return folders
