"""Which kind of device a run will be on, settled without importing torch.

The kind is part of a run's identity and `plan` has to know it in milliseconds, so the CUDA driver is asked
directly: it honours CUDA_VISIBLE_DEVICES and is what torch would ask.
"""

from __future__ import annotations

import ctypes
import re
from dataclasses import dataclass

from bench.errors import EnvironmentFault, UsageError


@dataclass(frozen=True)
class Device:
    """A kind and, for a GPU, which ones may be used."""

    kind: str
    indices: tuple[int, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Torch's names of the devices, one a worker: `("cpu",)` or `("cuda:0", "cuda:1")`."""
        return tuple(f"cuda:{index}" for index in self.indices) if self.kind == "cuda" else ("cpu",)


def count_cuda_devices() -> int:
    """Visible CUDA devices; 0 without a driver."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value


_CAPABILITY_MAJOR, _CAPABILITY_MINOR = 75, 76
"""The driver's numbers of the attributes (CUdevice_attribute in cuda.h)."""


def cuda_model(index: int) -> tuple[str, tuple[int, int]]:
    """Model and compute capability of a visible GPU, as the driver tells them and torch would.

    Raises:
        EnvironmentFault: The driver does not answer.
    """
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        raise EnvironmentFault(f"cuda:{index}: the CUDA driver cannot be loaded: {error}") from error
    handle, name = ctypes.c_int(0), ctypes.create_string_buffer(256)
    major, minor = ctypes.c_int(0), ctypes.c_int(0)
    codes = (
        driver.cuInit(0),
        driver.cuDeviceGet(ctypes.byref(handle), index),
        driver.cuDeviceGetName(name, len(name), handle),
        driver.cuDeviceGetAttribute(ctypes.byref(major), _CAPABILITY_MAJOR, handle),
        driver.cuDeviceGetAttribute(ctypes.byref(minor), _CAPABILITY_MINOR, handle),
    )
    if any(codes):
        raise EnvironmentFault(f"cuda:{index}: the CUDA driver does not describe it (code {max(codes)})")
    return name.value.decode(errors="replace"), (major.value, minor.value)


def cuda_memory_bytes(index: int) -> int:
    """Memory of a visible GPU, whoever uses it.

    Raises:
        EnvironmentFault: The driver does not answer.
    """
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        raise EnvironmentFault(f"cuda:{index}: the CUDA driver cannot be loaded: {error}") from error
    handle, n_bytes = ctypes.c_int(0), ctypes.c_size_t(0)
    codes = (
        driver.cuInit(0),
        driver.cuDeviceGet(ctypes.byref(handle), index),
        driver.cuDeviceTotalMem_v2(ctypes.byref(n_bytes), handle),
    )
    if any(codes):
        raise EnvironmentFault(f"cuda:{index}: the CUDA driver does not tell its memory (code {max(codes)})")
    return n_bytes.value


def resolve_device(wanted: str) -> Device:
    """Turn `--device auto|cpu|cuda[:N]` into a device that is there.

    Raises:
        UsageError: The word is none of these.
        EnvironmentFault: A GPU is asked for that this machine does not have.
    """
    match = re.fullmatch(r"auto|cpu|cuda(?::(\d+))?", wanted)
    if match is None:
        raise UsageError(f"--device {wanted}: one of auto, cpu, cuda, cuda:N")
    if wanted == "cpu":
        return Device("cpu")
    n_devices = count_cuda_devices()
    if wanted == "auto" and n_devices == 0:
        return Device("cpu")
    if match.group(1) is None:
        if n_devices == 0:
            raise EnvironmentFault("--device cuda: no CUDA device is visible; use --device cpu")
        return Device("cuda", tuple(range(n_devices)))
    index = int(match.group(1))
    if index >= n_devices:
        raise EnvironmentFault(f"--device {wanted}: {n_devices} CUDA devices are visible, counted from 0")
    return Device("cuda", (index,))
