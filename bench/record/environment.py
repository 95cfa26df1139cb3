"""What a run ran on and with: code, packages, machine, as far as it is cheap to know.

No user, host or absolute path. The parts that ask torch are called by workers, which have it loaded; this
module imports it nowhere at the top.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import importlib.util
import os
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import bench

CPU_FLAGS = ("amx_bf16", "amx_tile", "avx512_bf16", "avx512f", "avx2", "asimd", "sve")
"""Instruction sets that decide how fast, and in which last bits, a CPU trains."""


@functools.cache
def code_state() -> dict[str, Any]:
    """Version, commit and changes of the code that runs; commit is null outside a git checkout."""
    checkout = Path(bench.__file__).resolve().parents[1]
    commit = _git(checkout, "rev-parse", "HEAD") if (checkout / ".git").exists() else None
    difference = _git(checkout, "diff", "HEAD", "--", "*.py") if commit else None
    return {
        "bench": bench.__version__,
        "commit": commit,
        "dirty": bool(difference) if commit else None,
        "diff_sha256": hashlib.sha256(difference.encode()).hexdigest() if difference else None,
    }


@functools.cache
def packages() -> dict[str, str]:
    """Versions of what the numbers depend on, and a digest of everything that is installed."""
    names = ("torch", "numpy", "pandas", "scipy", "pillow", "pyarrow", "safetensors", "scikit-learn")
    installed = sorted(
        f"{dist.name}=={dist.version}" for dist in importlib.metadata.distributions() if dist.name
    )
    versions = {name: _version(name) for name in names}
    digest = hashlib.sha256("\n".join(installed).encode()).hexdigest()[:16]
    return {
        **versions,
        "torch": _torch_version(),
        "installed_digest": digest,
        "python": platform.python_version(),
    }


@functools.cache
def machine() -> dict[str, Any]:
    """Processor, memory and system; no host name."""
    model, flags = _cpu()
    return {
        "cpu": model,
        "cpu_flags": [flag for flag in CPU_FLAGS if flag in flags],
        "cpu_cores": available_cores(),
        "memory_bytes": _memory_bytes(),
        "machine": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "libc": "-".join(platform.libc_ver()),
    }


def available_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def accelerator(device: str) -> dict[str, Any]:
    """What torch says of the device a run is on; `device` is its model's name."""
    import torch  # noqa: PLC0415 - only workers call this, and they have it loaded

    facts: dict[str, Any] = {"torch": str(torch.__version__), "torch_git": torch.version.git_version}
    if not device.startswith("cuda"):
        return {**facts, "device": machine()["cpu"]}
    properties = torch.cuda.get_device_properties(device)
    return {
        **facts,
        "device": properties.name,
        "device_memory_bytes": properties.total_memory,
        "compute_capability": f"{properties.major}.{properties.minor}",
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]  # untyped in torch
        "driver": _driver_version(),
        "cublas_workspace": os.environ.get("CUBLAS_WORKSPACE_CONFIG"),
    }


def describe(device: str) -> dict[str, Any]:
    """The environment of a record: code, packages, machine, device."""
    return {**code_state(), **packages(), **machine(), **accelerator(device)}


def out_of_memory_kills() -> int:
    """Processes that the kernel's out-of-memory killer has ended, for this cgroup where it counts."""
    total = 0
    for path in ("/proc/vmstat", "/sys/fs/cgroup/memory.events"):
        try:
            text = Path(path).read_text(encoding="ascii")
        except OSError:
            continue  # the counter does not exist here; the other one decides
        total += sum(int(count) for count in re.findall(r"^oom_kill (\d+)$", text, flags=re.MULTILINE))
    return total


def without_paths(text: str) -> str:
    """Reduce every absolute path in a message to its last part, so that records name no machine's folders."""
    return re.sub(r"(?<![\w.])/(?:[^\s:'\"()/]+/)+([^\s:'\"()/]*)", r"\1", text)


def _git(checkout: Path, *words: str) -> str | None:
    try:
        answer = subprocess.run(  # noqa: S603 - fixed words, no shell
            ["git", "-C", str(checkout), *words],  # noqa: S607 - git from PATH is meant
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()


def _version(name: str) -> str:
    return importlib.metadata.version(name)


def _torch_version() -> str:
    """With the build, as `2.15.0+cu132`, which the metadata leave out; read without importing torch."""
    found = importlib.util.find_spec("torch")
    assert found is not None, "torch is a dependency"
    assert found.origin is not None
    text = (Path(found.origin).parent / "version.py").read_text(encoding="utf-8")
    match = re.search(r"^__version__ = '([^']+)'", text, flags=re.MULTILINE)
    return match.group(1) if match else _version("torch")


def _cpu() -> tuple[str, frozenset[str]]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine(), frozenset()
    model = re.search(r"^model name\s*:\s*(.+)$", text, flags=re.MULTILINE)
    flags = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", text, flags=re.MULTILINE)
    name = model.group(1).strip() if model else platform.machine()
    return name, frozenset(flags.group(1).split() if flags else ())


def _memory_bytes() -> int | None:
    if sys.platform == "win32":
        return None
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _driver_version() -> str | None:
    try:
        text = Path("/proc/driver/nvidia/version").read_text(encoding="ascii")
    except OSError:
        return None
    found = re.search(r"Kernel Module(?: for \S+)?\s+([\d.]+)", text)
    return found.group(1) if found else None
