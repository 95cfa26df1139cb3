"""What went on beside the timed windows: energy, clocks, throttling, other processes.

On a GPU the driver is asked ten times a second from a thread of its own, which costs the timed one nothing
that a window shows. On a CPU two readings of the kernel's counters are enough: what the cores did beyond this
process was done for others, or was stolen by the machine's host.
"""

from __future__ import annotations

import os
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import torch

from bench.measure.nvml import Gpu, open_gpu

SAMPLE_S = 0.1

STAT = Path("/proc/stat")

IDLE = (3, 4)
"""Columns of a core's line that are no work: idle and waiting for disks."""

GUEST = 8
"""Columns from here on are counted in earlier ones already."""


@dataclass(frozen=True)
class Seen:
    """Of the whole time that was watched; None where nothing tells."""

    energy_j: float | None = None
    sm_clock_mhz: float | None = None
    throttle_reasons: tuple[str, ...] = ()
    others_share_pct: float | None = None


class Watch(Protocol):
    """Watches from entering to leaving; `seen` afterwards."""

    seen: Seen

    def __enter__(self) -> Watch: ...

    def __exit__(self, *_: object) -> None: ...


def watch(device: torch.device) -> Watch:
    """The watch of a device."""
    if device.type != "cuda":
        return CpuWatch()
    return GpuWatch(open_gpu(str(torch.cuda.get_device_properties(device).uuid)))


@dataclass
class CpuWatch:
    """Two readings of the kernel's counters, for the cores that this process may use."""

    read: Callable[[], str] = lambda: STAT.read_text(encoding="ascii")
    own_s: Callable[[], float] = lambda: sum(os.times()[:4])
    cores: frozenset[int] = field(default_factory=lambda: frozenset(os.sched_getaffinity(0)))
    tick_s: float = field(default_factory=lambda: 1.0 / os.sysconf("SC_CLK_TCK"))
    seen: Seen = Seen()

    def __enter__(self) -> CpuWatch:
        self._before = self._reading()
        return self

    def __exit__(self, *_: object) -> None:
        before, after = self._before, self._reading()
        if before is None or after is None:
            return
        total, busy, own = (late - early for early, late in zip(before, after, strict=True))
        if total > 0:
            self.seen = Seen(others_share_pct=100.0 * min(1.0, max(0.0, busy - own) / total))

    def _reading(self) -> tuple[float, float, float] | None:
        """Seconds that the cores had, that they worked, and that they worked for this process."""
        try:
            lines = self.read().splitlines()
        except OSError:
            return None
        total = busy = 0.0
        for line in lines:
            name, *columns = line.split()
            if name.startswith("cpu") and name[3:].isdigit() and int(name[3:]) in self.cores:
                ticks = [int(column) for column in columns[:GUEST]]
                total += sum(ticks) * self.tick_s
                busy += sum(tick for n, tick in enumerate(ticks) if n not in IDLE) * self.tick_s
        return total, busy, self.own_s()


@dataclass
class GpuWatch:
    """Energy at both ends, clock and throttling in between."""

    gpu: Gpu | None
    seen: Seen = Seen()

    def __enter__(self) -> GpuWatch:
        self._stop = threading.Event()
        self._clocks: list[float] = []
        self._reasons: dict[str, None] = {}
        self._since_us = time.time_ns() // 1000
        self._energy_j = self.gpu.energy_j() if self.gpu is not None else None
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        if self.gpu is None:
            return
        after_j = self.gpu.energy_j()
        known = self._energy_j is not None and after_j is not None
        self.seen = Seen(
            energy_j=after_j - self._energy_j if known else None,  # type: ignore[operator]  # both are known
            sm_clock_mhz=statistics.median(self._clocks) if self._clocks else None,
            throttle_reasons=tuple(self._reasons),
            others_share_pct=self._others_share_pct(),
        )

    def _others_share_pct(self) -> float | None:
        assert self.gpu is not None
        if self.gpu.n_others() == 0:
            return 0.0
        return self.gpu.others_share_pct(self._since_us)

    def _sample(self) -> None:
        while self.gpu is not None and not self._stop.wait(SAMPLE_S):
            clock = self.gpu.sm_clock_mhz()
            if clock is not None:
                self._clocks.append(clock)
            self._reasons |= dict.fromkeys(self.gpu.throttle_reasons())
