"""Where a run stands, in one file: weights, optimiser, random generators and bookkeeping.

One file, so that its parts cannot belong to different moments; safetensors, so that reading it runs no code;
with a digest of everything in it and the identity of its run, so that a damaged or foreign one is found
before a number of it is used. Order and augmentation need no state (see `architectures.counter`).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise
from torch import Tensor

from bench.record.durable import write_bytes
from bench.train.weights import copied, load_weights, tensors_digest

__all__ = ["BEST", "CHECKPOINT", "LAST", "Contents", "discard", "load", "load_weights", "save"]

CHECKPOINT = "checkpoint.safetensors"
"""The run's state, while it is not finished."""

LAST = "last.safetensors"
"""Weights after the last step."""

BEST = "best.safetensors"
"""Weights of the best epoch on validation."""

_FORMAT = 1


@dataclass(frozen=True)
class Contents:
    """Named tensors, and bookkeeping as plain JSON."""

    tensors: dict[str, Tensor]
    notes: dict[str, Any]


def save(folder: Path, contents: Contents, identity: str) -> None:
    """Replace the folder's checkpoint, durably.

    Raises:
        EnvironmentFault: The disk is full or the folder cannot be written; the old one is untouched.
    """
    tensors = dict(sorted(copied(contents.tensors).items()))
    notes = json.dumps({**contents.notes, "made_by": _maker()}, sort_keys=True, allow_nan=False)
    metadata = {"identity": identity, "notes": notes, "sha256": _digest(tensors, notes, identity)}
    write_bytes(folder / CHECKPOINT, serialise(tensors, metadata=metadata))


def load(folder: Path, identity: str) -> tuple[Contents | None, str | None]:
    """The folder's checkpoint, if it is whole and of this run.

    Returns:
        The contents, or None; and the reason in one line where a file was there but is of no use.
    """
    path = folder / CHECKPOINT
    if not path.exists():
        return None, None
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in sorted(file.keys())}
    except (SafetensorError, OSError, ValueError) as error:
        return None, f"{CHECKPOINT} is damaged ({_first_line(error)}); started again from step 0"
    notes = metadata.get("notes", "")
    if metadata.get("sha256") != _digest(tensors, notes, metadata.get("identity", "")):
        return None, f"{CHECKPOINT} is damaged (its digest does not match); started again from step 0"
    if metadata["identity"] != identity:
        return None, f"{CHECKPOINT} is of another run; started again from step 0"
    read = json.loads(notes)
    if read.pop("made_by") != _maker():
        return None, f"{CHECKPOINT} was made by another version of torch; started again from step 0"
    return Contents(tensors, read), None


def discard(folder: Path) -> None:
    """Remove the checkpoint, once the run's record stands."""
    (folder / CHECKPOINT).unlink(missing_ok=True)


def _digest(tensors: dict[str, Tensor], notes: str, identity: str) -> str:
    whole = f"{tensors_digest(tensors.items())}|{identity}|{notes}"
    return hashlib.sha256(whole.encode()).hexdigest()


def _maker() -> list[Any]:
    """Exactness is promised for one version of torch only, so another's checkpoint is not carried on."""
    return [_FORMAT, str(torch.__version__)]


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:120]
