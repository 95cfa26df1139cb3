"""Windows under a clock that only steps move: what is timed, when warm-up ends, what is too short."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, repeat

import pytest

from bench.measure.windows import ClockTimer, EventTimer, steps_for, time_windows, warm_up


@dataclass
class Machine:
    """Its clock stands still but for the steps, each of which takes as long as the next number says."""

    durations_s: Iterator[float]
    now_s: float = 0.0
    n_steps: int = 0

    def step(self) -> None:
        self.now_s += next(self.durations_s)
        self.n_steps += 1

    @property
    def timer(self) -> ClockTimer:
        return ClockTimer(lambda: self.now_s)


def machine(*first_s: float, then_s: float = 0.01) -> Machine:
    return Machine(chain(first_s, repeat(then_s)))


def test_windows_lie_back_to_back_and_hold_whole_steps() -> None:
    one = machine(1, 2, 3, 4, 5, 6)
    assert one.timer(one.step, 3, 2) == pytest.approx((3, 7, 11))
    assert one.n_steps == 6


@pytest.mark.parametrize(("window_s", "step_s", "n"), [(1.0, 0.03125, 36), (0.1, 0.5, 1), (1.0, 1.0, 2)])
def test_a_window_gets_a_tenth_more_steps_than_it_needs(window_s: float, step_s: float, n: int) -> None:
    assert steps_for(window_s, step_s) == n


def warmed(one: Machine, **other: float) -> object:
    settings = {"window_s": 0.1, "least_s": 0.0, "most_s": 5.0, "agree_pct": 2.0} | other
    return warm_up(one.step, one.timer, **settings)


def test_warm_up_ends_when_three_windows_agree() -> None:
    """A first step of a second, then two slow windows of one step, then steps of 10 ms."""
    one = machine(1.0, 0.5, 0.3)
    found = warmed(one)
    assert found.settled
    assert found.step_s == pytest.approx(0.01)
    assert found.steps == one.n_steps
    assert one.now_s == pytest.approx(1.0 + 0.5 + 0.3 + 0.01 + 3 * 0.11, abs=0.12)


def test_warm_up_lasts_at_least_as_long_as_asked() -> None:
    one = machine()
    assert warmed(one, least_s=3.0).settled
    assert one.now_s >= 3.0


def test_warm_up_that_never_settles_is_cut_off_and_says_so() -> None:
    def restless() -> Iterable[float]:
        while True:
            yield from (0.2, 0.3)

    one = Machine(iter(restless()))
    found = warmed(one)
    assert not found.settled
    assert 5.0 <= one.now_s < 6.0


def test_windows_that_came_out_short_are_timed_anew_with_more_steps() -> None:
    """Warm-up saw steps of 50 ms; they take 10 ms now."""
    one = machine()
    timed = time_windows(one.step, one.timer, n_windows=4, window_s=0.1, step_s=0.05)
    assert timed.windows_s == pytest.approx((0.12,) * 4)
    assert (timed.steps_per_window, timed.earlier_steps) == (12, 4 * 3)


@dataclass
class Event:
    """As torch's: notes when it is recorded, and complains when it is read before it has come to pass."""

    gpu: Machine
    at_s: float | None = None
    seen: list[str] = field(default_factory=list)

    def record(self) -> None:
        self.at_s = self.gpu.now_s

    def synchronize(self) -> None:
        self.gpu.waited = True  # type: ignore[attr-defined]

    def elapsed_time(self, other: Event) -> float:
        assert getattr(self.gpu, "waited", False), "an event was read before the device was waited for"
        assert self.at_s is not None
        assert other.at_s is not None
        return 1e3 * (other.at_s - self.at_s)


def test_events_are_read_after_the_last_window_only() -> None:
    gpu = machine(then_s=0.02)

    def step_without_waiting() -> None:
        assert not getattr(gpu, "waited", False)
        gpu.step()

    timer = EventTimer(lambda: Event(gpu))
    assert timer(step_without_waiting, 20, 5) == pytest.approx((0.1,) * 20)


def test_the_timers_take_any_step(recwarn: pytest.WarningsRecorder) -> None:
    taken: list[int] = []
    step: Callable[[], None] = lambda: taken.append(1)  # noqa: E731 - the simplest step there is
    windows = ClockTimer()(step, 3, 4)
    assert len(windows) == 3
    assert len(taken) == 12
    assert not recwarn
