"""Records of throughput studies that nobody measured: speeds follow a small model of a GPU and of a CPU."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bench.record.schema import CellMetrics, CellRecord, Record, seal

CUDA = {"device": "NVIDIA H200", "torch": "2.15.0+cu132", "cuda": "13.2", "commit": "0123abcd"}
CPU = {"device": "AMD EPYC 9B14 96-Core Processor", "torch": "2.15.0+cpu", "cuda": None, "commit": "0123abcd"}
UTC = "2030-01-01T00:00:00Z"

CENTRE: dict[str, Any] = {
    "model.name": "resnet50",
    "train.batch_size": 128,
    "data.image_size": 224,
    "execution.amp": "bf16",
    "execution.compile": "none",
    "execution.channels_last": True,
    "execution.graph": False,
    "measure.work": "train",
    "measure.input": "synthetic",
    "measure.aa": False,
}

NETWORKS = {  # params, GMACs, conv outputs (millions) at 224 pixels
    "resnet18": (11_689_512, 1.814, 2.48),
    "resnet50": (25_557_032, 4.089, 11.11),
    "timm:resnet50": (25_557_032, 4.089, 11.11),
    "resnet101": (44_549_160, 7.801, 16.2),
}
CIFAR = {20: (269_722, 0.0406, 0.188), 56: (853_018, 0.1255, 0.533)}
PEAKS = {"none": 67e12, "tf32": 494e12, "bf16": 989e12, "fp16": 989e12}
MEASURED = {"none": 52e12, "tf32": 401e12, "bf16": 790e12, "fp16": 795e12}


def config_of(settings: Mapping[str, Any]) -> dict[str, Any]:
    """A resolved configuration from dotted settings, as a cell's record has it."""
    whole: dict[str, Any] = {
        "data": {"name": "synthetic", "augment": []},
        "model": {},
        "train": {"optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.9}},
        "execution": {"fp32_precision": "ieee", "fused": True, "deterministic": False, "threads": 1},
        "measure": {"n_windows": 20, "window_s": 0.1},
    }
    for key, value in settings.items():
        *path, last = key.split(".")
        place = whole
        for part in path:
            place = place.setdefault(part, {})
        place[last] = value
    return whole


def cell(
    arm: str,
    levels: Mapping[str, Any],
    repeat: int,
    *,
    settings: Mapping[str, Any] | None = None,
    img_s: float | None = None,
    sd: float = 0.004,
    windows_img_s: Sequence[float] | None = None,
    metrics: Mapping[str, Any] | None = None,
    **changes: Any,
) -> CellRecord:
    """One repeat of a cell; every construction of a `CellRecord` in the tests goes through here.

    Args:
        arm: Its name.
        levels: Its factors.
        repeat: Counted from 0.
        settings: Dotted keys that differ from `CENTRE`; absent: the levels.
        img_s: Speed to draw windows around; absent: by the model of the device.
        sd: Of windows and of repeats, as a share.
        windows_img_s: The windows themselves.
        metrics: Fields of `CellMetrics`.
        **changes: Fields of `CellRecord`.
    """
    whole = {**CENTRE, **(levels if settings is None else settings)}
    kind = changes.get("device_kind", "cuda")
    facts = _facts(whole, kind)
    digest = hashlib.sha256(f"{arm}/{repeat}/{kind}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:8], "big"))
    centre = (img_s or facts.pop("speed")) * (1 + rng.normal(0, sd))
    facts.pop("speed", None)
    if windows_img_s is None:
        windows_img_s = (centre * (1 + rng.normal(0, sd, 20))).tolist()
    batch = whole["train.batch_size"]
    steps = max(1, round(0.1 * centre / batch))
    compiles = whole["execution.compile"] != "none"
    fields = {
        "work": whole["measure.work"],
        "input": whole["measure.input"],
        "batch_size": batch,
        "image_size": whole["data.image_size"],
        "windows_s": tuple(batch * steps / speed for speed in windows_img_s),
        "steps_per_window": steps,
        "warmup_steps": 40,
        "warmup_settled": True,
        "img_s": float(np.median(windows_img_s)),
        "compile_cold_s": 41.7 + repeat if compiles else None,
        "compile_warm_s": 8.9 if compiles else None,
        **facts,
        **(metrics or {}),
    }
    if changes.get("status", "done") != "done":
        fields = dict(metrics or {})
    record = CellRecord(
        **{
            "engine": 1,
            "run_id": f"{arm}/{repeat}/{kind}",
            "arm_id": f"{arm}/{kind}",
            "study": "fake",
            "declaration": "d",
            "arm": arm,
            "levels": dict(levels),
            "seed": repeat,
            "status": "done",
            "device_kind": kind,
            "config": config_of(whole),
            "metrics": CellMetrics(**fields),
            "environment": CUDA if kind == "cuda" else CPU,
            "started_utc": UTC,
            "ended_utc": UTC,
            **changes,
        }
    )
    return CellRecord.model_validate_json(seal(record))


def cells(arm: str, levels: Mapping[str, Any], n: int = 3, **changes: Any) -> list[Record]:
    """All repeats of a cell."""
    return [cell(arm, levels, repeat, **changes) for repeat in range(n)]


def out_of_memory(arm: str, levels: Mapping[str, Any], n: int = 3, **changes: Any) -> list[Record]:
    """A cell that never fitted."""
    return cells(arm, levels, n, status="oom", reason="out of memory at batch 2,048", **changes)


def throughput_study(kind: str = "cuda") -> list[Record]:
    """As the shipped study: a centre with spokes, one square, an A/A twin; the largest batch does not fit."""
    spokes: list[dict[str, Any]] = [
        {"model.name": "resnet18"},
        {"model.name": "resnet101"},
        {"model.name": "timm:resnet50"},
        *({"train.batch_size": size} for size in (32, 64, 256, 512)),
        {"data.image_size": 160},
        {"measure.work": "infer"},
        {"measure.input": "cached"},
        {"measure.input": "end_to_end"},
        {"measure.aa": True},
        {"model.name": "cifar_resnet20", "data.image_size": 32},
    ]
    square = [
        {"execution.amp": amp, "execution.compile": mode, "execution.channels_last": last}
        for amp in ("none", "bf16", "fp16")
        for mode in ("none", "default", "max-autotune")
        for last in (False, True)
    ]
    records: list[Record] = cells("centre", {"arm": "centre"}, settings={}, device_kind=kind)
    for settings in [*spokes, *square]:
        if any(CENTRE[key] != value for key, value in settings.items()):
            arm = ", ".join(f"{key.rpartition('.')[2]}={value}" for key, value in settings.items())
            noisy = {"sd": 0.03} if settings.get("measure.input") == "end_to_end" else {}
            changes = {"settings": settings, "device_kind": kind, **noisy}
            records += cells(arm, {"arm": arm}, **changes)
    huge = {"train.batch_size": 2048}
    records += out_of_memory("batch_size=2048", {"arm": "batch_size=2048"}, settings=huge, device_kind=kind)
    return records


def grid_study(kind: str = "cuda") -> list[Record]:
    """A grid of three factors: two networks by batch size, eager and compiled."""
    records: list[Record] = []
    for name in ("resnet18", "resnet50"):
        for mode in ("none", "default"):
            for size in (32, 64, 128, 256, 512):
                levels = {"model.name": name, "execution.compile": mode, "train.batch_size": size}
                arm = ",".join(f"{key}={value}" for key, value in levels.items())
                if (name, size) == ("resnet50", 512):
                    records += out_of_memory(arm, levels, device_kind=kind)
                else:
                    records += cells(arm, levels, device_kind=kind)
    return records


def _facts(settings: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Sizes, roofs and a speed that could be."""
    name, side = settings["model.name"], settings["data.image_size"]
    if name.startswith("cifar_resnet"):
        params, gmacs, outputs = CIFAR[int(name.removeprefix("cifar_resnet"))]
        gmacs, outputs = gmacs * (side / 32) ** 2, outputs * (side / 32) ** 2
    else:
        params, gmacs, outputs = NETWORKS[name]
        gmacs, outputs = gmacs * (side / 224) ** 2, outputs * (side / 224) ** 2
    amp, compiled = settings["execution.amp"], settings["execution.compile"] != "none"
    train = settings["measure.work"] == "train"
    width = 4 if amp == "none" else 2
    flops = gmacs * 1e9 * 2 * (3 if train else 1)
    fused, eager = (factor * outputs * 1e6 * width * (1 if train else 0.25) for factor in (15, 22))
    scale = 1.0 if kind == "cuda" else 1 / 2500
    peak, bandwidth = MEASURED[amp] * scale, 4.3e12 * scale
    layout = 1.0 if settings["execution.channels_last"] else 0.62
    bytes_per_image = fused if compiled else eager
    image_s = (
        max(flops / (0.6 * peak), bytes_per_image / (0.62 * layout * bandwidth))
        * ({"synthetic": 1, "cached": 1.02, "end_to_end": 4}[settings["measure.input"]])
    )
    batch = settings["train.batch_size"]
    launch_s = 2.4e-3 if kind == "cuda" else 0.05
    speed = batch / (batch * image_s + launch_s)
    gpu = {
        "peak_allocated_bytes": int(2e9 + batch * outputs * 1e6 * width * 2.4),
        "peak_reserved_bytes": int(2.3e9 + batch * outputs * 1e6 * width * 2.7),
        "joules_per_image": 620 / speed,
        "sm_clock_mhz": 1830.0,
    }
    return {
        "speed": speed,
        "n_params": params,
        "gmacs": gmacs,
        "macts": outputs,
        "flops_per_image": flops,
        "eager_bytes_per_image": eager,
        "fused_bytes_per_image": fused,
        "peak_flops_s": PEAKS[amp] if kind == "cuda" else peak,
        "peak_flops_source": "datasheet" if kind == "cuda" else "measured",
        "measured_peak_flops_s": peak,
        "measured_bandwidth_bytes_s": bandwidth,
        "others_share_pct": 0.4,
        "noise": ("IQR 3.9 % of the median",) if settings["measure.input"] == "end_to_end" else (),
        **(gpu if kind == "cuda" else {}),
    }
