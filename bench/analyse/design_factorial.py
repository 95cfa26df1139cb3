"""Effects of a two-level factorial: every arm takes part in every effect.

The effect of a factor is the mean at its second level minus the mean at its first, over all arms; an
interaction is half the difference between a factor's effects at the two levels of another. Each is one number
a seed, tested over the seeds; of a fraction, an effect carries the names of all it is aliased with.

Reference: Box, Hunter & Hunter (2005), "Statistics for Experimenters", chapters 5 and 6.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.analyse.contrast import Contrast, contrast
from bench.analyse.declared import scale_of
from bench.analyse.design_contributions import ALPHA, scores_of
from bench.analyse.multiplicity import holm
from bench.analyse.outline import short_keys
from bench.analyse.summary import ArmSummary, Block
from bench.study.factorial import Chain, Signs, chains, signs_of
from bench.study.model import Factor


@dataclass(frozen=True)
class Effect:
    """One contrast over the arms."""

    chain: Chain
    """What it estimates, factors by their short names."""
    contrast: Contrast
    p_holm: float | None
    """Over all effects."""

    @property
    def is_main(self) -> bool:
        """Whether it is the effect of one factor."""
        return len(self.chain.effect) == 1

    @property
    def is_found(self) -> bool:
        """Whether it differs from 0, over all effects."""
        return self.p_holm is not None and self.p_holm <= ALPHA


@dataclass(frozen=True)
class Effects:
    """The effects of a factorial on one kind of device."""

    factors: tuple[Factor, ...]
    names: tuple[str, ...]
    """Short names of the factors."""
    arms: tuple[ArmSummary, ...]
    rows: tuple[Signs, ...]
    """Signs of the arms."""
    effects: tuple[Effect, ...]
    """Main effects first, as declared, then interactions of two factors."""

    @property
    def is_full(self) -> bool:
        """Whether all combinations were run."""
        return len(self.arms) == 1 << len(self.factors)

    def mean_at(self, signs: Mapping[int, int]) -> tuple[tuple[float, ...], float]:
        """Mean of all arms with these signs of some factors: one value a seed, and their mean."""
        inside = [
            arm
            for arm, row in zip(self.arms, self.rows, strict=True)
            if all(row[index] == sign for index, sign in signs.items())
        ]
        scores = [scores_of(arm).by_seed for arm in inside]
        seeds = sorted(set.intersection(*(set(one) for one in scores)))
        values = tuple(math.fsum(one[seed] for one in scores) / len(scores) for seed in seeds)
        return values, math.fsum(values) / len(values)


def effects(block: Block, factors: Sequence[Factor], metric: str) -> Effects | str:
    """Main effects and interactions of two factors.

    Args:
        block: The arms on one kind of device.
        factors: Of two levels each.
        metric: A key of `bench.units.QUANTITIES`.

    Returns:
        The effects, or why there are none: they need every arm, and a seed that all arms have.
    """
    if any(len(factor.levels) != 2 for factor in factors):
        return "a factor has not two levels"
    placed = [(arm, signs) for arm in block.arms if (signs := signs_of(arm.levels, factors)) is not None]
    empty = [arm.label for arm, _ in placed if not arm.n_done]
    if empty:
        more = f" and {len(empty) - 1} more" if len(empty) > 1 else ""
        return f"an effect needs every arm, and {empty[0]}{more} has no finished run"
    arms, rows = tuple(arm for arm, _ in placed), tuple(signs for _, signs in placed)
    scores = [scores_of(arm) for arm in arms]
    if not arms or not set.intersection(*(set(one.by_seed) for one in scores)):
        return "no seed finished in every arm"
    short = short_keys([factor.key for factor in factors])
    names = tuple(short[factor.key] for factor in factors)
    unit = scale_of(metric).unit
    found = chains(names, rows)
    tested = [
        contrast(scores, [2 * sign / len(arms) for sign in chain.column], name=chain.name, unit=unit)
        for chain in found
    ]
    adjusted = holm([one.p for one in tested])
    return Effects(
        tuple(factors),
        names,
        arms,
        rows,
        tuple(Effect(*each) for each in zip(found, tested, adjusted, strict=True)),
    )
