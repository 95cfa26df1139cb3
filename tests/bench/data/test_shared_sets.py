"""The real sets, where they lie beside the checkout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.data import EvalBatches, TrainBatches, open_splits
from bench.data.catalogue import check, facts
from bench.data.entries import ENTRIES
from bench.data.loading import load
from bench.study.specs import DataSpec

SECTIONS: dict[str, dict[str, Any]] = {
    "mnist": {"name": "mnist", "augment": ("crop",)},
    "cifar10-jpeg": {"name": "cifar10-jpeg", "augment": ("crop", "flip"), "normalize": "per_pixel"},
    "cats-dogs": {
        "name": "parquet",
        "path": "cats-dogs",
        "image_size": 64,
        "resize": 72,
        "augment": ("resized_crop", "flip"),
    },
}


@pytest.mark.parametrize("name", SECTIONS)
def test_a_real_set_decodes_splits_and_gives_batches(name: str, linked_data: Path) -> None:
    spec = DataSpec.model_validate(SECTIONS[name])
    known = facts(spec, linked_data)
    splits = open_splits(spec, linked_data, "cpu")
    assert splits.val is not None
    assert len(splits.train) + len(splits.val) == known.n_train
    assert len(splits.val) == known.n_train // 10
    assert len(splits.test) == known.n_test
    x, y = next(iter(TrainBatches(splits.train, batch_size=64, augment=spec.augment, key=1).epoch(0)))
    assert x.shape == (64, known.channels, known.image_size, known.image_size)
    assert 0 <= int(y.min()) <= int(y.max()) < known.num_classes
    x, _ = next(iter(EvalBatches(splits.test, 100)))
    assert x.shape == (100, known.channels, known.image_size, known.image_size)


@pytest.mark.parametrize("name", ["mnist", "cifar10-jpeg"])
def test_the_counts_of_the_catalogue_are_those_of_the_data(name: str, linked_data: Path) -> None:
    arrays = load(DataSpec(name=name), linked_data)
    entry = ENTRIES[name]
    assert tuple(np.bincount(arrays.train_labels)) == entry.train_counts
    assert tuple(np.bincount(arrays.test_labels)) == entry.test_counts


def test_photographs_of_many_sizes_ask_for_an_image_size(linked_data: Path) -> None:
    spec = DataSpec(name="parquet", path="cats-dogs")
    assert [fault[0] for fault in check(spec, linked_data)] == ["image_size"]
    found = facts(spec.model_copy(update={"image_size": 64}), linked_data)
    assert (found.class_names, found.n_train, found.n_test) == (("cat", "dog"), 2000, 2000)
