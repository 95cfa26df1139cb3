"""Does the paper say what the records say, does README, and has nobody typed a number?"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.errors import BenchError, UsageError
from bench.record.schema import Record
from bench.record.study_file import STUDY_FILE
from bench.report.numbers_file import NUMBERS_FILE, Asks, read_asks
from bench.report.numbers_source import Source
from bench.report.numbers_typed import ALLOWED_FILE, read_allowed, typed_numbers
from bench.report.paper import NUMBERS_TEX, Paper
from bench.study.load import load_study


@dataclass
class PaperFound:
    """What the check of the paper came to."""

    faults: list[str] = field(default_factory=list)
    n_numbers: int = 0
    n_files: int = 0


def check_paper(
    folder: Path, results: Path, records: Mapping[str, Sequence[Record]], *, only_these: bool = False
) -> PaperFound:
    """The paper's numbers and tables against the records; of a folder without queries nothing is said.

    Args:
        folder: `paper/`.
        results: The results' root.
        records: By study, as far as they can be read.
        only_these: Leave what stands on other studies alone.
    """
    if not (folder / NUMBERS_FILE).is_file():
        return PaperFound()
    found = PaperFound()
    try:
        asks = read_asks(folder / NUMBERS_FILE)
        if only_these:
            asks = _about(asks, set(records))
        absent = [name for name in asks.studies if name not in records]
        if absent:
            raise UsageError(*(f"{results / name}: no results, which the paper asks for" for name in absent))
        sources = {
            name: Source(load_study(results / name / STUDY_FILE), records[name], results / name)
            for name in asks.studies
        }
        paper = Paper(folder, asks, sources)
        _compare(paper, found, whole=not only_these)
    except BenchError as error:
        found.faults += error.lines
    return found


def check_readme(readme: Path, paper: Path) -> list[str]:
    """README's generated parts, and numbers typed there or in the paper; one line a fault."""
    faults = []
    if readme.is_file() and "<!-- generated:" in readme.read_text(encoding="utf-8"):
        from bench.report.documents import documents  # noqa: PLC0415 - pandas loads here

        try:
            made = documents(readme.absolute().parent)
        except BenchError as error:
            return [f"{readme}: cannot be made again: {line}" for line in error.lines]
        for path, text in made.items():
            if path.read_text(encoding="utf-8") != text:
                faults.append(f"{path.relative_to(readme.absolute().parent)}: is not what the records give")
    texts = [readme] if readme.is_file() else []
    texts += sorted(path for path in paper.glob("*.tex") if path.name != NUMBERS_TEX)
    typed, idle = typed_numbers(texts, read_allowed(paper / ALLOWED_FILE))
    faults += [f"{one.path}:{one.line}: a number typed by hand: {one.text}" for one in typed]
    return faults + [
        f"{paper / ALLOWED_FILE}: nothing reads {entry.text!r} in {entry.file}" for entry in idle
    ]


def _about(asks: Asks, studies: set[str]) -> Asks:
    return Asks(
        tuple(ask for ask in asks.numbers if ask.study in studies),
        tuple(ask for ask in asks.tables if ask.study in studies),
    )


def _compare(paper: Paper, found: PaperFound, *, whole: bool) -> None:
    found.n_numbers, found.n_files = len(paper.numbers), len(paper.files)
    found.faults += _changed_numbers(paper, whole=whole)
    for relative, made in paper.files.items():
        path = paper.folder / relative
        is_told = relative == NUMBERS_TEX and (not whole or bool(found.faults))  # number by number
        if not is_told and (not path.is_file() or path.read_bytes() != made):
            found.faults.append(f"{path}: is not what the records give")
    if whole:
        found.faults += paper.strangers()


def _changed_numbers(paper: Paper, *, whole: bool) -> list[str]:
    """Each number that reads otherwise than the records say, with the places that print it."""
    path = paper.folder / NUMBERS_TEX
    kept, made = _kept_numbers(path), _numbers_of(paper.files[NUMBERS_TEX].decode())
    faults = []
    for name, text in made.items():
        if kept.get(name) != text:
            said = f"says {kept[name]}" if name in kept else "is missing"
            places = [use.place for use in paper.uses if (use.kind, use.name) == ("number", name)]
            used = f" ({', '.join(places)})" if places else ""
            faults.append(f"{path}: {name} {said}, the records give {text}{used}")
    strays = kept.keys() - made.keys() if whole else ()
    return faults + [f"{path}: {name} is asked by nobody" for name in sorted(strays)]


def _kept_numbers(path: Path) -> dict[str, str]:
    return _numbers_of(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _numbers_of(text: str) -> dict[str, str]:
    return dict(re.findall(r"^\\setnum\{([^}]+)\}\{(.*)\}$", text, flags=re.MULTILINE))
