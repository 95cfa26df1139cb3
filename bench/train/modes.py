"""How the arithmetic is carried out: threads, determinism, precision, layout, autocast, compilation.

Workers live on from run to run, so everything global is set for one run and put back after it. Each setting
is one key of `execution`; nothing here chooses.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from bench.study.specs import ExecutionSpec
from bench.train.memory import keep_freed_memory

Forward = Callable[[Tensor], Tensor]
"""A network as the step sees it: images (N, C, H, W) -> logits (N, num_classes)."""

_COMPILER = "torch._inductor.config"

_AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


@contextmanager
def applied(execution: ExecutionSpec, device: str | torch.device) -> Iterator[None]:
    """Set threads, determinism and fp32 precision for the time of a run.

    Args:
        execution: The run's settings.
        device: Where it runs; CUDA's switches are set for CUDA only.
    """
    if execution.deterministic and torch.device(device).type == "cuda":
        # cuBLAS reads this when its handle is made; a value that is there already is the user's choice.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    if torch.device(device).type == "cpu":
        keep_freed_memory()
    settings = _settings(execution)
    before = {name: read() for name, (read, _, _) in settings.items()}
    try:
        for _, write, value in settings.values():
            write(value)
        with _current(torch.device(device)):
            yield
    finally:
        for name, (_, write, _) in settings.items():
            write(before[name])


def _current(device: torch.device) -> AbstractContextManager[Any]:
    """Make the device the one on which streams, events and graphs are made."""
    if str(device) in ("cpu", "cuda"):
        return nullcontext()  # no GPU, or whichever is the current one already
    return torch.cuda.device(device)


def _settings(execution: ExecutionSpec) -> dict[str, tuple[Callable[[], Any], Callable[[Any], Any], Any]]:
    """How to read and write each global setting, with the value that the run wants."""
    cudnn: Any = torch.backends.cudnn  # `conv` and `rnn` are set at run time, unseen by type checkers
    matmul = torch.backends.cuda.matmul
    return {
        "threads": (torch.get_num_threads, torch.set_num_threads, execution.threads),
        "deterministic": (
            torch.are_deterministic_algorithms_enabled,
            _demand_determinism if execution.compile == "none" else torch.use_deterministic_algorithms,
            execution.deterministic,
        ),
        # Filling fresh memory with NaN finds bugs in torch, at the price of every allocation.
        "fill": _attribute(torch.utils.deterministic, "fill_uninitialized_memory", value=False),
        "cudnn": _attribute(cudnn, "deterministic", value=execution.deterministic),
        "benchmark": _attribute(cudnn, "benchmark", value=not execution.deterministic),
        "matmul": _attribute(matmul, "fp32_precision", value=execution.fp32_precision),
        "conv": _attribute(cudnn.conv, "fp32_precision", value=execution.fp32_precision),
        "rnn": _attribute(cudnn.rnn, "fp32_precision", value=execution.fp32_precision),
    }


def _demand_determinism(wanted: bool) -> None:
    """As `torch.use_deterministic_algorithms`, which loads the compiler to tell it, in 0.8 s."""
    if _COMPILER in sys.modules:
        torch.use_deterministic_algorithms(wanted)
    else:
        torch.set_deterministic_debug_mode("error" if wanted else "default")


def _attribute(owner: Any, name: str, *, value: Any) -> tuple[Callable[[], Any], Callable[[Any], None], Any]:
    return lambda: getattr(owner, name), lambda new: setattr(owner, name, new), value


def autocast(execution: ExecutionSpec, device: torch.device) -> AbstractContextManager[Any]:
    """The context of a forward pass and its loss; it may be entered again and again."""
    if execution.amp == "none":
        return nullcontext()
    return torch.autocast(device.type, dtype=_AUTOCAST[execution.amp])


def placed(model: nn.Module, execution: ExecutionSpec, device: torch.device) -> nn.Module:
    """Move the model to its device and memory layout, in place."""
    model.to(device)
    if execution.channels_last:
        model.to(memory_format=torch.channels_last)
    return model


def laid_out(images: Tensor, execution: ExecutionSpec) -> Tensor:
    """Images in the run's memory layout."""
    return images.contiguous(memory_format=torch.channels_last) if execution.channels_last else images


MOST_COMPILED = 200
"""Networks that a process compiles before it forgets them all."""

_n_compiled = 0


def compiled(model: nn.Module, execution: ExecutionSpec) -> Forward:
    """The model's forward pass, compiled if the run wants it; parameters stay those of `model`.

    Compiled code takes parameters as inputs, so networks of one structure share it: the seeds of an arm are
    compiled once in a worker, and once on a machine where the disk cache holds the kernels.
    """
    if execution.compile == "none":
        return model
    global _n_compiled  # noqa: PLW0603 - what it counts, torch's cache of compiled code, is global too
    if _n_compiled == MOST_COMPILED:
        torch.compiler.reset()
        _n_compiled = 0
    _n_compiled += 1
    # Determinism was set before the compiler was loaded, perhaps, by a run that had no use for it.
    torch.use_deterministic_algorithms(torch.are_deterministic_algorithms_enabled())
    settings: Any = torch._dynamo.config
    settings.recompile_limit = settings.accumulated_recompile_limit = 2 * MOST_COMPILED
    # Beyond the limit dynamo would carry on in eager mode: another speed, told to nobody.
    settings.fail_on_recompile_limit_hit = True
    # Never for shapes in general: an arm's kernels must not depend on which arms came before it.
    forward: Forward = torch.compile(model, mode=execution.compile, dynamic=False)
    return forward
