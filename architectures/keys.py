"""Keys of random streams, made of the words and numbers that name them.

Every stream of randomness (initial weights, order of an epoch, augmentation, dropout) has a key of its
own, so that adding one stream or one draw moves no other. Torch-free, so that planning may use it.
"""

from __future__ import annotations

import hashlib
import json


def derive(*parts: int | str) -> int:
    """A key from what it stands for, as `derive(seed, "order")`.

    Args:
        parts: Words and integers; their order and type count.

    Returns:
        The first 63 bits of a sha256: non-negative and within int64.
    """
    digest = hashlib.sha256(json.dumps(parts, separators=(",", ":")).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
