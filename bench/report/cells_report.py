"""A throughput study's derived files, written from its records: CSV, table, figures, page, rows for timm.

As of a training study: equal records give equal bytes, an unchanged file is left alone, and what an earlier
report wrote and this one does not is removed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.analyse.cells import CellsSummary, cell_records, summarise_cells
from bench.analyse.cells_frame import cells_frame
from bench.analyse.frame import csv_text
from bench.garbage import uncollected
from bench.record.schema import Record
from bench.report import cells_table, latex, markdown, style
from bench.report.cells_finding import cells_finding
from bench.report.cells_print import parts_for_print
from bench.report.files import names, settle
from bench.report.html.embed import Figure
from bench.report.seals import SEALS_FILE, seals_csv
from bench.report.table import Table, to_csv
from bench.report.timm_csv import FOLDER, timm_files
from bench.study.model import Study


@dataclass(frozen=True)
class CellsReport:
    """What a report left behind, and what the terminal shows of it."""

    summary: CellsSummary
    table: Table
    finding: str | None
    question: str
    files: tuple[Path, ...]
    """Every file that the report consists of."""
    changed: tuple[Path, ...]
    """Those that were written because they were new or differed."""
    removed: tuple[Path, ...]
    skipped: Mapping[str, str]
    """Figures that could not be drawn, with the reason."""


@uncollected()
def write_cells_report(
    study_folder: Path, records: Sequence[Record], *, question: str, name: str, study: Study | None = None
) -> CellsReport:
    """Write a throughput study's CSV files, table, figures, page and files for timm.

    Args:
        study_folder: `results/<study>`.
        records: Its lines, cells in plan order.
        question: What the study asks; stands above the Markdown table.
        name: The study's name, for captions.
        study: The plan, where it is known: repeats and cells that never ran are then counted as such.
            Without it the first cell is taken as the baseline.

    Raises:
        EnvironmentFault: The folder cannot be written.
    """
    from bench.report.cells_figures import STEMS, draw_cells  # noqa: PLC0415 - matplotlib only where it draws
    from bench.report.html.page import FILE, render_page  # noqa: PLC0415 - as above

    summary = summarise_cells(records, study=study)
    table, said = cells_table.cells_table(summary, name=name), cells_finding(summary)
    contents = {"records.csv": csv_text(cells_frame(cell_records(records))).encode()}
    contents[SEALS_FILE] = seals_csv(records).encode()
    contents |= _tables(table, name, question, said)
    contents |= {f"{FOLDER}/{file}": text.encode() for file, text in timm_files(records).items()}
    skipped, figures = {}, []
    for drawn in draw_cells(summary):
        if drawn.skipped is not None:
            skipped[drawn.stem] = drawn.skipped
        else:
            figures.append(Figure(drawn.stem, drawn.files))
        for suffix, data in drawn.files.items():
            contents[f"figures/{drawn.stem}.{suffix}"] = data
    contents[FILE] = render_page(
        summary,
        records,
        question=question,
        name=name,
        study=study,
        tables=[table],
        said=[said] if said else [],
        figures=figures,
    )
    earlier = (study_folder / FOLDER).glob("benchmark-*.csv")
    ours = {f"{FOLDER}/{path.name}" for path in earlier} | names("figures", STEMS, style.FORMATS)
    done = settle(study_folder, contents, ours)
    return CellsReport(summary, table, said, question, done.files, done.changed, done.removed, skipped)


def _tables(table: Table, name: str, question: str, said: str | None) -> dict[str, bytes]:
    head = [f"*{markdown.escape(question)}*"] if question else []
    head += [markdown.escape(said)] if said else []
    texts = {
        "md": "".join(f"{line}\n\n" for line in head) + markdown.to_markdown(table),
        "csv": to_csv(table),
        "tex": "\n".join(
            latex.to_latex(part, label=f"tab:{name}-{part.name}") for part in parts_for_print(table)
        ),
    }
    return {f"tables/{table.name}.{suffix}": text.encode() for suffix, text in texts.items()}
