"""A tiny study to train: 160 digits, ResNet-8, batches of 32, so five steps an epoch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import architectures
from bench.data import DataSplits, open_splits
from bench.study.specs import DataSpec, ExecutionSpec, OptimizerSpec, ScheduleSpec, TrainSpec
from bench.train.loop import TrainResult, train


@pytest.fixture(scope="session")
def digits(tmp_path_factory) -> DataSplits:
    folder = tmp_path_factory.mktemp("data")
    return open_splits(DataSpec(name="digits", train_size=164, val=0.05), folder, "cpu")


@pytest.fixture(scope="session")
def network() -> Callable[..., torch.nn.Module]:
    """Make an initialised ResNet-8 for digits."""

    def make(key: int = 1, *, residual: bool = True) -> torch.nn.Module:
        model = architectures.build(
            "cifar_resnet", depth=8, residual=residual, num_classes=10, in_chans=1, img_size=8
        )
        architectures.initialise(model, key)
        return model

    return make


@pytest.fixture(scope="session")
def recipe() -> Callable[..., TrainSpec]:
    """Make a recipe; `optimizer` and `schedule` are given as mappings."""

    def make(
        optimizer: dict[str, Any] | None = None, schedule: dict[str, Any] | None = None, **fields: Any
    ) -> TrainSpec:
        if "steps" not in fields:
            fields.setdefault("epochs", 2)
        optimizer = {"lr": 0.05} | ({"momentum": 0.9} if optimizer is None else optimizer)
        return TrainSpec(
            batch_size=fields.pop("batch_size", 32),
            optimizer=OptimizerSpec(**optimizer),
            schedule=ScheduleSpec(**(schedule or {})),
            **fields,
        )

    return make


@pytest.fixture
def fit(digits, network, recipe, tmp_path) -> Callable[..., tuple[TrainResult, torch.nn.Module]]:
    """Train, and return the result with the model."""

    def run(
        spec: TrainSpec | None = None,
        *,
        model: torch.nn.Module | None = None,
        execution: ExecutionSpec | None = None,
        folder: Path | None = None,
        **options: Any,
    ) -> tuple[TrainResult, torch.nn.Module]:
        model = network() if model is None else model
        settings: dict[str, Any] = {"data": digits, "augment": (), "key": 1, "device": "cpu", "identity": "a"}
        settings |= options
        result = train(
            model,
            spec=spec or recipe(),
            execution=execution or ExecutionSpec(),
            folder=folder or tmp_path,
            **settings,
        )
        return result, model

    return run


@pytest.fixture(autouse=True)
def _one_thread():
    """As a run has unless its study says otherwise: hand-written loops have to match bit for bit."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
