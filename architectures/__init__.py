"""The scratch networks behind one door: names and options without torch, networks with it.

`names`, `family`, `check` and `defaults` answer planning in milliseconds; `build` loads the family's file and
with it torch. Nothing here knows of `bench`.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from architectures.specs import FamilySpec, Option, OptionFault, check, defaults, family, names

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "FamilySpec",
    "Option",
    "OptionFault",
    "build",
    "check",
    "defaults",
    "family",
    "initialise",
    "names",
    "stages",
]


def build(name: str, *, num_classes: int, in_chans: int, img_size: int, **options: Any) -> nn.Module:
    """A network with torch's initial weights; `initialise` draws those of a run.

    Args:
        name: One of `names()`.
        num_classes: Width of the last layer.
        in_chans: Channels of the images.
        img_size: Side of the images in pixels.
        options: Options of the family; absent ones take their default.

    Returns:
        The module, on the CPU, in training mode: float images (N, C, H, W) -> logits (N, num_classes).

    Raises:
        ValueError: The family does not take this; one line a fault.
    """
    faults = check(name, options, num_classes=num_classes, in_chans=in_chans, img_size=img_size)
    if faults:
        raise ValueError("\n".join(str(fault) for fault in faults))
    module = importlib.import_module(f"architectures.{family(name).module}")
    model: nn.Module = module.build(
        num_classes=num_classes, in_chans=in_chans, img_size=img_size, **defaults(name) | options
    )
    return model


def initialise(model: nn.Module, key: int) -> None:
    """Draw every parameter of one of our networks anew; see `architectures.init`."""
    from architectures import init  # noqa: PLC0415 - torch is loaded only where a network is

    init.initialise(model, key)


def stages(model: nn.Module) -> Mapping[str, tuple[str, ...]]:
    """The network's stages from the images to the logits, each with the names of its modules.

    Raises:
        TypeError: The model names no stages.
    """
    named = getattr(model, "stages", None)
    if named is None:
        raise TypeError(f"{type(model).__name__} names no stages")
    answer: Mapping[str, tuple[str, ...]] = named()
    return answer
