"""What a device can do: by its sheet, and as measured."""

from __future__ import annotations

import pytest
import torch

from bench.measure.peaks import copy_bytes_s, datasheet_flops_s, peaks, precision_of
from bench.study.specs import ExecutionSpec

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("name", "bf16_tflops"),
    [
        ("NVIDIA H100 80GB HBM3", 989),
        ("NVIDIA H100 PCIe", 756),
        ("NVIDIA H200", 989),
        ("NVIDIA A100-SXM4-80GB", 312),
        ("NVIDIA L4", 121),
        ("NVIDIA L40S", 362),
    ],
)
def test_the_sheet_of_a_device_is_found_by_its_name(name: str, bf16_tflops: float) -> None:
    assert datasheet_flops_s(name, "bf16") == bf16_tflops * 1e12


@pytest.mark.parametrize("name", ["AMD EPYC", "NVIDIA GeForce GTX 1060", "NVIDIA L400", ""])
def test_a_device_that_is_not_listed_has_no_sheet(name: str) -> None:
    assert datasheet_flops_s(name, "fp32") is None


def test_a_precision_that_the_device_lacks_has_no_sheet() -> None:
    assert datasheet_flops_s("Tesla V100-SXM2-16GB", "bf16") is None


@pytest.mark.parametrize(
    ("execution", "device", "precision"),
    [
        (ExecutionSpec(), "cpu", "fp32"),
        (ExecutionSpec(amp="bf16"), "cpu", "bf16"),
        (ExecutionSpec(fp32_precision="tf32"), "cuda", "tf32"),
        (ExecutionSpec(fp32_precision="tf32", amp="fp16"), "cuda", "fp16"),
        (ExecutionSpec(fp32_precision="tf32"), "cpu", "fp32"),
    ],
    ids=str,
)
def test_the_precision_is_the_one_that_products_are_computed_in(
    execution: ExecutionSpec, device: str, precision: str
) -> None:
    assert precision_of(execution, torch.device(device)) == precision


def test_without_a_sheet_the_measured_peak_counts() -> None:
    found = peaks(ExecutionSpec(), CPU, "a processor")
    assert found.source == "measured"
    assert found.flops_s == found.measured_flops_s > 1e9
    assert found.measured_bandwidth_bytes_s > 1e8


def test_a_copy_counts_what_is_read_and_what_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.measure.peaks._best_s", lambda work, _device: work() is None or 0.5)
    assert copy_bytes_s(CPU, 1000) == 2 * 1000 / 0.5
