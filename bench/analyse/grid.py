"""What a design shows beyond pairs of arms: trends along ordered factors, and how two factors interact.

They follow from the design, not from the declared comparisons, so their p-values stand outside the family
and each alone. Contrasts are taken seed by seed, which is right whether or not a seed shares anything
between arms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.analyse.compare import Scale
from bench.analyse.declared import ArmRuns, rule_of
from bench.analyse.interaction import Interaction, difference_of_differences, slope_difference
from bench.analyse.outline import is_ordinal, level_text, short_keys
from bench.analyse.trend import Spacing, Trend, trend
from bench.study.model import Factor, Level

MOST_LEVELS = 6
"""Levels of the factor on which another's effect may depend."""

LEAST_LEVELS = 3
"""Of a trend; two levels are a comparison."""


@dataclass(frozen=True)
class FactorTrend:
    """The metric along one ordered factor, all else at one level."""

    factor: str
    """Dotted key."""
    where: Mapping[str, Level]
    """Levels of the other varied factors."""
    levels: tuple[Level, ...]
    """Ascending for numbers, as declared for stages."""
    trend: Trend


@dataclass(frozen=True)
class FactorInteraction:
    """How far a factor's effect depends on another."""

    factor: str
    """Dotted key of the factor whose effect it is."""
    by: str
    """Dotted key of the factor on which it may depend."""
    ends: tuple[Level, Level]
    """Of the factor: its first and its last level."""
    one: Level
    """Of `by`: the baseline's level, else the first declared."""
    other: Level
    differences: Interaction
    """From the first to the last level."""
    slopes: Interaction | None
    """Over all levels of an ordered factor; None below three."""


@dataclass(frozen=True)
class Cell:
    """An arm with its levels."""

    levels: Mapping[str, Level]
    runs: ArmRuns


def trends_of(factors: Sequence[Factor], cells: Sequence[Cell], scale: Scale) -> tuple[FactorTrend, ...]:
    """Every ordered factor of three or more levels, for each combination of the others that holds them all.

    Args:
        factors: Of the study, in order.
        cells: Its arms on one kind of device.
        scale: Of the metric.
    """
    varied = [factor for factor in factors if len(factor.levels) > 1]
    short = short_keys([factor.key for factor in factors])
    found = []
    for factor in varied:
        if not is_ordered(factor):
            continue
        others = [other.key for other in varied if other is not factor]
        for own in _strata(cells, factor.key, others):
            row = _row(own, factor)
            if len(row) < LEAST_LEVELS:
                continue
            levels = [cell.levels[factor.key] for cell in row]
            line = trend(
                [cell.runs.scores for cell in row],
                _positions(levels),
                factor=short[factor.key],
                spacing=_spacing(levels),
                scale=scale,
                step_rule=rule_of(row[0].runs.runs, row[1].runs.runs),
            )
            where = {key: row[0].levels[key] for key in others if key in row[0].levels}
            found.append(FactorTrend(factor.key, where, tuple(levels), line))
    return tuple(found)


def interactions_of(
    factors: Sequence[Factor], cells: Sequence[Cell], baseline: Mapping[str, Level], scale: Scale
) -> tuple[FactorInteraction, ...]:
    """The interactions of two varied factors whose grid is whole; empty for any other design.

    Args:
        factors: Of the study, in order.
        cells: Its arms on one kind of device.
        baseline: Levels of the baseline, empty where there is none.
        scale: Of the metric.
    """
    chosen = _factor_and_by(factors)
    if chosen is None:
        return ()
    factor, by = chosen
    rows = {
        level_text(level): _row([c for c in cells if _has(c, by.key, level)], factor) for level in by.levels
    }
    n_levels = sum(level is not None for level in factor.levels)
    known = [level for level in by.levels if rows[level_text(level)]]
    if len(known) < 2 or any(len(rows[level_text(level)]) < n_levels for level in known):
        return ()
    texts = [level_text(level) for level in known]
    base = level_text(baseline.get(by.key))
    one = known[texts.index(base)] if base in texts else known[0]
    short = short_keys([factor.key for factor in factors])
    names = (short[factor.key], short[by.key])
    first = rows[level_text(one)]
    return tuple(
        _interaction((factor, by), names, (one, other), (first, rows[level_text(other)]), scale)
        for other in known
        if other is not one
    )


def is_ordered(factor: Factor) -> bool:
    """Whether its levels are numbers, or stages of a network."""
    levels = [level for level in factor.levels if level is not None]
    return all(_is_number(level) for level in levels) or is_ordinal(factor.key, levels)


def _factor_and_by(factors: Sequence[Factor]) -> tuple[Factor, Factor] | None:
    """Of two varied factors the one whose effect is taken, and the one on which it may depend."""
    varied = [factor for factor in factors if len(factor.levels) > 1]
    if len(varied) != 2:
        return None
    fitting = [(a, b) for a, b in (varied, varied[::-1]) if is_ordered(a) or _count(a) == 2]
    fitting = [(a, b) for a, b in fitting if _count(b) <= MOST_LEVELS]
    fitting.sort(key=lambda pair: (not is_ordered(pair[0]), -_count(pair[0])))
    return fitting[0] if fitting else None


def _count(factor: Factor) -> int:
    return sum(level is not None for level in factor.levels)


def _interaction(
    factors: tuple[Factor, Factor],
    names: tuple[str, str],
    levels: tuple[Level, Level],
    rows: tuple[Sequence[Cell], Sequence[Cell]],
    scale: Scale,
) -> FactorInteraction:
    """Both ways to put it: from end to end, and by the slopes."""
    one, other = ([cell.runs.scores for cell in row] for row in rows)
    own = [cell.levels[factors[0].key] for cell in rows[0]]
    texts = (level_text(levels[0]), level_text(levels[1]))
    slopes = None
    if len(own) >= LEAST_LEVELS:
        slopes = slope_difference(
            one,
            other,
            _positions(own),
            spacing=_spacing(own),
            factor=names[0],
            by=names[1],
            levels=texts,
            scale=scale,
        )
    differences = difference_of_differences(
        (one[0], one[-1]), (other[0], other[-1]), factor=names[0], by=names[1], levels=texts, scale=scale
    )
    ends = (own[0], own[-1])
    return FactorInteraction(factors[0].key, factors[1].key, ends, *levels, differences, slopes)


def _strata(cells: Sequence[Cell], key: str, others: Sequence[str]) -> list[list[Cell]]:
    """Arms that are equal but for one factor."""
    strata: dict[tuple[str | None, ...], list[Cell]] = {}
    for cell in cells:
        if cell.levels.get(key) is not None:
            told = tuple(level_text(cell.levels[o]) if o in cell.levels else None for o in others)
            strata.setdefault(told, []).append(cell)
    return list(strata.values())


def _row(cells: Sequence[Cell], factor: Factor) -> list[Cell]:
    """One arm a level in the factor's order: numbers ascend, stages stand as declared."""
    by_level = {level_text(cell.levels[factor.key]): cell for cell in cells if factor.key in cell.levels}
    numbers = [level for level in factor.levels if _is_number(level)]
    named = [level for level in factor.levels if level is not None]
    ordered = sorted(numbers, key=_number) if numbers else named
    return [by_level[level_text(level)] for level in ordered if level_text(level) in by_level]


def _positions(levels: Sequence[Level]) -> list[float]:
    return [_number(level) if _is_number(level) else float(rank) for rank, level in enumerate(levels)]


def _spacing(levels: Sequence[Level]) -> Spacing:
    """Stages count by their rank; numbers by doublings, or as they are where one is not above 0."""
    if not all(_is_number(level) for level in levels):
        return "rank"
    return "log2" if min(map(_number, levels)) > 0 else "number"


def _has(cell: Cell, key: str, level: Level) -> bool:
    return key in cell.levels and level_text(cell.levels[key]) == level_text(level)


def _is_number(level: object) -> bool:
    return isinstance(level, int | float) and not isinstance(level, bool)


def _number(level: Level) -> float:
    assert isinstance(level, int | float)  # asked before
    return float(level)
