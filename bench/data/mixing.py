"""Mixup and CutMix: an image of the batch is mixed with another, and its label with the other's.

As in timm: one share a step, the partner is the image at the same place of the batch in reverse order, and
where both are on each step draws one of them, half of the time each. Everything about a step is drawn with
its epoch, from (key, epoch, step), by tables of the Beta distribution's quantiles, so that the bits are the
same on CPU and CUDA and a step is index arithmetic alone.

Labels become shares of classes, without label smoothing, which the loss adds in the way that timm does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from architectures.counter import hash32
from bench.data.erasing import in_boxes
from bench.data.tables import WORD_SHIFT, Table, midpoints

if TYPE_CHECKING:
    from bench.study.specs import TrainSpec

_SHARE, _WHICH, _ROW, _COLUMN = range(4)


@dataclass(frozen=True, eq=False)
class Mixing:
    """How batches are mixed.

    Zhang et al. (2018), "mixup: Beyond Empirical Risk Minimization", ICLR; Yun et al. (2019), "CutMix:
    Regularization Strategy to Train Strong Classifiers with Localizable Features", ICCV.
    """

    mixup: float
    """α of the blended share's Beta(α, α); 0: no mixup."""
    cutmix: float
    """α of the pasted share's; 0: no CutMix."""
    num_classes: int
    _mixup_shares: Table = field(init=False)
    _cutmix_shares: Table = field(init=False)

    def __post_init__(self) -> None:
        for name in ("mixup", "cutmix"):
            object.__setattr__(
                self, f"_{name}_shares", Table(_beta_quantiles(getattr(self, name)), torch.float64)
            )

    @classmethod
    def of(cls, spec: TrainSpec, num_classes: int) -> Mixing | None:
        """What a recipe asks for; None where it mixes nothing."""
        return cls(spec.mixup, spec.cutmix, num_classes) if spec.mixes else None

    def draw(
        self, key: int, epoch: int, n_steps: int, size: int, device: torch.device
    ) -> tuple[Tensor, Tensor]:
        """What each step of an epoch gets.

        Args:
            key: Of the run's mixing.
            epoch: Counted from 0.
            n_steps: Of the epoch.
            size: Side of the images.
            device: Where it is wanted.

        Returns:
            For each step an image's own share of the label and the weight with which it is blended, float32
            (n_steps, 2), and the box that is pasted into it: top, left, height, width, int64 (n_steps, 4).
        """
        steps = torch.arange(n_steps, device=device)[:, None]
        words = hash32(key, epoch, steps, torch.arange(4, device=device))
        places = words[:, _SHARE] >> WORD_SHIFT
        mixed, kept = (table.on(device)[places] for table in (self._mixup_shares, self._cutmix_shares))
        # Half of the words where both are on, else all or none.
        pastes = words[:, _WHICH] < (0 if not self.cutmix else 1 << 31 if self.mixup else 1 << 32)
        boxes = torch.where(pastes[:, None], _boxes(kept, words, size), 0)
        pasted = (boxes[:, 2] * boxes[:, 3]).to(torch.float64)
        own = 1.0 - pasted / torch.full_like(pasted, size * size)
        shares = torch.stack([torch.where(pastes, own, mixed), torch.where(pastes, 1.0, mixed)], dim=1)
        return shares.to(torch.float32), boxes

    def apply(self, images: Tensor, labels: Tensor, shares: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
        """Mix one batch.

        Args:
            images: float32 (B, C, H, W).
            labels: int64 (B,).
            shares: Rows of `draw`, one an image, (B, 2).
            boxes: The same, (B, 4).

        Returns:
            Images of the same shape, and each image's shares of the classes, float32 (B, num_classes).
        """
        own, weight = (share[:, None] for share in shares.unbind(1))
        classes = torch.arange(self.num_classes, device=labels.device)
        one_hot = (labels[:, None] == classes).to(torch.float32)
        targets = one_hot * own + one_hot.flip(0) * (1 - own)
        partners = images.flip(0)
        mixed = images
        if self.mixup:
            weight = weight[:, :, None, None]
            mixed = images * weight + partners * (1 - weight)
        if self.cutmix:
            mixed = torch.where(in_boxes(boxes, *images.shape[2:]), partners, mixed)
        return mixed, targets


def _boxes(kept: Tensor, words: Tensor, size: int) -> Tensor:
    """Boxes of the share that is not kept, around places anywhere in the image, clipped by its border."""
    cut = torch.floor(size * torch.sqrt(1.0 - kept)).long()
    sides = []
    for name in (_ROW, _COLUMN):
        centre = (words[:, name] * size) >> 32
        low = (centre - cut // 2).clamp(min=0)
        high = (centre + (cut + 1) // 2).clamp(max=size)
        sides.append((low, high - low))
    (top, tall), (left, wide) = sides
    return torch.stack([top, left, tall, wide], dim=1)


def _beta_quantiles(alpha: float) -> list[float]:
    """Quantiles of Beta(α, α) in the middle of equally likely parts; all 1 for α = 0, which mixes nothing."""
    if not alpha:
        return [1.0] * len(midpoints())
    from scipy.special import betaincinv  # noqa: PLC0415 - costs a start only where something is mixed

    below: list[float] = betaincinv(alpha, alpha, midpoints()[: len(midpoints()) // 2]).tolist()
    return [*below, *(1.0 - share for share in reversed(below))]
