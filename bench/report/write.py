"""A study's derived files, written from its records: CSV, tables, figures, page.

Equal records give equal bytes, an unchanged file is left alone, and what an earlier report wrote and this
one does not is removed; other files in the folders are the user's and stay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.analyse.frame import csv_text, epochs_frame, runs_frame
from bench.analyse.summary import StudySummary, summarise
from bench.garbage import uncollected
from bench.record.bits import read_bits
from bench.record.schema import Record
from bench.report import latex, markdown, style
from bench.report.arms_table import arms_table
from bench.report.design_table import design_table
from bench.report.differences_table import differences_table
from bench.report.effects_table import effects_table
from bench.report.files import names, settle
from bench.report.finding import finding, verdicts_sentence
from bench.report.html.embed import Figure
from bench.report.seals import SEALS_FILE, seals_csv
from bench.report.table import Table, to_csv
from bench.report.training_tables import STEMS as TRAINING_STEMS
from bench.report.training_tables import training_tables
from bench.study.model import Study
from bench.study.specs import Metric

TABLE_STEMS: Final = ("arms", "differences", "design", "effects", *TRAINING_STEMS)
_TABLE_FORMATS: Final = ("md", "csv", "tex")


@dataclass(frozen=True)
class ReportPaths:
    """What a report left behind, and what the terminal shows of it."""

    summary: StudySummary
    table: Table
    """The main table."""
    finding: str | None
    """With the verdicts as a paragraph of their own where it does not tell of them."""
    question: str
    files: tuple[Path, ...]
    """Every file that the report consists of."""
    changed: tuple[Path, ...]
    """Those that were written because they were new or differed."""
    removed: tuple[Path, ...]
    skipped: Mapping[str, str]
    """Figures that could not be drawn, with the reason."""


@uncollected()
def write_report(
    study_folder: Path,
    records: Sequence[Record],
    *,
    metric: Metric,
    question: str,
    name: str,
    study: Study | None = None,
) -> ReportPaths:
    """Write a study's CSV files, tables, figures and page.

    Args:
        study_folder: `results/<study>`.
        records: Its lines, runs in plan order.
        metric: The study's primary metric.
        question: What the study asks; stands above the Markdown table and on top of the page.
        name: The study's name, for captions.
        study: The plan, where it is known: runs and arms that never ran are then counted as such. Without
            it the first arm is taken as the baseline.

    Raises:
        EnvironmentFault: The folder cannot be written.
    """
    from bench.report.figures import STEMS, draw_all  # noqa: PLC0415 - matplotlib only where it draws
    from bench.report.html.page import FILE, render_page  # noqa: PLC0415 - as above

    summary = summarise(records, metric, study=study)
    main = arms_table(summary, name=name)
    others = (
        differences_table(summary, name=name),
        design_table(summary, records, study, name=name),
        effects_table(summary, name=name),
        *training_tables(records, summary, read_bits(study_folder / "correct.npz"), study=study, name=name),
    )
    tables = [main, *(table for table in others if table is not None)]
    said = finding(summary)
    sentences = [text for text in (said, verdicts_sentence(summary)) if text is not None]
    contents = _frames(records) | _tables(tables, name, question, sentences)
    skipped, figures = {}, []
    for drawn in draw_all(records, summary, study=study):
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
        tables=tables,
        said=sentences,
        figures=figures,
    )
    ours = names("tables", TABLE_STEMS, _TABLE_FORMATS) | names("figures", STEMS, style.FORMATS)
    done = settle(study_folder, contents, ours)
    told = "\n\n".join(sentences) or None
    return ReportPaths(summary, main, told, question, done.files, done.changed, done.removed, skipped)


def _frames(records: Sequence[Record]) -> dict[str, bytes]:
    return {
        "records.csv": csv_text(runs_frame(records)).encode(),
        "epochs.csv": csv_text(epochs_frame(records)).encode(),
        SEALS_FILE: seals_csv(records).encode(),
    }


def _tables(tables: Sequence[Table], name: str, question: str, said: Sequence[str]) -> dict[str, bytes]:
    contents: dict[str, bytes] = {}
    for table in tables:
        head = [f"*{markdown.escape(question)}*"] if question else []
        head += [markdown.escape(text) for text in said]
        top = "".join(f"{line}\n\n" for line in head) if table.name == TABLE_STEMS[0] else ""
        texts = {
            "md": top + markdown.to_markdown(table),
            "csv": to_csv(table),
            "tex": latex.to_latex(table, label=f"tab:{name}-{table.name}"),
        }
        contents |= {f"tables/{table.name}.{suffix}": text.encode() for suffix, text in texts.items()}
    return contents
