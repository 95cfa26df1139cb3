"""Seeds until decided: which comparisons of a study are due for a look, and what the look finds.

A look is due when every run of both arms at its number of seeds has ended. Each comparison gets an equal
part of the declared error, whatever becomes of the others, so that the looks may fall at different times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from bench.analyse.declared import rule_of, scale_of
from bench.analyse.design_path import Runs, runs_by_arm_and_seed
from bench.analyse.estimate import Scores
from bench.analyse.quantity import one_image, value_of
from bench.analyse.sequential import Decision as Look
from bench.analyse.sequential import SequentialDesign, decide, replay
from bench.record.schema import Record, RunRecord
from bench.study.comparisons import pairs_of
from bench.study.decisions import Decision, SeedsDecision, design_digest
from bench.study.model import Study


def sequential_design(study: Study) -> SequentialDesign:
    """The looks of a study with `seeds: {min, max, until}`, and their error."""
    assert study.seeds_rule is not None, "asked only where seeds are added"
    return SequentialDesign(
        study.seeds_rule.looks,
        study.comparisons.alpha,
        max(1, len(compared_pairs(study))),
        study.comparisons.margin_pp,
    )


def compared_pairs(study: Study) -> tuple[tuple[str, str], ...]:
    """The declared pairs of arms."""
    baseline = study.baseline.name if study.baseline is not None else None
    return pairs_of(study.comparisons, [arm.name for arm in study.arms], baseline)


def due_looks(
    study: Study, records: Sequence[Record], device_kind: str, kept: Sequence[Decision]
) -> list[SeedsDecision]:
    """The looks that can be taken now, one a comparison.

    Args:
        study: As declared.
        records: Of the study.
        device_kind: Whose records decide.
        kept: Decisions that stand, of this kind of device.
    """
    design = sequential_design(study)
    runs = runs_by_arm_and_seed(records, device_kind)
    last = {(one.arm, one.baseline): one for one in kept if isinstance(one, SeedsDecision)}
    found = []
    for arm, baseline in compared_pairs(study):
        before = last.get((arm, baseline))
        if before is not None and before.outcome != "more seeds":
            continue
        look = 1 if before is None else before.look + 1
        seeds = tuple(range(design.looks[look - 1]))
        if not all(_has_ended(runs.get((name, seed))) for name in (arm, baseline) for seed in seeds):
            continue
        found.append(_look(study, runs, design, look, (arm, baseline), device_kind))
    return found


def replay_look(records: Sequence[Record], kept: SeedsDecision) -> tuple[str, ...]:
    """Take a kept look again from the records.

    Returns:
        What differs, one phrase a field; empty where it is the same.
    """
    runs = runs_by_arm_and_seed(records, kept.device_kind)
    scores = [_scores(runs, arm, kept.metric) for arm in (kept.arm, kept.baseline)]
    differs = replay(
        Look.from_dict(kept.model_dump()), scores[0], scores[1], seeds=tuple(range(kept.looks[-1]))
    )
    where = f"look {kept.look} at {kept.arm} against {kept.baseline}"
    return tuple(f"{where}: {one}" for one in differs)


def _look(
    study: Study,
    runs: Runs,
    design: SequentialDesign,
    look: int,
    pair: tuple[str, str],
    device_kind: str,
) -> SeedsDecision:
    own, other = (_scores(runs, arm, study.metric) for arm in pair)
    first, second = ([run for (name, _), run in runs.items() if name == arm] for arm in pair)
    found = decide(
        design,
        look,
        own,
        other,
        rule_of(first, second),
        seeds=tuple(range(design.looks[-1])),
        scale=scale_of(study.metric),
        names=pair,
    )
    return SeedsDecision(
        design=design_digest(study, device_kind),
        device_kind="cuda" if device_kind == "cuda" else "cpu",
        metric=study.metric,
        **asdict(found),
    )


def _has_ended(run: RunRecord | None) -> bool:
    """A run that failed is an error to be mended and retried, not a result to look at."""
    return run is not None and run.status != "failed"


def _scores(runs: Runs, arm: str, metric: str) -> Scores:
    own = {seed: run for (name, seed), run in runs.items() if name == arm and run.status == "done"}
    values = {seed: value for seed, run in own.items() if (value := value_of(run, metric)) is not None}
    rulers = [one_image(own[seed], metric) for seed in values]
    known = [ruler for ruler in rulers if ruler is not None]
    return Scores(values, max(known) if known and len(known) == len(rulers) else None)
