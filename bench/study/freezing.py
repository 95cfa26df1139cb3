"""Which stages of a network do not train, and what is wrong with how a study says it, without the network.

Stages are known by name where the network is ours (`architectures.stage_names`); those of a library's or a
user's own network only the built network knows, and what needs them is checked when it is built.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Iterator, Sequence

from bench.study.attribute import Finding
from bench.study.faults import KeyPath, show
from bench.study.specs import TRANSFERRED, FreezeSpec, TrainSpec

HEAD = "head"
"""The last stage of every network."""

OTHER_NAMES = {
    "fc": HEAD,
    "classifier": HEAD,
    "linear": HEAD,
    "conv1": "stem",
    "bn1": "stem",
    "embed": "stem",
}
"""Modules that are written where their stage is meant."""


def frozen_stages(
    train: TrainSpec, weights_through: str | None, names: Sequence[str], epoch: float
) -> frozenset[str]:
    """The stages that do not train in an epoch.

    Args:
        train: The recipe, of known stages.
        weights_through: Last stage that was copied; `freeze: transferred` needs it.
        names: The network's stages, from the images to the logits.
        epoch: Counted from 1; infinity: those that never train.
    """
    freeze = _written_out(train, weights_through)
    if freeze is None:
        return frozenset()
    unfreeze = freeze.unfreeze or {}
    chosen = _chosen(freeze, names)
    return frozenset(stage for stage in chosen if stage not in unfreeze or epoch < unfreeze[stage])


def freeze_findings(
    n: int,
    at: KeyPath,
    train: TrainSpec,
    *,
    weights_through: str | None,
    network: str,
    names: Sequence[str] | None,
    n_epochs: int | None,
) -> Iterator[Finding]:
    """What is wrong with the stages that a recipe names.

    Args:
        n: Number of the arm.
        at: Where the recipe stands.
        train: The recipe.
        weights_through: Last stage that was copied.
        network: The network's name.
        names: Its stages; None where only the built network knows.
        n_epochs: Epochs of the budget; None where the images are not known yet.
    """
    if names is not None:
        for stage in train.stage_lr or {}:
            if stage not in names:
                path = (*at, "stage_lr", stage)
                yield Finding(n, path, no_stage(stage, network, names), on_key=True)
    if train.freeze == TRANSFERRED and weights_through is None:
        yield Finding(n, (*at, "freeze"), "needs weights.through", show(train.freeze))
        return
    freeze = _written_out(train, weights_through)
    if freeze is None:
        return
    place: KeyPath = (*at, "freeze")
    unknown = [] if names is None else list(_unknown_stages(n, place, freeze, network, names))
    if isinstance(train.freeze, FreezeSpec):
        yield from unknown
    if not unknown:
        yield from _timing(n, place, freeze, names, n_epochs if train.trains else None)
        if train.trains:
            yield from _nothing_trains(n, place, train, freeze, network, names)


def no_stage(stage: str, network: str, names: Sequence[str]) -> str:
    """The rule for a name that is no stage, with the one meant or all that are, in the network's order."""
    # layer9 is as close to layer1 as to layer2: it was not misspelt, the network has no such stage.
    close = difflib.get_close_matches(stage, names, n=1, cutoff=0.85)
    meant = OTHER_NAMES.get(stage) or next(iter(close), None)
    guess = f"did you mean '{meant}'?" if meant in names else "one of " + ", ".join(names)
    return f"is no stage of {network}; {guess}"


def _written_out(train: TrainSpec, weights_through: str | None) -> FreezeSpec | None:
    if train.freeze is None or isinstance(train.freeze, FreezeSpec):
        return train.freeze
    return FreezeSpec(through=weights_through)


def _chosen(freeze: FreezeSpec, names: Sequence[str]) -> frozenset[str]:
    if freeze.through is not None:
        return frozenset(names[: names.index(freeze.through) + 1])
    if freeze.stages is not None:
        return frozenset(freeze.stages)
    return frozenset(names) - frozenset(freeze.all_but or ())


def _unknown_stages(
    n: int, at: KeyPath, freeze: FreezeSpec, network: str, names: Sequence[str]
) -> Iterator[Finding]:
    given: list[tuple[KeyPath, str]] = [] if freeze.through is None else [((*at, "through"), freeze.through)]
    given += [((*at, "stages", i), stage) for i, stage in enumerate(freeze.stages or ())]
    given += [((*at, "all_but", i), stage) for i, stage in enumerate(freeze.all_but or ())]
    for path, stage in given:
        if stage not in names:
            yield Finding(n, path, no_stage(stage, network, names), show(stage))
    for stage in freeze.unfreeze or {}:
        if stage not in names:
            yield Finding(n, (*at, "unfreeze", stage), no_stage(stage, network, names), on_key=True)


def _timing(
    n: int, at: KeyPath, freeze: FreezeSpec, names: Sequence[str] | None, n_epochs: int | None
) -> Iterator[Finding]:
    frozen = None if names is None else _chosen(freeze, names)
    for stage, epoch in (freeze.unfreeze or {}).items():
        path = (*at, "unfreeze", stage)
        if frozen is not None and stage not in frozen:
            yield Finding(n, path, f"is not frozen; frozen are {_listed(frozen, names or ())}", on_key=True)
        elif n_epochs is not None and epoch > n_epochs:
            yield Finding(n, path, f"is after the last epoch, {n_epochs}", show(epoch))


def _nothing_trains(
    n: int, at: KeyPath, train: TrainSpec, freeze: FreezeSpec, network: str, names: Sequence[str] | None
) -> Iterator[Finding]:
    if names is None:
        is_whole = freeze.through == HEAD and not freeze.unfreeze
        first = math.inf
    else:
        is_whole = _chosen(freeze, names) == frozenset(names)
        first = min((freeze.unfreeze or {}).values(), default=math.inf)
    if not is_whole or first <= 1:
        return
    rule = f"freezes every stage of {network}: nothing trains"
    rule += "; epochs: 0 evaluates" if math.isinf(first) else f" before epoch {first}"
    if not isinstance(train.freeze, FreezeSpec):
        yield Finding(n, at, rule, show(train.freeze))
    elif freeze.through is not None:
        yield Finding(n, (*at, "through"), rule, show(freeze.through))
    else:
        yield Finding(n, (*at, "stages"), rule)


def _listed(stages: Iterable[str], order: Sequence[str]) -> str:
    return ", ".join(sorted(stages, key=list(order).index))
