"""Rich consoles and plain JSON, in one place, so that pipes, NO_COLOR and narrow terminals are honoured."""

from __future__ import annotations

import json
import shutil
import sys
from typing import Any

from rich.console import Console

WIDE = 200
"""Columns of a pipe: tables are not wrapped for a screen that is not there."""


def results_console() -> Console:
    """On stdout, for results."""
    return Console(width=None if sys.stdout.isatty() else WIDE, highlight=False, soft_wrap=False)


def progress_console() -> Console:
    """On stderr, for progress."""
    width = shutil.get_terminal_size().columns if sys.stderr.isatty() else WIDE
    return Console(stderr=True, width=width, highlight=False)


def print_json(value: Any) -> None:
    """Write a value to stdout as indented JSON."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
