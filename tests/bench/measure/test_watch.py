"""What went on beside the windows, by counters and a driver made up for the test."""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

from bench.measure.noise import iqr_pct, noise_of
from bench.measure.nvml import open_gpu
from bench.measure.watch import CpuWatch, GpuWatch, Seen

#             user nice system idle iowait irq softirq steal guest guest_nice
BEFORE = """\
cpu  9 9 9 9 9 9 9 9 9 9
cpu0 100 0 100 1000 0 0 0 0 50 0
cpu1 100 0 100 1000 0 0 0 0 0 0
cpu2 0 0 0 0 0 0 0 0 0 0
intr 1
"""
AFTER = """\
cpu  9 9 9 9 9 9 9 9 9 9
cpu0 180 0 110 1000 0 0 0 10 99 0
cpu1 120 0 100 1080 0 0 0 0 0 0
cpu2 999 0 0 0 0 0 0 0 0 0
intr 1
"""


def cpu_watch(readings: Iterator[str], own_s: Iterator[float]) -> CpuWatch:
    return CpuWatch(lambda: next(readings), lambda: next(own_s), frozenset({0, 1}), tick_s=0.01)


def test_what_cores_did_beyond_this_process_was_done_for_others() -> None:
    """Of 200 ticks on two cores 120 worked, 10 of them stolen; 70 were ours; core 2 is not ours to use."""
    watch = cpu_watch(iter((BEFORE, AFTER)), iter((5.0, 5.7)))
    with watch:
        pass
    assert watch.seen.others_share_pct == pytest.approx(100 * (1.2 - 0.7) / 2.0)
    assert watch.seen.energy_j is None


def test_a_kernel_that_counts_nothing_leaves_the_share_unknown() -> None:
    watch = cpu_watch(iter((BEFORE, BEFORE)), iter((0.0, 0.0)))
    with watch:
        pass
    assert watch.seen == Seen()


class Driver:
    """NVML as far as it is asked, with the answers of a GPU that is used by us and by one other."""

    def __init__(self, *, pids: tuple[int, ...] = (), known: bool = True) -> None:
        self.pids, self.known, self.mj = pids, known, 1000

    def nvmlInit_v2(self) -> int:
        return 0

    def nvmlDeviceGetHandleByUUID(self, name: bytes, handle: Any) -> int:
        return 0 if self.known and name == b"GPU-12ab" else 6

    def nvmlDeviceGetTotalEnergyConsumption(self, _handle: Any, value: Any) -> int:
        self.mj += 2500
        value._obj.value = self.mj
        return 0

    def nvmlDeviceGetClockInfo(self, _handle: Any, kind: Any, value: Any) -> int:
        assert kind.value == 1
        value._obj.value = 1980
        return 0

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, _handle: Any, value: Any) -> int:
        value._obj.value = 0x1 | 0x4 | 0x40
        return 0

    def nvmlDeviceGetComputeRunningProcesses_v3(self, _handle: Any, count: Any, _infos: Any) -> int:
        count._obj.value = len(self.pids)
        return 0

    def nvmlDeviceGetProcessUtilization(self, _handle: Any, samples: Any, count: Any, _since: Any) -> int:
        for n, pid in enumerate(self.pids):
            samples[n].pid, samples[n].sm_pct = pid, 10 + 20 * n
        count._obj.value = len(self.pids)
        return 0


def test_a_gpu_tells_energy_clock_throttling_and_others() -> None:
    gpu = open_gpu("12ab", Driver(pids=(os.getpid(), 77)))
    assert gpu is not None
    watch = GpuWatch(gpu)
    with watch:
        time.sleep(0.25)
    assert watch.seen == Seen(
        energy_j=2.5,
        sm_clock_mhz=1980.0,
        throttle_reasons=("power cap", "hardware thermal slowdown"),
        others_share_pct=30.0,
    )


@pytest.mark.parametrize(
    ("pids", "share"),
    [((), 0.0), ((os.getpid(),), 0.0), ((1, 2), None)],
    ids=["nobody", "ourselves", "numbers of another namespace"],
)
def test_others_on_a_gpu_are_none_or_unknown(pids: tuple[int, ...], share: float | None) -> None:
    watch = GpuWatch(open_gpu("12ab", Driver(pids=pids)))
    with watch:
        pass
    assert watch.seen.others_share_pct == share


def test_without_a_driver_or_a_device_that_it_knows_nothing_is_told() -> None:
    assert open_gpu("12ab", Driver(known=False)) is None
    watch = GpuWatch(None)
    with watch:
        pass
    assert watch.seen == Seen()


def test_a_machine_without_the_library_has_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(_name: str) -> Any:
        raise OSError("no such library")

    monkeypatch.setattr(ctypes, "CDLL", absent)
    assert open_gpu("12ab") is None


def test_a_quiet_cell_is_not_flagged() -> None:
    assert noise_of((1.0, 1.01, 0.99, 1.0), Seen(others_share_pct=3.0), settled=True) == ()


def test_every_disturbance_is_told() -> None:
    seen = Seen(others_share_pct=42.0, throttle_reasons=("power cap", "power brake"))
    assert noise_of((1.0, 1.2, 1.4, 1.6), seen, settled=False) == (
        "windows spread by 23.1 % (IQR over median)",
        "others had 42 % of the device",
        "throttled: power brake",
        "warm-up never settled",
    )


def test_the_power_cap_belongs_to_the_device() -> None:
    assert noise_of((1.0, 1.0), Seen(throttle_reasons=("power cap",)), settled=True) == ()


def test_one_window_has_no_spread() -> None:
    assert iqr_pct((1.0,)) is None
