"""Verdicts of a study whose seeds were added until comparisons were decided: the looks decide, nothing else.

Once the data have had a say in when to stop, the ordinary test errs too often. So the verdict is that of the
last look that was due, taken again from the records, and the interval beside it is the repeated one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

from bench.analyse.declared import ArmComparison, ArmRuns, Declared, rule_of
from bench.analyse.sequential import Decision, SequentialDesign, decide
from bench.analyse.verdict import Kind
from bench.study.comparisons import ComparisonsSpec


def judged_by_looks(
    found: Declared, arms: Mapping[str, ArmRuns], looks: Sequence[int], spec: ComparisonsSpec
) -> Declared:
    """The family with the verdicts of its looks in place of those of one test at the end.

    Args:
        found: As one test would have it.
        arms: By name.
        looks: Seeds of each look.
        spec: What was declared.
    """
    design = SequentialDesign(tuple(looks), spec.alpha, len(found.comparisons), spec.margin_pp)
    comparisons = tuple(_judge(one, arms, design) for one in found.comparisons)
    note = f"in its place {design.text} (Lan-DeMets, O'Brien-Fleming spending)"
    return replace(found, comparisons=comparisons, note=note)


def _judge(one: ArmComparison, arms: Mapping[str, ArmRuns], design: SequentialDesign) -> ArmComparison:
    last = _last_look(arms[one.arm], arms[one.against], design, one)
    if last is None:
        kind: Kind = "undecided"
        claim = replace(
            one.claim, kind=kind, p_adjusted=None, reason=f"{design.looks[0]} seeds not finished yet"
        )
        return replace(one, claim=claim, adjusted=replace(one.adjusted, p_adjusted=None))
    reason = f"look {last.look} of {len(design.looks)} at {last.n_seeds} seeds"
    if last.low is not None:
        reason += f", repeated interval {last.low:+.3g} to {last.high:+.3g} {last.unit}".rstrip()
    if last.outcome == "more seeds":
        reason += "; more seeds to come"
    claim = replace(one.claim, kind=_kind(last), p_adjusted=None, by_interval=False, reason=reason)
    adjusted = replace(one.adjusted, p_adjusted=None, simultaneous_low=last.low, simultaneous_high=last.high)
    return replace(one, claim=claim, adjusted=adjusted)


def _last_look(
    arm: ArmRuns, against: ArmRuns, design: SequentialDesign, one: ArmComparison
) -> Decision | None:
    ended = [{run.seed for run in side.runs if run.status != "failed"} for side in (arm, against)]
    last = None
    for look, n_seeds in enumerate(design.looks, start=1):
        if not all(set(range(n_seeds)) <= seeds for seeds in ended):
            break
        last = decide(
            design,
            look,
            arm.scores,
            against.scores,
            rule_of(arm.runs, against.runs),
            seeds=range(design.looks[-1]),
            scale=one.result.scale,
            names=(one.arm, one.against),
        )
        if last.stops:
            break
    return last


def _kind(last: Decision) -> Kind:
    if last.outcome in ("more seeds", "undecided"):
        return "undecided"
    if last.outcome == "equivalent":
        return "equivalent"
    assert last.delta is not None, "a difference was found"
    word: Literal["better", "worse"] = "better" if (last.delta > 0) == last.higher_is_better else "worse"
    negligible: dict[str, Kind] = {"better": "better but negligible", "worse": "worse but negligible"}
    return word if last.outcome == "different" else negligible[word]
