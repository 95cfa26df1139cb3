"""Opens a data section on a device: decoded, split, normalised and resident, once per process.

Workers live through many runs, and most runs of a study share their data, so the last opened sections are
kept and given out again.
"""

from __future__ import annotations

import functools
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from bench.data.catalogue import DataFacts, facts
from bench.data.decoding import Progress
from bench.data.digests import data_digest
from bench.data.loading import load
from bench.data.normalising import Normaliser, fit
from bench.data.resident import ImageSet, Location, place
from bench.data.splitting import split

if TYPE_CHECKING:
    from bench.study.specs import DataSpec

DEVICE_SHARE = 0.5
"""Share of the free device memory that images may take before they stay on the host."""

_KEPT = 2
_OPEN: OrderedDict[tuple[str, ...], DataSplits] = OrderedDict()


@dataclass(frozen=True, eq=False)
class DataSplits:
    """Everything that one run needs of its data."""

    train: ImageSet
    val: ImageSet | None
    """None where `val` is 0."""
    test: ImageSet
    facts: DataFacts
    normaliser: Normaliser
    digest: str
    """sha256 of the decoded arrays."""
    split_digest: str
    """sha256 of the rows of train and val."""
    location: Location
    """`host` when the images are too large for the device and batches are moved."""


def open_splits(
    spec: DataSpec, data_dir: Path, device: torch.device | str, *, on_progress: Progress | None = None
) -> DataSplits:
    """Open a data section, or give out again what this process has open.

    Args:
        spec: The section; augmentation has no part in it (`TrainBatches` takes it).
        data_dir: The data folder.
        device: Where batches are wanted.
        on_progress: Told of decoding as it goes on.

    Raises:
        DataMissing: The set is not there.
        DataFault: The section does not fit the set.
        EnvironmentFault: Files are damaged, or images cannot be decoded.
    """
    device = _indexed(torch.device(device))
    section = spec.model_dump_json(exclude={"augment", "erasing", "trivial_augment"})
    key = (section, str(data_dir.resolve()), str(device), data_digest(spec, data_dir))
    if key not in _OPEN:
        while len(_OPEN) >= _KEPT:  # before the new one is made: both might not fit
            _OPEN.popitem(last=False)
        _OPEN[key] = _open(spec, data_dir, device, on_progress)
    _OPEN.move_to_end(key)
    return _OPEN[key]


def close_splits() -> None:
    """Forget every open section, so that its memory can go."""
    _OPEN.clear()


def _open(spec: DataSpec, data_dir: Path, device: torch.device, on_progress: Progress | None) -> DataSplits:
    known = facts(spec, data_dir)
    arrays = load(spec, data_dir, on_progress=on_progress)
    rows = split(spec, arrays.train_labels)
    normaliser = fit(spec, arrays.train_images, rows.train).to(device)
    n_bytes = (len(rows.train) + len(rows.val) + len(arrays.test_images)) * arrays.train_images[0].nbytes
    location = _location(n_bytes, device)

    put = functools.partial(
        place, normaliser=normaliser, image_size=known.image_size, device=device, location=location
    )
    images, labels = arrays.train_images, arrays.train_labels
    return DataSplits(
        train=put(images, labels, rows.train),
        val=put(images, labels, rows.val) if len(rows.val) else None,
        test=put(arrays.test_images, arrays.test_labels, None),
        facts=known,
        normaliser=normaliser,
        digest=arrays.digest,
        split_digest=rows.digest,
        location=location,
    )


def _location(n_bytes: int, device: torch.device) -> Location:
    if device.type != "cuda":
        return "device"  # host memory is the device's
    free, _ = torch.cuda.mem_get_info(device)
    return "device" if n_bytes <= DEVICE_SHARE * free else "host"


def _indexed(device: torch.device) -> torch.device:
    """`cuda` as the device that it stands for, so that it equals the device of its tensors."""
    if str(device) != "cuda":
        return device
    return torch.device("cuda", torch.cuda.current_device())
