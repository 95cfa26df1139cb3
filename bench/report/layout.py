"""Which figure a study gets is read off its factors: an ordered number, a category, two of them, or a list.

Stages of a network take the x axis in the order declared, else a number does, with a tick at each level,
logarithmic where its levels grow by factors rather than by steps; a second factor becomes the hue, and
beside stages a third one becomes panels. A baseline that stands nowhere on the x axis, as one that copies no
stage, is a line across. What does not fit that (named arms, many factors, a sparse design, long names)
becomes a list with one row an arm.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from bench.analyse.outline import are_named, is_bundle, is_ordinal, level_text, short_keys
from bench.analyse.summary import ArmSummary, StudySummary
from bench.report import words
from bench.study.model import Factor, Level

MOST_HUES = 6
MOST_PANELS = 3
MOST_STAGES = 12
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
    """Ascending for numbers, as declared for others."""
    is_number: bool
    scale: Scale
    log_base: int = 2
    is_ordinal: bool = False
    """Names in an order, such as the stages of a network."""

    @property
    def is_ordered(self) -> bool:
        """Whether a line from level to level means something."""
        return self.is_number or self.is_ordinal

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
        if is_bundle(self.key):
            return level_text(level)
        if self.is_ordinal and self.label.endswith("through"):
            return f"{self.label} {level_text(level)}"
        return f"{self.label} = {level_text(level)}"


@dataclass(frozen=True)
class Layout:
    """How the arms of a study are laid out; without an x axis they are a list."""

    x: Axis | None = None
    hue: Axis | None = None
    panel: Axis | None = None
    reference: str | None = None
    """Name of the baseline where it stands nowhere on the x axis."""

    @property
    def is_list(self) -> bool:
        """Whether each arm is a row."""
        return self.x is None

    def placed(self, arms: Iterable[ArmSummary]) -> list[ArmSummary]:
        """The arms that stand on the x axis."""
        return [arm for arm in arms if arm.name != self.reference]

    def across(self, arms: Iterable[ArmSummary]) -> ArmSummary | None:
        """The arm that is a line across."""
        return next((arm for arm in arms if arm.name == self.reference), None)

    def panels(self, arms: Sequence[ArmSummary]) -> list[tuple[str | None, list[ArmSummary]]]:
        """Arms by panel with the panel's title; a line across stands in its own, or in all."""
        panel = self.panel
        if panel is None:
            return [(None, list(arms))]
        own = {level_text(level) for level in panel.levels}
        told = [(level_text(arm.levels.get(panel.key)), arm) for arm in arms]
        return [
            (panel.entry(level), [arm for text, arm in told if text == level_text(level) or text not in own])
            for level in panel.levels
        ]


def choose_layout(summary: StudySummary) -> Layout:
    """The layout that the study's varied factors ask for."""
    arms = list({arm.name: arm for arm in summary.arms}.values())
    varied = [factor for factor in summary.factors if len(factor.levels) > 1]
    if not varied or are_named({arm.name: arm.levels for arm in arms}):
        return Layout()
    short = short_keys([factor.key for factor in summary.factors])
    axes = _axes(varied, short, arms, summary.absent)
    if not axes:
        return Layout()
    x = axes[0]
    reference = summary.baseline if x.key in summary.absent and x.is_ordered else None
    arms = [arm for arm in arms if arm.name != reference]
    axes = _axes(varied, short, arms, frozenset())
    x, hue, panel = axes[0], *(*axes[1:], None, None)[:2]
    complete = all(factor.key in arm.levels for arm in arms for factor in varied)
    if not complete or len(axes) > (3 if x.is_ordinal else 2) or not (x.is_number or _fits_below(x)):
        return Layout()
    if panel is not None and hue is not None and len(panel.levels) > len(hue.levels):
        hue, panel = panel, hue
    if hue is not None and (len(hue.levels) > MOST_HUES or _is_sparse(x, hue, arms)):
        return Layout()
    if panel is not None and (len(panel.levels) > MOST_PANELS or _is_sparse(x, panel, arms)):
        return Layout()
    return Layout(x, hue, panel, reference)


def _axes(
    factors: Sequence[Factor], short: Mapping[str, str], arms: Sequence[ArmSummary], absent: frozenset[str]
) -> list[Axis]:
    """The factors that vary among the arms as axes, the one for x first; without levels that are none."""
    axes = []
    for factor in factors:
        own = {level_text(arm.levels[factor.key]) for arm in arms if factor.key in arm.levels}
        levels = [level for level in factor.levels if level_text(level) in own]
        if factor.key in absent:
            levels = [level for level in levels if level is not None]
        if len(levels) > 1:
            axes.append(axis_of(Factor(factor.key, tuple(levels)), short[factor.key]))
    return sorted(axes, key=_x_first)


def axis_of(factor: Factor, short_key: str) -> Axis:
    """A factor as an axis: numbers ascend, and are logarithmic where that spaces them better."""
    levels = factor.levels
    label = words.factor_label(factor.key, short_key)
    header = words.factor_header(factor.key, short_key)
    numbers = [level for level in levels if isinstance(level, int | float) and not isinstance(level, bool)]
    if len(numbers) < len(levels):
        ordinal = is_ordinal(factor.key, levels)
        return Axis(factor.key, label, header, levels, is_number=False, scale="even", is_ordinal=ordinal)
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


def _x_first(axis: Axis) -> tuple[bool, bool, int]:
    """Stages of a network, then numbers, then categories; of two alike the factor with more levels."""
    return not axis.is_ordinal, not axis.is_number, -len(axis.levels)


def _fits_below(axis: Axis) -> bool:
    texts = [level_text(level) for level in axis.levels]
    most = MOST_STAGES if axis.is_ordinal else MOST_CATEGORIES
    return len(texts) <= most and max(map(len, texts)) <= LONGEST_TICK


def _is_sparse(x: Axis, hue: Axis, arms: Sequence[ArmSummary]) -> bool:
    """Whether too few of the combinations exist for lines and hues to say anything."""
    cells = {(level_text(arm.levels[x.key]), level_text(arm.levels[hue.key])) for arm in arms}
    return 3 * len(cells) < 2 * len(x.levels) * len(hue.levels)
