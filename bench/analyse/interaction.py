"""Does a factor's effect depend on another? Differences of differences and of slopes, seed by seed.

Each seed gives one number, tested against 0. F(1, n−1) of a repeated-measures analysis of variance is the
square of this t; a pooled regression would claim far more, since it takes a network that hardly trains to
vary as little as one that does.

Reference: Maxwell, Delaney & Kelley (2018), "Designing Experiments and Analyzing Data", chapter 12.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.analyse.compare import ACCURACY_PCT, Scale
from bench.analyse.contrast import Contrast, contrast
from bench.analyse.estimate import Rule, Scores
from bench.analyse.trend import Spacing, linear_weights, positions


@dataclass(frozen=True)
class Interaction:
    """How far the effect of one factor depends on another."""

    factor: str
    by: str
    one: str
    """Level of `by` whose effect is taken."""
    other: str
    """Level of `by` whose effect is taken off."""
    contrast: Contrast
    of_one: Contrast
    """The effect (difference or slope) at `one`."""
    of_other: Contrast

    @property
    def text(self) -> str:
        """One sentence without its full stop."""
        found = self.contrast
        known = f"{self.factor} at {self.by}={self.one} against {self.by}={self.other}: {found.text}"
        if found.sign == 0:
            return f"{known}; whether {self.factor}'s effect depends on {self.by} is undecided"
        return f"{known}; {self.factor}'s effect depends on {self.by}"


def difference_of_differences(
    one: tuple[Scores, Scores],
    other: tuple[Scores, Scores],
    *,
    factor: str = "factor",
    by: str = "by",
    levels: tuple[str, str] = ("one", "other"),
    scale: Scale = ACCURACY_PCT,
    rule: Rule = "paired",
) -> Interaction:
    """(second − first of `one`) − (second − first of `other`), by seed.

    Args:
        one: Scores at the factor's first and second level, where `by` has its one level.
        other: The same at its other level.
        factor: Whose effect.
        by: On what it may depend.
        levels: Of `by`.
        scale: Unit of the scores.
        rule: `paired`: one number a seed; `welch`: four independent arms.
    """
    return _between((one, other), ((-1.0, 1.0), scale.unit, "difference"), (factor, by, *levels), rule)


def slope_difference(
    one: Sequence[Scores],
    other: Sequence[Scores],
    factor_levels: Sequence[float],
    *,
    spacing: Spacing = "log2",
    factor: str = "factor",
    by: str = "by",
    levels: tuple[str, str] = ("one", "other"),
    scale: Scale = ACCURACY_PCT,
    rule: Rule = "paired",
) -> Interaction:
    """Slope of `one` − slope of `other` over an ordered factor, by seed.

    Args:
        one: Scores at each level of the factor, where `by` has its one level.
        other: The same at its other level.
        factor_levels: Ascending.
        spacing: As in `trend`.
        factor: Over what the slope is.
        by: On what it may depend.
        levels: Of `by`.
        scale: Unit of the scores.
        rule: As above.
    """
    per = {"log2": "doubling", "number": "unit", "rank": "step"}[spacing]
    weights = linear_weights(positions(factor_levels, spacing))
    unit = f"{scale.unit} per {per}".strip()
    return _between((one, other), (weights, unit, "slope"), (factor, by, *levels), rule)


def _between(
    arms: tuple[Sequence[Scores], Sequence[Scores]],
    what: tuple[Sequence[float], str, str],
    names: tuple[str, str, str, str],
    rule: Rule,
) -> Interaction:
    weights, unit, kind = what
    factor, by, one, other = names
    both = [*weights, *(-weight for weight in weights)]
    return Interaction(
        factor,
        by,
        one,
        other,
        contrast([*arms[0], *arms[1]], both, name=f"{kind} of {kind}s", unit=unit, rule=rule),
        contrast(arms[0], weights, name=f"{kind} at {by}={one}", unit=unit, rule=rule),
        contrast(arms[1], weights, name=f"{kind} at {by}={other}", unit=unit, rule=rule),
    )
