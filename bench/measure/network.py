"""What a network costs on paper: parameters and multiply-accumulates, without an image being computed."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


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
