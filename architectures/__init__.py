"""Networks behind one door: names, options, stages and sizes without torch, the networks themselves with it.

`names`, `family`, `check`, `defaults`, `stage_names` and `count_parameters` answer planning in milliseconds;
`build` loads the family's file and with it torch. Nothing here knows of `bench`.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from architectures.options import INTEGERS, FamilySpec, Option, OptionFault
from architectures.specs import (
    LIBRARIES,
    check,
    count_parameters,
    defaults,
    family,
    is_external,
    names,
    stage_names,
)

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "INTEGERS",
    "LIBRARIES",
    "FamilySpec",
    "Option",
    "OptionFault",
    "build",
    "check",
    "count_parameters",
    "defaults",
    "family",
    "initialise",
    "is_external",
    "names",
    "stage_names",
    "stages",
]


def build(name: str, *, num_classes: int, in_chans: int, img_size: int, **options: Any) -> nn.Module:
    """A network with torch's initial weights; `initialise` draws those of a run.

    Args:
        name: One of `names()`, or `timm:NAME`, `torchvision:NAME`, or `package.module:callable` for a
            function or class of one's own, which is called as this one is.
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
    shape = {"num_classes": num_classes, "in_chans": in_chans, "img_size": img_size}
    if is_external(name):
        return _build_external(name, **shape, **options)
    spec = family(name)
    module = importlib.import_module(f"architectures.{spec.module}")
    model: nn.Module = module.build(**shape, **spec.complete(options))
    return model


def initialise(model: nn.Module, key: int) -> None:
    """Draw every parameter of one of our networks anew; see `architectures.init`."""
    from architectures import init  # noqa: PLC0415 - torch is loaded only where a network is

    init.initialise(model, key)


def stages(model: nn.Module) -> Mapping[str, tuple[str, ...]]:
    """The network's stages from the images to the logits, each with the names of its modules.

    The first is `stem`, the last `head`. A network of one's own may name its stages by a method `stages()`.

    Raises:
        TypeError: The model names no stages.
    """
    # Asked of the class: some networks of timm keep their blocks in an attribute of that name.
    if callable(getattr(type(model), "stages", None)):
        answer: Mapping[str, tuple[str, ...]] = model.stages()  # type: ignore[operator] # a method, as just asked
        return answer
    from architectures import discover  # noqa: PLC0415 - loads torch

    return discover.library_stages(model)


def _build_external(name: str, **arguments: Any) -> nn.Module:
    if name.partition(":")[0] in LIBRARIES:
        from architectures import library  # noqa: PLC0415 - loads timm or torchvision

        return library.build_library(name, **arguments)
    from architectures import own  # noqa: PLC0415 - loads torch

    return own.build_own(name, **arguments)
