"""What errors say: memory that ran out behind another error, and a device that is lost."""

from __future__ import annotations

import pytest
import torch

from bench.execute.mishap import is_out_of_memory, loses_device


def behind(first: Exception, second: Exception) -> Exception:
    """The second error, as it is when it was raised while the first one was handled."""
    second.__context__ = first
    return second


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (MemoryError(), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 EB"), True),
        (behind(torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("capture was ended")), True),
        (behind(ValueError("no"), RuntimeError("capture was ended")), False),
        (RuntimeError("shape mismatch"), False),
    ],
    ids=["gpu", "python", "cpu", "in a capture", "another in a capture", "another"],
)
def test_memory_that_ran_out_is_found_behind_what_was_raised_over_it(
    error: Exception, expected: bool
) -> None:
    assert is_out_of_memory(error) is expected


def test_only_an_error_of_the_device_loses_it() -> None:
    lost = torch.AcceleratorError("CUDA error: device-side assert triggered")
    assert loses_device(lost)
    assert loses_device(behind(lost, RuntimeError("while tidying up")))
    assert not loses_device(torch.OutOfMemoryError("CUDA out of memory"))
    assert not loses_device(RuntimeError("shape mismatch"))
