"""Global settings hold for one run and are put back, also after an error."""

from __future__ import annotations

import os

import pytest
import torch

from bench.study.specs import ExecutionSpec
from bench.train.modes import applied, autocast, laid_out, placed


def settings():
    return {
        "threads": torch.get_num_threads(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "fill": torch.utils.deterministic.fill_uninitialized_memory,
        "cudnn": torch.backends.cudnn.deterministic,
        "benchmark": torch.backends.cudnn.benchmark,
        "matmul": torch.backends.cuda.matmul.fp32_precision,
        "conv": torch.backends.cudnn.conv.fp32_precision,
        "rnn": torch.backends.cudnn.rnn.fp32_precision,
    }


@pytest.mark.parametrize("deterministic", [True, False])
@pytest.mark.parametrize("precision", ["ieee", "tf32"])
def test_settings_hold_inside_and_are_put_back(deterministic, precision):
    before = settings()
    execution = ExecutionSpec(deterministic=deterministic, fp32_precision=precision, threads=3)
    with applied(execution, "cpu"):
        assert settings() == {
            "threads": 3,
            "deterministic": deterministic,
            "fill": False,
            "cudnn": deterministic,
            "benchmark": not deterministic,
            "matmul": precision,
            "conv": precision,
            "rnn": precision,
        }
    assert settings() == before


def test_settings_are_put_back_after_an_error_and_nest():
    before = settings()
    outer, inner = ExecutionSpec(threads=3), ExecutionSpec(threads=2, deterministic=False)
    with applied(outer, "cpu"):
        within = settings()
        with pytest.raises(ZeroDivisionError), applied(inner, "cpu"):
            raise ZeroDivisionError
        assert settings() == within
    assert settings() == before


def test_cublas_gets_its_workspace_before_cuda_starts(monkeypatch):
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    with applied(ExecutionSpec(), "cpu"):
        assert "CUBLAS_WORKSPACE_CONFIG" not in os.environ
    with applied(ExecutionSpec(deterministic=False), "cuda"):
        assert "CUBLAS_WORKSPACE_CONFIG" not in os.environ
    with applied(ExecutionSpec(), "cuda"):
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG")


@pytest.mark.parametrize(
    ("amp", "dtype"), [("none", torch.float32), ("bf16", torch.bfloat16), ("fp16", torch.float16)]
)
def test_autocast_lowers_the_forward_pass_and_not_the_weights(amp, dtype):
    layer = torch.nn.Linear(4, 4)
    context = autocast(ExecutionSpec(amp=amp), torch.device("cpu"))
    for _ in range(2):
        with context:
            assert layer(torch.ones(1, 4)).dtype == dtype
    assert layer.weight.dtype == torch.float32


@pytest.mark.parametrize("channels_last", [True, False])
def test_weights_and_images_are_laid_out_alike(network, channels_last):
    execution = ExecutionSpec(channels_last=channels_last)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    model = placed(network(), execution, torch.device("cpu"))
    assert model.layer1[0].conv1.weight.is_contiguous(memory_format=layout)
    assert laid_out(torch.ones(2, 3, 4, 4), execution).is_contiguous(memory_format=layout)
