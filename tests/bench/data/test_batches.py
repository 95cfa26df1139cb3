"""Order, fullness and exactness of batches."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from bench.data import EvalBatches, TrainBatches, open_splits, resident
from bench.data.batches import epoch_order
from bench.data.opening import DataSplits, close_splits
from bench.errors import UsageError
from bench.study.specs import DataSpec

CPU = torch.device("cpu")


def opened(data_dir: Path, **keys: Any) -> DataSplits:
    return open_splits(DataSpec.model_validate({"name": "digits", **keys}), data_dir, "cpu")


def batches(
    splits: DataSplits, *, batch_size: int = 100, augment: tuple[str, ...] = (), key: int = 1
) -> TrainBatches:
    return TrainBatches(splits.train, batch_size=batch_size, augment=augment, key=key)


def positions(splits: DataSplits, found: TrainBatches, epoch: int) -> list[int]:
    """Which training image each row of an epoch is, by its pixels."""
    assert splits.train.floats is not None
    where = {image.numpy().tobytes(): i for i, image in enumerate(splits.train.floats)}
    return [where[image.numpy().tobytes()] for x, _ in found.epoch(epoch) for image in x]


def test_an_epoch_is_a_permutation_cut_to_full_batches(data_dir: Path) -> None:
    splits = opened(data_dir)
    found = batches(splits)
    assert found.steps_per_epoch == 1294 // 100
    seen = [positions(splits, found, epoch) for epoch in range(2)]
    for rows in seen:
        assert len(rows) == len(set(rows)) == 1200
    assert seen[0] != seen[1]
    assert set(seen[0]) != set(seen[1])  # the images left over are others


def test_orders_are_permutations_that_hang_on_key_and_epoch() -> None:
    orders = [tuple(epoch_order(key, epoch, 50, CPU).tolist()) for key in (1, 2) for epoch in (0, 1)]
    assert all(sorted(order) == list(range(50)) for order in orders)
    assert len(set(orders)) == 4


def test_every_image_stands_anywhere_equally_often() -> None:
    """Mean rank of an image over 2000 epochs: within 5 standard errors of the middle."""
    ranks = torch.stack([epoch_order(7, epoch, 20, CPU).argsort() for epoch in range(2000)]).double()
    error = ((20**2 - 1) / 12 / 2000) ** 0.5
    assert ((ranks.mean(dim=0) - 9.5).abs() < 5 * error).all()


def test_labels_belong_to_their_images(data_dir: Path) -> None:
    splits = opened(data_dir)
    order = positions(splits, batches(splits), 3)
    labels = torch.cat([y for _, y in batches(splits).epoch(3)])
    assert labels.dtype == torch.int64
    assert torch.equal(labels, splits.train.labels[order])


@pytest.mark.parametrize("augment", [(), ("crop", "flip"), ("resized_crop", "flip")], ids=str)
def test_an_epoch_resumed_in_the_middle_is_the_same(augment: tuple[str, ...], data_dir: Path) -> None:
    found = batches(opened(data_dir), augment=augment)
    whole = list(found.epoch(2))
    rest = list(batches(opened(data_dir), augment=augment).epoch(2, start_step=5))
    assert len(rest) == len(whole) - 5
    for (x, y), (again, labels) in zip(whole[5:], rest, strict=True):
        assert torch.equal(x, again)
        assert torch.equal(y, labels)


def by_sample(splits: DataSplits, batch_size: int) -> dict[int, Tensor]:
    found = batches(splits, batch_size=batch_size, augment=("crop", "flip"))
    order = epoch_order(found._order_key, 4, len(splits.train), CPU).tolist()
    images = torch.cat([x for x, _ in found.epoch(4)])
    return dict(zip(order, images, strict=False))


def test_augmentation_hangs_on_the_sample_and_not_on_its_batch(data_dir: Path) -> None:
    splits = opened(data_dir)
    small, large = by_sample(splits, 7), by_sample(splits, 640)
    shared = small.keys() & large.keys()
    assert len(shared) == 1280
    assert all(torch.equal(small[i], large[i]) for i in shared)


def test_a_batch_larger_than_the_set_is_a_fault_with_its_size(data_dir: Path) -> None:
    splits = opened(data_dir, train_size=100)
    assert batches(splits, batch_size=100).steps_per_epoch == 1
    with pytest.raises(UsageError, match=r"train\.batch_size: 101 exceeds the training set; nearest 100"):
        batches(splits, batch_size=101)


def test_evaluation_goes_in_order_and_keeps_the_remainder(data_dir: Path) -> None:
    splits = opened(data_dir)
    found = EvalBatches(splits.test, 100)
    sizes = [len(y) for _, y in found]
    assert sizes == [100, 100, 100, 59]
    assert len(found) == 4
    assert torch.equal(torch.cat([y for _, y in found]), splits.test.labels)


def test_training_batches_are_new_so_that_changing_them_harms_nothing(data_dir: Path) -> None:
    found = batches(opened(data_dir))
    x, _ = next(iter(found.epoch(0)))
    before = x.clone()
    x.zero_()
    again, _ = next(iter(found.epoch(0)))
    assert torch.equal(again, before)


@pytest.mark.parametrize(
    "section",
    [
        {"augment": ("crop", "flip")},
        {"normalize": "per_pixel", "augment": "crop"},
        {"image_size": 8, "resize": 12, "augment": ("resized_crop", "flip")},
        {"image_size": 8, "resize": 12},
    ],
    ids=str,
)
def test_float_copies_bytes_and_the_host_give_the_same_bits(
    section: dict[str, Any], data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(splits: DataSplits) -> list[Tensor]:
        spec = DataSpec.model_validate({"name": "digits", **section})
        found = batches(splits, augment=spec.augment)
        return [x for x, _ in found.epoch(1)] + [x for x, _ in EvalBatches(splits.test, 64)]

    small = opened(data_dir, **section)
    assert small.train.floats is not None
    close_splits()
    monkeypatch.setattr(resident, "FLOAT_LIMIT_BYTES", 0)
    large = opened(data_dir, **section)
    assert large.train.floats is None
    for x, y in zip(run(small), run(large), strict=True):
        assert x.shape[1:] == (1, 8, 8)
        assert x.is_contiguous()
        assert torch.equal(x, y)


def test_images_on_the_host_are_moved_batch_by_batch(data_dir: Path) -> None:
    """The meta device stands in for one that is not the host: shapes and places, no values."""
    train = opened(data_dir).train
    meta = torch.device("meta")
    elsewhere = replace(train, device=meta, floats=None, normaliser=train.normaliser.to(meta))
    assert elsewhere.location == "host"
    x, y = next(iter(TrainBatches(elsewhere, batch_size=10, augment=("crop",), key=1).epoch(0)))
    assert (x.device.type, y.device.type, tuple(x.shape)) == ("meta", "meta", (10, 1, 8, 8))
    assert elsewhere.images.device.type == "cpu"


@pytest.mark.gpu
@pytest.mark.parametrize("where", ["device", "host"])
@pytest.mark.parametrize(
    "section",
    [
        {"augment": ("crop", "flip")},
        {"normalize": "per_pixel"},
        {"image_size": 16, "resize": 20, "augment": ("resized_crop", "flip")},
    ],
    ids=str,
)
def test_cpu_and_cuda_batches_are_equal(
    section: dict[str, Any], where: str, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    from bench.data import opening

    if where == "host":
        monkeypatch.setattr(opening, "DEVICE_SHARE", 0.0)
    spec = DataSpec.model_validate({"name": "digits", **section})
    found = {device: open_splits(spec, data_dir, device) for device in ("cpu", "cuda")}
    assert found["cuda"].location == where
    for epoch in range(2):
        made = {device: batches(splits, augment=spec.augment) for device, splits in found.items()}
        pairs = zip(made["cpu"].epoch(epoch), made["cuda"].epoch(epoch), strict=True)
        for (x, y), (cuda_x, cuda_y) in pairs:
            assert cuda_x.device.type == "cuda"
            assert torch.equal(x, cuda_x.cpu())
            assert torch.equal(y, cuda_y.cpu())
