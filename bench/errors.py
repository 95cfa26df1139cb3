"""What can go wrong, told to the person who reads it.

Every error that a user can cause or mend is a `BenchError`. It carries its lines (one a fault) and
the exit code that the command line returns; anything else that escapes is a bug of ours.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class BenchError(Exception):
    """A fault that the user can act on; `exit_code` follows the command line's table."""

    exit_code = 1

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


class UsageError(BenchError):
    """Wrong usage or a wrong study: nothing was run, nothing was written."""

    exit_code = 2


class EnvironmentFault(BenchError):
    """The machine lacks something that the study asks for: a device, a package, data, room on disk."""

    exit_code = 3


class DataMissing(EnvironmentFault):
    """A dataset or weights file is not where it was looked for."""


def nearest(word: str, choices: Iterable[str]) -> str:
    """The rule and the nearest choice, ready to follow a colon.

    Returns:
        "did you mean 'x'?" when a choice is close, else the choices themselves.
    """
    names = sorted(choices)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{close[0]}'?"
    return "one of " + ", ".join(names)
