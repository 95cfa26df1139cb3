"""What a frozen trunk saves when its features are kept (`pytest --benchmark-only`).

ResNet-20 at 32×32 in batches of 128: full training computes 41 MMACs an image forward and twice that
backward, a head on kept features 640 MACs, so what is left is the step itself: gather, loss, update. Reported
are an epoch of full training over a later epoch of the frozen run, and, with the first epoch in it that
computes the features, over the mean of all. Both are whole runs of the trainer, by the times of their rows.
"""

from __future__ import annotations

import dataclasses
import statistics
from pathlib import Path

import pytest
import torch

import architectures
from bench.data import DataSplits, open_splits
from bench.data.resident import ImageSet
from bench.study.specs import DataSpec, ExecutionSpec, FreezeSpec, OptimizerSpec, TrainSpec
from bench.train.loop import train

LEAST_RATIO = 10
BATCH_SIZE = 128
FROZEN_EPOCHS = 20
EXECUTIONS = {
    "fp32": ExecutionSpec(channels_last=True),
    "graph bf16": ExecutionSpec(channels_last=True, amp="bf16", graph=True),
}


def epoch_times_s(
    data: DataSplits, folder: Path, *, epochs: int, freeze: FreezeSpec | None, execution: str, device: str
) -> list[float]:
    model = architectures.build("cifar_resnet", depth=20, num_classes=10, in_chans=3, img_size=32)
    architectures.initialise(model, 1)
    result = train(
        model,
        data,
        spec=TrainSpec(
            epochs=epochs,
            batch_size=BATCH_SIZE,
            optimizer=OptimizerSpec(lr=0.1, momentum=0.9, weight_decay=1e-4),
            eval_every_epochs=epochs,
            freeze=freeze,
        ),
        execution=EXECUTIONS[execution],
        augment=(),
        key=1,
        device=device,
        folder=folder,
        identity=folder.name,
    )
    return [row.epoch_time_s for row in result.epochs]


def repeated(images: ImageSet, n_images: int) -> ImageSet:
    """The same images over and over, as a larger set."""
    index = torch.arange(n_images, device=images.home) % len(images)
    rows = index if images.rows is None else images.rows[index]
    return dataclasses.replace(images, labels=images.labels[index], rows=rows, floats=None)


def test_a_repeated_set_is_larger_and_holds_the_same_images(tmp_path):
    spec = DataSpec(name="digits", image_size=32, channels=3, train_size=BATCH_SIZE, val=0.05)
    images = open_splits(spec, tmp_path, "cpu").train
    larger = repeated(images, 3 * len(images) + 1)
    assert len(larger) == 3 * len(images) + 1
    index = torch.arange(len(images), len(images) + 5)
    ours, theirs = larger.gather(index), images.gather(index - len(images))
    assert torch.allclose(ours[0], theirs[0])
    assert torch.equal(ours[1], theirs[1])


@pytest.mark.benchmark(group="frozen trunk")
@pytest.mark.parametrize(
    ("device", "execution"),
    [("cpu", "fp32"), pytest.param("cuda", "graph bf16", marks=pytest.mark.gpu)],
    ids=["cpu", "gpu"],
)
def test_a_frozen_trunk_trains_ten_times_as_fast_as_the_whole(benchmark, tmp_path, device, execution):
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    spec = DataSpec(name="digits", image_size=32, channels=3, train_size=4 * BATCH_SIZE, val=0.05)
    data, n_images = open_splits(spec, tmp_path, device), 4 * BATCH_SIZE
    if device == "cuda":  # four replays are over before the epoch's rows are drawn
        n_images = 200 * BATCH_SIZE
        data = dataclasses.replace(data, train=repeated(data.train, n_images))
    common = {"data": data, "execution": execution, "device": device}

    full_s = statistics.median(epoch_times_s(folder=tmp_path / "full", epochs=3, freeze=None, **common))
    frozen = benchmark.pedantic(
        epoch_times_s,
        kwargs=common
        | {"folder": tmp_path / "frozen", "epochs": FROZEN_EPOCHS, "freeze": FreezeSpec(all_but=("head",))},
        rounds=1,
    )
    frozen_s = statistics.median(frozen[1:])
    benchmark.extra_info.update(
        full_over_frozen=round(full_s / frozen_s, 1),
        full_over_frozen_with_first_epoch=round(full_s / statistics.mean(frozen), 1),
        epochs=FROZEN_EPOCHS,
        full_img_s=round(n_images / full_s),
        frozen_img_s=round(n_images / frozen_s),
        device=torch.cuda.get_device_name() if device == "cuda" else "cpu",
        torch=torch.__version__,
    )
    assert full_s / frozen_s >= LEAST_RATIO
