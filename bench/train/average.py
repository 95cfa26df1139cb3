"""The exponential moving average of a network's weights, which stands in for them where they are judged.

After every step each floating-point parameter and statistic moves by 1 - decay of the way to its value now;
whole numbers are copied. The first step's weights are the first average, as in timm's `ModelEmaV3`. The
average lies end to end in one buffer a dtype and its decay on the device, so that moving it is a handful of
kernels, nothing waits, and a CUDA graph can hold it. A step whose loss is not finite moves nothing.

References: Polyak & Juditsky (1992), "Acceleration of Stochastic Approximation by Averaging", SIAM J. Control
Optim. 30; Szegedy et al. (2016), "Rethinking the Inception Architecture for Computer Vision", section 8.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from bench.study.specs import EmaSpec
from bench.train.held import Held
from bench.train.weights import copied, state_of

_PREFIX, _STEPS = "average.", "average_steps"

WARMUP_POWER = 2 / 3
"""timm's default: after n steps the decay is at most 1 - (n + 1)^(-2/3)."""


class Average:
    """The moving average of a model on its device.

    Args:
        model: Where it stands is the average until the first step.
        spec: How slowly it moves.
        device: Where the model is.
    """

    def __init__(self, model: nn.Module, spec: EmaSpec, device: torch.device) -> None:
        self._model, self._spec = model, spec
        self._average = Held(state_of(model).values())
        self._n_steps = torch.zeros((), dtype=torch.float64, device=device)

    @torch.no_grad()
    def move(self, bad: Tensor | None = None) -> None:
        """Follow the weights after a step.

        Args:
            bad: 0-dim bool on the device: whether the step did not count; None: it did.
        """
        rising = 1.0 - (1.0 + self._n_steps).pow(-WARMUP_POWER)
        decay = (
            rising.clamp(max=self._spec.decay)
            if self._spec.warmup
            else torch.full_like(rising, self._spec.decay)
        )
        share = torch.where(self._n_steps == 0, 1.0, 1.0 - decay)
        self._average.approach(share if bad is None else torch.where(bad, 0.0, share))
        self._n_steps += 1 if bad is None else ~bad

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The model with the average in place of its weights, until the end of the block."""
        self._average.swap()
        try:
            yield
        finally:
            self._average.swap()

    def settle(self) -> None:
        """Leave the average in the model for good."""
        self._average.restore()

    def contents(self) -> dict[str, Tensor]:
        """Everything that decides how the average goes on, as copies on the CPU."""
        with self.in_place():
            state = copied(state_of(self._model))
        named = {f"{_PREFIX}{name}": value for name, value in state.items()}
        return {_STEPS: self._n_steps.to("cpu", copy=True), **named}

    def take_up(self, found: Mapping[str, Tensor]) -> None:
        """Go on from what `contents` gave; the model's own weights are to be set afterwards."""
        state = {
            name.removeprefix(_PREFIX): value for name, value in found.items() if name.startswith(_PREFIX)
        }
        getattr(self._model, "_orig_mod", self._model).load_state_dict(state)
        self._average.hold()
        self._n_steps.copy_(found[_STEPS])
