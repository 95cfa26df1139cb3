"""State of any optimiser as named tensors and plain JSON, and back.

safetensors holds tensors and text only, which is the point: a checkpoint can be read without running code
from it. Dictionaries keep the types of their keys (torch numbers parameters by integers).
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from bench.errors import UsageError


def pack(value: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    """JSON for `value`; tensors in it go into `tensors`, under names that start with `name`.

    Raises:
        UsageError: It holds something other than tensors, numbers, text, lists and dictionaries.
    """
    if isinstance(value, Tensor):
        tensors[name] = value
        return {"tensor": name}
    if isinstance(value, dict):
        items = [[_plain(key, name), pack(inner, f"{name}.{key}", tensors)] for key, inner in value.items()]
        return {"dict": items}
    if isinstance(value, (list, tuple)):
        inner = [pack(item, f"{name}.{index}", tensors) for index, item in enumerate(value)]
        return {type(value).__name__ if type(value) in (list, tuple) else "tuple": inner}
    return _plain(value, name)


def unpack(packed: Any, tensors: dict[str, Tensor]) -> Any:
    """The value that `pack` packed."""
    if not isinstance(packed, dict):
        return packed
    ((kind, content),) = packed.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "dict":
        return {key: unpack(inner, tensors) for key, inner in content}
    items = [unpack(item, tensors) for item in content]
    return items if kind == "list" else tuple(items)


def _plain(value: Any, name: str) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise UsageError(f"train.optimizer: its state {name} is a {type(value).__name__}, which cannot be saved")
