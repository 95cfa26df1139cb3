"""Which ways of computing a device has, and what `auto` comes to once calibration has chosen.

Torch-free, because planning needs it: a run's identity is that of the settings written out, so `auto` is
resolved before any id is made. What only the kind of device decides (a CPU has no CUDA graphs) is a rule;
what the very model decides (bf16 without the units for it) is a matter of speed, for calibration alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationError

from bench.study.specs import CAPTURING_COMPILE_MODES, BaseSpec, CompileMode, ExecutionSpec, Spec

SPEED_KEYS = ("channels_last", "compile", "graph", "fused")
"""Keys of `execution` that change speed and no precision: what `auto` chooses where they are not written."""

OPEN_KEYS = ("amp", *SPEED_KEYS)
"""Keys that calibration may choose; `amp` only where `amp: auto` is written out."""

BF16_CAPABILITY = (8, 0)
TRITON_CAPABILITY = (7, 0)
"""Compute capability from which a GPU multiplies bf16 and TF32 natively, and from which Triton compiles."""

NEEDS_GPU = "needs a GPU"


class Settings(Spec):
    """What calibration chose; a key that was not open is absent."""

    amp: Literal["none", "bf16"] | None = None
    channels_last: bool | None = None
    compile: CompileMode | None = None
    graph: bool | None = None
    fused: bool | None = None

    def given(self) -> dict[str, Any]:
        """The keys that say something."""
        return self.model_dump(exclude_none=True)

    def unlike(self, other: Settings) -> str:
        """The keys that differ from another's, in words."""
        theirs = other.given()
        differing = {key: value for key, value in self.given().items() if theirs.get(key) != value}
        return Settings.model_validate(differing).text()

    def text(self) -> str:
        """As `channels_last true, compile none`; `nothing open` where there was no choice."""
        return ", ".join(f"{key} {_word(value)}" for key, value in self.given().items()) or "nothing open"


@dataclass(frozen=True)
class Hardware:
    """What decides which modes a machine has."""

    kind: Literal["cpu", "cuda"]
    model: str
    """Of the processor or the GPU, as its maker names it; no host name."""
    cpu_flags: frozenset[str] = frozenset()
    capability: tuple[int, int] | None = None
    """Compute capability of the GPU."""
    compiles: bool = True
    """Whether `torch.compile` finds what it needs: a C++ compiler and, for a GPU, Triton."""

    @property
    def has_fast_bf16(self) -> bool:
        """Whether bf16 products are faster than fp32: by matrix units, not by emulation."""
        if self.kind == "cpu":
            return "amx_bf16" in self.cpu_flags
        return self.capability is not None and self.capability >= BF16_CAPABILITY


@dataclass(frozen=True)
class Mode:
    """One way of computing, and what speaks against it here."""

    name: str
    reason: str = ""
    """Empty where nothing does."""
    is_possible: bool = True
    """False where it cannot be; a possible mode with a reason is one that calibration never chooses."""


def modes(hardware: Hardware) -> tuple[Mode, ...]:
    """Every mode beside plain fp32, with the reason why it is not possible or not worthwhile here."""
    return (
        Mode("channels_last"),
        Mode("fused"),
        _bf16(hardware),
        *(_gpu_only(name, hardware) for name in ("fp16", "tf32", "graph")),
        _compile("default", hardware),
        _compile("max-autotune-no-cudagraphs", hardware),
        *(_compile(name, hardware) for name in CAPTURING_COMPILE_MODES),
    )


def _bf16(hardware: Hardware) -> Mode:
    if hardware.has_fast_bf16:
        return Mode("bf16")
    return Mode("bf16", f"{why_not_bf16(hardware)}, so amp: auto keeps fp32")


def why_not_bf16(hardware: Hardware) -> str:
    """What the device lacks for bf16."""
    if hardware.kind == "cpu":
        return "no amx_bf16"
    return f"compute capability {_capability(hardware)} is below 8.0"


def _gpu_only(name: str, hardware: Hardware) -> Mode:
    if hardware.kind == "cpu":
        return Mode(name, NEEDS_GPU, is_possible=False)
    if name == "tf32" and (hardware.capability or (0, 0)) < BF16_CAPABILITY:
        return Mode(name, f"compute capability {_capability(hardware)} is below 8.0", is_possible=False)
    return Mode(name)


def _compile(name: str, hardware: Hardware) -> Mode:
    name_in_full = f"compile {name}"
    if hardware.kind == "cpu" and name in CAPTURING_COMPILE_MODES:
        return Mode(name_in_full, NEEDS_GPU, is_possible=False)
    reason = why_not_compile(hardware)
    return Mode(name_in_full, reason, is_possible=not reason)


def why_not_compile(hardware: Hardware) -> str:
    """Why `torch.compile` cannot work here; empty where it can."""
    if hardware.kind == "cuda" and (hardware.capability or (0, 0)) < TRITON_CAPABILITY:
        return f"compute capability {_capability(hardware)} is below 7.0"
    if not hardware.compiles:
        return "no C++ compiler" if hardware.kind == "cpu" else "no C compiler or no Triton"
    return ""


def _capability(hardware: Hardware) -> str:
    return "unknown" if hardware.capability is None else "{}.{}".format(*hardware.capability)


def modes_line(hardware: Hardware) -> str:
    """One line: what is possible, and of the rest why not."""
    by_reason: dict[str, list[str]] = {}
    for mode in modes(hardware):
        by_reason.setdefault(mode.reason, []).append(mode.name)
    possible = ", ".join(by_reason.pop("", []))
    on_gpu = by_reason.pop(NEEDS_GPU, [])
    rest = [f"{', '.join(names)}: {reason}" for reason, names in by_reason.items()]
    rest += [f"on a GPU only: {', '.join(on_gpu)}"] if on_gpu else []
    return f"modes on {hardware.model}: {'; '.join([possible, *rest])}"


def beyond(execution: ExecutionSpec, device_kind: str) -> Iterator[tuple[str, str, str]]:
    """Keys of `execution` that this kind of device cannot carry out: key, value, what to use instead."""
    if device_kind != "cpu":
        return
    if execution.fp32_precision == "tf32":
        yield "fp32_precision", "tf32", "use ieee"
    if execution.graph:
        yield "graph", "true", "use false"
    if execution.amp == "fp16":
        yield "amp", "fp16", "use none or bf16"
    if execution.compile in CAPTURING_COMPILE_MODES:
        yield "compile", execution.compile, "use default"


def is_open(execution: ExecutionSpec) -> bool:
    """Whether calibration has a say in it."""
    return execution.auto or execution.amp == "auto"


def open_keys(execution: ExecutionSpec) -> tuple[str, ...]:
    """What calibration has to choose: under `auto` every key of speed not written out, and `amp: auto`."""
    written = execution.model_fields_set
    return tuple(
        key
        for key in OPEN_KEYS
        if (execution.amp == "auto" if key == "amp" else execution.auto and key not in written)
    )


def resolve(config: BaseSpec, settings: Mapping[str, Any]) -> BaseSpec:
    """The configuration with its open keys set, as if they had been written out.

    Args:
        config: An arm's.
        settings: A value for each open key; others are passed over.

    Raises:
        ValueError: A value is missing, or the arm cannot take it; the message is the rule.
    """
    execution = config.execution
    wanted = open_keys(execution)
    absent = [key for key in wanted if key not in settings]
    if absent:
        raise ValueError(f"nothing is said of {', '.join(absent)}")
    fields = {**execution.model_dump(), "auto": False, **{key: settings[key] for key in wanted}}
    sections = {name: getattr(config, name) for name in type(config).model_fields}
    try:
        resolved = type(execution).model_validate(fields)
        return type(config).model_validate({**sections, "execution": resolved})
    except ValidationError as error:
        said = error.errors(include_url=False)[0]
        raise ValueError(str(said.get("ctx", {}).get("error", said["msg"]))) from error


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
