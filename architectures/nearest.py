"""The nearest choice to a word that is none, for messages that refuse it. Torch-free."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(word: str, choices: Iterable[str], *, most: int = 20) -> str:
    """`did you mean 'depth'?`, or the choices where none is near.

    Args:
        word: What was given.
        choices: What there is.
        most: Of more choices than these, only the number is told.
    """
    known = sorted(choices)
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    return "one of " + ", ".join(known) if len(known) <= most else f"none of {len(known)} is near it"
