"""A frozen prefix is computed once: its features of every training image take the images' place.

What does not train, keeps no statistics and drops nothing gives the same features for the same image as long
as it is frozen. Without augmentation the images are the same every epoch, so the prefix need not be run
again: a frozen trunk then costs a gather a step.

Results are those of the uncached run, bit for bit, for four reasons. The network is cut at the same place,
and the halves compiled apart, whether the features are kept or not. They are computed in the run's own batch
size, precision and layout. They are kept with the type and the strides that they came with. And that an
image's features depend neither on its place in the batch nor on its neighbours is not believed but tried:
kernels may sum the edge of a batch in another order; where they do, nothing is kept.

Reference: Yosinski et al. (2014), "How transferable are features in deep neural networks?", NeurIPS (frozen
prefixes). Keeping what they compute is an old habit of transfer learning (Donahue et al. 2014, "DeCAF").
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from architectures.noise import Dropout
from architectures.tail import Part, Staged, split
from bench.data.batches import EvalBatches, TrainBatches

HOST_LIMIT_BYTES = 1 << 30
"""Features that a run on a CPU keeps; several runs may share the memory."""

DEVICE_SHARE = 0.25
"""Share of the free device memory that features may take; training needs the rest."""

N_TRIALS = 2
"""Batches by which it is tried whether features depend on places."""

Features = Callable[[Tensor], Tensor]
"""The prefix as the step runs it: images (N, C, H, W) -> features (N, …), without gradients."""


def halves(model: nn.Module, frozen: frozenset[str]) -> tuple[Part, Part] | None:
    """The network's frozen prefix and what follows it.

    Args:
        model: With the modes of its modules set as they train.
        frozen: Names of the stages that do not train now.

    Returns:
        The longest row of frozen stages from the images on that always give the same, and the other stages,
        the last one at least; None where the first stage is none of them, or where the network cannot be cut.
    """
    if not isinstance(model, Staged):
        return None
    stages = model.stages()
    last: str | None = None
    for name in list(stages)[:-1]:
        modules = [module for prefix in stages[name] for module in model.get_submodule(prefix).modules()]
        if name not in frozen or any(_varies(module) for module in modules):
            break
        last = name
    return None if last is None else split(model, last)


def room_bytes(device: torch.device, kept: int = 0) -> int:
    """How many bytes of features a run may keep on its device, besides those that it keeps already."""
    if device.type != "cuda":
        return HOST_LIMIT_BYTES - kept
    free, _ = torch.cuda.mem_get_info(device)
    return int(DEVICE_SHARE * free)


def pays(batches: TrainBatches, steps_left: int) -> bool:
    """Whether features serve more steps than they take to compute; never where images are augmented.

    Args:
        batches: The run's batches of images.
        steps_left: Steps that the prefix stays as it is.
    """
    n_batches = -(-len(batches.train) // batches.batch_size)
    return not batches.augments and steps_left > n_batches + N_TRIALS


def cached_prefix(features: Features, batches: TrainBatches, *, limit_bytes: int) -> FeatureBatches | None:
    """Compute the prefix for every training image.

    Args:
        features: The frozen prefix, as the step runs it.
        batches: The run's batches of images, without augmentation.
        limit_bytes: Most bytes that the features may take.

    Returns:
        Batches of features in the order of the images; None where features take too much memory, or depend
        on an image's place in its batch.
    """
    index = torch.arange(len(batches.train), device=batches.train.home)
    first = index[: batches.batch_size]
    found = features(batches.batch((first,))[0])
    like = _Layout.of(found)
    if like is None or like.n_bytes * len(index) > limit_bytes:
        return None
    found = found.clone()  # with CUDA graphs of torch.compile, the next call writes into the same memory
    if not _same_at_every_place(features, batches, first, found):
        return None
    flat = found.new_empty((len(index), like.n_elements))
    flat[: batches.batch_size] = like.flat(found)
    for start in range(batches.batch_size, len(index), batches.batch_size):
        # The last batch is full too: smaller ones may meet other kernels.
        start = min(start, len(index) - batches.batch_size)  # noqa: PLW2901 - of the last
        rows = index[start : start + batches.batch_size]
        flat[start : start + batches.batch_size] = like.flat(features(batches.batch((rows,))[0]))
    return FeatureBatches(batches, flat, like)


@dataclass(frozen=True)
class _Layout:
    """How one image's features lie in memory."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    n_elements: int
    n_bytes: int

    @classmethod
    def of(cls, features: Tensor) -> _Layout | None:
        """That of a batch (N, …); None where images are not apart in memory or leave gaps."""
        one = features[0]
        if not _is_dense(one) or (len(features) > 1 and features.stride(0) != one.numel()):
            return None
        return cls(tuple(one.shape), one.stride(), one.numel(), one.numel() * one.element_size())

    def flat(self, features: Tensor) -> Tensor:
        """The batch as rows of memory, (N, n_elements)."""
        assert (features.shape[1:], features.stride()[1:]) == (self.shape, self.strides)
        return features.as_strided((len(features), self.n_elements), (self.n_elements, 1))

    def shaped(self, rows: Tensor) -> Tensor:
        """The batch that `flat` made rows of."""
        return rows.as_strided((len(rows), *self.shape), (self.n_elements, *self.strides))


class FeatureBatches:
    """The run's batches, with features in place of the images.

    Args:
        images: The batches whose order these have.
        flat: Features of every training image, (N, elements), on the device.
        like: How a row is to be read.
    """

    on_device = True

    def __init__(self, images: TrainBatches, flat: Tensor, like: _Layout) -> None:
        self.batch_size, self.steps_per_epoch = images.batch_size, images.steps_per_epoch
        self._images, self._flat, self._like = images, flat, like
        self._labels = images.train.labels.to(flat.device)

    @property
    def n_bytes(self) -> int:
        """What the features take."""
        return self._flat.numel() * self._flat.element_size()

    def rows(self, epoch: int) -> tuple[Tensor, ...]:
        """Position in the split of each place of the epoch."""
        (order,) = self._images.rows(epoch)
        return (order.to(self._flat.device),)

    @torch.no_grad()
    def batch(self, rows: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Features (B, …) and labels int64 (B,)."""
        (index,) = rows
        return self._like.shaped(self._flat.index_select(0, index)), self._labels.index_select(0, index)


@dataclass
class EvalFeatures:
    """Evaluation batches as the prefix leaves them; what the first pass computes is kept for the next.

    Every pass has the same batches, so nothing has to be the same at other places.

    Args:
        images: The batches of images.
        features: The prefix, in evaluation mode while it is iterated over.
        limit_bytes: Most bytes to keep; what takes more is computed at every pass.
    """

    images: EvalBatches
    features: Features
    limit_bytes: int
    _kept: list[tuple[Tensor, Tensor]] | None = None

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        if self._kept is not None:
            yield from self._kept
            return
        kept, n_bytes = [], 0
        for images, labels in self.images:
            found = self.features(images)
            n_bytes += found.numel() * found.element_size()
            if n_bytes <= self.limit_bytes:
                kept.append((found, labels))
            yield found, labels
        if n_bytes <= self.limit_bytes:
            self._kept = kept


def _varies(module: nn.Module) -> bool:
    """Whether a forward pass may give something else next time."""
    drops = isinstance(module, Dropout) and module.rate > 0
    return module.training and (drops or isinstance(module, nn.modules.batchnorm._BatchNorm))


def _is_dense(tensor: Tensor) -> bool:
    """Whether the elements fill one stretch of memory, in any order of the axes."""
    n_elements = 1
    for stride, size in sorted(zip(tensor.stride(), tensor.shape, strict=True)):
        if size != 1 and stride != n_elements:
            return False
        n_elements *= size
    return n_elements > 0


def _same_at_every_place(features: Features, batches: TrainBatches, index: Tensor, found: Tensor) -> bool:
    """Whether images have the same features at other places of a batch, beside others."""
    places = torch.arange(len(index), device=index.device)
    for other in (places.flip(0), places.roll(1)):
        again = features(batches.batch((index.index_select(0, other),))[0])
        if not torch.equal(again, found.index_select(0, other.to(found.device))):
            return False
    return True
