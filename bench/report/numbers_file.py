"""`paper/numbers.toml`: which numbers and tables the paper takes from which records.

    [depth]                                                   a study
    plain56 = {of = "mean", arm = "depth=56, residual=false"} one number, `depth.plain56`

    [tables.depth]                                            one table, `tables/depth.tex`
    study = "depth"
    columns = ["model.depth", "test_top1_pct_mean"]           of results/depth/tables/arms.csv
    caption = "Depth with and without shortcuts."

The file says what is asked and of whom, never what the answer is.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from bench.errors import UsageError, nearest

NUMBERS_FILE: Final = "numbers.toml"
TABLES: Final = "tables"
"""The key that holds tables; every other one is a study, or `all`."""

EVERYTHING: Final = "all"
"""Stands for all studies that the file names."""


class _Ask(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Query(_Ask):
    """One number: what is asked, of which arms."""

    name: str
    """`STUDY.KEY`, as the paper's macro takes it."""
    study: str
    of: str
    """A field of `bench.report.numbers`."""
    arm: str | None = None
    """Its label or its name."""
    against: str | None = None
    """The arm that a difference is taken to; absent: the baseline."""
    metric: str | None = None
    """Absent: the study's own."""
    key: str | None = None
    """Of `setting`: a dotted key of the configuration."""
    device: str | None = None
    """The kind of device, where a study has two."""

    @property
    def text(self) -> str:
        """The query in words, as `trace` prints it."""
        told = self.model_dump(exclude={"name", "study"}, exclude_none=True)
        return f"{self.study}: {', '.join(f'{key}={value!r}' for key, value in told.items())}"


class TableQuery(_Ask):
    """One table: columns of a study's arms, or a cross of two factors."""

    name: str
    study: str
    caption: str
    """In words; which seeds, weights and intervals are shown is added."""
    columns: tuple[str, ...] = ()
    """By their CSV keys."""
    rows: str | None = None
    """Of a cross: the factor down."""
    across: str | None = None
    """Of a cross: the factor across."""
    wide: bool = False
    """Over both columns of a page."""
    device: str | None = None


Asked = TypeVar("Asked", bound=_Ask)


@dataclass(frozen=True)
class Asks:
    """All that a paper asks of the records."""

    numbers: tuple[Query, ...]
    tables: tuple[TableQuery, ...]

    @property
    def studies(self) -> tuple[str, ...]:
        """Every study that is asked, in the order of the file."""
        named = [*(ask.study for ask in self.numbers), *(ask.study for ask in self.tables)]
        return tuple(name for name in dict.fromkeys(named) if name != EVERYTHING)


def read_asks(path: Path) -> Asks:
    """The queries of a `numbers.toml`.

    Raises:
        UsageError: The file is absent or no TOML, or says what is not understood; one line a fault.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UsageError(f"{path}: not there; it names the paper's numbers") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: {error}") from error
    faults: list[str] = []
    tables = [
        _asked(TableQuery, f"{TABLES}.{name}", {"name": name, **given}, faults)
        for name, given in _sections(document.pop(TABLES, {}), TABLES, faults)
    ]
    numbers = [
        _asked(Query, f"{study}.{key}", {"name": f"{study}.{key}", "study": study, **given}, faults)
        for study, section in _sections(document, "", faults)
        for key, given in _sections(section, study, faults)
    ]
    if faults:
        raise UsageError(*(f"{path}: {fault}" for fault in faults))
    return Asks(tuple(filter(None, numbers)), tuple(filter(None, tables)))


def _sections(
    document: Mapping[str, Any], place: str, faults: list[str]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for key, value in document.items():
        if isinstance(value, Mapping):
            yield key, value
        else:
            faults.append(f"{place}{'.' if place else ''}{key}: not a table, but {value!r}")


def _asked(kind: type[Asked], place: str, given: Mapping[str, Any], faults: list[str]) -> Asked | None:
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        for one in error.errors():
            key = ".".join(str(part) for part in one["loc"])
            rule = one["msg"].lower()
            if one["type"] == "extra_forbidden":
                rule = f"unknown key; {nearest(key, kind.model_fields)}"
            faults.append(f"{place}.{key}: {rule}")
        return None
