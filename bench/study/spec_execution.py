"""The section `execution`: precision, layout, compilation, graphs, threads."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import (
    PositiveInt,
    model_validator,
)

from bench.study.spec import Spec

CompileMode = Literal["none", "default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs"]

CAPTURING_COMPILE_MODES = ("reduce-overhead", "max-autotune")
"""Compile modes that record CUDA graphs of their own; they have no effect on a CPU."""


class ExecutionSpec(Spec):
    """How the arithmetic is carried out. Precision is a setting of the study, never guessed."""

    auto: bool = False
    """Calibration chooses all keys not written out, for speed and never precision; all arms alike."""
    amp: Literal["none", "bf16", "fp16", "auto"] = "none"
    """Autocast of the forward pass; weights stay fp32. fp16 scales the loss; auto: bf16 where faster."""
    fp32_precision: Literal["ieee", "tf32"] = "ieee"
    """What fp32 matrix products and convolutions may use on a GPU."""
    channels_last: bool = False
    """NHWC memory layout."""
    compile: CompileMode = "none"
    """torch.compile's mode for the forward and backward pass."""
    graph: bool = False
    """The whole step (augmentation, forward, backward, update) as one CUDA graph."""
    fused: bool = True
    """The optimiser's single-kernel update, where it has one."""
    deterministic: bool = True
    """Deterministic algorithms only; cudnn.benchmark is the opposite."""
    threads: PositiveInt = 1
    """CPU threads of one run; changes the last bits, so part of the identity on a CPU."""

    @model_validator(mode="after")
    def _a_graph_holds_what_it_can(self) -> Self:
        if self.graph and self.compile in CAPTURING_COMPILE_MODES:
            raise ValueError(
                f"graph excludes compile: {self.compile}, which captures graphs of its own; "
                "use none, default or max-autotune-no-cudagraphs"
            )
        if self.graph and not self.fused:
            raise ValueError("graph needs fused: true, whose update reads rate and verdict on the GPU")
        return self
