"""Weights from files into networks: other key layouts, another number of classes, other image channels.

A file is read without running code from it. Its keys are then renamed into the network's vocabulary (timm's,
which is torchvision's too) by the layout that fits best, and everything must fit: a key too many or too few
is an error that names it, since a network half loaded looks trained and is not. What may differ, and is
reported: the classifier for another number of classes stays at its initial value, and a first convolution
over RGB is summed or repeated over other channels, as timm does.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

import architectures
from architectures.nearest import nearest

LAYOUTS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "timm": (),
    "akamaster": ((r"^linear\.", "fc."), (r"\.shortcut\.", ".downsample.")),
}
"""Renamings by layout. torchvision's ResNets and our own networks use timm's keys."""

_PREFIXES = ("module.", "_orig_mod.", "model.")
"""What DistributedDataParallel, torch.compile and Lightning put before every key."""

_NESTED = ("state_dict", "model")
"""Where training scripts keep the weights within a checkpoint."""

_COUNTER = "num_batches_tracked"
"""Batch norm's step counter, which old and converted files lack; it changes no output."""


@dataclass(frozen=True)
class LoadReport:
    """What became of a network's parameters and buffers.

    Attributes:
        layout: A key of `LAYOUTS`.
        copied: Keys that were set from the file, in the network's order.
        fresh: Keys left at their value.
        adapted: The first convolution, where its weights were summed or repeated over other channels.
        replaced_head: Whether the classifier was left out because the file's has other classes.
    """

    layout: str
    copied: tuple[str, ...]
    fresh: tuple[str, ...]
    adapted: str | None
    replaced_head: bool


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a weights file by key, on the CPU.

    Args:
        path: `.safetensors`, or a checkpoint of `torch.save` (`.pth`, `.pt`, `.bin`, `.tar`), of which only
            tensors and plain containers are unpickled. Weights nested under `state_dict` or `model` and
            keys that all begin with `module.` are unwrapped.

    Raises:
        FileNotFoundError: No such file.
        ValueError: The file is damaged, holds code or objects, or holds no weights; one line.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such weights file")
    content = _read_safetensors(path) if path.suffix == ".safetensors" else _read_pickle(path)
    while isinstance(content, Mapping) and (inner := next(filter(content.get, _NESTED), None)):
        if not isinstance(content[inner], Mapping):
            break
        content = content[inner]
    tensors = {}
    if isinstance(content, Mapping):
        tensors = {str(key): value for key, value in content.items() if isinstance(value, Tensor)}
    if not tensors:
        raise ValueError(
            f"{path.name}: no weights within; expected tensors by key, or {_NESTED[0]!r} of such"
        )
    return _unprefixed(tensors)


def load_weights(model: nn.Module, state: Mapping[str, Tensor], *, through: str | None = None) -> LoadReport:
    """Copy weights into a network, in place.

    Args:
        model: On any device and in any layout, which it keeps.
        state: As `read_weights` gives it.
        through: Copy the stages up to this one, from `architectures.stages(model)`, and nothing behind it.
            None copies all, but for the head where its number of classes differs.

    Raises:
        ValueError: No such stage, or the weights are of another network: the first missing and the first
            unexpected key, and how many there are. The network is then as before.
    """
    stages = architectures.stages(model)
    if through is not None and through not in stages:
        raise ValueError(f"{through!r} is no stage of {type(model).__name__}; {nearest(through, stages)}")
    own = {key: value for key, value in model.state_dict(keep_vars=True).items() if isinstance(value, Tensor)}
    stage_of = {key: _stage_of(key, stages) for key in own}
    names = list(stages)
    wanted_stages = names if through is None else names[: names.index(through) + 1]
    wanted = {key: value for key, value in own.items() if stage_of[key] in wanted_stages}

    layout, given = _recognise(own, state)
    if through is not None:
        given = {key: value for key, value in given.items() if _stage_of(key, stages) in wanted_stages}
    adapted = _adapt_stem(given, {key: value for key, value in wanted.items() if stage_of[key] == names[0]})
    head = {key for key, stage in stage_of.items() if stage == names[-1]}
    replaced = through is None and _other_classes(head, wanted, given)
    if replaced:
        wanted = {key: value for key, value in wanted.items() if key not in head}
        given = {key: value for key, value in given.items() if key not in head}
    _demand_fit(wanted, given)
    copied = [key for key in wanted if key in given]
    with torch.no_grad():
        for key in copied:
            wanted[key].copy_(given[key])
    fresh = tuple(key for key in own if key not in set(copied))
    return LoadReport(layout, tuple(copied), fresh, adapted, replaced)


def adapt_input(weight: Tensor, in_chans: int) -> Tensor:
    """A first convolution over RGB, made to take other channels: the rule of timm's `adapt_input_conv`.

    Args:
        weight: (out_chans, 3, kernel, kernel).
        in_chans: One channel gets the sum over RGB, which is what grey images shown as RGB would have met;
            more get red, green, blue in turn, scaled so that the response to a constant image is kept.

    Returns:
        (out_chans, in_chans, kernel, kernel), of the same type.
    """
    if in_chans == 1:
        return weight.float().sum(1, keepdim=True).to(weight.dtype)
    channels = [index % 3 for index in range(in_chans)]
    return (weight.float()[:, channels] * (3 / in_chans)).to(weight.dtype)


def _read_safetensors(path: Path) -> Mapping[str, Tensor]:
    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path.name}: no readable safetensors file: {error}") from error


def _read_pickle(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{path.name}: refused: the pickle holds more than tensors and plain containers (or is damaged), "
            "and loading it could run code; save its state_dict alone"
        ) from error
    except (RuntimeError, EOFError, ValueError, LookupError, TypeError, AttributeError) as error:
        # What torch raises on a damaged file depends on where the damage lies.
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"{path.name}: no readable checkpoint: {reason}") from error


def _unprefixed(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    for prefix in _PREFIXES:
        if all(key.startswith(prefix) for key in tensors):
            return _unprefixed({key.removeprefix(prefix): value for key, value in tensors.items()})
    return tensors


def _recognise(own: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> tuple[str, dict[str, Tensor]]:
    """The layout under whose renaming most keys are the network's own, and the tensors renamed by it."""
    renamed = {
        layout: {_rename(key, rules): value for key, value in state.items()}
        for layout, rules in LAYOUTS.items()
    }
    best = max(renamed, key=lambda layout: len(renamed[layout].keys() & own.keys()))
    return best, renamed[best]


def _rename(key: str, rules: Iterable[tuple[str, str]]) -> str:
    for pattern, replacement in rules:
        key = re.sub(pattern, replacement, key)
    return key


def _stage_of(key: str, stages: Mapping[str, tuple[str, ...]]) -> str | None:
    """The stage that a key belongs to: one of its modules is the key or a dotted prefix of it."""
    for stage, modules in stages.items():
        if any(key == module or key.startswith(f"{module}.") for module in modules):
            return stage
    return None


def _adapt_stem(given: dict[str, Tensor], stem: Mapping[str, Tensor]) -> str | None:
    """Adapt the first convolution in `given` to the network's channels; its key if that was needed."""
    first = next((key for key, value in stem.items() if value.ndim == 4), None)
    if first is None or first not in given:
        return None
    here, there = stem[first].shape, given[first].shape
    if len(there) != 4 or there[1] != 3 or here[1] == 3 or (here[0], *here[2:]) != (there[0], *there[2:]):
        return None
    given[first] = adapt_input(given[first], here[1])
    return first


def _other_classes(head: set[str], wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> bool:
    """Whether the heads differ, and in nothing but their number of outputs."""
    differing = [key for key in head if key in given and wanted[key].shape != given[key].shape]
    return bool(differing) and all(wanted[key].shape[1:] == given[key].shape[1:] for key in differing)


def _demand_fit(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> None:
    missing = [key for key in wanted if key not in given and not key.endswith(_COUNTER)]
    unexpected = [key for key in given if key not in wanted]
    misshapen = [k for k in wanted if k in given and wanted[k].shape != given[k].shape]
    faults = [
        f"{len(keys)} keys {word} (first {keys[0]})"
        for keys, word in ((missing, "missing"), (unexpected, "unexpected"))
        if keys
    ]
    if misshapen:
        key = misshapen[0]
        shapes = f"{tuple(given[key].shape)}, here {tuple(wanted[key].shape)}"
        faults.append(f"{len(misshapen)} of another shape (first {key}: {shapes})")
    if faults:
        raise ValueError("weights of another network: " + "; ".join(faults))
