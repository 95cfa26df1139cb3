"""A network as its stages one after another, and cut in two between any two of them.

A network of `Staged` says for each stage what it does to what the stage before gave it; the forward pass is
nothing but these in order. So the half before a cut and the half behind it, called one after the other, are
the network bit for bit, and what the first half gives can be kept where it always gives the same.

What only gathers what a stage has found, such as the average over the pixels, is done by the stage before:
what crosses a cut is then as small as it can be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor, nn


class Staged(nn.Module):
    """A network that is the row of its stages and nothing around them."""

    def stages(self) -> Mapping[str, tuple[str, ...]]:
        """Stage names with their modules, from the images to the logits."""
        raise NotImplementedError

    def passes(self) -> Mapping[str, Callable[[Tensor], Tensor]]:
        """What each stage does, under the names and in the order of `stages`."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Map images (N, C, H, W) to logits (N, num_classes)."""
        for stage in self.passes().values():
            x = stage(x)
        return x


class Part(nn.Module):
    """Some neighbouring stages of a network, with the network's own modules.

    Args:
        network: Stays whole; its modes and weights are the part's.
        names: The stages, in order.
    """

    def __init__(self, network: Staged, names: tuple[str, ...]) -> None:
        super().__init__()
        self.network = network
        self.names = names

    def forward(self, x: Tensor) -> Tensor:
        """Map what the stage before the part gives to what the part's last stage gives."""
        passes = self.network.passes()
        for name in self.names:
            x = passes[name](x)
        return x


def split(model: nn.Module, stage: str) -> tuple[Part, Part] | None:
    """Cut a network behind one of its stages.

    Args:
        model: Any network.
        stage: The last stage of the first half; not the network's last.

    Returns:
        The halves, which called one after the other are the network bit for bit; None where the network is
        not `Staged`: of a library's or a user's own nobody knows what it does between its modules.

    Raises:
        ValueError: The network has no such stage, or nothing lies behind it.
    """
    if not isinstance(model, Staged):
        return None
    names = tuple(model.passes())
    if stage not in names[:-1]:
        raise ValueError(f"{stage!r} is no stage to cut behind; one of {', '.join(names[:-1])}")
    n = names.index(stage) + 1
    return Part(model, names[:n]), Part(model, names[n:])
