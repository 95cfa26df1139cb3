"""What every section of a study has in common: closed, frozen, strict models."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel, ConfigDict

SCHEMA = 1
"""Version of the study file; part of every run's identity."""

CALLABLE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
"""A user's own function or class, as `package.module:callable`."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""A study's name is a folder's name."""


class Spec(BaseModel):
    """Frozen, strict, closed: unknown keys and guessed types are faults."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)


def is_callable_name(name: str) -> bool:
    """Whether `name` has the form `package.module:callable`."""
    return CALLABLE.fullmatch(name) is not None


def nothing_said(value: Any) -> bool:
    """Whether a section is written and every key of it is null, as a level of null leaves it."""
    return isinstance(value, dict) and bool(value) and all(inner is None for inner in value.values())
