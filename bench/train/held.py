"""Tensors with a copy behind them, so that a step that went wrong can be taken back.

Running statistics change in the forward pass, before anybody knows whether the loss is finite. On a GPU the
decision itself stays on the device; the copies lie end to end in one buffer a dtype, which makes taking
back (or not) three kernels, however many layers there are.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class _Shelf:
    """Tensors of one dtype, each as a flat view, and their copies as slices of one buffer."""

    live: list[Tensor]
    slices: list[Tensor]
    held: Tensor
    now: Tensor


class Held:
    """Copies of tensors that are changed in place.

    Args:
        tensors: Parameters or buffers, each at an address that stays.
    """

    def __init__(self, tensors: Iterable[Tensor]) -> None:
        by_dtype: dict[torch.dtype, list[Tensor]] = {}
        self._loose: list[tuple[Tensor, Tensor]] = []
        for tensor in tensors:
            flat = _flat(tensor.detach())
            if flat is None:
                self._loose.append((tensor.detach(), tensor.detach().clone()))
            else:
                by_dtype.setdefault(tensor.dtype, []).append(flat)
        self._shelves = [_shelf(live) for live in by_dtype.values()]

    @torch.no_grad()
    def hold(self) -> None:
        """Remember the tensors as they are."""
        for shelf in self._shelves:
            torch._foreach_copy_(shelf.slices, shelf.live)
        for live, held in self._loose:
            held.copy_(live)

    @torch.no_grad()
    def restore(self) -> None:
        """Make the tensors what they were when last held."""
        for shelf in self._shelves:
            torch._foreach_copy_(shelf.live, shelf.slices)
        for live, held in self._loose:
            live.copy_(held)

    @torch.no_grad()
    def swap(self) -> None:
        """Make the tensors what they were when last held, and hold what they are now."""
        for shelf in self._shelves:
            torch.cat(shelf.live, out=shelf.now)
            torch._foreach_copy_(shelf.live, shelf.slices)
            shelf.held.copy_(shelf.now)
        for live, held in self._loose:
            now = live.clone()
            live.copy_(held)
            held.copy_(now)

    @torch.no_grad()
    def approach(self, share: Tensor) -> None:
        """Move what is held by a share of the way to what the tensors are; whole numbers are copied.

        Args:
            share: 0-dim floating-point tensor on the tensors' device.
        """
        for shelf in self._shelves:
            torch.cat(shelf.live, out=shelf.now)
            _approach(shelf.held, shelf.now, share)
        for live, held in self._loose:
            _approach(held, live, share)

    @torch.no_grad()
    def settle(self, bad: Tensor) -> None:
        """Take the tensors back to what was held where `bad`, else hold what they are; no synchronisation.

        Args:
            bad: 0-dim bool on the tensors' device.
        """
        for shelf in self._shelves:
            torch.cat(shelf.live, out=shelf.now)
            torch.where(bad, shelf.held, shelf.now, out=shelf.held)
            torch._foreach_copy_(shelf.live, shelf.slices)
        for live, held in self._loose:
            held.copy_(torch.where(bad, held, live))
            live.copy_(held)


def _approach(held: Tensor, now: Tensor, share: Tensor) -> None:
    if held.is_floating_point():
        held.lerp_(now, share.to(held.dtype))
    else:
        held.copy_(now)


def _shelf(live: list[Tensor]) -> _Shelf:
    held = torch.cat(live)
    slices = list(torch.split(held, [tensor.numel() for tensor in live]))
    return _Shelf(live, slices, held, torch.empty_like(held))


def _flat(tensor: Tensor) -> Tensor | None:
    """A view of all elements in the order in which they lie in memory; None where there are gaps."""
    dense = tensor.is_contiguous() or (
        tensor.ndim == 4 and tensor.is_contiguous(memory_format=torch.channels_last)
    )
    return tensor.as_strided((tensor.numel(),), (1,)) if dense else None
