"""What a CUDA graph does, on a CPU: record the operators of some work, repeat them at the same addresses.

A graph repeats kernels, not Python: whatever Python decides, counts or allocates while it is captured is the
same in every replay. So is this tape's. A test that trains by it sees what would be frozen in: a number
passed by value, a tensor that was replaced where it had to be filled, a branch. What a capture cannot hold is
refused, with the operator's name: waiting for a value, a shape that depends on one, a draw from torch's
generators, an upload from the host.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

Work = Callable[[], None]

REFUSED = {
    torch.Tag.data_dependent_output: "waits for the device",
    torch.Tag.dynamic_output_shape: "waits for the device, to learn a shape",
    torch.Tag.nondeterministic_seeded: "draws from a generator of torch's",
}


class NotForGraphs(AssertionError):
    """An operator that a capture refuses."""


class Tape(TorchDispatchMode):
    """Operators in the order of their calls, with the tensors that they read and made."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, tuple[Any, ...], dict[str, Any], list[Tensor]]] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        _refuse(func, args)
        made = func(*args, **kwargs)
        if not func.is_view:  # a view stays where it is
            self.calls.append((func, args, kwargs, _tensors(made)))
        return made

    @torch.no_grad()
    def replay(self) -> None:
        """Repeat the calls; each result goes to where the first one lay."""
        for func, args, kwargs, places in self.calls:
            for place, value in zip(places, _tensors(func(*args, **kwargs)), strict=True):
                if value.data_ptr() != place.data_ptr():
                    place.copy_(value)


def _refuse(func: Any, args: tuple[Any, ...]) -> None:
    if func is torch.ops.aten.lift_fresh.default:
        raise NotForGraphs(f"{func} uploads a constant from the host")
    by_place = func is torch.ops.aten.index.Tensor and all(
        index is None or index.dtype == torch.int64 for index in args[1]
    )
    for tag, why in REFUSED.items():
        # Rows taken by their numbers are as many as the numbers; rows taken by a mask have to be counted.
        if tag in func.tags and not by_place:
            raise NotForGraphs(f"{func} {why}")


def recorded(work: Work, practise: Work) -> Work:
    """In place of `capture_cuda`."""
    practise()
    tape = Tape()
    with tape, _capturing():
        work()
    return tape.replay


@contextmanager
def _capturing() -> Iterator[None]:
    """Ask optimisers what torch asks them in a capture, where it has a device to capture on."""
    names = [name for name in vars(Optimizer) if name.endswith("_graph_capture_health_check")]
    assert names, "torch asks under another name"
    with ExitStack() as stack:
        for name in names:
            stack.enter_context(mock.patch.object(Optimizer, name, _demand_capturable))
        yield


def _demand_capturable(optimizer: Optimizer) -> None:
    if not all(group["capturable"] for group in optimizer.param_groups):
        raise NotForGraphs(f"{type(optimizer).__name__} whose groups are not capturable")


def _tensors(made: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(made) if isinstance(leaf, Tensor)]
