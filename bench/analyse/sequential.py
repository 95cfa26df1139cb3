"""Adding seeds until a comparison is decided, with the error of the whole procedure held.

A design fixes its looks beforehand and shares its error with the other comparisons of the study. A decision
is a frozen record of what was seen at a look and what followed from it; replaying it from the scores must
give the same again. After stopping the repeated interval is shown, since the ordinary one is too short once
the data have decided when to stop.

Reference: Lan & DeMets (1983), Biometrika 70; Jennison & Turnbull (1989), "Interim analyses: the repeated
confidence interval approach", J. R. Statist. Soc. B 51.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from math import ceil
from typing import Any, Literal, Self

from scipy.special import ndtr

from bench.analyse.boundaries import spending_bounds
from bench.analyse.compare import ACCURACY_PCT, Comparison, Scale, compare
from bench.analyse.equivalence import tost
from bench.analyse.estimate import Rule, Scores, t_quantile

Outcome = Literal["different", "equivalent", "different and equivalent", "more seeds", "undecided"]


@dataclass(frozen=True)
class SequentialDesign:
    """When to look, and with how much error."""

    looks: tuple[int, ...]
    """Seeds of each look, ascending; the last is the most there will be."""
    alpha: float = 0.05
    """Of all comparisons that share it."""
    n_comparisons: int = 1
    """Comparisons that this rule decides; each gets an equal part of `alpha`."""
    margin: float | None = None
    """Stop for equivalence too; in the scores' unit."""

    def __post_init__(self) -> None:
        if not self.looks or self.looks[0] < 3 or list(self.looks) != sorted(set(self.looks)):
            raise ValueError(f"looks {list(self.looks)} do not ascend from three seeds or more")
        if not 0 < self.alpha < 1 or self.n_comparisons < 1:
            raise ValueError(f"alpha {self.alpha:g} over {self.n_comparisons} comparisons is no level")

    @property
    def z_bounds(self) -> tuple[float, ...]:
        """On |Z| at each look: 2.772, 2.221, 2.058 for looks at 5, 8 and 10."""
        information = tuple(n / self.looks[-1] for n in self.looks)
        return spending_bounds(information, self.alpha / self.n_comparisons)

    @property
    def nominal_alphas(self) -> tuple[float, ...]:
        """Level of the t-test at each look: .00557, .0263, .0396 for looks at 5, 8 and 10."""
        return tuple(2 * float(ndtr(-bound)) for bound in self.z_bounds)

    @property
    def t_bounds(self) -> tuple[float, ...]:
        """On |t| of the paired test at each look: 5.43, 2.81, 2.41."""
        pairs = zip(self.looks, self.nominal_alphas, strict=True)
        return tuple(t_quantile(n - 1, 1 - alpha) for n, alpha in pairs)

    @property
    def text(self) -> str:
        """One sentence without its full stop."""
        looks = ", ".join(str(n) for n in self.looks)
        shared = f", shared by {self.n_comparisons} comparisons" if self.n_comparisons > 1 else ""
        levels = ", ".join(f"{alpha:.3g}" for alpha in self.nominal_alphas)
        return f"looks at {looks} seeds, two-sided alpha {self.alpha:g}{shared}, nominal {levels}"


@dataclass(frozen=True)
class Decision:
    """What one look at one comparison found; plain values, so that it can be kept and replayed."""

    arm: str
    baseline: str
    rule: Rule
    looks: tuple[int, ...]
    alpha: float
    n_comparisons: int
    margin: float | None
    look: int
    """Counted from 1."""
    n_seeds: int
    """Planned at this look."""
    seeds: tuple[int, ...]
    """That finished in both arms and were looked at (Welch: in either)."""
    delta: float | None
    p: float | None
    nominal_alpha: float
    low: float | None
    """Repeated interval: at 1 − nominal alpha of this look."""
    high: float | None
    tost_p: float | None
    outcome: Outcome
    higher_is_better: bool = True
    unit: str = "pp"

    @property
    def stops(self) -> bool:
        """Whether no further seeds are asked for."""
        return self.outcome != "more seeds"

    @property
    def text(self) -> str:
        """One line for the log."""
        found = (
            "no interval" if self.low is None else f"repeated interval {self.low:+.3g} to {self.high:+.3g}"
        )
        words = f"look {self.look} of {len(self.looks)} ({self.n_seeds} seeds), {self.arm} against"
        return f"{words} {self.baseline}: {self.outcome}; {found} {self.unit}".rstrip()

    def as_dict(self) -> dict[str, Any]:
        """For a line of JSON."""
        return {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Self:
        """Back from a line of JSON."""
        tuples = {"looks", "seeds"}
        names = {field.name for field in fields(cls)}
        values: dict[str, Any] = {k: tuple(v) if k in tuples else v for k, v in kept.items() if k in names}
        return cls(**values)


def planned_looks(least: int, most: int) -> tuple[int, ...]:
    """Looks of `seeds: {min, max}`: at the least, half-way up, and at the most; 5, 8, 10 for 5 and 10."""
    return tuple(sorted({least, ceil((least + most) / 2), most}))


def decide(
    design: SequentialDesign,
    look: int,
    arm: Scores,
    baseline: Scores,
    rule: Rule,
    *,
    seeds: Sequence[int],
    scale: Scale = ACCURACY_PCT,
    names: tuple[str, str] = ("arm", "baseline"),
) -> Decision:
    """Look at one comparison.

    Args:
        design: The looks and their error.
        look: Which, counted from 1.
        arm: Scores of the arm; those of later seeds are not looked at.
        baseline: The same of the baseline.
        rule: Of the comparison.
        seeds: The study's seeds in their order; the look takes as many of them as it plans.
        scale: Direction and unit.
        names: Of arm and baseline.

    Returns:
        The decision. Without a p-value (spread below one test image) the repeated interval decides; below
        three finished seeds nothing does.
    """
    planned = design.looks[look - 1]
    taken = set(seeds[:planned])
    one, other = only(arm, taken), only(baseline, taken)
    found = compare(one, other, rule, scale=scale, names=names)
    level = design.nominal_alphas[look - 1]
    low, high = found.student.interval(1 - level) or (None, None)
    test = None if design.margin is None else tost(found.student, design.margin, alpha=level)
    seen = one.by_seed.keys() & other.by_seed.keys() if rule == "paired" else {*one.by_seed, *other.by_seed}
    return Decision(
        *names,
        rule,
        design.looks,
        design.alpha,
        design.n_comparisons,
        design.margin,
        look,
        planned,
        tuple(seed for seed in seeds if seed in seen),
        found.delta,
        found.p,
        level,
        low,
        high,
        None if test is None else test.p,
        _outcome(found, level, test is not None and test.is_equivalent, look == len(design.looks)),
        scale.higher_is_better,
        scale.unit,
    )


def replay(kept: Decision, arm: Scores, baseline: Scores, *, seeds: Sequence[int]) -> tuple[str, ...]:
    """Take a kept decision again from the scores.

    Args:
        kept: The decision.
        arm: Scores of the arm, later seeds included or not.
        baseline: The same of the baseline.
        seeds: The study's seeds in their order.

    Returns:
        What differs, one phrase a field; empty where it is the same.
    """
    design = SequentialDesign(kept.looks, kept.alpha, kept.n_comparisons, kept.margin)
    again = decide(
        design,
        kept.look,
        arm,
        baseline,
        kept.rule,
        seeds=seeds,
        scale=Scale(kept.higher_is_better, kept.unit, None),
        names=(kept.arm, kept.baseline),
    )
    return tuple(
        f"{name}: kept {was}, again {now}"
        for name, was in asdict(kept).items()
        if not _same(was, now := getattr(again, name))
    )


def _outcome(found: Comparison, level: float, is_equivalent: bool, is_last: bool) -> Outcome:
    if found.p is not None:
        differs = found.p <= level
    else:
        ends = found.student.interval(1 - level)
        differs = ends is not None and not ends[0] <= 0 <= ends[1]
    if differs:
        return "different and equivalent" if is_equivalent else "different"
    if is_equivalent:
        return "equivalent"
    return "undecided" if is_last else "more seeds"


def only(scores: Scores, seeds: set[int]) -> Scores:
    """Scores of some seeds."""
    return Scores({s: value for s, value in scores.by_seed.items() if s in seeds}, scores.one_image)


def _same(was: object, now: object) -> bool:
    if isinstance(was, float) and isinstance(now, float):
        return abs(was - now) <= 1e-9 * max(abs(was), abs(now))
    return was == now
