"""`bench report`: tables and figures from the committed records alone. Asks nothing of the machine."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.console.tables import results_console
from bench.errors import EnvironmentFault, UsageError
from bench.record.schema import Record
from bench.record.store import read_records
from bench.record.study_file import STUDY_FILE
from bench.study.load import load_study
from bench.study.model import Study

if TYPE_CHECKING:
    from bench.report.cells_report import CellsReport
    from bench.report.write import ReportPaths


def write_reports(studies: Sequence[Path], overrides: Sequence[str], results: Path) -> int:
    """Write the report of each study, or of every one under `results`; exit code 0.

    Raises:
        UsageError: A study is wrong.
        EnvironmentFault: There are no records, or damaged ones.
    """
    folders = [results / load_study(study, overrides).results_name for study in studies]
    for folder in folders or all_folders(results):
        records = read_records(folder / "records.jsonl")
        if not records:
            raise EnvironmentFault(f"{folder}: no records yet; `bench run` makes them")
        report_study(folder, records)
    return 0


def report_study(folder: Path, records: Sequence[Record]) -> None:
    """Write a study's tables and figures and print its table to stdout.

    What was declared is read from the resolved study beside the records, so that every command which
    reports writes the same bytes.
    """
    from bench.report.terminal import to_plain, to_rich  # noqa: PLC0415 - pandas and seaborn load here

    study = load_study(folder / STUDY_FILE)
    if not records:
        sys.stderr.write(f"{study.name}: no run has finished, so there is nothing to report\n")
        return
    written = write_files(folder, records, study)
    console = results_console()
    if console.is_terminal:
        console.print(to_rich(written.table, width=console.width))
    else:
        sys.stdout.write(to_plain(written.table))
    if written.finding and console.is_terminal:
        console.print(f"\n{written.finding}", markup=False)
    elif written.finding:
        sys.stdout.write(f"\n{written.finding}\n")
    for figure, reason in written.skipped.items():
        sys.stderr.write(f"no figure {figure}: {reason}\n")
    parts = "timm/" if study.is_throughput else "epochs.csv"
    sys.stderr.write(f"report in {folder}: report.html, records.csv, {parts}, tables/, figures/\n")


def write_files(folder: Path, records: Sequence[Record], study: Study) -> ReportPaths | CellsReport:
    """Write the report of the study's kind, without a word."""
    if study.metric == "img_s":
        from bench.report.cells_report import write_cells_report  # noqa: PLC0415 - pandas and seaborn load here

        return write_cells_report(folder, records, question=study.question, name=folder.name, study=study)
    from bench.report.write import write_report  # noqa: PLC0415 - as above

    return write_report(
        folder, records, metric=study.metric, question=study.question, name=folder.name, study=study
    )


def all_folders(results: Path) -> list[Path]:
    """The folder of every study with records.

    Raises:
        UsageError: There is none.
    """
    folders = sorted(path.parent for path in results.glob("*/records.jsonl"))
    if not folders:
        raise UsageError(f"{results}: no study has records here; name a study or a --results folder")
    return folders
