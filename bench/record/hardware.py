"""What this machine's device is called and which modes it has, found out without torch."""

from __future__ import annotations

import importlib.util
import os
import shutil

from bench.record import environment
from bench.study.device import Device, cuda_model
from bench.study.execution import Hardware


def find_hardware(device: Device) -> Hardware:
    """The device that runs will be on; of several GPUs the first stands for all."""
    machine = environment.machine()
    flags = frozenset(machine["cpu_flags"])
    if device.kind == "cpu":
        return Hardware("cpu", machine["cpu"], flags, compiles=_has_program("CXX", "g++", "clang++"))
    name, capability = cuda_model(device.indices[0])
    compiles = _has_program("CC", "gcc", "clang") and importlib.util.find_spec("triton") is not None
    return Hardware("cuda", name, flags, capability, compiles)


def _has_program(variable: str, *names: str) -> bool:
    """Whether a compiler is there, as the variable says or by a usual name."""
    return any(shutil.which(name) for name in (os.environ.get(variable, ""), *names) if name)
