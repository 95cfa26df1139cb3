"""Dropout and drop-path whose draws are functions of (key, step, layer, element).

torch's own draw from a generator with a state, so that a resumed run, another device or a captured graph
would drop other units. These read the step's number from a tensor on the device and hash it with their place
in the network, so nothing needs to be saved and nothing synchronises: who trains calls `set_key` once and
`set_step` before each step. In evaluation mode they do nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from architectures.counter import hash32


class NoiseState(nn.Module):
    """Key and step that all noise layers of one network share, as int64 tensors on its device.

    Not part of the state dict: both are known to who trains.
    """

    key: Tensor
    step: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("key", torch.zeros((), dtype=torch.int64), persistent=False)
        self.register_buffer("step", torch.zeros((), dtype=torch.int64), persistent=False)
        self.n_layers = 0

    def claim_layer(self) -> int:
        """The number of the next noise layer, in the order in which the network is built."""
        self.n_layers += 1
        return self.n_layers - 1

    def kept(self, rate: float, layer: int, n: int) -> Tensor:
        """Which of `n` elements stay at this step; bool of shape (n,), equal on every device."""
        places = torch.arange(n, device=self.key.device)
        return hash32(self.key, self.step, layer, places) >= round(rate * 2**32)


class Dropout(nn.Module):
    """Each element is zero with probability `rate` in training, the others grow by 1/(1 - rate).

    Srivastava et al. (2014), "Dropout: A Simple Way to Prevent Neural Networks from Overfitting", JMLR 15;
    scaled in training, as everywhere today, and not in evaluation.

    Args:
        rate: In [0, 1).
        noise: The network's state.
    """

    def __init__(self, rate: float, noise: NoiseState) -> None:
        super().__init__()
        self.rate = rate
        self.noise = noise
        self.layer = noise.claim_layer()

    def forward(self, x: Tensor) -> Tensor:
        """Map a tensor to one of the same shape; elements count in logical order, whatever the layout."""
        if not self.training or self.rate == 0:
            return x
        kept = self.noise.kept(self.rate, self.layer, x.numel()).view(x.shape)
        return x * (kept.to(x.dtype) / (1 - self.rate))

    def extra_repr(self) -> str:
        """The rate, for printing."""
        return f"rate={self.rate}"


class DropPath(Dropout):
    """The whole residue of an image is zero with probability `rate` in training: its block is skipped.

    Huang et al. (2016), "Deep Networks with Stochastic Depth", ECCV, section 3. Kept residues grow by
    1/(1 - rate), as in timm, where the paper shrinks all of them in evaluation instead.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, …) to the same shape."""
        if not self.training or self.rate == 0:
            return x
        kept = self.noise.kept(self.rate, self.layer, len(x)).view(-1, *[1] * (x.ndim - 1))
        return x * (kept.to(x.dtype) / (1 - self.rate))


def noise_states(model: nn.Module) -> list[NoiseState]:
    """The states of a network's noise layers; empty where it has none that could drop anything."""
    active = (module for module in model.modules() if isinstance(module, Dropout) and module.rate > 0)
    return list({id(module.noise): module.noise for module in active}.values())


@torch.no_grad()
def set_key(model: nn.Module, key: int) -> None:
    """Say which stream the network's noise is drawn from.

    Args:
        model: A network with noise layers, or without.
        key: In [0, 2^63), as `derive` makes it.
    """
    for state in noise_states(model):
        state.key.fill_(key)


@torch.no_grad()
def set_step(model: nn.Module, step: int | Tensor) -> None:
    """Say which step is next, without synchronising.

    Args:
        model: A network with noise layers, or without.
        step: In [0, 2^32); or a 0-dim int64 tensor, which a captured graph may count up on the device.
    """
    for state in noise_states(model):
        state.step.fill_(step)


def drop_paths(rate: float, n_blocks: int) -> list[nn.Module]:
    """One drop-path a block, its rate rising linearly from 0 at the first to `rate` at the last, as in timm.

    A block that nothing is dropped from has the identity; a single block has the whole rate.
    """
    noise = NoiseState()
    rates = [rate * n / (n_blocks - 1) if n_blocks > 1 else rate for n in range(n_blocks)]
    return [DropPath(rate, noise) if rate > 0 else nn.Identity() for rate in rates]
