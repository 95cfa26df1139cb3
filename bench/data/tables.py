"""Tables of numbers that devices would compute each in its own way.

Exponentials, sines and quantiles differ between a CPU and a GPU in their last bit. Computed once on the host
and looked up, they are the same everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

STEPS = 4096
"""Entries of a table of quantiles; the upper 12 bits of a word choose one."""

WORD_SHIFT = 20
"""A 32-bit word shifted right by this is a place in such a table."""


class Table:
    """Numbers at hand on every device.

    Args:
        values: On the host.
        dtype: Of the entries.
    """

    def __init__(self, values: Sequence[float] | Sequence[Sequence[float]], dtype: torch.dtype) -> None:
        self._values = torch.tensor(values, dtype=dtype)
        self._placed: dict[torch.device, Tensor] = {}

    def on(self, device: torch.device) -> Tensor:
        """The table on a device, moved there once: a copy from the host would wait, and no graph holds it."""
        if device not in self._placed:
            self._placed[device] = self._values.to(device)
        return self._placed[device]


def midpoints(steps: int = STEPS) -> list[float]:
    """Probabilities that stand for `steps` equally likely parts: the middle of each."""
    return [(step + 0.5) / steps for step in range(steps)]
