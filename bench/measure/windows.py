"""Windows of steps, timed back to back without waiting inside: the protocol of a throughput cell.

On a GPU a window lies between two events of the stream, so that Python may run ahead as it does in training;
on a CPU between two readings of the clock. Warm-up goes on until windows agree, and says when they never do.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from time import perf_counter
from typing import Any, Protocol

import torch

Take = Callable[[], None]
"""Takes one step, which may return before the device is done."""

AGREEING = 3
"""Windows in a row that have to agree."""

MARGIN = 1.1
"""Steps beyond what a window needs at the speed of the warm-up, so that none comes out short."""

MOST_TRIES = 3
"""Times that windows are timed anew because they came out shorter than asked."""


class Timer(Protocol):
    """Reads the time at the ends of windows."""

    def __call__(self, take: Take, n_windows: int, steps_per_window: int) -> tuple[float, ...]:
        """Seconds of each of `n_windows` windows, one right behind the other."""


@dataclass(frozen=True)
class ClockTimer:
    """For a device that is done when the call returns."""

    clock: Callable[[], float] = perf_counter

    def __call__(self, take: Take, n_windows: int, steps_per_window: int) -> tuple[float, ...]:
        """Time windows by the clock."""
        marks = [self.clock()]
        for _ in range(n_windows):
            for _ in range(steps_per_window):
                take()
            marks.append(self.clock())
        return tuple(end - start for start, end in pairwise(marks))


def _event() -> Any:
    return torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]  # untyped in torch


@dataclass(frozen=True)
class EventTimer:
    """For a GPU: one event at each end, read when the last has come to pass."""

    new_event: Callable[[], Any] = _event

    def __call__(self, take: Take, n_windows: int, steps_per_window: int) -> tuple[float, ...]:
        """Time windows by events of the current stream."""
        events = [self.new_event() for _ in range(n_windows + 1)]
        events[0].record()
        for event in events[1:]:
            for _ in range(steps_per_window):
                take()
            event.record()
        events[-1].synchronize()
        return tuple(start.elapsed_time(end) / 1e3 for start, end in pairwise(events))


@dataclass(frozen=True)
class WarmUp:
    """How the warm-up went."""

    steps: int
    settled: bool
    step_s: float
    """Seconds a step at its end."""


def warm_up(
    take: Take,
    timer: Timer,
    *,
    window_s: float,
    least_s: float,
    most_s: float,
    agree_pct: float,
) -> WarmUp:
    """Take steps until three windows in a row agree.

    Args:
        take: One step.
        timer: Of the device.
        window_s: Length of a window.
        least_s: Shortest warm-up, as the timer counts.
        most_s: Longest: windows that do not agree by then never settled.
        agree_pct: Spread of three windows over their median that counts as agreement.
    """
    (step_s,) = timer(take, 1, 1)
    taken, spent_s = 1, step_s
    last: list[float] = []
    while True:
        steps = steps_for(window_s, step_s)
        (window,) = timer(take, 1, steps)
        taken, spent_s, step_s = taken + steps, spent_s + window, window / steps
        last = [*last, step_s][-AGREEING:]
        agree = len(last) == AGREEING and _spread_pct(last) <= agree_pct
        if agree and spent_s >= least_s:
            return WarmUp(taken, settled=True, step_s=statistics.median(last))
        if spent_s >= most_s:
            return WarmUp(taken, settled=False, step_s=statistics.median(last))


@dataclass(frozen=True)
class Timed:
    """Windows that are at least as long as asked."""

    windows_s: tuple[float, ...]
    steps_per_window: int
    earlier_steps: int
    """Steps of windows that came out too short and were timed anew."""


def time_windows(take: Take, timer: Timer, *, n_windows: int, window_s: float, step_s: float) -> Timed:
    """Time windows of whole steps; the median is at least `window_s`.

    Args:
        take: One step.
        timer: Of the device.
        n_windows: How many.
        window_s: Shortest time of a window.
        step_s: Seconds a step, as the warm-up found.
    """
    earlier = 0
    for last in range(MOST_TRIES, 0, -1):
        steps = steps_for(window_s, step_s)
        windows = timer(take, n_windows, steps)
        if statistics.median(windows) >= window_s or last == 1:
            break
        earlier += n_windows * steps
        step_s = statistics.median(windows) / steps
    return Timed(windows, steps, earlier)


def steps_for(window_s: float, step_s: float) -> int:
    """Whole steps that fill a window, at least one."""
    return max(1, math.ceil(MARGIN * window_s / max(step_s, 1e-6)))


def _spread_pct(values: list[float]) -> float:
    return 100.0 * (max(values) - min(values)) / statistics.median(values)
