"""The paper's generated part: what its files have to be, given the records; and where it uses what.

`paper/` holds the text by hand (`main.tex`, `references.bib`), the queries (`numbers.toml`), and what is made
from them: `numbers.tex` and `tables/`. Figures are taken from `results/` as the reports left them there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, Literal

from bench.errors import UsageError
from bench.record.store import read_records
from bench.record.study_file import STUDY_FILE
from bench.report.numbers import Number, answer_all
from bench.report.numbers_file import NUMBERS_FILE, TABLES, Asks, read_asks
from bench.report.numbers_source import Source
from bench.report.numbers_tex import numbers_tex, tables_tex
from bench.study.load import load_study

NUMBERS_TEX: Final = "numbers.tex"
MAIN: Final = "main.tex"

UseKind = Literal["number", "table", "figure"]

_PATTERNS: Final[tuple[tuple[UseKind, re.Pattern[str]], ...]] = (
    ("number", re.compile(r"\\num\{([^}]+)\}")),
    ("table", re.compile(r"\\input\{tables/([^}.]+)(?:\.tex)?\}")),
    ("figure", re.compile(r"\\includegraphics(?:\[[^\]]*\])?\{([^}]+?/figures/[^}]+)\}")),
)


@dataclass(frozen=True)
class Use:
    """One place of the text that takes something generated."""

    path: Path
    line: int
    kind: UseKind
    name: str
    """Of a number or a table; of a figure `STUDY/figures/STEM`."""

    @property
    def place(self) -> str:
        """`paper/main.tex:120`."""
        return f"{self.path}:{self.line}"


@dataclass(frozen=True)
class Paper:
    """A paper beside its results."""

    folder: Path
    asks: Asks
    sources: Mapping[str, Source]

    @cached_property
    def numbers(self) -> tuple[Number, ...]:
        """Every number, answered.

        Raises:
            UsageError: A query that the records cannot answer.
        """
        try:
            return tuple(answer_all(self.asks, self.sources))
        except UsageError as error:
            raise UsageError(*(f"{self.folder / NUMBERS_FILE}: {line}" for line in error.lines)) from error

    @cached_property
    def files(self) -> dict[str, bytes]:
        """The generated files by their path in the paper's folder.

        Raises:
            UsageError: As above.
        """
        try:
            tables = tables_tex(self.asks.tables, self.sources)
        except UsageError as error:
            raise UsageError(*(f"{self.folder / NUMBERS_FILE}: {line}" for line in error.lines)) from error
        made = {NUMBERS_TEX: numbers_tex(self.numbers).encode()}
        return made | {f"{TABLES}/{name}.tex": text.encode() for name, text in tables.items()}

    @cached_property
    def uses(self) -> tuple[Use, ...]:
        """Where the text takes numbers, tables and figures."""
        return tuple(use for path in self.texts for use in _uses(path))

    @cached_property
    def texts(self) -> tuple[Path, ...]:
        """The files written by hand."""
        return tuple(path for path in sorted(self.folder.glob("*.tex")) if path.name != NUMBERS_TEX)

    def strangers(self) -> list[str]:
        """Numbers and tables that are used and not asked for, or asked for and not used; one line each."""
        known = {
            "number": {ask.name for ask in self.asks.numbers},
            "table": {a.name for a in self.asks.tables},
        }
        taken: dict[str, set[str]] = {"number": set(), "table": set()}
        faults = []
        for use in self.uses:
            if use.kind in known:
                taken[use.kind].add(use.name)
                if use.name not in known[use.kind]:
                    faults.append(f"{use.place}: no {use.kind} {use.name} in {NUMBERS_FILE}")
        for kind, names in known.items():
            unused = sorted(names - taken[kind])
            faults += [f"{self.folder / NUMBERS_FILE}: {kind} {name} is used nowhere" for name in unused]
        return faults


def open_paper(folder: Path, results: Path) -> Paper:
    """A paper with the records of every study that it asks.

    Raises:
        UsageError: The queries are wrong, or a study has no results.
        EnvironmentFault: Records are damaged.
    """
    asks = read_asks(folder / NUMBERS_FILE)
    return Paper(folder, asks, read_sources(asks.studies, results))


def read_sources(studies: Iterable[str], results: Path) -> dict[str, Source]:
    """The results of studies by their folder's name.

    Raises:
        UsageError: A study has none; one line a study.
        EnvironmentFault: Records are damaged.
    """
    names = list(studies)
    absent = [name for name in names if not (results / name / STUDY_FILE).is_file()]
    if absent:
        raise UsageError(*(f"{results / name}: no results, which the paper asks for" for name in absent))
    return {
        name: Source(
            load_study(results / name / STUDY_FILE),
            read_records(results / name / "records.jsonl"),
            results / name,
        )
        for name in names
    }


def _uses(path: Path) -> list[Use]:
    text = re.sub(r"(?<!\\)%[^\n]*", "", path.read_text(encoding="utf-8"))
    found = [
        Use(path, text.count("\n", 0, match.start()) + 1, kind, match.group(1))
        for kind, pattern in _PATTERNS
        for match in pattern.finditer(text)
    ]
    return sorted(found, key=lambda use: use.line)
