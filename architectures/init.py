"""Initial weights keyed by (key, parameter name): two networks that share a name share its draw.

Drawn on the CPU whatever the device, each parameter from a generator of its own, so that adding a layer
moves no other layer's weights. Convolutions are He-normal over the fan-out (He et al. 2015, section 2.2,
backward form), batch norms start as the identity (those that say so at zero, `ZeroGamma`), linear layers are
uniform within 1/sqrt(fan-in): what torchvision and timm give a ResNet.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from architectures.keys import derive


class ZeroGamma(nn.BatchNorm2d):
    """A batch norm whose scale starts at zero, so that the block it ends starts as its shortcut.

    Goyal et al. (2017), "Accurate, Large Minibatch SGD", 1706.02677, section 5.1.
    """

    def reset_parameters(self) -> None:
        """Zero scale, zero shift, fresh statistics."""
        super().reset_parameters()
        nn.init.zeros_(self.weight)


@torch.no_grad()
def initialise(model: nn.Module, key: int) -> None:
    """Draw every parameter, and reset the running statistics.

    Args:
        model: A network of convolutions, linear layers and batch norms, on the CPU.
        key: As `derive` makes it.

    Raises:
        TypeError: A parameter belongs to a layer for which there is no rule.
    """
    for prefix, module in model.named_modules():
        for name, parameter in module.named_parameters(prefix, recurse=False):
            _draw(module, name, parameter, key)
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()


def _draw(module: nn.Module, name: str, parameter: Tensor, key: int) -> None:
    generator = torch.Generator().manual_seed(derive(key, name))
    leaf = name.rpartition(".")[2]
    if isinstance(module, nn.Conv2d) and leaf == "weight":
        fan_out = module.out_channels * math.prod(module.kernel_size) // module.groups
        drawn = torch.randn(parameter.shape, generator=generator) * math.sqrt(2 / fan_out)
    elif isinstance(module, nn.BatchNorm2d):
        starts_at_one = leaf == "weight" and not isinstance(module, ZeroGamma)
        drawn = torch.full(parameter.shape, 1.0 if starts_at_one else 0.0)
    elif isinstance(module, nn.Linear):
        bound = 1 / math.sqrt(module.in_features)
        drawn = (torch.rand(parameter.shape, generator=generator) * 2 - 1) * bound
    else:
        raise TypeError(f"{name}: no rule to initialise {type(module).__name__}.{leaf}")
    parameter.copy_(drawn)
