"""Counter-based randomness: a number is a function of its key and its place, not of what was drawn before.

Order and augmentation must not depend on workers, on resuming or on the device, so no generator with a
state will do. Here an integer hash is written in int64 tensor arithmetic, which every backend does alike:
words stay in [0, 2^32) and products are split into 16-bit halves, so nothing ever overflows. The
same lines run on Python integers, by which constant counters cost no tensor operation.

The state has two 32-bit lanes, so that streams with different prefixes do not walk through each other.

Reference: Salmon et al. (2011), "Parallel Random Numbers: As Easy as 1, 2, 3", SC'11; the mixing function
is lowbias32 of C. Wellons' hash prospector (2018), in the form of MurmurHash3's finaliser.
"""

from __future__ import annotations

import torch
from torch import Tensor

from architectures.keys import derive

__all__ = ["derive", "hash32", "mix32", "uniform"]

Word = int | Tensor
"""An integer or an int64 tensor, with values in [0, 2^32)."""

_MASK = 0xFFFFFFFF
_GOLDEN = 0x9E3779B9


def mix32(x: Tensor) -> Tensor:
    """A bijection of [0, 2^32) that flips each output bit with probability near one half.

    Args:
        x: int64, values in [0, 2^32), any shape.

    Returns:
        int64 of the same shape and range.
    """
    mixed = _mix(x)
    assert isinstance(mixed, Tensor)
    return mixed


def hash32(key: Word, *counters: Word) -> Tensor:
    """Random words at the places that the counters name.

    Args:
        key: In [0, 2^63), as `derive` makes it; or an int64 tensor of such keys.
        counters: Integers or int64 tensors in [0, 2^32), broadcast against each other. Their order counts.

    Returns:
        int64 in [0, 2^32), of the broadcast shape, on the device of the tensors (of integers alone: 0-dim on
        the CPU). Equal on every device.

    Raises:
        ValueError: A Python integer lies outside its range.
    """
    _check(key, 63, "key")
    low, high = _mix((key & _MASK) ^ _GOLDEN), _mix((key >> 32) & _MASK)
    for counter in counters:
        _check(counter, 32, "counter")
        turned = _mix(counter ^ low)
        low, high = _mix((turned + high) & _MASK), _mix(((turned ^ high) + _GOLDEN) & _MASK)
    word = _mix((low + high) & _MASK) if not counters else low
    return word if isinstance(word, Tensor) else torch.tensor(word, dtype=torch.int64)


def uniform(key: Word, *counters: Word) -> Tensor:
    """Random numbers in [0, 1) at the places that the counters name.

    Args:
        key: As for `hash32`.
        counters: As for `hash32`.

    Returns:
        float32 multiples of 2^-24 in [0, 1), of the broadcast shape.
    """
    return (hash32(key, *counters) >> 8).to(torch.float32) * 2.0**-24


def _mix(x: Word) -> Word:
    x = x ^ (x >> 16)
    x = _times(x, 0x7FEB352D)
    x = x ^ (x >> 15)
    x = _times(x, 0x846CA68B)
    return x ^ (x >> 16)


def _times(x: Word, factor: int) -> Word:
    """Product modulo 2^32 by halves: no intermediate reaches 2^50."""
    return (x * (factor & 0xFFFF) + (((x & 0xFFFF) * (factor >> 16)) << 16)) & _MASK


def _check(word: Word, bits: int, name: str) -> None:
    """Tensors are not read: that would synchronise."""
    if isinstance(word, int) and not 0 <= word < 1 << bits:
        raise ValueError(f"{name} {word} lies outside [0, 2^{bits})")
