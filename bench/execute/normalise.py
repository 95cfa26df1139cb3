"""`normalize: weights`: images normalised as those that the source of the weights was trained on."""

from __future__ import annotations

from pathlib import Path

from bench.data import open_splits
from bench.errors import UsageError
from bench.study.model import Run
from bench.study.specs import DataSpec, NormalizeSpec

IMAGENET = NormalizeSpec(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
"""Of the weights that timm publishes for ResNets: Wightman, Touvron, Jégou (2021), as its model cards say."""


def resolved_data(run: Run, data_dir: Path) -> DataSpec:
    """The run's data section with the source's numbers in the place of `weights`.

    Raises:
        UsageError: The source's images were normalised per pixel, or nobody knows how.
    """
    data = run.arm.config.data
    if data.normalize != "weights":
        return data
    return data.model_copy(update={"normalize": _numbers(run, data_dir)})


def _numbers(run: Run, data_dir: Path) -> NormalizeSpec:
    weights = run.arm.config.weights
    if weights is not None and weights.source == "timm":
        return IMAGENET
    if run.source is None:
        raise UsageError("data.normalize: weights needs `weights` from pretrain, run or timm")
    source = resolved_data(run.source, data_dir)
    if isinstance(source.normalize, NormalizeSpec):
        return source.normalize
    if source.normalize == "per_pixel":
        raise UsageError("data.normalize: weights: the source's images are normalised per pixel")
    splits = open_splits(source, data_dir, "cpu")
    mean, std = splits.normaliser.mean, splits.normaliser.std
    n_chans = splits.facts.channels
    return NormalizeSpec(
        mean=tuple(mean.flatten().tolist()) if mean is not None else (0.0,) * n_chans,
        std=tuple(std.flatten().tolist()) if std is not None else (1.0,) * n_chans,
    )
