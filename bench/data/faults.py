"""A fault of the data section, with its place, so that the study's checks can name line and column."""

from __future__ import annotations

from typing import Any

from bench.errors import UsageError

Fault = tuple[str, Any, str]
"""Key below `data` (`classes[1]`), the value that stands there, and the rule that it breaks."""


class DataFault(UsageError):
    """The data section asks for what its set does not have. `faults` carries the places."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__(*(f"data.{key}: {value} {rule}" for key, value, rule in faults))
        self.faults = faults
