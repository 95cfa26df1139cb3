"""What one change is worth: each component left out of a full recipe, each level put into a baseline alone.

One number a seed where a seed is shared (the same network on the same images), else a difference of means.
The contributions of a recipe's components need not add up: two of them may do the same work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from bench.analyse.contrast import Contrast, contrast
from bench.analyse.declared import ArmComparison, scale_of
from bench.analyse.estimate import Rule, Scores
from bench.analyse.multiplicity import holm
from bench.analyse.summary import ArmSummary, Block

LEAVE_ONE_OUT, ONE_AT_A_TIME = "leave_one_out", "one_at_a_time"

ALPHA: Final = 0.05
"""Of what a design shows beside the declared comparisons, over its rows by Holm."""

Standing = Literal["helps", "harms", "no difference that matters", "undecided"]
"""What may be said of a change, in the words of a figure's legend."""


@dataclass(frozen=True)
class Contribution:
    """One change and what it brings."""

    name: str
    """The component, or the level: `lr=0.2`."""
    arm: ArmSummary
    """Without the component, or with the level."""
    contrast: Contrast
    """Of `leave_one_out` full recipe minus the recipe without it; else level minus baseline."""
    p_holm: float | None
    """Over the changes of the design."""
    placed: tuple[float, ...]
    """Where the arm's runs are drawn beside the reference's mean: by seed where the rule pairs."""
    standing: Standing
    """By the declared comparison's verdict; where none is declared by `p_holm`, at 0.05."""


@dataclass(frozen=True)
class Contributions:
    """All changes of a design on one kind of device."""

    kind: str
    reference: ArmSummary
    """The full recipe, or the baseline."""
    changes: tuple[Contribution, ...]
    """As declared."""

    @property
    def ranked(self) -> tuple[Contribution, ...]:
        """Those with a result by size, the largest gain first; those without at the end."""
        return tuple(sorted(self.changes, key=lambda one: -_size(one)))


def contributions(block: Block, kind: str, metric: str) -> Contributions | str:
    """What each change of the design is worth.

    Args:
        block: The arms on one kind of device.
        kind: `leave_one_out` or `one_at_a_time`.
        metric: A key of `bench.units.QUANTITIES`.

    Returns:
        The contributions, or why there are none.
    """
    reference = next((arm for arm in block.arms if arm.is_baseline), None)
    if reference is None or not reference.n_done:
        return "the baseline has no finished run"
    others = [arm for arm in block.arms if not arm.is_baseline]
    if not any(arm.n_done for arm in others):
        return "no arm but the baseline has a finished run"
    unit = scale_of(metric).unit
    base = scores_of(reference)
    found = [_contrast(kind, arm, base, unit) for arm in others]
    adjusted = holm([one.p for one in found])
    return Contributions(
        kind,
        reference,
        tuple(
            Contribution(
                _name(kind, arm),
                arm,
                one,
                p,
                _placed(arm, base, one.rule),
                _standing(kind, block.comparison(arm.name, reference.name), one, p, metric),
            )
            for arm, one, p in zip(others, found, adjusted, strict=True)
        ),
    )


def scores_of(arm: ArmSummary) -> Scores:
    """The arm's finished runs by seed."""
    return Scores({point.seed: point.value for point in arm.points}, arm.one_image)


def _contrast(kind: str, arm: ArmSummary, base: Scores, unit: str) -> Contrast:
    weights = (1.0, -1.0) if kind == LEAVE_ONE_OUT else (-1.0, 1.0)
    rule: Rule = arm.difference.rule if arm.difference is not None else "welch"
    return contrast((base, scores_of(arm)), weights, name=_name(kind, arm), unit=unit, rule=rule)


def _name(kind: str, arm: ArmSummary) -> str:
    return arm.name.removeprefix("without ") if kind == LEAVE_ONE_OUT else arm.label


def _standing(
    kind: str, declared: ArmComparison | None, one: Contrast, p_holm: float | None, metric: str
) -> Standing:
    """An arm that is worse without a component says that the component helps."""
    if declared is not None:
        if declared.claim.is_tie:
            return "undecided" if declared.verdict == "undecided" else "no difference that matters"
        return "helps" if (declared.verdict == "better") != (kind == LEAVE_ONE_OUT) else "harms"
    if p_holm is None or p_holm > ALPHA or one.estimate is None:
        return "undecided"
    return "helps" if (one.estimate > 0) == scale_of(metric).higher_is_better else "harms"


def _placed(arm: ArmSummary, base: Scores, rule: Rule) -> tuple[float, ...]:
    """Each seed's own difference laid at the reference's mean; of unpaired arms the values themselves."""
    if rule == "welch" or not base.by_seed:
        return tuple(point.value for point in arm.points)
    centre = sum(base.values) / len(base.values)
    pairs: Sequence[tuple[float, float]] = [
        (point.value, base.by_seed[point.seed]) for point in arm.points if point.seed in base.by_seed
    ]
    return tuple(centre + value - theirs for value, theirs in pairs)


def _size(one: Contribution) -> float:
    return float("-inf") if one.contrast.estimate is None else one.contrast.estimate
