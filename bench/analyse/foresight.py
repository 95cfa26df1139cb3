"""Before a study is run: what its seeds can detect, and how many a difference would need.

The spread comes from the study's own records where they hold a comparison with three seeds or more: the root
mean square over the comparisons of one rule (paired by seed, or not) of the sd of the differences, or of both
arms. Before that, everything is in units of that sd.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.analyse.estimate import LEAST_SEEDS, Rule, standard_deviation
from bench.analyse.power import POWER, detectable, equivalence_seeds, seeds_needed
from bench.record.schema import Record, RunRecord
from bench.study.comparisons import pairs_of
from bench.study.model import Arm, Study

IN_SDS = (1.0, 2.0)
"""Differences for which seeds are counted while nothing is known of the spread."""

IN_POINTS = (0.5, 1.0)
"""The same in percentage points, where it is known and the study declares no margin."""


@dataclass(frozen=True)
class Foresight:
    """What the planned seeds can do for the comparisons of one rule."""

    rule: Rule
    n_pairs: int
    """Comparisons of this rule."""
    n_comparisons: int
    """All that share alpha."""
    alpha: float
    n: int
    """Seeds that are planned (at most)."""
    unit: str
    sd: float | None
    """From the study's records, in the metric's unit."""
    n_pilot: int
    """Comparisons behind `sd`."""
    effect: float | None
    """Smallest difference found, in sds; None below three seeds."""
    needed: tuple[tuple[float, int | None], ...]
    """A difference (in the metric's unit where `sd` is known, else in sds), and the seeds that it needs."""
    margin: float | None = None
    """That the study declares, where the spread is known."""
    needed_within: int | None = None
    """Seeds that show equal arms to be equivalent within it."""

    @property
    def delta(self) -> float | None:
        """Smallest difference found, in the metric's unit."""
        return None if self.sd is None or self.effect is None else self.effect * self.sd

    @property
    def text(self) -> str:
        """One line."""
        kind = "paired by seed" if self.rule == "paired" else "of unlike networks or images"
        what = "the differences" if self.rule == "paired" else "an arm"
        count = f"{self.n_pairs} comparison{'s' if self.n_pairs != 1 else ''} {kind}"
        unit = f" {self.unit}" if self.unit else ""
        if self.delta is not None:
            spread = f"sd of {what} {self.sd:.2g}{unit} in {self.n_pilot} recorded"
            finds = f"{self.n} seeds find {self.delta:.2g}{unit} with {POWER:.0%} power ({spread})"
        elif self.effect is not None:
            finds = f"{self.n} seeds find {self.effect:.2g} sd of {what} with {POWER:.0%} power"
        else:
            finds = (
                f"{self.n} seed{'s compare' if self.n != 1 else ' compares'} nothing (from {LEAST_SEEDS} on)"
            )
        name = f"{unit}" if self.sd is not None else " sd"
        wanted = ", ".join(f"{size:g}{name} needs {n or 'over 10,000'}" for size, n in self.needed)
        if self.margin is not None:
            seeds = self.needed_within or "over 10,000"
            wanted += f" to be found, and equal arms {seeds} to be shown equivalent within it"
        shared = f"sharing alpha {self.alpha:g}" if self.n_comparisons > 1 else f"alpha {self.alpha:g}"
        of = f", {self.n_comparisons} in all" if self.n_comparisons > self.n_pairs else ""
        return f"power: {count}{of}, {shared}: {finds}; {wanted}"


def foresee(study: Study, records: Sequence[Record], device_kind: str) -> tuple[Foresight, ...]:
    """What the study's seeds can detect, for each rule of comparison that it has.

    Args:
        study: As declared.
        records: Of the study, as far as there are any.
        device_kind: Whose records tell the spread.
    """
    arms = {arm.name: arm for arm in study.arms}
    baseline = study.baseline.name if study.baseline is not None else None
    pairs = pairs_of(study.comparisons, list(arms), baseline)
    by_rule: dict[Rule, list[tuple[str, str]]] = {}
    for one, other in pairs:
        by_rule.setdefault(planned_rule(arms[one], arms[other]), []).append((one, other))
    values = _values(records, study.metric, device_kind)
    n = study.seeds_rule.max if study.seeds_rule is not None else len(study.seeds)
    return tuple(_foresee(study, rule, own, len(pairs), n, values) for rule, own in by_rule.items())


def planned_rule(arm: Arm, baseline: Arm) -> Rule:
    """Whether two arms will be compared seed by seed: as `pairing` decides it from their records."""
    one, other = arm.config, baseline.config
    starts = [
        config.weights is not None and _from_run(config.weights.source, config.weights.run)
        for config in (one, other)
    ]
    images = ("name", "path", "image", "label", "classes", "channels", "image_size", "split_seed", "val")
    same_images = all(getattr(one.data, key) == getattr(other.data, key) for key in images)
    return "paired" if same_images and one.model == other.model and starts[0] == starts[1] else "welch"


def _from_run(source: str | None, run: str | None) -> bool:
    return source == "pretrain" or run is not None


def _foresee(
    study: Study,
    rule: Rule,
    pairs: Sequence[tuple[str, str]],
    n_comparisons: int,
    n: int,
    values: Mapping[str, Mapping[int, float]],
) -> Foresight:
    alpha, unit = study.comparisons.alpha, "" if study.metric == "test_loss" else "pp"
    spreads = [sd for one, other in pairs for sd in _spread(rule, values.get(one, {}), values.get(other, {}))]
    sd = math.sqrt(math.fsum(s * s for s in spreads) / len(spreads)) if any(spreads) else None
    found = detectable(n, rule, sd=sd, alpha=alpha, n_comparisons=n_comparisons)
    sizes: tuple[float, ...] = IN_SDS
    if sd is not None:
        margin = study.comparisons.margin_pp
        sizes = (margin,) if margin is not None else IN_POINTS if unit else (sd, 2 * sd)
    needed = [
        (size, seeds_needed(size / (sd or 1.0), rule, alpha=alpha, n_comparisons=n_comparisons))
        for size in sizes
    ]
    return Foresight(
        rule,
        len(pairs),
        n_comparisons,
        alpha,
        n,
        unit,
        sd,
        len(spreads) if rule == "paired" else len(spreads) // 2,
        None if found is None else found.effect,
        tuple(needed),
        None if sd is None else study.comparisons.margin_pp,
        _needed_within(sd, study.comparisons.margin_pp, rule, alpha, n_comparisons),
    )


def _needed_within(
    sd: float | None, margin: float | None, rule: Rule, alpha: float, n_comparisons: int
) -> int | None:
    if not sd or margin is None:
        return None
    return equivalence_seeds(sd, margin, rule, alpha=alpha, n_comparisons=n_comparisons)


def _spread(rule: Rule, one: Mapping[int, float], other: Mapping[int, float]) -> Iterable[float]:
    """Of the differences, or of both arms; nothing below three seeds."""
    if rule == "paired":
        gaps = [one[seed] - other[seed] for seed in sorted(one.keys() & other.keys())]
        return [standard_deviation(gaps)] if len(gaps) >= LEAST_SEEDS else []
    samples = [list(one.values()), list(other.values())]
    if min(map(len, samples)) < LEAST_SEEDS:
        return []
    return [standard_deviation(sample) for sample in samples]


def _values(records: Iterable[Record], metric: str, device_kind: str) -> dict[str, dict[int, float]]:
    found: dict[str, dict[int, float]] = {}
    for record in records:
        if not isinstance(record, RunRecord) or record.role != "arm" or record.device_kind != device_kind:
            continue
        value = getattr(record.metrics, metric) if record.status == "done" else None
        if value is not None:
            found.setdefault(record.arm, {})[record.seed] = value
    return found
