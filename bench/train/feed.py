"""What a run's steps and evaluations are fed with: images, or features where a frozen prefix is kept.

The loop and the speed probe ask here whenever the frozen stages may have changed, so both feed a step alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import perf_counter

import torch
from torch import Tensor, nn

from bench.data.batches import Batches, EvalBatches, TrainBatches
from bench.train.modes import autocast, laid_out
from bench.train.prefix import EvalFeatures, FeatureBatches, cached_prefix, pays, room_bytes
from bench.train.step import Step


@dataclass(frozen=True)
class Preparation:
    """Seconds that a change of what feeds the steps took."""

    compile_time_s: float = 0.0
    fill_time_s: float = 0.0
    """Computing features: work of the run, in place of the steps' own."""


@dataclass(frozen=True)
class Exam:
    """What an evaluation runs, and over what; the result is that of the whole network over images."""

    model: nn.Module
    batches: Iterable[tuple[Tensor, Tensor]]
    takes_features: bool


class Feed:
    """Chooses between images and kept features.

    Args:
        step: Whose frozen stages decide.
        images: The run's batches.
        total_steps: Of the run's budget.
        clock: Seconds.

    Attributes:
        batches: What the steps take now; another object after a change.
    """

    def __init__(
        self,
        step: Step,
        images: TrainBatches,
        total_steps: int,
        *,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        self._step, self._images, self._total_steps, self._clock = step, images, total_steps, clock
        self.batches: Batches = images
        self._stages: tuple[str, ...] = ()
        self._exam: Exam | None = None

    def refresh(self, done: int) -> Preparation:
        """Follow the step's frozen stages.

        Args:
            done: Steps taken in the run; the step knows the next one's epoch already.
        """
        stages = () if self._step.halves is None else self._step.halves[0].names
        if stages != self._stages:
            self.batches, self._exam, self._stages = self._images, None, stages
        preparation = Preparation()
        if stages and self.batches is self._images and pays(self._images, self._steps_left(done)):
            preparation = self._fill()
        self._step.takes_features = self.batches is not self._images
        return preparation

    def exam(self, images: EvalBatches) -> Exam:
        """How to evaluate the network; what the frozen prefix makes of the images is kept from pass to pass.

        Args:
            images: The same ones every time.
        """
        if self._step.halves is None:
            return Exam(self._step.model, images, takes_features=False)
        if self._exam is None:
            before, behind = self._step.halves
            features = EvalFeatures(images, self._in_evaluation(before), self._room_bytes())
            self._exam = Exam(behind, features, takes_features=True)
        return self._exam

    def _fill(self) -> Preparation:
        step, device = self._step, self._step.device
        started_s = self._clock()
        if step.execution.compile != "none":
            index = torch.arange(self._images.batch_size, device=self._images.train.home)
            with torch.random.fork_rng([device] if device.type == "cuda" else []):
                for _ in range(3):  # with CUDA graphs, the second records and the third replays
                    step.features(self._images.batch((index,))[0])
        compiled_s = self._settled_s()
        kept = cached_prefix(step.features, self._images, limit_bytes=self._room_bytes())
        if kept is not None:
            self.batches = kept
        return Preparation(compiled_s - started_s, self._settled_s() - compiled_s)

    def _in_evaluation(self, before: nn.Module) -> Callable[[Tensor], Tensor]:
        execution, context = self._step.execution, autocast(self._step.execution, self._step.device)

        def features(images: Tensor) -> Tensor:
            with context:
                found: Tensor = before(laid_out(images, execution))
            return found

        return features

    def _steps_left(self, done: int) -> int:
        """Steps that the frozen stages stay as they are, as far as the budget goes."""
        steps_per_epoch = self._images.steps_per_epoch
        change = self._step.next_change(done // steps_per_epoch + 1)
        return int(min(self._total_steps, (change - 1) * steps_per_epoch)) - done

    def _room_bytes(self) -> int:
        kept = self.batches.n_bytes if isinstance(self.batches, FeatureBatches) else 0
        return room_bytes(self._step.device, kept)

    def _settled_s(self) -> float:
        """The time when the device is done."""
        if self._step.device.type == "cuda":
            torch.cuda.current_stream(self._step.device).synchronize()
        return self._clock()
