"""Whether a recipe goes with the images and the network: full batches, known stages, epochs that come."""

from __future__ import annotations

import math
from collections.abc import Iterator

import architectures
from bench.data.catalogue import DataFacts
from bench.study.attribute import Finding
from bench.study.faults import KeyPath, show
from bench.study.freezing import freeze_findings
from bench.study.shapes import n_train_images
from bench.study.specs import BaseSpec


def recipe_findings(n: int, at: KeyPath, config: BaseSpec, facts: DataFacts | None) -> Iterator[Finding]:
    """What is wrong with the recipe at `at` + `train`.

    Args:
        n: Number of the arm.
        at: The section that holds `data`, `model` and `train`.
        config: All three.
        facts: Of the images; None where they are not known yet.
    """
    train, model, path = config.train, config.model, (*at, "train")
    n_train = None if facts is None else n_train_images(config.data, facts)
    if n_train is not None and train.batch_size > n_train:
        rule = f"is larger than the training set of {n_train:,} images"
        yield Finding(n, (*path, "batch_size"), rule, show(train.batch_size))
    if train.freeze is None and train.stage_lr is None:
        return
    yield from freeze_findings(
        n,
        path,
        train,
        weights_through=None if config.weights is None else config.weights.through,
        network=model.name,
        names=architectures.stage_names(model.name, model.options),
        n_epochs=_n_epochs(config, n_train),
    )


def _n_epochs(config: BaseSpec, n_train: int | None) -> int | None:
    """Epochs of the budget, the last one begun included."""
    train = config.train
    if train.steps is None or n_train is None:
        return train.epochs
    return math.ceil(train.steps / max(1, n_train // train.batch_size))
