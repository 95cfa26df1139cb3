"""What a network costs on paper: parameters and multiply-accumulates, without an image being computed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from bench.train.loop import EVAL_BATCH


def count_parameters(model: nn.Module) -> int:
    """Parameters, trainable or not; a tied one counts once."""
    return sum(parameter.numel() for parameter in model.parameters())


def count_trainable(model: nn.Module) -> int:
    """Parameters that an optimiser would change."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def gmacs(build: Callable[[], nn.Module], in_chans: int, img_size: int) -> float:
    """Multiply-accumulates of one image's forward pass, in 1e9: half the FLOPs of products and convolutions.

    Built on the meta device, where shapes are known and nothing is computed or allocated.

    Args:
        build: Makes the network.
        in_chans: Channels of the images.
        img_size: Side of the images in pixels.

    Reference: He et al. (2016), table 1, counts FLOPs as multiply-adds likewise.
    """
    with torch.device("meta"):
        model = build().eval()
        images = torch.empty(1, in_chans, img_size, img_size)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(images)
    return float(counter.get_total_flops()) / 2 / 1e9


def mactivations(build: Callable[[], nn.Module], in_chans: int, img_size: int) -> float:
    """Activations of one image's forward pass, in 1e6: elements that convolutions and products put out.

    Args:
        build: Makes the network.
        in_chans: Channels of the images.
        img_size: Side of the images in pixels.

    Reference: Radosavovic et al. (2020), "Designing Network Design Spaces", CVPR, section 3; timm's `macts`.
    """
    with torch.device("meta"):
        model = build().eval()
        images = torch.empty(1, in_chans, img_size, img_size)
    with _Outputs() as counter, torch.no_grad():  # type: ignore[no-untyped-call]  # untyped in torch
        model(images)
    return float(counter.n_elements) / 1e6


class _Outputs(TorchDispatchMode):  # type: ignore[no-untyped-call]  # untyped in torch
    """Adds up what convolutions and products put out."""

    n_elements: int = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        del types
        out = func(*args, **(kwargs or {}))
        if func.overloadpacket in _PRODUCTS:
            self.n_elements += out.numel()
        return out


_PRODUCTS = {torch.ops.aten.convolution, torch.ops.aten.addmm, torch.ops.aten.mm, torch.ops.aten.bmm}

OVERHEAD_BYTES = 512 << 20
"""Of a run's workspaces for convolutions and products, and of what its allocator rounds up."""


def training_memory_bytes(
    build: Callable[[], nn.Module], in_chans: int, img_size: int, batch_size: int
) -> int:
    """Device memory that training takes at most, roughly: in fp32, evaluation beside a captured step.

    What autograd saves of one image is counted on the meta device; beside it at any moment stand a few of the
    largest tensors, and every parameter with gradient, two moments and a copy.

    Args:
        build: Makes the network.
        in_chans: Channels of the images.
        img_size: Side of the images in pixels.
        batch_size: Images a step.
    """
    with torch.device("meta"):
        model = build().eval()
        images = torch.empty(1, in_chans, img_size, img_size)
    saved: dict[int, Tensor] = {}
    own = {_storage(tensor) for tensor in (*model.parameters(), *model.buffers())}

    def pack(tensor: Tensor) -> Tensor:
        if _storage(tensor) not in own:
            saved[_storage(tensor)] = tensor
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        model(images)
    sizes = [tensor.numel() for tensor in saved.values()] or [0]
    activations = batch_size * (sum(sizes) + 4 * max(sizes)) + 4 * EVAL_BATCH * max(sizes)
    return OVERHEAD_BYTES + 4 * (activations + 5 * count_parameters(model))


def _storage(tensor: Tensor) -> int:
    """Tells memory apart where nothing has an address."""
    address: int = tensor.untyped_storage()._cdata
    return address
