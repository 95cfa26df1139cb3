"""The table at the end of `pytest --benchmark-only`: what each part does a second, and ratios in one run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench import units

UNITS = {"img_s": "img/s", "runs_s": "runs/s", "records_s": "records/s", "mb_s": "MB/s"}
"""Rates by their key in `extra_info`."""


@dataclass(frozen=True)
class Row:
    """One benchmark in the table."""

    group: str
    name: str
    median_s: float
    iqr_s: float
    n_rounds: int
    rate: tuple[str, float] | None
    """Key of `UNITS` and value."""
    ratios: dict[str, float]
    """Ratios against rivals, by their names in `extra_info`."""
    device: str


def table_lines(rows: Sequence[Row]) -> list[str]:
    """The table: one block a group, one line a benchmark."""
    shown = [(row, _cells(row)) for row in sorted(rows, key=lambda row: (row.group, row.device))]
    widths = [max(len(cells[column]) for _, cells in shown) for column in range(4)]
    lines = []
    head = None
    for row, cells in shown:
        if head != f"{row.group} ({row.device})":
            head = f"{row.group} ({row.device})"
            lines.append(head)
        name, rate, time, ratios = (text.rjust(width) for text, width in zip(cells, widths, strict=True))
        lines.append(f"  {name.strip().ljust(widths[0])}  {rate}  {time}  {ratios.strip()}".rstrip())
    return lines


def _cells(row: Row) -> tuple[str, str, str, str]:
    rate = "" if row.rate is None else f"{units.significant(row.rate[1])} {UNITS[row.rate[0]]}"
    spread = 100 * row.iqr_s / row.median_s
    time = f"{units.significant(1e3 * row.median_s)} ms ± {units.significant(spread, 2)} % ({row.n_rounds})"
    return row.name, rate, time, ", ".join(f"{key} {value:.3f}" for key, value in row.ratios.items())
