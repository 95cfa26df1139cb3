"""Optimisers by name, with groups of their own decay and rate; or the user's own.

A user's `package.module:callable` is called as `fn(param_groups, lr=…, **options)`. The groups carry
`weight_decay` where the study sets it, so that `decay: weights` works for every optimiser that has it, and
with `stage_lr` their `lr` and `lr_scale`, its multiple of the study's rate (timm's word).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from bench.errors import UsageError
from bench.study.specs import OptimizerSpec, is_callable_name

_KINDS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "sgd": torch.optim.SGD,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
}


def build_optimizer(
    parameters: Sequence[nn.Parameter],
    spec: OptimizerSpec,
    *,
    fused: bool,
    device: torch.device,
    lr_scales: Mapping[nn.Parameter, float] | None = None,
) -> torch.optim.Optimizer:
    """The optimiser over the parameters that train, now or later, on their device already.

    Args:
        parameters: May be none. Those without a gradient are passed over by every update.
        spec: Name and options.
        fused: The single-kernel update for sgd, adam and adamw.
        device: Decides how an unfused update is carried out.
        lr_scales: Multiples of the rate; absent parameters: 1.

    Raises:
        UsageError: A user's callable cannot be imported or returns no optimiser.
    """
    own = is_callable_name(spec.name)
    groups = _groups(parameters, spec, lr_scales or {}, explicit=not own or spec.weight_decay > 0)
    if own:
        return _own(spec, groups)
    options = _options(spec) | ({"fused": True} if fused else {"foreach": device.type == "cuda"})
    optimizer = _KINDS[spec.name](groups, lr=spec.lr, **options)
    if spec.name == "sgd" and spec.momentum:
        # The fused kernel leaves the buffers uninitialised when it skips the first step; from zeros the
        # first update is the same one.
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
    return optimizer


def _options(spec: OptimizerSpec) -> dict[str, Any]:
    if spec.name == "sgd":
        return {"momentum": spec.momentum or 0.0, "nesterov": bool(spec.nesterov)}
    return {
        "betas": (0.9, 0.999) if spec.betas is None else spec.betas,
        "eps": 1e-8 if spec.eps is None else spec.eps,
    }


def _groups(
    parameters: Sequence[nn.Parameter],
    spec: OptimizerSpec,
    lr_scales: Mapping[nn.Parameter, float],
    *,
    explicit: bool,
) -> list[dict[str, Any]]:
    """A group for each multiple of the rate, parted by decay where only weights decay."""
    groups: list[dict[str, Any]] = []
    for scale in dict.fromkeys(lr_scales.get(parameter, 1.0) for parameter in parameters):
        rate = {} if scale == 1.0 else {"lr": spec.lr * scale, "lr_scale": scale}
        alike = [parameter for parameter in parameters if lr_scales.get(parameter, 1.0) == scale]
        groups += [group | rate for group in _by_decay(alike, spec, explicit=explicit)]
    return groups or [{"params": []}]


def _by_decay(
    parameters: Sequence[nn.Parameter], spec: OptimizerSpec, *, explicit: bool
) -> list[dict[str, Any]]:
    """One group, or those that decay and those that do not."""
    decaying: dict[str, Any] = {"weight_decay": spec.weight_decay} if explicit else {}
    if spec.decay == "all":
        return [{"params": list(parameters), **decaying}]
    groups = [
        {"params": [parameter for parameter in parameters if parameter.ndim >= 2], **decaying},
        {"params": [parameter for parameter in parameters if parameter.ndim < 2], "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def _own(spec: OptimizerSpec, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    module_name, _, name = spec.name.partition(":")
    try:
        make = getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError) as error:
        raise UsageError(f"train.optimizer.name: {spec.name} cannot be imported: {error}") from error
    optimizer = make(groups, lr=spec.lr, **(spec.options or {}))
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise UsageError(
            f"train.optimizer.name: {spec.name} returned {type(optimizer).__name__}, not a torch Optimizer"
        )
    return optimizer
