"""Datasets: catalogue, decoding, splits, batches and augmentation on the device.

The way through the room: `catalogue` (what a set is, without its images) → `load` (decoded once, cached)
→ `split` → `open_splits` (resident on the device) → `TrainBatches` and `EvalBatches`. The names below load
their modules, and so numpy or torch, when they are first used; planning reads `catalogue` and `digests` only.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.data.batches import EvalBatches as EvalBatches
    from bench.data.batches import TrainBatches as TrainBatches
    from bench.data.catalogue import DataFacts as DataFacts
    from bench.data.loading import ImageArrays as ImageArrays
    from bench.data.loading import load as load
    from bench.data.opening import DataSplits as DataSplits
    from bench.data.opening import open_splits as open_splits
    from bench.data.resident import ImageSet as ImageSet
    from bench.data.splitting import Split as Split
    from bench.data.splitting import split as split

_HOMES = {
    "DataFacts": "catalogue",
    "DataSplits": "opening",
    "EvalBatches": "batches",
    "ImageArrays": "loading",
    "ImageSet": "resident",
    "Split": "splitting",
    "TrainBatches": "batches",
    "load": "loading",
    "open_splits": "opening",
    "split": "splitting",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'bench.data' has no attribute {name!r}")
    return getattr(importlib.import_module(f"bench.data.{_HOMES[name]}"), name)
