"""Training images that stay encoded: read and decoded for every batch, as a loader without a cache does.

Image folders are read from disk each time. Parquet keeps its images' bytes in memory, as no file of that kind
can be read one image at a time. The decoder is the one that fills the cache elsewhere, in as many threads.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from bench.data.catalogue import class_indices
from bench.data.decoding import Pixels, Raw, decode, decoding_threads
from bench.data.opening import DataSplits
from bench.data.readers import read
from bench.data.resident import ImageSet
from bench.data.splitting import split

if TYPE_CHECKING:
    from bench.study.specs import DataSpec


@dataclass(frozen=True, eq=False)
class EncodedSet(ImageSet):
    """A split whose images are decoded when they are gathered; `images` itself is empty."""

    items: tuple[Raw, ...]
    """Encoded images, or where they lie."""
    decode_one: Callable[[Raw], Pixels]
    threads: ThreadPoolExecutor

    def stored(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Decode the images of a batch; see `ImageSet.stored`."""
        pixels = self.threads.map(self.decode_one, [self.items[place] for place in index.tolist()])
        images = torch.from_numpy(np.stack(list(pixels)))
        if self.device.type == "cuda":
            images = images.pin_memory()
        labels = self.labels.index_select(0, index)
        return images.to(self.device, non_blocking=True), labels.to(self.device)


def open_encoded(spec: DataSpec, data_dir: Path, decoded: DataSplits) -> EncodedSet:
    """The training split of a section, encoded.

    Args:
        spec: The section; its set has encoded images.
        data_dir: The data folder.
        decoded: The same section opened, for its normalisation.
    """
    raw = read(spec, data_dir)
    chosen = class_indices(spec, raw.class_names)
    renumbered = np.full(len(raw.class_names), -1, dtype=np.int64)
    renumbered[chosen] = np.arange(len(chosen))
    labels = renumbered[raw.train.labels]
    kept = np.flatnonzero(labels >= 0)
    rows = split(spec, labels[kept]).train
    items = list(raw.train.items())
    facts = decoded.facts
    size = spec.resize or facts.image_size
    return EncodedSet(
        images=torch.empty(0, dtype=torch.uint8),
        labels=torch.from_numpy(labels[kept][rows]),
        rows=None,
        floats=None,
        normaliser=decoded.normaliser,
        image_size=facts.image_size,
        device=decoded.train.device,
        items=tuple(items[place] for place in kept[rows]),
        decode_one=partial(decode, size=size, channels=facts.channels),
        threads=ThreadPoolExecutor(max_workers=decoding_threads()),
    )
