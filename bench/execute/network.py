"""An arm's network as every job builds it: from its configuration, with the weights that it starts from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import torch

import architectures
from architectures.keys import derive
from architectures.weights import load_weights, read_weights
from bench.data import DataSplits
from bench.errors import EnvironmentFault
from bench.execute.job import RunJob
from bench.study.specs import BaseSpec
from bench.train import checkpoint


def build_network(config: BaseSpec, data: DataSplits, key: int) -> torch.nn.Module:
    """The arm's network on the CPU, with initial weights drawn by `key`.

    Our networks draw each parameter by its name; library and user models draw from torch's generator,
    seeded by the same key.
    """
    with torch.random.fork_rng([]):
        torch.manual_seed(key)
        model = builder(config, data.facts)()
    if draws_by_name(config):
        architectures.initialise(model, key)
    return model


def draws_by_name(config: BaseSpec) -> bool:
    """Whether the network is one of ours, whose initial weights are keyed by parameter name."""
    return config.model.name in architectures.names()


def copy_weights(job: RunJob, model: torch.nn.Module) -> str | None:
    """Copy a source's weights into the network, up to `weights.through`.

    Returns:
        sha256 of the file that they came from; None where nothing is copied.

    Raises:
        EnvironmentFault: The source's weights are gone.
        ValueError: They do not fit the network.
    """
    config = job.run.arm.config
    path = job.run.weights_file
    if job.source_folder is not None and job.run.source is not None:
        best = job.run.source.arm.config.train.select == "best_val"
        path = job.source_folder / (checkpoint.BEST if best else checkpoint.LAST)
    if path is None or config.weights is None:
        return None
    if not path.is_file():
        raise EnvironmentFault(f"{path}: the source's weights are gone; --retry its run or restore the file")
    load_weights(model, read_weights(path), through=config.weights.through)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def run_key(seed: int, n_behind: int = 0) -> int:
    """Key of everything random in a run: initial weights, order, augmentation.

    A run that starts from another run's weights draws under a key of its own, so that no fresh layer
    repeats its source's initial values or order.
    """
    return derive("run", seed) if n_behind == 0 else derive("run", seed, n_behind)


def through_of(config: BaseSpec) -> str | None:
    """The last stage whose weights come from elsewhere."""
    return config.weights.through if config.weights is not None else None


def builder(config: BaseSpec, facts: Any) -> Callable[[], torch.nn.Module]:
    """What builds the arm's network for a set of these facts; no weights of its own are set."""
    return lambda: architectures.build(
        config.model.name,
        num_classes=facts.num_classes,
        in_chans=facts.channels,
        img_size=facts.image_size,
        **config.model.options,
    )
