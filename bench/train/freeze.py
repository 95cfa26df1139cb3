"""Frozen stages: what does not train keeps every bit, and costs no backward pass.

A stage is frozen in two ways at once. Its parameters take no gradient, so optimisers pass them over (weight
decay and momentum included) and autograd does not enter a frozen prefix. Its layers that keep statistics run
in evaluation mode, or every forward pass would move them. Its dropout keeps nothing and stays on.

Gradual unfreezing is a function of the epoch, like everything here, so resuming has nothing to restore.

Reference: Yosinski et al. (2014), "How transferable are features in deep neural networks?", NeurIPS,
section 2 (frozen prefixes); Howard & Ruder (2018), "Universal Language Model Fine-tuning for Text
Classification", ACL, sections 3.2 (rates by stage) and 3.3 (gradual unfreezing).
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping, Sequence

from torch import nn

import architectures
from bench.errors import UsageError, nearest
from bench.study import freezing
from bench.study.specs import FreezeSpec, TrainSpec

_AFTER_ALL = sys.maxsize
"""An epoch by which every stage trains that ever does."""


def frozen_stages(
    spec: TrainSpec, weights_through: str | None, stage_names: Sequence[str], epoch: int
) -> frozenset[str]:
    """The stages that do not train in an epoch, as planned, of a network as built.

    Args:
        spec: The recipe.
        weights_through: Last stage that was copied from elsewhere; `freeze: transferred` needs it.
        stage_names: All stages, from the images to the logits.
        epoch: Counted from 1.

    Raises:
        UsageError: A name is no stage of this network, or an unfrozen stage was not frozen.
    """
    freeze = spec.freeze
    if freeze is None:
        return frozenset()
    if not isinstance(freeze, FreezeSpec):
        if weights_through is None:
            raise UsageError("train.freeze: transferred needs weights.through")
        _check("weights.through", (weights_through,), stage_names)
    else:
        _check("train.freeze.through", (freeze.through,) if freeze.through else (), stage_names)
        _check("train.freeze.stages", freeze.stages or (), stage_names)
        _check("train.freeze.all_but", freeze.all_but or (), stage_names)
        frozen = freezing.frozen_stages(spec, weights_through, stage_names, epoch=0)
        for name in freeze.unfreeze or {}:
            if name not in frozen:
                raise UsageError(f"train.freeze.unfreeze: {name!r} is not frozen; {nearest(name, frozen)}")
    return freezing.frozen_stages(spec, weights_through, stage_names, epoch)


def count_trainable_at_start(model: nn.Module, spec: TrainSpec, weights_through: str | None = None) -> int:
    """Parameters that train in the first epoch, whatever has been unfrozen since; a tied one counts once.

    Raises:
        UsageError: As for `Freezer`.
    """
    stages = _Stages(model, spec)
    frozen = frozen_stages(spec, weights_through, stages.names, epoch=1)
    held = {parameter for stage in frozen for parameter in stages.parameters[stage]}
    return sum(p.numel() for p in model.parameters() if p.requires_grad and p not in held)


class Freezer:
    """Freezes a model's stages, and unfreezes them when their epoch comes.

    Args:
        model: Parameters that it holds frozen by itself stay so.
        spec: The recipe.
        weights_through: Last stage that was copied from elsewhere.

    Attributes:
        trained: Parameters that train in some epoch, in the model's order.
        lr_scales: Multiples of the learning rate, for the parameters where it is not 1.

    Raises:
        UsageError: The recipe names what is no stage, or the stages do not part the parameters.
    """

    def __init__(self, model: nn.Module, spec: TrainSpec, weights_through: str | None = None) -> None:
        self._spec, self._weights_through = spec, weights_through
        self._stages = _Stages(model, spec)
        self._frozen: frozenset[str] = frozenset()
        never = {p for stage in self._at(_AFTER_ALL) for p in self._stages.parameters[stage]}
        self.trained = [p for p in model.parameters() if p.requires_grad and p not in never]
        self.lr_scales = {
            parameter: scale
            for stage, scale in (spec.stage_lr or {}).items()
            for parameter in self._stages.parameters[stage]
        }
        self.start_epoch(1)

    @property
    def frozen(self) -> frozenset[str]:
        """The stages that do not train now."""
        return self._frozen

    def next_change(self, epoch: int) -> float:
        """The first epoch after this one, from 1 on, that freezes other stages; infinity if none does."""
        freeze = self._spec.freeze
        unfreeze = (freeze.unfreeze or {}) if isinstance(freeze, FreezeSpec) else {}
        return min((at for at in unfreeze.values() if at > epoch), default=math.inf)

    @property
    def waiting(self) -> list[nn.Parameter]:
        """Parameters that are frozen now and train later."""
        return [parameter for parameter in self.trained if not parameter.requires_grad]

    def start_epoch(self, epoch: int) -> bool:
        """Freeze what is frozen in this epoch and nothing else.

        Args:
            epoch: Counted from 1.

        Returns:
            Whether anything changed, so that a compiled network is out of date.
        """
        frozen = self._at(epoch)
        changed = frozen != self._frozen
        for stage in frozen | self._frozen:
            for parameter in self._stages.parameters[stage]:
                parameter.requires_grad_(stage not in frozen)
            for module in self._stages.keepers[stage]:
                module.training = stage not in frozen
        self._frozen = frozen
        return changed

    def _at(self, epoch: int) -> frozenset[str]:
        return frozen_stages(self._spec, self._weights_through, self._stages.names, epoch)


class _Stages:
    """Trainable parameters and layers that keep statistics, by stage; none where the recipe names none."""

    def __init__(self, model: nn.Module, spec: TrainSpec) -> None:
        wanted = spec.freeze is not None or spec.stage_lr is not None
        stages = _stages_of(model) if wanted else {}
        self.names = tuple(stages)
        self.parameters: dict[str, list[nn.Parameter]] = {name: [] for name in stages}
        self.keepers: dict[str, list[nn.Module]] = {name: [] for name in stages}
        if not wanted:
            return
        _check("train.stage_lr", spec.stage_lr or {}, self.names)
        owners: dict[nn.Parameter, str] = {}
        for name, parameter in model.named_parameters(remove_duplicate=False):
            stage = _owner(name, stages)
            if stage is None:
                raise UsageError(f"train.freeze: {name} belongs to no stage of this network")
            if owners.setdefault(parameter, stage) != stage:
                raise UsageError(f"train.freeze: {name} is shared by stages {owners[parameter]} and {stage}")
        for parameter, stage in owners.items():
            if parameter.requires_grad:
                self.parameters[stage].append(parameter)
        for name, module in model.named_modules():
            stage = _owner(name, stages)
            if stage is not None and module.training and _keeps_statistics(module):
                self.keepers[stage].append(module)


def _stages_of(model: nn.Module) -> Mapping[str, tuple[str, ...]]:
    try:
        return architectures.stages(model)
    except TypeError as error:
        raise UsageError(f"train.freeze: {error}") from error


def _owner(name: str, stages: Mapping[str, tuple[str, ...]]) -> str | None:
    for stage, prefixes in stages.items():
        if any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes):
            return stage
    return None


def _keeps_statistics(module: nn.Module) -> bool:
    """Whether a forward pass in training may move its state: batch norm, spectral norm, a user's averages."""
    saved = (b for name, b in module._buffers.items() if name not in module._non_persistent_buffers_set)
    return any(buffer is not None and buffer.is_floating_point() for buffer in saved)


def _check(key: str, stages: Iterable[str], names: Sequence[str]) -> None:
    for stage in stages:
        if stage not in names:
            raise UsageError(f"{key}: {stage!r} {freezing.no_stage(stage, 'this network', names)}")
