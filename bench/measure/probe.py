"""How fast an arm trains when it has the machine to itself.

The step is the trainer's own, over the run's own batches, augmentation and epoch changes included, and over
kept features where the run would keep them; only its learning rate is zero, because speed must not depend on
whether the recipe is stable at its first steps.
What bounds it: on a CPU the convolutions, on a GPU with small images the launching of kernels. Time is read
at the ends of windows only, after waiting for the device.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

import torch
from torch import nn

from bench.data.batches import TrainBatches
from bench.data.opening import DataSplits
from bench.errors import BenchError
from bench.study.specs import Augment, ExecutionSpec, TrainSpec
from bench.train.drive import Driver, compiles, make_driver
from bench.train.feed import Feed
from bench.train.modes import applied
from bench.train.schedule import total_steps
from bench.train.step import Step

WINDOW_S = 0.2
"""Shortest time of a window, and of the warm-up before the first."""


@dataclass(frozen=True)
class ProbeResult:
    """Speed in several windows; the caller takes the median."""

    windows_img_s: tuple[float, ...]
    warmup_steps: int
    steps_per_window: int
    compile_time_s: float | None
    """None without compilation."""
    peak_memory_bytes: int | None
    """Device memory; None on a CPU."""


@dataclass(frozen=True)
class Windows:
    """Times of equal numbers of steps."""

    times_s: tuple[float, ...]
    warmup_steps: int
    steps_per_window: int


def probe(
    step: Callable[[], None],
    *,
    wait: Callable[[], None] = lambda: None,
    n_windows: int = 5,
    window_s: float = WINDOW_S,
    warmup_s: float = WINDOW_S,
    clock: Callable[[], float] = perf_counter,
) -> Windows:
    """Time a step in windows, after warming up.

    Args:
        step: One step, which may return before the device is done.
        wait: Waits for the device.
        n_windows: How many windows.
        window_s: Shortest time of a window; a window holds at least one step.
        warmup_s: Shortest time of the warm-up; at least three steps.
        clock: Seconds.

    Returns:
        Seconds of each window, and the numbers of steps.
    """
    warmup_steps, started_s = 0, clock()
    while warmup_steps < 3 or clock() - started_s < warmup_s:
        step()
        wait()
        warmup_steps += 1
    step_s = _time(step, 3, wait, clock) / 3
    steps_per_window = max(1, -(-window_s // max(step_s, 1e-9)))
    n_steps = int(steps_per_window)
    times_s = tuple(_time(step, n_steps, wait, clock) for _ in range(n_windows))
    return Windows(times_s, warmup_steps + 3, n_steps)


def probe_arm(
    model: nn.Module,
    data: DataSplits,
    *,
    spec: TrainSpec,
    execution: ExecutionSpec,
    augment: Sequence[Augment],
    key: int,
    device: str | torch.device,
    weights_through: str | None = None,
    window_s: float = WINDOW_S,
    clock: Callable[[], float] = perf_counter,
) -> ProbeResult:
    """Training speed of one arm, of its first epoch where stages are unfrozen later.

    Args:
        model: Built and initialised, on the CPU; its running statistics are changed.
        data: The arm's data, on the device.
        spec: The recipe.
        execution: The arm's settings, set for the time of the call.
        augment: Augmentations, by name or options.
        key: Of the batches.
        device: Where to measure.
        weights_through: Last stage that was copied from elsewhere, for `freeze: transferred`.
        window_s: Shortest time of a window, and of the warm-up.
        clock: Seconds.

    Raises:
        BenchError: The loss is not finite before anything has been learnt.
    """
    device = torch.device(device)
    cuda = device.type == "cuda"
    with applied(execution, device), torch.random.fork_rng([device] if cuda else []):
        batches = TrainBatches.of(
            data.train, spec, augment=augment, key=key, n_classes=data.facts.num_classes
        )
        step = Step(model, spec, execution, device, weights_through=weights_through)
        if cuda:
            torch.cuda.reset_peak_memory_stats(device)
        feed = Feed(step, batches, total_steps(spec, batches.steps_per_epoch))
        prepared_s = feed.refresh(0).compile_time_s
        driver = make_driver(step, feed.batches, lr=lambda _: 0.0)
        compile_time_s = prepared_s + driver.prepare() if compiles(execution) else None
        wait = _synchronise(device) if cuda else _nothing
        train_once = endless(driver, batches.steps_per_epoch)
        windows = probe(train_once, wait=wait, window_s=window_s, warmup_s=window_s, clock=clock)
        if step.tally.read().n_bad_steps:
            raise BenchError("the loss is not finite at the initial weights; there is no speed to measure")
    images = windows.steps_per_window * spec.batch_size
    return ProbeResult(
        windows_img_s=tuple(images / time_s for time_s in windows.times_s),
        warmup_steps=windows.warmup_steps,
        steps_per_window=windows.steps_per_window,
        compile_time_s=compile_time_s,
        peak_memory_bytes=torch.cuda.max_memory_allocated(device) if cuda else None,
    )


def endless(driver: Driver, steps_per_epoch: int) -> Callable[[], None]:
    """A call that takes the next step, epoch after epoch.

    Raises:
        BenchError: Calling it finds a loss that is not finite.
    """
    place, epoch = steps_per_epoch, -1

    def train_once() -> None:
        nonlocal place, epoch
        if place == steps_per_epoch:
            epoch, place = epoch + 1, 0
            driver.start_epoch(epoch)
        place += 1
        if not driver.step():
            raise BenchError("the loss is not finite at the initial weights; there is no speed to measure")

    return train_once


def _time(
    step: Callable[[], None], n_steps: int, wait: Callable[[], None], clock: Callable[[], float]
) -> float:
    started_s = clock()
    for _ in range(n_steps):
        step()
    wait()
    return clock() - started_s


def _synchronise(device: torch.device) -> Callable[[], None]:
    return lambda: torch.cuda.synchronize(device)


def _nothing() -> None:
    """A CPU is done when it returns."""
