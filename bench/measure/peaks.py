"""What a device can do at most: by its data sheet where its name is known, and as measured here.

Data sheets give dense peaks, without sparsity, of the tensor cores where a precision has them. Measured are a
large matrix product in the cell's precision (on a CPU a convolution too, whose library may know the processor
better) and a copy of more than any cache holds: the roofs that a cell on this machine stands under, whatever
its sheet says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Literal

import torch
import torch.nn.functional as F

from bench.study.specs import ExecutionSpec

Precision = Literal["bf16", "fp16", "tf32", "fp32"]

HALVES: tuple[Precision, ...] = ("bf16", "fp16")

DATASHEET: tuple[tuple[str, dict[Precision, float]], ...] = (
    ("H100 PCIe", {"bf16": 756e12, "fp16": 756e12, "tf32": 378e12, "fp32": 51e12}),
    ("H100 NVL", {"bf16": 835e12, "fp16": 835e12, "tf32": 417e12, "fp32": 60e12}),
    ("H100", {"bf16": 989e12, "fp16": 989e12, "tf32": 494e12, "fp32": 67e12}),
    ("H200", {"bf16": 989e12, "fp16": 989e12, "tf32": 494e12, "fp32": 67e12}),
    ("GH200", {"bf16": 989e12, "fp16": 989e12, "tf32": 494e12, "fp32": 67e12}),
    ("A100", {"bf16": 312e12, "fp16": 312e12, "tf32": 156e12, "fp32": 19.5e12}),
    ("L40S", {"bf16": 362e12, "fp16": 362e12, "tf32": 183e12, "fp32": 91.6e12}),
    ("L4", {"bf16": 121e12, "fp16": 121e12, "tf32": 60e12, "fp32": 30.3e12}),
    ("V100", {"fp16": 125e12, "fp32": 15.7e12}),
    ("T4", {"fp16": 65e12, "fp32": 8.1e12}),
)
"""FLOP/s by words of the name that torch gives a device; the first that fits counts. NVIDIA's data sheets."""

GPU_SIDE, CPU_SIDE = 8192, 1024
"""Sides of the measured matrix product."""

GPU_COPY_BYTES, CPU_COPY_BYTES = 1 << 32, 1 << 28
"""Sizes of the measured copy, beyond the last cache; on a GPU long enough that waiting for it is nothing."""

N_TRIES = 5

MOST_S = 1.0
"""Time after which no other try is made: half precision that is emulated takes long."""


@dataclass(frozen=True)
class Peaks:
    """Of one device in one precision."""

    flops_s: float
    source: Literal["datasheet", "measured"]
    measured_flops_s: float
    measured_bandwidth_bytes_s: float
    """Bytes read and written."""


def precision_of(execution: ExecutionSpec, device: torch.device) -> Precision:
    """What products and convolutions are computed in."""
    for half in HALVES:
        if execution.amp == half:
            return half
    return "tf32" if device.type == "cuda" and execution.fp32_precision == "tf32" else "fp32"


def datasheet_flops_s(name: str, precision: Precision) -> float | None:
    """The dense peak of a device by its name; None for one that is not listed."""
    words = name.replace("-", " ").split()
    for known, peaks in DATASHEET:
        if all(word in words for word in known.split()):
            return peaks.get(precision)
    return None


def peaks(execution: ExecutionSpec, device: torch.device, name: str) -> Peaks:
    """Both peaks; the caller has set threads and fp32 precision as the cell has them."""
    precision = precision_of(execution, device)
    measured = measured_flops_s(device, precision)
    sheet = datasheet_flops_s(name, precision)
    return Peaks(
        flops_s=sheet if sheet is not None else measured,
        source="datasheet" if sheet is not None else "measured",
        measured_flops_s=measured,
        measured_bandwidth_bytes_s=copy_bytes_s(device),
    )


def measured_flops_s(device: torch.device, precision: Precision) -> float:
    """FLOP/s of the best of a few large operations."""
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision, torch.float32)
    if device.type == "cuda":
        return _product_flops_s(device, dtype, GPU_SIDE)
    return max(_product_flops_s(device, dtype, CPU_SIDE), _convolution_flops_s(device, dtype))


def _convolution_flops_s(device: torch.device, dtype: torch.dtype) -> float:
    n, channels, side = 8, 256, 32
    images = torch.randn(n, channels, side, side, device=device).to(dtype, memory_format=torch.channels_last)
    weight = torch.randn(channels, channels, 3, 3, device=device).to(dtype, memory_format=torch.channels_last)
    flops = 2.0 * n * side**2 * channels**2 * 9
    with torch.no_grad():
        return flops / _best_s(lambda: F.conv2d(images, weight, padding=1), device)


def _product_flops_s(device: torch.device, dtype: torch.dtype, side: int) -> float:
    left, right = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    out = torch.empty(side, side, device=device, dtype=dtype)
    return 2.0 * side**3 / _best_s(lambda: torch.mm(left, right, out=out), device)


def copy_bytes_s(device: torch.device, n_bytes: int | None = None) -> float:
    """Bytes read and written a second by the best of a few copies."""
    n_bytes = n_bytes or _copy_bytes(device)
    source = torch.zeros(n_bytes // 4, dtype=torch.float32, device=device)
    target = torch.zeros_like(source)
    return 2.0 * n_bytes / _best_s(lambda: target.copy_(source), device)


def _copy_bytes(device: torch.device) -> int:
    if device.type != "cuda":
        return CPU_COPY_BYTES
    free, _ = torch.cuda.mem_get_info(device)
    return min(GPU_COPY_BYTES, free // 4)


def _best_s(work: Callable[[], object], device: torch.device) -> float:
    times_s: list[float] = []
    while len(times_s) < 2 or (len(times_s) <= N_TRIES and sum(times_s) < MOST_S):
        _wait(device)
        started = perf_counter()
        work()
        _wait(device)
        times_s.append(perf_counter() - started)
    return min(times_s[1:])


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
