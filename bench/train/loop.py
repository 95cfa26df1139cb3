"""The training loop: epochs of steps, an evaluation now and then, a checkpoint every few seconds.

Everything that a step needs is a function of its number: batch, augmentation, learning rate, dropout, what is
frozen. So the loop can be stopped before any step and taken up again with the same weights, to the last bit,
and neither evaluating nor saving can change them. Inside a step nothing waits for the device (`step.py`), and
between two steps the loop can be left to itself, so that several runs share one device in turn.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from architectures.keys import derive
from architectures.noise import set_key
from bench.data.batches import EvalBatches, TrainBatches
from bench.data.opening import DataSplits
from bench.record.schema import EpochRow
from bench.study.specs import Augment, ExecutionSpec, TrainSpec
from bench.train import checkpoint
from bench.train.drive import compiles, make_driver
from bench.train.evaluate import evaluate
from bench.train.feed import Feed
from bench.train.modes import applied
from bench.train.progress import Progress
from bench.train.result import Outcome, TrainResult
from bench.train.resume import Resumable
from bench.train.schedule import Schedule
from bench.train.step import Step
from bench.train.tally import Counts
from bench.train.weights import all_finite, copied, save_weights, state_of

__all__ = ["TrainResult", "Turns", "driven", "train", "training"]

EVAL_BATCH = 1024
"""Images per batch of an evaluation."""

Result = TypeVar("Result")
Turns = Generator[None, None, Result]
"""Work that can be left to itself at every yield."""


def driven(turns: Turns[Result]) -> Result:
    """Do work to its end without a pause."""
    while True:
        try:
            next(turns)
        except StopIteration as end:
            result: Result = end.value
            return result


def train(model: nn.Module, data: DataSplits, **arguments: Any) -> TrainResult:
    """Train a model, or go on where the folder's checkpoint stands; arguments and result as of `training`."""
    return driven(training(model, data, **arguments))


def training(
    model: nn.Module,
    data: DataSplits,
    *,
    spec: TrainSpec,
    execution: ExecutionSpec,
    augment: Sequence[Augment],
    key: int,
    device: str | torch.device,
    folder: Path,
    identity: str,
    weights_through: str | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    on_epoch: Callable[[EpochRow], None] = lambda _row: None,
    checkpoint_every_s: float = 20.0,
    in_turn: bool = False,
    clock: Callable[[], float] = perf_counter,
) -> Turns[TrainResult]:
    """Train a model step by step: whoever drives the generator decides when the next step is taken.

    Args:
        model: Built and initialised, on the CPU; trained in place.
        data: Train and validation images on the device; the test images are not looked at.
        spec: The recipe; with a budget of 0 epochs the weights are written as they are.
        execution: Threads, precision, layout, compilation; set until the end.
        augment: Augmentations in order, by name or options.
        key: Decides order, augmentation, mixing and dropout; torch's own generator is seeded from it.
        device: Where to train.
        folder: Gets the checkpoint, and at the end `last.safetensors` and, with validation,
            `best.safetensors`. Only `checkpoint.discard` removes the checkpoint.
        identity: Of the run; a checkpoint of another identity is not used.
        weights_through: Last stage that was copied from elsewhere, for `freeze: transferred`.
        should_stop: Asked before every step; True leaves a checkpoint and ends the call.
        on_epoch: Hears every row when it is made; a resumed run first hears those of its checkpoint.
        checkpoint_every_s: Seconds between checkpoints.
        in_turn: Other runs go on meanwhile: at the end of an epoch, give way until the device is done; the
            device's memory is theirs too, and no peak of it is noted.
        clock: Seconds.

    Yields:
        After every step.

    Returns:
        How it ended, with the curve.
    """
    device = torch.device(device)
    with applied(execution, device), torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(derive("torch", key))
        set_key(model, derive(key, "noise"))
        loop = _Loop(
            data=data,
            spec=spec,
            execution=execution,
            batches=TrainBatches.of(
                data.train, spec, augment=augment, key=key, n_classes=data.facts.num_classes
            ),
            step=Step(model, spec, execution, device, weights_through=weights_through),
            device=device,
            folder=folder,
            identity=identity,
            should_stop=should_stop,
            on_epoch=on_epoch,
            checkpoint_every_s=checkpoint_every_s,
            in_turn=in_turn,
            clock=clock,
        )
        return (yield from loop.run())


@dataclass
class _Loop:
    """One run between its first and its last step."""

    data: DataSplits
    spec: TrainSpec
    execution: ExecutionSpec
    batches: TrainBatches
    step: Step
    device: torch.device
    folder: Path
    identity: str
    should_stop: Callable[[], bool]
    on_epoch: Callable[[EpochRow], None]
    checkpoint_every_s: float
    in_turn: bool
    clock: Callable[[], float]

    def __post_init__(self) -> None:
        self.schedule = Schedule(self.spec, self.batches.steps_per_epoch)
        schedule = self.schedule
        self.feed = Feed(self.step, self.batches, schedule.total_steps, clock=self.clock)
        self.driver = make_driver(self.step, self.batches, lr=schedule.lr, momentum=schedule.momentum)
        self.progress = Progress()
        self.best: dict[str, Tensor] = {}
        self.warnings: list[str] = []
        self.resumed_from_step: int | None = None

    def run(self) -> Turns[TrainResult]:
        """Epochs until the budget is spent or something ends the run."""
        self._resume()
        if self._watches_memory:
            torch.cuda.reset_peak_memory_stats(self.device)
        self.step.start_epoch(self.progress.step // self.batches.steps_per_epoch + 1)
        self._prepare()
        self._saved_at = self.clock()
        outcome: Outcome | None = None
        while outcome is None and self.progress.step < self.schedule.total_steps:
            outcome = yield from self._epoch()
        return self._result(outcome or "finished")

    def _epoch(self) -> Turns[Outcome | None]:
        """The steps up to the end of the epoch or of the budget, then its row."""
        outcome, lr = yield from self._steps()
        if outcome == "interrupted":
            return outcome
        counts = self.step.tally.read()
        if outcome == "diverged" or counts.n_bad_steps:
            self.progress.step -= counts.n_bad_steps
            return "diverged"
        return self._close_epoch(counts, lr)

    def _steps(self) -> Turns[tuple[Outcome | None, float]]:
        """Take the steps; returns what ended them early, if anything did, and the last learning rate."""
        progress, schedule = self.progress, self.schedule
        epoch, done = divmod(progress.step, self.batches.steps_per_epoch)
        end = min((epoch + 1) * self.batches.steps_per_epoch, schedule.total_steps)
        if self.step.start_epoch(epoch + 1):
            self._prepare()
        started_s = self.clock() - progress.epoch_time_s
        self.driver.start_epoch(epoch, done)
        outcome: Outcome | None = None
        while progress.step < end:
            stop = self.should_stop()
            if stop or self.clock() - self._saved_at >= self.checkpoint_every_s:
                started_s += self._save(started_s)
                if stop:
                    return "interrupted", math.nan
            if not self.driver.step():
                outcome = "diverged"
                break
            progress.step += 1
            yield
        yield from self._give_way()
        self._wait()
        progress.epoch_time_s = self.clock() - started_s
        return outcome, schedule.lr(max(0, progress.step - 1))

    def _close_epoch(self, counts: Counts, lr: float) -> Outcome | None:
        """Make the epoch's row, evaluate if it is due, and remember what validation decides."""
        progress = self.progress
        steps_per_epoch, total = self.batches.steps_per_epoch, self.schedule.total_steps
        epoch = -(-progress.step // steps_per_epoch)
        n_steps = progress.step - (epoch - 1) * steps_per_epoch
        due = epoch % self.spec.eval_every_epochs == 0 or progress.step == total
        val_loss, val_top1_pct = self._validate() if due else (None, None)
        row = EpochRow(
            epoch=epoch,
            train_loss=counts.loss_sum / n_steps,
            train_top1_pct=100.0 * counts.n_correct / (n_steps * self.spec.batch_size),
            val_loss=val_loss if val_loss is not None and math.isfinite(val_loss) else None,
            val_top1_pct=val_top1_pct,
            lr=lr,
            epoch_time_s=progress.epoch_time_s,
        )
        progress.rows.append(row)
        progress.train_time_s += progress.epoch_time_s
        progress.epoch_time_s = 0.0
        self.step.tally.start(Counts())
        if progress.is_best(row):
            self._keep_best(row)
        if val_loss is not None:
            self.schedule.observe(val_loss, epoch)
        self.on_epoch(row)
        return "finished" if progress.is_over(row, self.spec.early_stopping) else None

    def _keep_best(self, row: EpochRow) -> None:
        with self.step.judged():
            state = state_of(self.step.model)
            if all_finite(state.values()):
                self.progress.best_epoch, self.progress.best_top1_pct = row.epoch, row.val_top1_pct
                self.best = copied(state)

    def _validate(self) -> tuple[float | None, float | None]:
        if self.data.val is None:
            return None, None
        exam = self.feed.exam(EvalBatches(self.data.val, batch_size=EVAL_BATCH))
        with self.step.judged():
            found = evaluate(
                exam.model,
                exam.batches,
                num_classes=self.data.facts.num_classes,
                execution=self.execution,
                device=self.device,
                takes_features=exam.takes_features,
            )
        return found.loss, found.top1_pct

    def _save(self, started_s: float) -> float:
        """Leave a checkpoint, unless the run has gone bad already; returns the seconds it took."""
        self._wait()
        paused_at = self.clock()
        self.progress.epoch_time_s = paused_at - started_s
        counts = self.step.tally.read()
        if not counts.n_bad_steps and all_finite(state_of(self.step.model).values()):
            contents = self._resumable().contents(self.progress, counts, self.schedule.plateau, self.best)
            checkpoint.save(self.folder, contents, self.identity)
        self._saved_at = self.clock()
        return self._saved_at - paused_at

    def _resume(self) -> None:
        found, reason = checkpoint.load(self.folder, self.identity)
        if found is not None:
            reason = self._resumable().misfit(found)
        if reason is not None:
            self.warnings.append(reason)
        elif found is not None:
            self.progress, counts, self.schedule.plateau, self.best = self._resumable().take_up(found)
            self.step.tally.start(counts)
            self.resumed_from_step = self.progress.step
            for row in self.progress.rows:
                self.on_epoch(row)

    def _resumable(self) -> Resumable:
        return Resumable(self.step, self.device, watches_memory=self._watches_memory)

    def _prepare(self) -> None:
        """Get ready for what trains now: features of what is frozen, compiled code, a captured graph."""
        progress, schedule = self.progress, self.schedule
        if progress.step >= schedule.total_steps:
            return
        fed_before = self.feed.batches
        preparation = self.feed.refresh(progress.step)
        progress.compile_time_s += preparation.compile_time_s
        progress.epoch_time_s += preparation.fill_time_s
        if self.feed.batches is not fed_before:
            self.driver = make_driver(
                self.step, self.feed.batches, lr=schedule.lr, momentum=schedule.momentum
            )
        if compiles(self.execution):
            progress.compile_time_s += self.driver.prepare()

    def _result(self, outcome: Outcome) -> TrainResult:
        progress, state = self.progress, state_of(self.step.model)
        if outcome == "finished" and not all_finite(state.values()):
            # The last update overflowed; the next loss would have said so.
            outcome = "diverged"
        if outcome != "interrupted" and self.step.average is not None:
            self.step.average.settle()
        if outcome == "finished" and self.spec.select == "best_val" and not self.best:
            if self.spec.trains:
                self.warnings.append(
                    "no epoch had a finite validation loss; the last weights stand for the best"
                )
            self.best = copied(state)
        if outcome != "interrupted":
            for name, weights in ((checkpoint.LAST, state), (checkpoint.BEST, self.best)):
                if weights and all_finite(weights.values()):
                    save_weights(self.folder / name, weights)
        return TrainResult(
            outcome=outcome,
            epochs=tuple(progress.rows),
            steps=progress.step,
            images=progress.step * self.spec.batch_size,
            best_epoch=progress.best_epoch,
            diverged_step=progress.step if outcome == "diverged" else None,
            train_time_s=progress.train_time_s + progress.epoch_time_s,
            compile_time_s=progress.compile_time_s if compiles(self.execution) else None,
            peak_memory_bytes=self._peak_memory_bytes(),
            resumed_from_step=self.resumed_from_step,
            warnings=tuple(self.warnings),
        )

    @property
    def _watches_memory(self) -> bool:
        return self.device.type == "cuda" and not self.in_turn

    def _peak_memory_bytes(self) -> int | None:
        if not self._watches_memory:
            return None
        return max(torch.cuda.max_memory_allocated(self.device), self.progress.peak_memory_bytes or 0)

    def _give_way(self) -> Turns[None]:
        """Let the other runs go on until the device has taken this one's steps."""
        if self.in_turn and self.device.type == "cuda":
            done = torch.cuda.current_stream(self.device).record_event()
            while not done.query():
                yield

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.current_stream(self.device).synchronize()
