"""Who takes part: our modes on this kind of device, and the rivals."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.study.specs import ExecutionSpec


@dataclass(frozen=True)
class Entrant:
    """One way to train, before it is started."""

    key: str
    runner: str
    """Module of this package."""
    trained_by: str
    settings: str
    execution: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ours(self) -> bool:
        """Whether it is one of our modes."""
        return self.runner == "ours"


_FAST = {"channels_last": True}
_CPU_MODES: dict[str, dict[str, Any]] = {
    "eager": {},
    "channels_last": _FAST,
    "compiled": {**_FAST, "compile": "default"},
    "bf16": {**_FAST, "compile": "default", "amp": "bf16"},
}
_BF16 = {**_FAST, "amp": "bf16"}
_GPU_MODES: dict[str, dict[str, Any]] = {
    "eager": {},
    "bf16": _BF16,
    "compiled": {**_BF16, "compile": "default"},
    "graph": {**_BF16, "graph": True},
    "graph_compiled": {**_BF16, "graph": True, "compile": "default"},
    "graph_free": {**_BF16, "graph": True, "compile": "default", "deterministic": False},
}


def our_modes(device_kind: str) -> list[Entrant]:
    """Our modes, plain fp32 first."""
    modes = _GPU_MODES if device_kind == "cuda" else _CPU_MODES
    return [
        Entrant(f"ours_{name}", "ours", "bench", _told(execution, device_kind), execution)
        for name, execution in modes.items()
    ]


def may_be_chosen(mode: Entrant, device_kind: str, cpu_flags: Collection[str]) -> bool:
    """Whether `amp: auto` may choose a mode: bf16 on a CPU only where the CPU has it."""
    has_bf16 = device_kind == "cuda" or "amx_bf16" in cpu_flags
    return has_bf16 or "amp" not in mode.execution


def rivals(best: Entrant, device_kind: str, cores: int) -> list[Entrant]:
    """The others; those that are written for speed follow our fastest mode.

    Args:
        best: Our fastest mode.
        device_kind: `cpu` or `cuda`.
        cores: Of the machine; on a GPU some of them load data for (a) and (b).
    """
    loading = {"loader_workers": min(8, max(1, cores // 2)) if device_kind == "cuda" else 0}
    workers = f", {loading['loader_workers']} loader workers" if loading["loader_workers"] else ""
    precision = "fp32 (TF32 convolutions)" if device_kind == "cuda" else "fp32"
    lightning = "Lightning's Trainer"
    # benchmark.py knows no graphs of whole steps.
    step = {key: value for key, value in best.execution.items() if key in ("amp", "channels_last", "compile")}
    return [
        Entrant("bare", "bare", "a bare loop by hand", _told(best.execution, device_kind), best.execution),
        Entrant(
            "plain",
            "plain",
            "a plain script",
            f"{precision}, torchvision transforms{workers}",
            options=loading,
        ),
        Entrant(
            "lightning",
            "lightning_trainer",
            lightning,
            f"{precision}, its defaults{workers}",
            options={**loading, "trainer": {}},
        ),
        Entrant(
            "lightning_bf16",
            "lightning_trainer",
            lightning,
            f"bf16-mixed{workers}",
            options={**loading, "trainer": {"precision": "bf16-mixed"}},
        ),
        Entrant("timm", "timm_protocol", "timm's benchmark.py, synthetic", f"{precision}, NCHW, eager"),
        Entrant(
            "timm_fast", "timm_protocol", "timm's benchmark.py, synthetic", _told(step, device_kind), step
        ),
    ]


def _told(execution: Mapping[str, Any], device_kind: str) -> str:
    """An execution section in words."""
    spec = ExecutionSpec.model_validate(execution)
    words = [
        "fp32" if spec.amp == "none" else spec.amp,
        "channels_last" if spec.channels_last else "NCHW",
        "eager" if spec.compile == "none" and not spec.graph else None,
        "compiled" if spec.compile != "none" else None,
        "graph" if spec.graph else None,
        "not deterministic" if device_kind == "cuda" and not spec.deterministic else None,
    ]
    return ", ".join(word for word in words if word)
