"""Which figure a study gets is read off its factors: an ordered number, a category, two of them, or a list.

A number takes the x axis, with a tick at each level, logarithmic where its levels grow by factors rather
than by steps; a second factor becomes the hue. What does not fit that (named arms, many factors, a sparse
design, long names) becomes a list with one row an arm.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from bench import units
from bench.analyse.outline import level_text, short_keys
from bench.analyse.summary import ArmSummary, StudySummary
from bench.study.model import Factor, Level

MOST_HUES = 6
MOST_CATEGORIES = 8
LONGEST_TICK = 14
"""Characters of a category below the x axis; longer ones are rows of a list."""

Scale = Literal["linear", "log", "even"]
"""`even`: one step a level, for categories and for numbers whose ticks would collide."""


@dataclass(frozen=True)
class Axis:
    """One factor as an axis or as a hue."""

    key: str
    label: str
    """In words, without a unit."""
    header: str
    """With the unit of its levels."""
    levels: tuple[Level, ...]
    """Ascending for numbers, as declared for categories."""
    is_number: bool
    scale: Scale
    log_base: int = 2

    def place(self, level: Level) -> float:
        """Where a level stands in data coordinates."""
        if self.scale == "even":
            return float(self.rank(level))
        assert isinstance(level, int | float)
        return float(level)

    def rank(self, level: Level) -> int:
        """Position of a level among the levels."""
        return [level_text(one) for one in self.levels].index(level_text(level))

    def shifted(self, level: Level, share: float) -> float:
        """A place beside a level: `share` of the smallest distance between two levels."""
        place = self.place(level)
        if self.scale == "log":
            gaps = _gaps([math.log(self.place(one)) for one in self.levels])
            return place * math.exp(share * min(gaps))
        return place + share * min(_gaps([self.place(one) for one in self.levels]))

    def entry(self, level: Level) -> str:
        """How a level reads in a legend."""
        return f"{self.label} = {level_text(level)}"


@dataclass(frozen=True)
class Layout:
    """How the arms of a study are laid out; without an x axis they are a list."""

    x: Axis | None = None
    hue: Axis | None = None

    @property
    def is_list(self) -> bool:
        """Whether each arm is a row."""
        return self.x is None


def choose_layout(summary: StudySummary) -> Layout:
    """The layout that the study's varied factors ask for."""
    arms = {arm.name: arm for arm in summary.arms}
    varied = [factor for factor in summary.factors if len(factor.levels) > 1]
    named = any(factor.key == "arm" for factor in varied)
    complete = all(factor.key in arm.levels for arm in arms.values() for factor in varied)
    if named or not complete or not 1 <= len(varied) <= 2:
        return Layout()
    short = short_keys([factor.key for factor in summary.factors])
    axes = sorted((axis_of(factor, short[factor.key]) for factor in varied), key=_x_first)
    x, hue = axes[0], axes[1] if len(axes) == 2 else None
    if not x.is_number and not _fits_below(x):
        return Layout()
    if hue is not None and (len(hue.levels) > MOST_HUES or _is_sparse(x, hue, list(arms.values()))):
        return Layout()
    return Layout(x, hue)


def axis_of(factor: Factor, short_key: str) -> Axis:
    """A factor as an axis: numbers ascend, and are logarithmic where that spaces them better."""
    levels = factor.levels
    label = units.factor_label(short_key)
    header = units.factor_header(factor.key, short_key)
    numbers = [level for level in levels if isinstance(level, int | float) and not isinstance(level, bool)]
    if len(numbers) < len(levels):
        return Axis(factor.key, label, header, levels, is_number=False, scale="even")
    ascending = tuple(sorted(numbers))
    scale, base = _scale(ascending)
    return Axis(factor.key, label, header, ascending, is_number=True, scale=scale, log_base=base)


def _scale(ascending: Sequence[float]) -> tuple[Scale, int]:
    places: list[float] = list(ascending)
    scale: Scale = "linear"
    base = 2
    if ascending[0] > 0 and ascending[-1] / ascending[0] >= 4:
        logs = [math.log(level) for level in ascending]
        if _unevenness(logs) <= _unevenness(places):
            scale, places = "log", logs
            base = 10 if ascending[-1] / ascending[0] >= 100 else 2
    if min(_gaps(places)) < 0.05 * (places[-1] - places[0]):
        return "even", base  # ticks would collide
    return scale, base


def _gaps(places: Sequence[float]) -> list[float]:
    return [b - a for a, b in pairwise(places)]


def _unevenness(places: Sequence[float]) -> float:
    """Coefficient of variation of the distances."""
    gaps = _gaps(places)
    centre = sum(gaps) / len(gaps)
    return math.sqrt(sum((gap - centre) ** 2 for gap in gaps) / len(gaps)) / centre


def _x_first(axis: Axis) -> tuple[bool, int]:
    """Numbers before categories, then the factor with more levels."""
    return not axis.is_number, -len(axis.levels)


def _fits_below(axis: Axis) -> bool:
    texts = [level_text(level) for level in axis.levels]
    return len(texts) <= MOST_CATEGORIES and max(map(len, texts)) <= LONGEST_TICK


def _is_sparse(x: Axis, hue: Axis, arms: Sequence[ArmSummary]) -> bool:
    """Whether too few of the combinations exist for lines and hues to say anything."""
    cells = {(level_text(arm.levels[x.key]), level_text(arm.levels[hue.key])) for arm in arms}
    return 3 * len(cells) < 2 * len(x.levels) * len(hue.levels)
