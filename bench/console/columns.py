"""Aligned plain text: fast enough for thousands of rows, and the same in a terminal and a pipe."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Sequence


def print_columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under a header to stdout, without columns in which no row has anything."""
    said = [any(column) for column in zip(*rows, strict=True)] or [True] * len(header)
    header, *rows = [tuple(itertools.compress(row, said)) for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = [_bold(_line(header, widths)), *(_line(row, widths) for row in rows)]
    sys.stdout.write("\n".join(lines) + "\n")


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
    return "  ".join(padded).rstrip()


def _bold(text: str) -> str:
    plain = not sys.stdout.isatty() or bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    return text if plain else f"\033[1m{text}\033[0m"
