"""Verdicts of a study whose seeds were added until comparisons were decided: the looks decide, nothing else.

Once the data have had a say in when to stop, the ordinary test errs too often. So the verdict is that of the
last look that was due, taken again from the records; the difference beside it is of the seeds looked at, and
its interval is the repeated one. No p-value of a single test stands anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

from bench.analyse.compare import Comparison, compare
from bench.analyse.declared import ArmComparison, ArmRuns, Declared, rule_of
from bench.analyse.equivalence import Equivalence, tost
from bench.analyse.multiplicity import Adjusted
from bench.analyse.sequential import Decision, SequentialDesign, decide, only
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
    margin = next((one.equivalence.margin for one in found.comparisons if one.equivalence), None)
    design = SequentialDesign(tuple(looks), spec.alpha, len(found.comparisons), margin)
    comparisons = tuple(_judge(one, arms, design) for one in found.comparisons)
    note = f"{design.text} (Lan-DeMets, O'Brien-Fleming spending)"
    return Declared(replace(found.family, by_looks=True), comparisons, note)


def _judge(one: ArmComparison, arms: Mapping[str, ArmRuns], design: SequentialDesign) -> ArmComparison:
    last = _last_look(arms[one.arm], arms[one.against], design, one)
    if last is None:
        reason = one.result.reason or "by_looks"
        untold = replace(one.result.student, sd=None, se=None, df=None, reason=reason)
        early = replace(one.result, student=untold, exact=None, smallest_exact_p=None)
        return _judged(one, early, None, "undecided", f"{design.looks[0]} seeds not finished yet")
    told = f"look {last.look} of {len(design.looks)} at {last.n_seeds} seeds"
    if last.outcome == "more seeds":
        told += "; more seeds to come"
    found, test = _at_look(one, arms, last)
    return _judged(one, found, test, _kind(last), told)


def _at_look(
    one: ArmComparison, arms: Mapping[str, ArmRuns], last: Decision
) -> tuple[Comparison, Equivalence | None]:
    """The comparison over the seeds that were looked at, with the interval of that look."""
    arm, against = (only(arms[name].scores, set(range(last.n_seeds))) for name in (one.arm, one.against))
    scale, names = one.result.scale, (one.result.arm, one.result.baseline)
    found = compare(arm, against, last.rule, scale=scale, names=names)
    level = last.nominal_alpha
    test = None if last.margin is None else tost(found.student, last.margin, alpha=level)
    student = replace(found.student, reason=found.reason or "by_looks", repeated=1 - level)
    return replace(found, student=student, exact=None, smallest_exact_p=None), test


def _judged(
    one: ArmComparison, found: Comparison, test: Equivalence | None, kind: Kind, reason: str
) -> ArmComparison:
    low, high = found.student.interval() or (None, None)
    adjusted = Adjusted(found, None, low, high)
    claim = replace(
        one.claim,
        kind=kind,
        comparison=found,
        p_adjusted=None,
        equivalence=test,
        equivalence_p=None,
        by_interval=False,
        reason=reason,
    )
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
