"""Pausing the search for cyclic garbage while a great many objects are made that are all kept.

Ten thousand records are a million objects. Each time a quarter as many again have been made, Python's
collector goes through all of them and finds nothing to free: a quarter of the time that a report takes.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Make objects without looking for garbage among them; also a decorator. What was set is restored."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
