"""A study's page: question, finding, figure, tables, every run with its configuration and environment.

The HTML is complete as it stands; the script adds sorting, filtering, the interactive figure and the panel of
a run. The page's Content-Security-Policy lets that one script run and nothing be fetched. Equal records give
equal bytes.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from typing import Final

from bench import units
from bench.analyse.cells import CellsSummary
from bench.record.schema import Record
from bench.report import words
from bench.report.html import sections
from bench.report.html.embed import Figure
from bench.report.html.payload import arm_index, payload
from bench.report.html.run_rows import ArmKey, Kind, RunRow, Summary, kind_of, run_rows, runs_table
from bench.report.html.safe import script_json, source_hash, text
from bench.report.html.settings import share
from bench.report.html_table import REPLICATES, to_html
from bench.report.table import Cell, Column, Row, RowGroup, Table
from bench.study.model import Study

FILE: Final = "report.html"
_SCRIPTS: Final = ("dom.js", "tables.js", "chart.js", "runs.js", "page.js")
_MOST_LISTED: Final = 20
"""Replicates of an arm that its row of the table spells out."""


def render_page(
    summary: Summary,
    records: Sequence[Record],
    *,
    question: str,
    name: str,
    study: Study | None = None,
    tables: Sequence[Table] = (),
    said: Sequence[str] = (),
    figures: Sequence[Figure] = (),
) -> bytes:
    """The whole page.

    Args:
        summary: Of a training study or of a throughput study.
        records: Lines of the study, in order.
        question: What the study asks; the page's first line.
        name: The study's name.
        study: The plan, where it is known.
        tables: As the report writes them, the main one first.
        said: The finding, and what else is told in words, a sentence each.
        figures: Static figures; the first one is what a reader without JavaScript sees on top.
    """
    kind, arms = kind_of(summary), arm_index(summary)
    rows = run_rows(records, summary)
    settings = (
        share(row.record.config for row in rows),
        share(row.record.environment for row in rows),
    )
    identify = _Identify(arms, {row.record.run_id: index for index, row in enumerate(rows)})
    shown = [_with_replicates(table, summary, rows, kind) for table in tables[:1]] + list(tables[1:])
    body = [
        sections.head(name, question, said, summary),
        sections.controls(kind),
        sections.main_figure(figures[0] if figures else None, kind),
        *(_section(table, identify) for table in shown),
        sections.static_figures(figures[1:]),
        sections.runs(to_html(runs_table(rows, kind), identify=identify), len(rows)),
        sections.settings(rows, *settings),
        sections.foot(study),
    ]
    data = script_json(payload(summary, rows, kind, arms, settings))
    script = _script()
    lines = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(script)}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        f"<title>{text(name)}: {text(question)}</title>" if question else f"<title>{text(name)}</title>",
        f"<style>\n{_asset('page.css')}</style>",
        "</head>",
        "<body>",
        *(part for part in body if part),
        f'<script type="application/json" id="data">{data}</script>',
        f"<script>{script}</script>",
        "</body>",
        "</html>",
        "",
    ]
    return "\n".join(lines).encode()


def _section(table: Table, identify: _Identify) -> str:
    title = sections.TABLE_TITLES.get(table.name, words.capital(table.name.replace("_", " ")))
    return f"<section>\n<h2>{text(title)}</h2>\n{to_html(table, identify=identify)}\n</section>"


@dataclass(frozen=True)
class _Identify:
    """Attributes that tie a row to its arm and, in the table of runs, to its run."""

    arms: Mapping[ArmKey, int]
    runs: Mapping[str, int]

    def __call__(self, group: RowGroup, row: Row) -> str:
        run = self.runs.get(str(row[-1].text)) if not group.key else None
        if run is not None:
            return f' data-run="{run}"'
        arm = self.arms.get((group.key, str(row[0].values[0]))) if row and row[0].values else None
        return "" if arm is None else f' data-arm="{arm}"'


def _with_replicates(table: Table, summary: Summary, rows: Sequence[RunRow], kind: Kind) -> Table:
    """The main table with a column that spells out each seed, or each repeat."""
    values: dict[ArmKey, list[RunRow]] = {}
    for row in sorted(rows, key=lambda row: row.record.seed):
        if row.value is not None:
            values.setdefault(row.arm_key, []).append(row)
    decimals = _decimals(summary)
    groups = []
    for group in table.groups:
        own = [values.get((group.key, str(row[0].values[0])), []) for row in group.rows]
        cells = [_replicates(found, decimals, kind) for found in own]
        groups.append(replace(group, rows=tuple((*r, c) for r, c in zip(group.rows, cells, strict=True))))
    column = Column((REPLICATES,), f"Each {kind.noun}", "l")
    return replace(table, columns=(*table.columns, column), groups=tuple(groups))


def _replicates(found: Sequence[RunRow], decimals: int | None, kind: Kind) -> Cell:
    shown = [row.value for row in found[:_MOST_LISTED] if row.value is not None]
    texts = [units.significant(v, 4) if decimals is None else units.fixed(v, decimals) for v in shown]
    if len(found) > _MOST_LISTED:
        texts.append(f"… ({units.plural(len(found), kind.noun)})")
    return Cell(" ".join(texts) or words.NONE, (None,))


def _decimals(summary: Summary) -> int | None:
    """Two of a percentage, else as many as make four digits."""
    return 2 if not isinstance(summary, CellsSummary) and words.quantity_of(summary).unit == "%" else None


@functools.cache
def _asset(name: str) -> str:
    return resources.files("bench.report.html").joinpath(name).read_text(encoding="utf-8")


@functools.cache
def _script() -> str:
    """Every script in one scope, which nothing outside can reach."""
    parts = "\n".join(_asset(name) for name in _SCRIPTS)
    return f'\n(() => {{\n"use strict";\n\n{parts}\n}})();\n'


def _policy(script: str) -> str:
    """One script by its digest, styles of the page itself, pictures within it; nothing from anywhere."""
    return (
        f"default-src 'none'; script-src {source_hash(script)}; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
