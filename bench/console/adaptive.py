"""Studies whose next runs depend on what earlier ones scored: taking decisions, and telling where they stand.

`run` decides between two rounds of training and goes on until nothing is left to decide; `plan` and `status`
read what was decided. What is decided follows from `records.jsonl` alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench.launch.campaign import Campaign
from bench.record.decisions import keep_decisions
from bench.record.schema import Record
from bench.study.decisions import (
    Decision,
    PathDecision,
    SeedsDecision,
    holding,
    is_adaptive,
    read_decisions,
)
from bench.study.model import Study


def declared_study(campaign: Campaign) -> Study:
    """The study as it was loaded, with the arms that this kind of device can carry out."""
    return campaign.plan.declared or campaign.plan.study


def decisions_of(campaign: Campaign) -> list[Decision]:
    """The decisions that stand, of this kind of device."""
    study = declared_study(campaign)
    if not is_adaptive(study):
        return []
    return holding(study, read_decisions(campaign.store.folder), campaign.device.kind)


def decide(campaign: Campaign, records: Sequence[Record]) -> list[Decision]:
    """Take and keep the decisions that the records allow; none where nothing is due."""
    study = declared_study(campaign)
    if not is_adaptive(study):
        return []
    kept = decisions_of(campaign)
    new: list[Decision] = []
    if study.design == "path" and not any(isinstance(o, PathDecision) and o.chosen is None for o in kept):
        from bench.analyse.design_path import next_step  # noqa: PLC0415 - only adaptive studies pay for it

        step = next_step(study, records, campaign.device.kind, _taken(kept))
        new += [step] if step is not None else []
    if study.seeds_rule is not None:
        from bench.analyse.design_seeds import due_looks  # noqa: PLC0415 - as above

        new += due_looks(study, records, campaign.device.kind, kept)
    if new:
        keep_decisions(campaign.store.folder, study, new)
    return new


def replay_decisions(study: Study, records: Sequence[Record], decisions: Sequence[Decision]) -> list[str]:
    """Take every decision again from the records.

    Args:
        study: As loaded from its results folder.
        records: Its lines.
        decisions: Those of the folder.

    Returns:
        What no longer follows, one line each; empty where every decision is the same again.
    """
    from bench.analyse.design_path import replay_step  # noqa: PLC0415 - only adaptive studies pay for it
    from bench.analyse.design_seeds import replay_look  # noqa: PLC0415 - as above

    lines: list[str] = []
    for one in holding(study, decisions):
        if isinstance(one, PathDecision):
            lines += replay_step(study, records, one)
        else:
            lines += replay_look(records, one)
    return lines


def standing(campaign: Campaign) -> list[str]:
    """Where an adaptive study stands, in lines; empty for another study."""
    study = declared_study(campaign)
    if not is_adaptive(study):
        return []
    kept = decisions_of(campaign)
    steps = [f"  {one.text}" for one in kept if isinstance(one, PathDecision)]
    looks = [f"  {one.text}" for one in _last_looks(kept)]
    return [*_of_path(study, kept), *steps, *_of_seeds(study, kept), *looks]


def _last_looks(kept: Sequence[Decision]) -> list[SeedsDecision]:
    """The last look at each comparison."""
    last = {(one.arm, one.baseline): one for one in kept if isinstance(one, SeedsDecision)}
    return list(last.values())


def _of_path(study: Study, kept: Sequence[Decision]) -> list[str]:
    if study.design != "path":
        return []
    taken = _taken(kept)
    n_steps = len(study.factors) - 1
    way = " ".join(["bare", *(f"+{name}" for name in taken)])
    if any(isinstance(one, PathDecision) and one.chosen is None for one in kept):
        return [f"path: {way}; ended after {len(taken)} of {n_steps} choices, no candidate has a result"]
    if len(taken) == n_steps:
        (last,) = [factor.key for factor in study.factors if factor.key not in taken]
        return [f"path: {way} +{last}; all {n_steps} choices made, on val_top1_pct"]
    return [
        f"path: {way}; {len(taken)} of {n_steps} choices made, on val_top1_pct; later arms follow from them"
    ]


def _of_seeds(study: Study, kept: Sequence[Decision]) -> list[str]:
    rule = study.seeds_rule
    if rule is None:
        return []
    last = _last_looks(kept)
    decided = sum(one.outcome not in ("more seeds", "undecided") for one in last)
    undecided = sum(one.outcome == "undecided" for one in last)
    looks = ", ".join(map(str, rule.looks))
    told = f"seeds: looks at {looks} seeds until decided; {decided} comparisons decided"
    return [told + (f", {undecided} undecided at {rule.max}" if undecided else "")]


def _taken(kept: Sequence[Decision]) -> list[str]:
    return [one.chosen for one in kept if isinstance(one, PathDecision) and one.chosen is not None]
