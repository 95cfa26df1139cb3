"""Networks of the user's own, named `package.module:callable`."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

from torch import nn


def build_own(name: str, **arguments: Any) -> nn.Module:
    """Call the user's function or class.

    Args:
        name: `package.module:callable`; the module is found as Python finds modules.
        arguments: `num_classes`, `in_chans`, `img_size` and the options that the study gives.

    Returns:
        What it makes, in training mode.

    Raises:
        ValueError: It cannot be found, does not take these arguments, or makes no module; one line.
    """
    module_name, _, function_name = name.partition(":")
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise ValueError(f"{name}: {error}; is its folder on PYTHONPATH?") from error
    found = getattr(found, function_name, None)
    if found is None:
        raise ValueError(f"{name}: module {module_name} has no {function_name!r}")
    if not callable(found):
        raise ValueError(f"{name} is of type {type(found).__name__}; a function or a class is due")
    try:
        inspect.signature(found).bind(**arguments)
    except TypeError as error:
        raise ValueError(f"{name}: {error}; it is called with {', '.join(arguments)}") from error
    model = found(**arguments)
    if not isinstance(model, nn.Module):
        raise ValueError(f"{name} makes an object of type {type(model).__name__}; a torch.nn.Module is due")
    return model.train()
