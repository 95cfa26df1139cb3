"""What an image costs at least: FLOPs and bytes to memory, counted on tensors that have shapes and no data.

The network runs forward, and for training backward, on torch's meta device, at two batch sizes; the
difference is the cost of one image, without the weights, which a batch reads once. What trains decides what
the backward pass does, so that frozen stages are counted as they are.

Two counts of traffic. *Eager*: every operation is a kernel that reads its inputs and writes its outputs once;
a batch norm reads its input for the statistics and again to normalise, forward and backward; a convolution's
backward pass is two kernels. *Fused*: what is pointwise is done where its neighbour has the data at hand, and
only a second operand (a residual) is still read. Measured speed over these roofs says how good the kernels
are. Williams, Waterman & Patterson (2009), "Roofline: An Insightful Visual Performance Model", CACM 52(4).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

_BATCHES = (2, 3)
"""Two batch sizes; above one, because batch norm over one value has no variance."""


@dataclass(frozen=True)
class Cost:
    """Of one image."""

    flops: float
    """Of products and convolutions, a multiply-add counting two."""
    eager_elements: float
    """Elements read and written with every operation a kernel of its own."""
    fused_elements: float
    """The same with pointwise operations fused into their neighbours."""


def cost(
    build: Callable[[], nn.Module], *, in_chans: int, image_size: int, num_classes: int, trains: bool
) -> Cost:
    """What one image costs.

    Args:
        build: Makes the network, ready to be run: in training or in eval mode, frozen where it is to be.
        in_chans: Channels of the images.
        image_size: Side of the images in pixels.
        num_classes: Classes; the loss is cross-entropy.
        trains: Whether to count the backward pass.
    """
    with torch.device("meta"):
        model = build()
    counts = [_count(model, n, in_chans, image_size, num_classes, trains=trains) for n in _BATCHES]
    (flops, eager, fused) = (
        (large - small) / (_BATCHES[1] - _BATCHES[0]) for small, large in zip(*counts, strict=True)
    )
    return Cost(flops, eager, fused)


def element_bytes(amp: str) -> int:
    """Bytes of an activation under a precision."""
    return 4 if amp == "none" else 2


def _count(
    model: nn.Module, n: int, in_chans: int, image_size: int, num_classes: int, *, trains: bool
) -> tuple[float, float, float]:
    with torch.device("meta"):
        images = torch.empty(n, in_chans, image_size, image_size)
        labels = torch.empty(n, dtype=torch.int64)
    traffic = _Traffic()
    with FlopCounterMode(display=False) as flops, traffic, torch.set_grad_enabled(trains):
        logits = model(images)
        if trains:
            loss = F.cross_entropy(logits.view(n, num_classes), labels)
            if loss.requires_grad:
                loss.backward()  # type: ignore[no-untyped-call]  # untyped in torch
    model.zero_grad(set_to_none=True)
    return float(flops.get_total_flops()), traffic.eager, traffic.fused


class _Traffic(TorchDispatchMode):  # type: ignore[no-untyped-call]  # untyped in torch
    """Counts elements that operations read and write; what only views moves nothing."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # untyped in torch
        self.eager = 0.0
        self.fused = 0.0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        del types
        out = func(*args, **(kwargs or {}))
        inputs = [value for value in _tensors((args, kwargs or {})) if value.is_floating_point()]
        outputs = [value for value in _tensors(out) if value.is_floating_point()]
        if not _is_view(func) and not _makes_from_nothing(func):
            eager, fused = _passes(func, args, inputs, outputs)
            self.eager += eager
            self.fused += fused
        return out


def _passes(
    func: Any, args: tuple[Any, ...], inputs: list[Tensor], outputs: list[Tensor]
) -> tuple[float, float]:
    """Elements that one operation moves, alone and fused."""
    name = func.overloadpacket.__name__
    moved = sum(tensor.numel() for tensor in (*inputs, *outputs))
    if name == "convolution_backward":
        gradient, images = args[0].numel(), args[1].numel()
        to_images, to_weights, _ = args[-1]
        both = (gradient + images) * (bool(to_images) + bool(to_weights))
        return both, both
    if "norm" in name and outputs:
        return _norm_passes(name, args)
    if torch.Tag.pointwise in func.tags and outputs:
        whole = outputs[0].numel()
        operands = sum(tensor.numel() == whole for tensor in inputs)
        # A backward pass of its kind reads what its neighbour reads already.
        held = 2 if name.endswith("_backward") else 1
        return moved, whole * max(0, operands - held)
    return moved, moved


def _norm_passes(name: str, args: tuple[Any, ...]) -> tuple[float, float]:
    """Statistics read the input once more; in eval mode there are none to take."""
    images = args[1] if name.endswith("_backward") else args[0]
    if name.endswith("_backward"):
        return 5 * images.numel(), 5 * images.numel()
    takes_statistics = "no_training" not in name and not (
        name.startswith("native_batch_norm") and not args[5]
    )
    passes = 3 if takes_statistics else 2
    return passes * images.numel(), passes * images.numel()


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        return [tensor for inner in value.values() for tensor in _tensors(inner)]
    if isinstance(value, list | tuple):
        return [tensor for inner in value for tensor in _tensors(inner)]
    return []


def _is_view(func: Any) -> bool:
    """Whether the result shares memory with an argument that is not written to."""
    returned = [one.alias_info for one in func._schema.returns]
    return any(alias is not None and not alias.is_write for alias in returned)


def _makes_from_nothing(func: Any) -> bool:
    """Allocation and detaching, which move nothing."""
    return func.overloadpacket.__name__ in ("empty", "empty_like", "new_empty", "detach", "ones_like")
