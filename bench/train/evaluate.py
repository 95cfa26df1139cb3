"""What a network gets right: one pass over images that it does not learn from.

The confusion matrix is the sufficient statistic of every accuracy here. An evaluation leaves no trace:
running statistics are read, generators are put back, and each module gets its mode back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.study.specs import ExecutionSpec
from bench.train.modes import applied, autocast, laid_out


@dataclass(frozen=True)
class Evaluation:
    """Results over a set of images."""

    loss: float
    """Mean cross-entropy, without label smoothing; may be NaN."""
    top1_pct: float
    top5_pct: float | None
    """None below six classes, where it would be 100 or nearly."""
    mean_class_pct: float
    """Mean recall over the classes that occur (balanced accuracy)."""
    confusion: npt.NDArray[np.int64]
    """Images by class, of shape (C, C): rows true, columns predicted."""
    logits: npt.NDArray[np.float32] | None
    """Of shape (N, C), in the order of the images, if they were kept."""
    labels: npt.NDArray[np.int64]
    """Of shape (N,)."""


def evaluate(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    *,
    num_classes: int,
    execution: ExecutionSpec,
    device: str | torch.device,
    keep_logits: bool = False,
    takes_features: bool = False,
) -> Evaluation:
    """Run the model over all batches in evaluation mode.

    Args:
        model: On the device already.
        batches: Images (N, C, H, W) float32 and labels (N,) int64.
        num_classes: C.
        execution: Precision and layout, as in training.
        device: Where the model is.
        keep_logits: Whether the logits are wanted.
        takes_features: Whether the model is what follows a frozen prefix, and the batches what that gives.
    """
    device = torch.device(device)
    with applied(execution, device), _untouched(model, device), torch.no_grad():
        scored = _score(model, batches, num_classes, execution, device, takes_features=takes_features)
    labels, predicted = scored["labels"], scored["predicted"]
    confusion = np.bincount(labels * num_classes + predicted, minlength=num_classes**2)
    confusion = confusion.reshape(num_classes, num_classes)
    n_images = len(labels)
    totals = confusion.sum(axis=1)
    recalls = confusion.diagonal()[totals > 0] / totals[totals > 0]
    return Evaluation(
        loss=float(scored["losses"].sum() / n_images),
        top1_pct=100.0 * float(confusion.trace()) / n_images,
        top5_pct=100.0 * float(scored["in_top5"].sum()) / n_images if num_classes > 5 else None,
        mean_class_pct=100.0 * float(recalls.mean()),
        confusion=confusion,
        logits=scored["logits"] if keep_logits else None,
        labels=labels,
    )


def _score(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    num_classes: int,
    execution: ExecutionSpec,
    device: torch.device,
    *,
    takes_features: bool,
) -> dict[str, npt.NDArray[Any]]:
    """Columns on the host, one row an image (`losses`: one a batch)."""
    columns: dict[str, list[Tensor]] = {
        name: [] for name in ("labels", "predicted", "in_top5", "logits", "losses")
    }
    context = autocast(execution, device)
    for images, labels in batches:
        with context:
            logits = model(images if takes_features else laid_out(images, execution))
        logits = logits.float()
        first = logits.topk(min(5, num_classes), dim=1).indices
        columns["labels"].append(labels)
        columns["predicted"].append(logits.argmax(1))
        columns["in_top5"].append((first == labels[:, None]).any(1))
        columns["logits"].append(logits)
        columns["losses"].append(F.cross_entropy(logits, labels, reduction="sum").double()[None])
    return {name: torch.cat(parts).cpu().numpy() for name, parts in columns.items()}


@contextmanager
def _untouched(model: nn.Module, device: torch.device) -> Iterator[None]:
    """Evaluation mode, with the generators and every module's mode put back afterwards."""
    modes = [(module, module.training) for module in model.modules()]
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        model.eval()
        try:
            yield
        finally:
            for module, training in modes:
                module.training = training
