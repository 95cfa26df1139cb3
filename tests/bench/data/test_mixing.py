"""Mixup and CutMix against timm's own code and against their definitions."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from scipy import stats
from timm.data.mixup import Mixup, rand_bbox
from torch import Tensor

from bench.data import TrainBatches, open_splits
from bench.data.mixing import Mixing
from bench.study.specs import DataSpec

CPU = torch.device("cpu")
N_STEPS = 20_000


def drawn(mixing: Mixing, n_steps: int = N_STEPS, size: int = 32) -> tuple[Tensor, Tensor]:
    return mixing.draw(1, 0, n_steps, size, CPU)


def batch(n: int = 8, classes: int = 5) -> tuple[Tensor, Tensor]:
    draws = torch.Generator().manual_seed(3)
    return torch.rand(n, 3, 12, 12, generator=draws), torch.randint(classes, (n,), generator=draws)


def assert_beta(shares: Tensor, alpha: float) -> None:
    """Kolmogorov-Smirnov below one half; above, float32 cannot tell what is close to 1 from 1."""
    low = shares[shares < 0.5].double().numpy()
    assert len(low) / len(shares) == pytest.approx(0.5, abs=5 * 0.5 / len(shares) ** 0.5)
    assert stats.kstest(low, lambda x: 2 * stats.beta(alpha, alpha).cdf(x)).pvalue > 0.001


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_shares_are_of_the_beta_distribution(alpha: float) -> None:
    """And independent over steps; both columns are one share, of images and of labels."""
    shares, boxes = drawn(Mixing(alpha, 0.0, 10))
    assert not boxes.any()
    assert torch.equal(shares[:, 0], shares[:, 1])
    assert_beta(shares[:, 0], alpha)
    ranks = stats.spearmanr(shares[:-1, 0], shares[1:, 0])
    assert abs(ranks.statistic) < 0.035


@pytest.mark.parametrize("alpha", [0.2, 1.0])
def test_a_batch_is_mixed_as_timm_mixes_it(alpha: float) -> None:
    """The same share: the same images, and the same labels under the same smoothing."""
    mixing = Mixing(alpha, 0.0, 5)
    x, y = batch()
    for share in drawn(mixing, 20)[0][:, 0].tolist():
        timms = Mixup(mixup_alpha=alpha, label_smoothing=0.0, num_classes=5)
        timms._params_per_batch = lambda share=share: (share, False)
        images, targets = timms(x.clone(), y)
        rows = torch.full((8, 2), share), torch.zeros(8, 4, dtype=torch.int64)
        made, shares = mixing.apply(x, y, *rows)
        torch.testing.assert_close(made, images)
        torch.testing.assert_close(shares, targets)


def test_smoothing_after_mixing_is_timms() -> None:
    """The loss adds what timm adds to the labels."""
    x, y = batch()
    timms = Mixup(mixup_alpha=1.0, label_smoothing=0.1, num_classes=5)
    timms._params_per_batch = lambda: (0.3, False)
    _, targets = timms(x.clone(), y)
    _, shares = Mixing(1.0, 0.0, 5).apply(x, y, torch.full((8, 2), 0.3), torch.zeros(8, 4, dtype=torch.int64))
    logits = torch.randn(8, 5, generator=torch.Generator().manual_seed(2))
    ours = torch.nn.functional.cross_entropy(logits, shares, label_smoothing=0.1)
    torch.testing.assert_close(ours, torch.nn.functional.cross_entropy(logits, targets))


def test_a_box_is_pasted_and_labels_follow_its_area() -> None:
    mixing = Mixing(0.0, 1.0, 5)
    x, y = batch()
    shares, boxes = drawn(mixing, 200, size=12)
    for share, box in zip(shares, boxes, strict=True):
        top, left, height, width = box.tolist()
        made, targets = mixing.apply(x, y, share.expand(8, 2), box.expand(8, 4))
        expected = x.clone()
        inside = (..., slice(top, top + height), slice(left, left + width))
        expected[inside] = x.flip(0)[inside]
        assert torch.equal(made, expected)
        kept = 1 - height * width / 144
        one_hot = torch.nn.functional.one_hot(y, 5)
        torch.testing.assert_close(targets, one_hot * kept + one_hot.flip(0) * (1 - kept))
        torch.testing.assert_close(targets.sum(1), torch.ones(8))


def test_boxes_are_timms(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same share and the same centre give the same box, at the border too."""
    mixing = Mixing(0.0, 1.0, 5)
    words = torch.tensor([[0, 0, row << 27, column << 27] for row in range(32) for column in range(32)])
    from bench.data.mixing import _boxes

    for kept in (0.0, 0.1, 0.37, 0.5, 0.9, 0.999):
        found = _boxes(torch.full((1024,), kept, dtype=torch.float64), words, 32).tolist()
        for word, (top, left, height, width) in zip(words.tolist(), found, strict=True):
            centres = iter([word[2] >> 27, word[3] >> 27])
            monkeypatch.setattr("timm.data.mixup.np.random.randint", lambda *_, size=None, c=centres: next(c))
            low_row, high_row, low_column, high_column = rand_bbox((1, 3, 32, 32), kept)
            assert (low_row, high_row - low_row, low_column, high_column - low_column) == (
                top,
                height,
                left,
                width,
            )
    assert mixing.cutmix == 1.0


def test_both_take_turns_by_chance() -> None:
    shares, boxes = drawn(Mixing(0.2, 1.0, 10))
    pastes = shares[:, 1] == 1
    assert pastes.double().mean() == pytest.approx(0.5, abs=5 * 0.5 / N_STEPS**0.5)
    assert not boxes[~pastes].any()
    assert_beta(shares[~pastes, 0], 0.2)


@pytest.mark.parametrize(
    "mixing",
    [Mixing(0.2, 0.0, 10), Mixing(0.0, 1.0, 10), Mixing(0.2, 1.0, 10)],
    ids=["mixup", "cutmix", "both"],
)
def test_an_epoch_of_mixed_batches_can_be_taken_up_anywhere(mixing: Mixing, tmp_path: Path) -> None:
    data = open_splits(DataSpec.model_validate({"name": "digits"}), tmp_path, "cpu")
    plain, mixed = (
        TrainBatches(data.train, batch_size=32, augment=("crop",), key=1, mixing=how)
        for how in (None, mixing)
    )
    assert mixed.augments
    whole = list(mixed.epoch(2))
    for (x, y), (again, targets) in zip(whole[7:], mixed.epoch(2, start_step=7), strict=True):
        assert torch.equal(x, again)
        assert torch.equal(y, targets)
    n_changed = 0
    for (x, y), (before, labels) in zip(whole, plain.epoch(2), strict=True):
        assert y.shape == (32, 10)
        assert y.dtype == torch.float32
        torch.testing.assert_close(y.sum(1), torch.ones(32))
        n_changed += not torch.equal(x, before)
        lone = y.amax(1) == 1
        assert torch.equal(
            y.argmax(1)[lone], torch.where(y[range(32), labels] == 1, labels, labels.flip(0))[lone]
        )
    assert n_changed > 0.9 * len(whole)
