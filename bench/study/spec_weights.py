"""The section `weights`: where a network starts from."""

from __future__ import annotations

from typing import Self

from pydantic import (
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from bench.errors import nearest
from bench.study.spec import NAME, Spec

WEIGHTS = ("weights",)
"""The section for which one word may stand: `weights: timm` is `weights: {from: timm}`."""

WEIGHTS_WORDS = ("pretrain", "random", "timm")
"""Sources of weights that are no files."""

WEIGHTS_SUFFIXES = (".safetensors", ".pth", ".pt")
"""How names of weights files end."""


class WeightsSpec(Spec):
    """Where a network's initial weights come from; a plain word is short for `{from: word}`."""

    model_config = ConfigDict(validate_by_name=False, validate_by_alias=True, serialize_by_alias=True)

    source: str | None = Field(default=None, alias="from")
    """`pretrain` (the study's own section), `timm`, `random` (nothing is copied), or a weights file."""
    run: str | None = None
    """A run of an earlier study, `STUDY/ARM` (`STUDY` alone: its baseline); seed s takes seed s."""
    through: str | None = None
    """Copy this stage and all before it, leave the rest at its fresh initial value; absent: copy all."""

    @field_validator("source")
    @classmethod
    def _source_is_a_word_or_a_file(cls, value: str | None) -> str | None:
        if value is None or value in WEIGHTS_WORDS or value.endswith(WEIGHTS_SUFFIXES):
            return value
        guess = nearest(value, WEIGHTS_WORDS)
        if not guess.startswith("did you mean"):
            guess = f"a weights file ends in {_listed(WEIGHTS_SUFFIXES)}; else {guess}"
        raise ValueError(f"{value!r} is no source of weights; {guess}")

    @field_validator("run")
    @classmethod
    def _run_names_a_study(cls, value: str | None) -> str | None:
        study, slash, arm = (value or "").partition("/")
        if value is None or (NAME.fullmatch(study) and bool(slash) == bool(arm)):
            return value
        raise ValueError(f"{value!r} names no run; write STUDY/ARM, or STUDY for its baseline")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.source is None) == (self.run is None):
            raise ValueError("give `from` or `run`, one of them")
        return self

    @property
    def file(self) -> str | None:
        """The weights file, where the source is one."""
        return None if self.source in (None, *WEIGHTS_WORDS) else self.source


def _listed(words: tuple[str, ...]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"
