"""Random images, and images that stay encoded: the same batches as training has, where they are real."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bench.data.batches import TrainBatches, step_rows
from bench.data.catalogue import facts
from bench.data.encoded import open_encoded
from bench.data.opening import open_splits
from bench.data.synthetic import GATHERED_STEPS, N_BATCHES, SyntheticBatches
from bench.study.specs import DataSpec

CPU = torch.device("cpu")


@pytest.fixture
def made(data_dir: Path) -> SyntheticBatches:
    shapes = facts(DataSpec(name="synthetic", image_size=16), data_dir)
    return SyntheticBatches(shapes, batch_size=3, device=CPU, channels_last=True, key=5)


def test_random_batches_take_turns_and_are_not_copied(made: SyntheticBatches) -> None:
    rows = made.rows(0)
    batches = [made.batch(step_rows(rows, step, 3)) for step in range(N_BATCHES)]
    assert made.steps_per_epoch == N_BATCHES
    assert len({images.data_ptr() for images, _ in batches}) == N_BATCHES
    for images, labels in batches:
        assert images.shape == (3, 3, 16, 16)
        assert images.is_contiguous(memory_format=torch.channels_last)
        assert images.untyped_storage().data_ptr() == rows[0].untyped_storage().data_ptr()
        assert labels.shape == (3,)
        assert 0 <= int(labels.min()) <= int(labels.max()) < 1000


def test_gathered_batches_are_the_same_images_in_long_epochs(made: SyntheticBatches, data_dir: Path) -> None:
    shapes = facts(DataSpec(name="synthetic", image_size=16), data_dir)
    gathered = SyntheticBatches(shapes, batch_size=3, device=CPU, channels_last=True, gathered=True, key=5)
    assert gathered.steps_per_epoch == GATHERED_STEPS
    for step in (0, N_BATCHES + 1):
        images, labels = gathered.batch(step_rows(gathered.rows(0), step, 3))
        theirs, their_labels = made.batch(step_rows(made.rows(0), step % N_BATCHES, 3))
        assert torch.equal(images, theirs)
        assert torch.equal(labels, their_labels)


@pytest.mark.parametrize(
    "section",
    [
        DataSpec(name="cifar10-jpeg", augment=("crop", "flip"), train_size=200),
        DataSpec(name="cifar10-jpeg", classes=("dog", "cat"), val=0.5, image_size=16, train_size=100),
        DataSpec(name="parquet", path="cats-dogs", image_size=24, resize=32, augment="resized_crop", val=0),
    ],
    ids=["crop and flip", "classes and size", "resized crop"],
)
def test_images_decoded_for_every_batch_are_those_that_training_has(
    section: DataSpec, linked_data: Path
) -> None:
    opened = open_splits(section, linked_data, CPU)
    encoded = open_encoded(section, linked_data, opened)
    assert len(encoded) == len(opened.train)
    assert encoded.images.numel() == 0
    ours = TrainBatches(encoded, batch_size=16, augment=section.augment, key=3)
    theirs = TrainBatches(opened.train, batch_size=16, augment=section.augment, key=3)
    for step, (images, labels) in zip(range(2), theirs.epoch(1), strict=False):
        found, found_labels = ours.batch(step_rows(ours.rows(1), step, 16))
        assert torch.equal(found, images)
        assert torch.equal(found_labels, labels)
