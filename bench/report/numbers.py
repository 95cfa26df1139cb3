"""The numbers of the paper: each an answer of the records to a query, in the digits that tables show.

An answer knows the runs that it stands on, so that `trace` can lead from a number to its runs and back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bench.errors import UsageError, nearest
from bench.record.schema import RunRecord
from bench.report.numbers_fields import OF_ARM, OF_EVERYTHING, OF_PAIR, OF_STUDY, Asked
from bench.report.numbers_file import EVERYTHING, Asks, Query
from bench.report.numbers_source import Source


@dataclass(frozen=True)
class Number:
    """One answer."""

    query: Query
    text: str
    """As it is printed, a true minus sign and all."""
    runs: tuple[RunRecord, ...]
    """Those that it stands on."""

    @property
    def name(self) -> str:
        """`STUDY.KEY`."""
        return self.query.name


def answer_all(asks: Asks, sources: Mapping[str, Source]) -> list[Number]:
    """The answer to every query, in order.

    Args:
        asks: What is asked.
        sources: Results by study.

    Raises:
        UsageError: A query that the records cannot answer; one line a query.
    """
    faults, found = [], []
    for query in asks.numbers:
        try:
            found.append(_answer(query, sources))
        except LookupError as error:
            faults.append(f"{query.name}: {error.args[0]}")
    if faults:
        raise UsageError(*faults)
    return found


def _answer(query: Query, sources: Mapping[str, Source]) -> Number:
    if query.study == EVERYTHING:
        fields = OF_EVERYTHING
        source = next(iter(sources.values()))
    elif query.study in sources:
        fields, source = OF_STUDY | OF_ARM | OF_PAIR, sources[query.study]
    else:
        raise LookupError(f"no results of a study {query.study!r}; {nearest(query.study, sources)}")
    if query.of not in fields:
        raise LookupError(f"of {query.of!r}: {nearest(query.of, fields)}")
    asked = Asked(query, source, sources)
    return Number(query, fields[query.of](asked), asked.runs())
