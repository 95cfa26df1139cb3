"""What the driver knows of a GPU: energy, clock, why it holds back, who else is on it. Asked by ctypes.

Everything is None where the driver, the device or the container does not tell: a quantity that does not exist
is never 0.
"""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from typing import Any

NVML_SUCCESS = 0
SM_CLOCK = 1

REASONS = {
    0x4: "power cap",
    0x8: "hardware slowdown",
    0x10: "sync boost",
    0x20: "software thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "power brake",
}
"""Bits by which the driver says why the clock is below its highest; idleness and set clocks are left out."""


class _ProcessInfo(ctypes.Structure):
    _fields_ = (
        ("pid", ctypes.c_uint),
        ("used_memory", ctypes.c_ulonglong),
        ("gpu_instance", ctypes.c_uint),
        ("compute_instance", ctypes.c_uint),
    )


class _Utilisation(ctypes.Structure):
    _fields_ = (
        ("pid", ctypes.c_uint),
        ("timestamp_us", ctypes.c_ulonglong),
        ("sm_pct", ctypes.c_uint),
        ("memory_pct", ctypes.c_uint),
        ("encoder_pct", ctypes.c_uint),
        ("decoder_pct", ctypes.c_uint),
    )


@dataclass(frozen=True)
class Gpu:
    """One device of the driver; make it with `open_gpu`."""

    library: Any
    handle: ctypes.c_void_p

    def energy_j(self) -> float | None:
        """Joules since the driver was loaded."""
        value = ctypes.c_ulonglong()
        return value.value / 1e3 if self._ask("nvmlDeviceGetTotalEnergyConsumption", value) else None

    def sm_clock_mhz(self) -> float | None:
        """Clock of the multiprocessors now."""
        value = ctypes.c_uint()
        found = self._ask("nvmlDeviceGetClockInfo", value, ctypes.c_int(SM_CLOCK))
        return float(value.value) if found else None

    def throttle_reasons(self) -> tuple[str, ...]:
        """Why the clock is held down now."""
        value = ctypes.c_ulonglong()
        # The name of newer drivers first.
        names = ("nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons")
        if not any(self._ask(name, value) for name in names):
            return ()
        return tuple(words for bit, words in REASONS.items() if value.value & bit)

    def n_others(self) -> int | None:
        """Processes of others that compute on the device; one of those listed is taken for our own."""
        infos = (_ProcessInfo * 256)()
        count = ctypes.c_uint(len(infos))
        if not self._ask_list("nvmlDeviceGetComputeRunningProcesses_v3", count, infos):
            return None
        return max(0, count.value - 1)

    def others_share_pct(self, since_us: int) -> float | None:
        """Mean share of the multiprocessors that other processes had since a moment; None where not told."""
        samples = (_Utilisation * 1024)()
        count = ctypes.c_uint(len(samples))
        function = getattr(self.library, "nvmlDeviceGetProcessUtilization", None)
        if function is None:
            return None
        code = function(self.handle, samples, ctypes.byref(count), ctypes.c_ulonglong(since_us))
        if code != NVML_SUCCESS:
            return None
        found = samples[: count.value]
        if not any(sample.pid == os.getpid() for sample in found):
            return None  # numbers of another namespace: which one is ours cannot be told
        by_process: dict[int, list[int]] = {}
        for sample in found:
            if sample.pid != os.getpid():
                by_process.setdefault(sample.pid, []).append(sample.sm_pct)
        return float(sum(sum(shares) / len(shares) for shares in by_process.values()))

    def _ask(self, name: str, value: Any, *extra: Any) -> bool:
        function = getattr(self.library, name, None)
        return function is not None and function(self.handle, *extra, ctypes.byref(value)) == NVML_SUCCESS

    def _ask_list(self, name: str, count: Any, values: Any) -> bool:
        function = getattr(self.library, name, None)
        return function is not None and function(self.handle, ctypes.byref(count), values) == NVML_SUCCESS


def open_gpu(uuid: str, library: Any = None) -> Gpu | None:
    """The driver's handle of a device.

    Args:
        uuid: As torch gives it, with or without `GPU-` in front; an index would be another where devices are
            hidden.
        library: NVML; absent: the driver's own.

    Returns:
        None without a driver, or where it does not know the device.
    """
    if library is None:
        try:
            library = ctypes.CDLL("libnvidia-ml.so.1")
        except OSError:
            return None
    if library.nvmlInit_v2() != NVML_SUCCESS:
        return None
    handle = ctypes.c_void_p()
    name = uuid if uuid.startswith(("GPU-", "MIG-")) else f"GPU-{uuid}"
    if library.nvmlDeviceGetHandleByUUID(name.encode(), ctypes.byref(handle)) != NVML_SUCCESS:
        return None
    return Gpu(library, handle)
