"""A multilayer perceptron: what is left of image classification without convolutions.

Pixels, dense layers of 128 and 64 with ReLU and dropout 0.2, logits: 109,386 parameters on MNIST. LeCun,
Bottou, Bengio, Haffner (1998), "Gradient-Based Learning Applied to Document Recognition", section III.C,
has its kin with 300 and 100 units; dropout is Srivastava et al. (2014), JMLR 15.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from architectures.noise import Dropout, NoiseState
from architectures.tail import Staged


class MLP(Staged):
    """Hidden layers fc1, fc2, … and the logits fc."""

    def __init__(
        self, *, hidden: Sequence[int], dropout: float, num_classes: int, in_chans: int, img_size: int
    ) -> None:
        super().__init__()
        noise = NoiseState()
        sizes = [in_chans * img_size**2, *hidden]
        self.n_hidden = len(hidden)
        for n, (n_in, n_out) in enumerate(pairwise(sizes), start=1):
            self.add_module(f"fc{n}", nn.Linear(n_in, n_out))
            self.add_module(f"drop{n}", Dropout(dropout, noise))
        self.fc = nn.Linear(sizes[-1], num_classes)

    def stages(self) -> Mapping[str, tuple[str, ...]]:
        """Stage names with their modules: the first hidden layer is the stem, the logits are the head."""
        hidden = {f"layer{n}": (f"fc{n + 1}", f"drop{n + 1}") for n in range(1, self.n_hidden)}
        return {"stem": ("fc1", "drop1"), **hidden, "head": ("fc",)}

    def passes(self) -> Mapping[str, Callable[[Tensor], Tensor]]:
        """What each stage does; the stem flattens the images."""
        hidden = {f"layer{n}": partial(self._hidden, n + 1) for n in range(1, self.n_hidden)}
        return {"stem": self._stem, **hidden, "head": self.fc}

    def _stem(self, x: Tensor) -> Tensor:
        return self._hidden(1, x.flatten(1))  # (N, C, H, W) -> (N, C·H·W)

    def _hidden(self, n: int, x: Tensor) -> Tensor:
        hidden: Tensor = getattr(self, f"drop{n}")(F.relu(getattr(self, f"fc{n}")(x)))
        return hidden


def build(*, hidden: Sequence[int], dropout: float, num_classes: int, in_chans: int, img_size: int) -> MLP:
    """An MLP; called through `architectures.build`."""
    return MLP(hidden=hidden, dropout=dropout, num_classes=num_classes, in_chans=in_chans, img_size=img_size)
