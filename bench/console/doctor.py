"""`bench doctor`: what this machine can do, what is missing and how to get it."""

from __future__ import annotations

import importlib.metadata
import os
import sys
from pathlib import Path

from bench.console.columns import print_columns
from bench.record import environment
from bench.record.hardware import find_hardware
from bench.study.device import count_cuda_devices, resolve_device
from bench.study.execution import Mode, modes

MIN_TORCH = (2, 10)
PACKAGES = ("torch", "numpy", "pandas", "scipy", "seaborn", "tensorboard")


def examine(data_dir: Path, *, as_json: bool) -> int:
    """Print the findings.

    Returns:
        3 when something that every study needs is missing, else 0.
    """
    findings = _findings(data_dir)
    if as_json:
        from bench.console.tables import print_json  # noqa: PLC0415 - rich is slow to load and not needed here

        print_json([{"what": what, "verdict": verdict, "found": text} for what, verdict, text in findings])
    else:
        print_columns(("what", "", "found"), findings)
    return 3 if any(verdict == "missing" for _, verdict, _ in findings) else 0


def _findings(data_dir: Path) -> list[tuple[str, str, str]]:
    machine = environment.machine()
    code = environment.code_state()
    memory = machine["memory_bytes"]
    room = f"{memory / 2**30:.1f} GiB" if memory else "unknown"
    return [
        ("bench", "ok", f"{code['bench']}, commit {(code['commit'] or 'unknown')[:12]}"),
        ("python", "ok", sys.version.split()[0]),
        ("processor", "ok", f"{machine['cpu']}, {machine['cpu_cores']} cores, {room}"),
        *(_mode(mode) for mode in modes(find_hardware(resolve_device("auto")))),
        *(_package(name) for name in PACKAGES),
        *_devices(),
        ("data folder", *_folder(data_dir)),
    ]


def _mode(mode: Mode) -> tuple[str, str, str]:
    """A way of computing, as a study may ask for it."""
    verdict = "ok" if not mode.reason else "on request" if mode.is_possible else "absent"
    return f"mode {mode.name}", verdict, mode.reason


def _package(name: str) -> tuple[str, str, str]:
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return name, "missing", "pip install bench"
    numbers = tuple(int(part) for part in version.split("+")[0].split(".")[:2])
    if name == "torch" and numbers < MIN_TORCH:
        return name, "missing", f"{version}; at least {'.'.join(map(str, MIN_TORCH))} is needed"
    return name, "ok", version


def _devices() -> list[tuple[str, str, str]]:
    n_devices = count_cuda_devices()
    if n_devices == 0:
        return [("CUDA", "absent", "studies run on the CPU")]
    import torch  # noqa: PLC0415 - the one command that looks at the device itself

    names = [torch.cuda.get_device_properties(index) for index in range(n_devices)]
    return [(f"cuda:{i}", "ok", f"{p.name}, {p.total_memory / 2**30:.0f} GiB") for i, p in enumerate(names)]


def _folder(data_dir: Path) -> tuple[str, str]:
    if not data_dir.is_dir():
        return "absent", f"{data_dir}; only digits is at hand (`bench data list`)"
    return "ok", f"{data_dir}" + ("" if os.access(data_dir, os.W_OK) else ", read-only: caches go elsewhere")
