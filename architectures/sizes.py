"""How large a network is: parameters and multiply-adds, whole and layer by layer, without computing anything.

The network runs on torch's meta device, where tensors have shapes and no values, under torch's counter of
floating-point operations. A multiply-add counts once; convolutions, linear layers and matrix products count,
norms and activations do not, as is usual in tables of networks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import architectures


@dataclass(frozen=True)
class Layer:
    """One row of a network's listing.

    Attributes:
        stage: Of `architectures.stages`; empty for what has no parameters and no place there.
        name: Dotted; empty for the network, if it holds parameters of its own.
        kind: The module's class.
        output_shape: For one image; empty where the module gives no tensor.
        n_params: Of the module itself, without its children.
        macs: Multiply-adds of the module itself on one image.
    """

    stage: str
    name: str
    kind: str
    output_shape: tuple[int, ...]
    n_params: int
    macs: int


def on_meta(
    name: str, *, num_classes: int, in_chans: int, img_size: int, options: Mapping[str, Any]
) -> nn.Module:
    """The network without values, in evaluation mode.

    Raises:
        ValueError: It cannot be built; one line a fault.
    """
    # Some library networks compute with tensors while they are built, so they are emptied afterwards.
    device = "cpu" if architectures.is_external(name) else "meta"
    with torch.device(device):
        model = architectures.build(
            name, num_classes=num_classes, in_chans=in_chans, img_size=img_size, **options
        )
    return model.to("meta").eval()


def count_macs(model: nn.Module, *, in_chans: int, img_size: int) -> int:
    """Multiply-adds of one image through a network on the meta device."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.empty(1, in_chans, img_size, img_size, device="meta"))
    return int(counter.get_total_flops()) // 2


def list_layers(model: nn.Module, *, in_chans: int, img_size: int) -> list[Layer]:
    """The layers of a network on the meta device, in the order in which they first run.

    Layers are the modules without children, and those that hold parameters or compute beside their children.
    """
    shapes: dict[str, tuple[int, ...]] = {}

    def hook(name: str) -> Any:
        def keep(_module: nn.Module, _inputs: Any, output: Any) -> None:
            shapes.setdefault(name, tuple(output.shape[1:]) if isinstance(output, Tensor) else ())

        return keep

    modules = dict(model.named_modules())
    handles = [module.register_forward_hook(hook(name)) for name, module in modules.items()]
    try:
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            model(torch.empty(1, in_chans, img_size, img_size, device="meta"))
    finally:
        for handle in handles:
            handle.remove()
    totals = {key: sum(ops.values()) // 2 for key, ops in counter.get_flop_counts().items()}
    root = type(model).__name__
    macs = {name: totals.get(f"{root}.{name}" if name else "Global", 0) for name in modules}
    stages = architectures.stages(model)
    rows = {name: _layer(stages, name, modules[name], shapes[name], macs) for name in shapes}
    return [
        row
        for name, row in rows.items()
        if row.n_params or row.macs or _computes(name, modules[name], shapes)
    ]


def _computes(name: str, module: nn.Module, ran: Iterable[str]) -> bool:
    """Whether the module does something that none of its children does."""
    if not name or isinstance(module, nn.Identity):
        return False
    return not any(other.startswith(f"{name}.") for other in ran)


def _layer(
    stages: Mapping[str, tuple[str, ...]],
    name: str,
    module: nn.Module,
    shape: tuple[int, ...],
    macs: Mapping[str, int],
) -> Layer:
    dot = f"{name}." if name else ""
    # A module that hangs in two places is counted at its first.
    inner = sum(macs.get(f"{dot}{child}", 0) for child, _ in module.named_children())
    own = sum(parameter.numel() for parameter in module.parameters(recurse=False))
    stage = next((stage for stage, parts in stages.items() if is_within(name, parts)), "")
    return Layer(stage, name, type(module).__name__, shape, own, macs[name] - inner)


def is_within(name: str, parts: tuple[str, ...]) -> bool:
    """Whether a dotted name is one of a stage's parts or lies in one."""
    return any(name == part or name.startswith(f"{part}.") for part in parts)
