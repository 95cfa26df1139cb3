"""Which training images train and which validate: stratified, drawn by `split_seed` alone.

The run's seed has no part in it, so that all seeds share one split. Validation is set aside first, so that
it does not depend on `train_size`. The draw uses PCG64's raw words, whose stream numpy promises to keep,
and not the distributions of `Generator`, which it does not.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.data.catalogue import split_sizes
from bench.data.faults import DataFault

if TYPE_CHECKING:
    from bench.study.specs import DataSpec

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """Rows of the set's training images. The test set is all of the set's test images, always."""

    train: Rows
    """Ascending."""
    val: Rows
    """Ascending; empty where `val` is 0."""
    digest: str
    """sha256 of both."""


def split(spec: DataSpec, labels: Rows) -> Split:
    """Divide the training images.

    Args:
        spec: For `val`, `train_size` and `split_seed`.
        labels: Class of each training image, (N,).

    Returns:
        Disjoint rows; each class gives its share, to the nearest image, and the totals are those of
        `split_sizes`.

    Raises:
        DataFault: `val` and `train_size` ask for more images than there are.
    """
    n_train, n_val = split_sizes(spec, len(labels))
    if n_train < 1 or n_train > len(labels) - n_val:
        raise DataFault(
            ("train_size", spec.train_size, f"exceeds the {len(labels) - n_val} images that remain")
        )
    words = random_words(spec.split_seed, len(labels))
    drawn = [rows[np.argsort(words[rows], kind="stable")] for rows in _rows_of_classes(labels)]
    val, rest = _take(drawn, n_val)
    train, _ = _take(rest, n_train)
    digest = hashlib.sha256()
    for name, rows in (("train", train), ("val", val)):
        digest.update(f"{name} {len(rows)} ".encode() + rows.astype("<i8").tobytes())
    return Split(train, val, digest.hexdigest())


def random_words(seed: int, n: int) -> NDArray[np.uint64]:
    """The first `n` raw 64-bit words of PCG64."""
    words: NDArray[np.uint64] = np.random.PCG64(seed).random_raw(n)
    return words


def shares(counts: list[int], total: int) -> list[int]:
    """Divide `total` in proportion to `counts`, in whole images.

    Hamilton's method of largest remainders; of equal remainders the earlier class has the image.
    """
    whole = sum(counts)
    if whole == 0:
        return [0] * len(counts)
    floors = [count * total // whole for count in counts]
    remainders = [count * total % whole for count in counts]
    by_remainder = sorted(range(len(counts)), key=lambda index: -remainders[index])
    for index in by_remainder[: total - sum(floors)]:
        floors[index] += 1
    return floors


def _rows_of_classes(labels: Rows) -> list[Rows]:
    return [np.flatnonzero(labels == label) for label in np.unique(labels)]


def _take(drawn: list[Rows], total: int) -> tuple[Rows, list[Rows]]:
    """The first images of each class, ascending, and what is left of each."""
    takes = shares([len(rows) for rows in drawn], total)
    taken = [rows[:take] for rows, take in zip(drawn, takes, strict=True)]
    left = [rows[take:] for rows, take in zip(drawn, takes, strict=True)]
    return np.sort(np.concatenate(taken)).astype(np.int64), left
