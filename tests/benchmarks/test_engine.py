"""Images a second of the engine's parts: training step, inference, augmentation (`pytest --benchmark-only`).

ResNet-20 on scikit-learn's digits, enlarged to 32 pixels in three channels: real images that need no
download, in the size for which the network was made. One thread, as a run has unless its study says so.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import architectures
from bench.data import EvalBatches, TrainBatches, open_splits
from bench.study.specs import DataSpec, ExecutionSpec, OptimizerSpec, TrainSpec
from bench.train.evaluate import evaluate
from bench.train.loop import train
from bench.train.modes import placed

BATCH = 128
DATA = DataSpec(name="digits", image_size=32, channels=3, val=0)

cpu_modes = pytest.mark.parametrize(
    "mode",
    [
        pytest.param({}, id="fp32-eager"),
        pytest.param({"channels_last": True}, id="fp32-channels_last"),
        pytest.param(
            {"channels_last": True, "compile": "default"}, id="fp32-compiled", marks=pytest.mark.slow
        ),
        pytest.param(
            {"channels_last": True, "compile": "default", "amp": "bf16"},
            id="bf16-compiled",
            marks=pytest.mark.slow,
        ),
    ],
)
gpu_modes = pytest.mark.parametrize(
    "mode",
    [
        pytest.param({}, id="fp32-eager"),
        pytest.param({"channels_last": True, "amp": "bf16"}, id="bf16-eager"),
        pytest.param({"channels_last": True, "amp": "bf16", "compile": "default"}, id="bf16-compiled"),
        pytest.param({"channels_last": True, "amp": "bf16", "graph": True}, id="bf16-graph"),
        pytest.param(
            {"channels_last": True, "amp": "bf16", "compile": "default", "graph": True},
            id="bf16-compiled-graph",
        ),
    ],
)
augmentations = pytest.mark.parametrize(
    "augment",
    [(), ("crop", "flip"), ("resized_crop", "flip"), ("trivial_augment", "crop", "flip", "erasing")],
    ids=lambda augment: "-".join(augment) or "none",
)


def resnet20(data: Any) -> torch.nn.Module:
    facts = data.facts
    model = architectures.build(
        "cifar_resnet",
        depth=20,
        num_classes=facts.num_classes,
        in_chans=facts.channels,
        img_size=facts.image_size,
    )
    architectures.initialise(model, 1)
    return model


def time_training(timed: Any, folder: Path, mode: dict[str, Any], device: str, n_steps: int) -> None:
    data = open_splits(DATA, folder, device)
    spec = TrainSpec(
        steps=n_steps,
        batch_size=BATCH,
        optimizer=OptimizerSpec(lr=0.1, momentum=0.9, weight_decay=1e-4),
        eval_every_epochs=n_steps,
    )

    def steps() -> Any:
        return train(
            resnet20(data),
            data,
            spec=spec,
            execution=ExecutionSpec.model_validate(mode),
            augment=("crop", "flip"),
            key=1,
            device=device,
            folder=folder,
            identity="",
            checkpoint_every_s=1e9,
        )

    result = timed(
        steps,
        group="training step",
        count=n_steps * BATCH,
        rounds=3,
        seconds=lambda result: result.train_time_s,
    )
    assert result.outcome == "finished"
    assert result.steps == n_steps


def time_inference(timed: Any, folder: Path, mode: dict[str, Any], device: str) -> None:
    data = open_splits(DATA, folder, device)
    execution = ExecutionSpec.model_validate(mode)
    model = placed(resnet20(data), execution, torch.device(device))

    def pass_over() -> Any:
        return evaluate(
            model,
            EvalBatches(data.train, batch_size=512),
            num_classes=10,
            execution=execution,
            device=device,
        )

    found = timed(pass_over, group="inference", count=len(data.train))
    assert found.confusion.sum() == len(data.train)


@cpu_modes
@pytest.mark.timeout(600)
def test_training_step(timed: Any, tmp_path: Path, mode: dict[str, Any]) -> None:
    time_training(timed, tmp_path, mode, "cpu", n_steps=8)


@pytest.mark.gpu
@gpu_modes
@pytest.mark.timeout(600)
def test_training_step_on_a_gpu(timed: Any, tmp_path: Path, mode: dict[str, Any]) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    time_training(timed, tmp_path, mode, "cuda", n_steps=550)


@pytest.mark.parametrize(
    "mode",
    [pytest.param({}, id="fp32"), pytest.param({"channels_last": True}, id="fp32-channels_last")],
)
def test_inference(timed: Any, tmp_path: Path, mode: dict[str, Any]) -> None:
    time_inference(timed, tmp_path, mode, "cpu")


@pytest.mark.gpu
@pytest.mark.parametrize(
    "mode",
    [
        pytest.param({}, id="fp32"),
        pytest.param({"channels_last": True, "amp": "bf16"}, id="bf16-channels_last"),
    ],
)
def test_inference_on_a_gpu(timed: Any, tmp_path: Path, mode: dict[str, Any]) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    time_inference(timed, tmp_path, mode, "cuda")


@augmentations
def test_augmentation(timed: Any, tmp_path: Path, augment: tuple[str, ...]) -> None:
    """Batches of an epoch as training gets them: drawn, gathered, augmented."""
    time_augmentation(timed, tmp_path, augment, "cpu")


@pytest.mark.gpu
@augmentations
def test_augmentation_on_a_gpu(timed: Any, tmp_path: Path, augment: tuple[str, ...]) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    time_augmentation(timed, tmp_path, augment, "cuda")


def time_augmentation(timed: Any, folder: Path, augment: tuple[str, ...], device: str) -> None:
    data = open_splits(DATA, folder, device)
    batches = TrainBatches(data.train, batch_size=BATCH, augment=augment, key=1)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)

    def epoch() -> int:
        n = sum(len(labels) for _, labels in batches.epoch(0))
        if device == "cuda":
            torch.cuda.synchronize()
        return n

    n_images = timed(epoch, group="augmentation", count=batches.steps_per_epoch * BATCH, rounds=15)
    torch.set_num_threads(threads)
    assert n_images == batches.steps_per_epoch * BATCH
