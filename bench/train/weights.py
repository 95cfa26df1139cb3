"""Weights on disk and their digest: always those of the plain module, in the order of its `state_dict`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn

from bench.errors import EnvironmentFault
from bench.record.durable import write_bytes


def weights_digest(model: nn.Module) -> str:
    """sha256 over names, types, shapes and bytes of the model's state, in key order.

    Equal for a model and its compiled form, on any device and in any memory layout.
    """
    return tensors_digest(state_of(model).items())


def tensors_digest(named: Iterable[tuple[str, Tensor]]) -> str:
    """sha256 over names, types, shapes and bytes, in the order given."""
    digest = hashlib.sha256()
    for name, tensor in named:
        digest.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode())
        digest.update(_bytes(tensor))
    return digest.hexdigest()


def state_of(model: nn.Module) -> dict[str, Tensor]:
    """The state of the plain module behind a compiled one; live tensors, not copies."""
    plain = getattr(model, "_orig_mod", model)
    return {name: value for name, value in plain.state_dict().items() if isinstance(value, Tensor)}


def copied(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies on the CPU, each contiguous and in memory of its own."""
    return {
        name: value.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
        for name, value in state.items()
    }


def all_finite(tensors: Iterable[Tensor]) -> bool:
    """Whether no floating-point value is infinite or NaN; waits for the device once."""
    verdicts = [torch.isfinite(tensor).all() for tensor in tensors if tensor.is_floating_point()]
    return bool(torch.stack(verdicts).all()) if verdicts else True


def save_weights(path: Path, state: Mapping[str, Tensor]) -> None:
    """Write a state durably as safetensors.

    Raises:
        EnvironmentFault: The disk is full or the folder cannot be written.
    """
    write_bytes(path, save(copied(state)))


def load_weights(model: nn.Module, path: Path) -> None:
    """Set the model's weights from a file of `save_weights`, keeping device and memory layout.

    Raises:
        EnvironmentFault: There is no such file, or it is not this model's.
    """
    try:
        state = load_file(path)
        getattr(model, "_orig_mod", model).load_state_dict(state)
    except Exception as error:
        raise EnvironmentFault(f"{path.name}: not the weights of this network: {error}") from error


def _bytes(tensor: Tensor) -> bytes:
    flat = tensor.detach().to("cpu").contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().tobytes()
