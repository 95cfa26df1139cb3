"""Accuracies against scikit-learn, and that looking leaves no trace."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from sklearn import metrics
from torch import nn

from bench.data import EvalBatches
from bench.study.specs import ExecutionSpec
from bench.train.evaluate import evaluate
from bench.train.weights import weights_digest


class Logits(nn.Module):
    """Gives back its input as logits."""

    def forward(self, images):
        return images.flatten(1)


def score(logits, labels, *, batch=7, num_classes=None, **options):
    num_classes = num_classes or logits.shape[1]
    batches = [
        (logits[i : i + batch, :, None, None], labels[i : i + batch]) for i in range(0, len(labels), batch)
    ]
    return evaluate(
        Logits(), batches, num_classes=num_classes, execution=ExecutionSpec(), device="cpu", **options
    )


@pytest.mark.parametrize("num_classes", [2, 5, 6, 37])
def test_every_number_equals_scikit_learns(num_classes):
    generator = torch.Generator().manual_seed(num_classes)
    logits = torch.randn(200, num_classes, generator=generator)
    labels = torch.randint(0, num_classes - 1, (200,), generator=generator)  # the last class is absent
    logits[torch.arange(200), labels] += 1
    found = score(logits, labels, keep_logits=True)
    predicted, classes = logits.argmax(1).numpy(), np.arange(num_classes)
    confusion = metrics.confusion_matrix(labels, predicted, labels=classes)
    assert np.array_equal(found.confusion, confusion)
    assert found.top1_pct == pytest.approx(100 * metrics.accuracy_score(labels, predicted))
    recall = metrics.recall_score(labels, predicted, labels=np.unique(labels), average="macro")
    assert found.mean_class_pct == pytest.approx(100 * recall)
    probabilities = logits.double().softmax(1).numpy()
    assert found.loss == pytest.approx(metrics.log_loss(labels, probabilities, labels=classes), rel=1e-5)
    if num_classes > 5:
        top5 = metrics.top_k_accuracy_score(labels, logits.numpy(), k=5, labels=classes)
        assert found.top5_pct == pytest.approx(100 * top5)
    else:
        assert found.top5_pct is None
    assert found.logits.dtype == np.float32
    assert np.array_equal(found.logits, logits.numpy())
    assert np.array_equal(found.labels, labels.numpy())


def test_the_batch_size_changes_no_accuracy():
    generator = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(50, 4, generator=generator), torch.randint(0, 4, (50,), generator=generator)
    one, other = score(logits, labels, batch=50), score(logits, labels, batch=8)
    assert np.array_equal(one.confusion, other.confusion)
    assert one.loss == pytest.approx(other.loss, rel=1e-6)
    assert one.logits is None


def test_a_loss_that_is_not_finite_is_told_as_it_is():
    logits = torch.randn(10, 6)
    logits[3] = torch.nan
    assert np.isnan(score(logits, torch.zeros(10, dtype=torch.int64)).loss)


def test_an_evaluation_leaves_no_trace(network, digits):
    model = network()
    model.layer1.eval()  # as a frozen stage is
    modes = [module.training for module in model.modules()]
    before, state = weights_digest(model), torch.get_rng_state()
    evaluate(
        model,
        EvalBatches(digits.test, batch_size=100),
        num_classes=10,
        execution=ExecutionSpec(channels_last=True),
        device="cpu",
    )
    assert weights_digest(model) == before
    assert [module.training for module in model.modules()] == modes
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(parameter.grad is not None for parameter in model.parameters())


def test_bf16_agrees_with_fp32_but_for_rounding(network, digits):
    model = network()
    results = [
        evaluate(
            copy.deepcopy(model),
            EvalBatches(digits.test, batch_size=128),
            num_classes=10,
            execution=ExecutionSpec(amp=amp),
            device="cpu",
            keep_logits=True,
        )
        for amp in ("none", "bf16")
    ]
    difference = np.abs(results[0].logits - results[1].logits).max()
    assert 0 < difference < 0.05 * np.abs(results[0].logits).max()
