"""What a run scores in a quantity, and how much one test image weighs in it."""

from __future__ import annotations

import math

from bench.record.schema import RunRecord


def value_of(run: RunRecord, quantity: str) -> float | None:
    """The run's value in the quantity's unit; None where it has none."""
    if quantity == "train_error_pct":
        return _error(run.metrics.train_top1_pct)
    if quantity == "test_error_pct":
        return _error(run.metrics.test_top1_pct)
    value: float | None = getattr(run.metrics, quantity)
    return value


def one_image(run: RunRecord, quantity: str) -> float | None:
    """What one image changes in the quantity, in percentage points; None for a loss.

    Of the mean per-class accuracy it is an image of the smallest class, whose weight is largest.
    """
    metrics = run.metrics
    if quantity == "test_loss":
        return None
    if quantity == "test_mean_class_pct" and run.confusion:
        sizes = [sum(row) for row in run.confusion if sum(row) > 0]
        return 100.0 / (len(sizes) * min(sizes)) if sizes else None
    n_images = metrics.n_train if quantity == "train_error_pct" else metrics.n_test
    return 100.0 / n_images if n_images else None


def chance_of(run: RunRecord, quantity: str) -> float | None:
    """What a guess scores: one class of as many as the confusion counts; None where that is not known."""
    n_classes = len(run.confusion) if run.confusion else 0
    if not n_classes:
        return None
    if quantity == "test_loss":
        return math.log(n_classes)
    n_guesses = min(5, n_classes) if quantity == "test_top5_pct" else 1
    accuracy = 100.0 * n_guesses / n_classes
    return 100.0 - accuracy if quantity.endswith("_error_pct") else accuracy


def _error(top1_pct: float | None) -> float | None:
    return None if top1_pct is None else 100.0 - top1_pct
