"""The parts of a page, each as it reads without JavaScript."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bench import units
from bench.analyse.cells import CellsSummary
from bench.report import words
from bench.report.html.embed import Figure, embed
from bench.report.html.run_rows import Kind, RunRow, Summary
from bench.report.html.safe import text
from bench.report.html.settings import Pairs, Shared
from bench.report.html_table import to_html
from bench.report.table import Cell, Column, Row, RowGroup, Table
from bench.study.model import Study

TABLE_TITLES: Final = {
    "arms": "Results",
    "differences": "Differences to the baseline",
    "cells": "Results",
    "design": "What the design shows",
    "effects": "Trends and interactions",
    "reach": "Time to the target",
    "reach_differences": "Time to the target beside the baseline",
    "equal": "Accuracy at equal epochs, time and operations",
    "classes": "Class by class",
    "images": "Image by image",
}
FIGURE_TITLES: Final = {
    "metric": "The metric against what was varied",
    "errors": "Training error beside test error",
    "curves": "Learning curves",
    "speed": "Accuracy against training speed",
    "cost": "What freezing saves",
    "cells": "Throughput of every cell",
    "matrix": "Precision by compilation and layout",
    "batch": "Throughput against batch size",
    "roofline": "Roofline",
    "forest": "Differences with their intervals",
    "pareto": "Accuracy against throughput and parameters",
    "confusion": "Confusion matrix",
    "contributions": "What each component contributes",
    "path": "The path from the baseline to the full recipe",
    "effects": "Main effects",
    "interactions": "Interactions of two factors",
    "reach": "Share of runs that reached the target",
    "equal": "Accuracy at equal epochs, time and operations",
}

_OPEN_ROWS: Final = 120
"""Runs up to which their table stands open."""

_OPEN_VERDICTS: Final = 4
_MOST_CONFIGS: Final = 200
_MOST_KEYS: Final = 12
_MOST_GAPS: Final = 8


def head(name: str, question: str, said: Sequence[str], summary: Summary) -> str:
    """Question first, then the finding and the verdicts, what they rest on, and what is missing."""
    told = said or ("No run has finished, so nothing is found yet.",)
    parts = [
        "<header>",
        f'<p class="study">Study {text(name)}</p>',
        f"<h1>{text(question or name)}</h1>",
        *(f'<p class="finding">{text(sentence)}</p>' for sentence in told),
        _verdicts(summary),
        f'<ul class="facts">{"".join(f"<li>{text(fact)}</li>" for fact in _facts(summary))}</ul>',
        _gaps(summary),
        "</header>",
        "<main>",
    ]
    return "\n".join(part for part in parts if part)


def _verdicts(summary: Summary) -> str:
    """Each declared comparison in a sentence, where the study declares any."""
    found = [c for block in summary.blocks for c in getattr(block, "comparisons", ())]
    if not found:
        return ""
    items = "".join(f"<li>{text(words.capital(c.text))}.</li>" for c in found)
    state = " open" if len(found) <= _OPEN_VERDICTS else ""
    title = f"Verdict of each declared comparison ({len(found):,})"
    return f'<details class="verdicts"{state}><summary>{title}</summary><ul>{items}</ul></details>'


def _facts(summary: Summary) -> list[str]:
    arms = {arm.name for arm in summary.arms}
    done, planned = (sum(getattr(arm, key) for arm in summary.arms) for key in ("n_done", "n_runs"))
    cells = isinstance(summary, CellsSummary)
    return [
        units.plural(len(arms), "cell" if cells else "arm"),
        units.plural(len(summary.seeds), "repeat" if cells else "seed"),
        f"{done:,} of {units.plural(planned, 'repeat' if cells else 'run')} with a result",
        *(words.block_label(block) for block in summary.blocks),
        *(
            f"torch {version}"
            for version in dict.fromkeys(v for b in summary.blocks for v in b.torch_versions)
        ),
    ]


def _gaps(summary: Summary) -> str:
    """Runs without a result, told before any number."""
    told = [(arm.label, gap.text) for arm in summary.arms for gap in arm.gaps]
    if not told:
        return ""
    items = [f"<li><b>{text(label)}</b>: {text(gap)}</li>" for label, gap in told[:_MOST_GAPS]]
    if len(told) > _MOST_GAPS:
        items.append(f"<li>and {len(told) - _MOST_GAPS:,} more; the tables mark each</li>")
    return f'<div class="gaps" role="note"><p>Without a result:</p><ul>{"".join(items)}</ul></div>'


def controls(kind: Kind) -> str:
    """Filter, replicates on or off, theme; shown by the script that they need."""
    return f"""<div class="controls" hidden>
<label class="filter"><span>Filter</span> <input id="filter" type="search" autocomplete="off" \
spellcheck="false" placeholder="arm, status, device …"></label>
<label><input id="replicates" type="checkbox" checked> {text(words.capital(kind.noun))}s</label>
<label><span class="wide">Theme</span> <select id="theme" aria-label="Theme">\
<option value="auto">Auto</option><option value="light">Light</option><option value="dark">Dark</option>\
</select></label>
<output id="matches" aria-live="polite"></output>
</div>"""


def main_figure(figure: Figure | None, kind: Kind) -> str:
    """Where the script draws; until then, and without it, the static figure."""
    fixed = "" if figure is None else (embed(figure, figure_title(figure.stem)) or "")
    return f"""<section id="main-figure">
<h2>{text(words.capital(kind.header))}</h2>
<div id="charts" hidden></div>
<p class="hint" hidden>Point at a dot to see its run, click to open it. By keyboard: Tab to the figure, \
arrow keys from run to run, Enter to open.</p>
<div class="static" id="fixed-figure">{fixed}</div>
</section>"""


def figure_title(stem: str) -> str:
    """A figure's title; of two kinds of device each says which."""
    plain, _, kind = stem.partition("-")
    title = FIGURE_TITLES.get(plain, words.capital(plain.replace("_", " ")))
    return f"{title} ({kind.replace('-', ' ')})" if kind else title


def static_figures(figures: Sequence[Figure]) -> str:
    """The other figures, as they were saved."""
    shown = []
    for figure in figures:
        title = figure_title(figure.stem)
        drawn = embed(figure, title)
        if drawn is not None:
            caption = f"<figcaption>{text(title)}</figcaption>"
            shown.append(f'<figure>{caption}<div class="static" tabindex="0">{drawn}</div></figure>')
    if not shown:
        return ""
    return f'<section>\n<h2>Figures</h2>\n<div class="figures">{"".join(shown)}</div>\n</section>'


def runs(table: str, count: int) -> str:
    """Every run; folded where there are very many."""
    state = " open" if count <= _OPEN_ROWS else ""
    return f"""<section id="runs">
<details{state}><summary><h2>Runs ({count:,})</h2></summary>
{table}
</details>
</section>"""


def settings(rows: Sequence[RunRow], configs: Shared, environments: Shared) -> str:
    """What every run was set to and where it ran: the common part once, the rest in a table."""
    return f"""<section id="settings">
<h2>Configuration and environment</h2>
{_varied("configurations", "Configuration keys that differ, with the runs that share them.", rows, configs)}
{_common("Configuration common to all runs", configs.common)}
{_varied("environments", "What differs between environments, with their runs.", rows, environments)}
{_common("Environment common to all runs", environments.common)}
</section>"""


def _common(title: str, pairs: Pairs) -> str:
    if not pairs:
        return ""
    rows = "".join(f"<dt>{text(key)}</dt><dd>{text(value)}</dd>" for key, value in pairs)
    return f'<details><summary>{text(title)} ({len(pairs)})</summary><dl class="pairs">{rows}</dl></details>'


def _varied(name: str, caption: str, rows: Sequence[RunRow], shared: Shared) -> str:
    """One row a distinct set of settings; what no table holds is told for each run by the script."""
    keys = shared.varied
    if not keys:
        return ""
    if len(shared.own) > _MOST_CONFIGS or len(keys) > _MOST_KEYS:
        told = f"{len(shared.own):,} {name} differ in {units.plural(len(keys), 'key')}: {', '.join(keys)}."
        return f"<p>{text(told)} Open a run to see its own; records.jsonl has all.</p>"
    runs_of: dict[int, list[RunRow]] = {}
    for row, index in zip(rows, shared.of_run, strict=True):
        runs_of.setdefault(index, []).append(row)
    columns = (
        Column(("runs",), "Arm", "l"),
        *(Column((key,), key, "l") for key in keys),
        Column(("n",), "Runs"),
    )
    body: list[Row] = []
    for index, pairs in enumerate(shared.own):
        own, values = runs_of[index], dict(pairs)
        labels = list(dict.fromkeys(row.label for row in own))
        shown = labels[0] if len(labels) == 1 else f"{labels[0]} and {len(labels) - 1} more"
        cells = (Cell(values.get(key, words.NONE), (None,)) for key in keys)
        body.append((Cell(shown, (None,)), *cells, Cell(str(len(own)), (len(own),))))
    table = Table(name, caption, columns, (RowGroup("", "", tuple(body)),))
    title = f"{text(words.capital(name))} ({len(body)})"
    return f"<details open><summary>{title}</summary>{to_html(table)}</details>"


def foot(study: Study | None) -> str:
    """Where the numbers come from."""
    design = f"Design: {text(study.design)}. " if study is not None and study.design else ""
    return (
        f"</main>\n<footer><p>Written by <code>bench report</code> from records.jsonl alone; equal records "
        f"give equal bytes. {design}Full precision: records.csv and tables/ beside this page.</p>"
        "</footer>"
    )
