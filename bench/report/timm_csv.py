"""Cells in the columns and file names of timm's own benchmark results, so that rows stand beside rows.

timm keeps one file for each work, precision, layout, torch, CUDA, device and compiler
(`results/benchmark-train-amp-nhwc-pt112-cu113-rtx3090.csv`), fastest network first, and measures synthetic
images only. What its names do not hold follows them: another compiler mode, a whole-step graph. Cells that
did not fit are left out, as timm leaves them out. Where timm gives a mean over steps with a wait after each,
these are medians of windows without one.

Reference: `benchmark.py` and `results/` of huggingface/pytorch-image-models; inference columns as in its
files for torch 2.4 and 2.9, training columns as in those for torch 1.12, the last that it has.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from bench.analyse.cell_traits import CellTraits, rest_key, traits_of
from bench.analyse.cells import cell_records
from bench.analyse.repeat import repeat_of
from bench.record.schema import CellRecord, Record

FOLDER: Final = "timm"

COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "train": (
        "model",
        "train_samples_per_sec",
        "train_step_time",
        "train_batch_size",
        "train_img_size",
        "param_count",
    ),
    "infer": (
        "model",
        "infer_img_size",
        "infer_samples_per_sec",
        "infer_step_time",
        "infer_batch_size",
        "param_count",
        "infer_gmacs",
        "infer_macts",
    ),
}

_PRECISIONS: Final = {"fp32": "fp32", "tf32": "tf32", "fp16": "amp", "bf16": "amp_bf16"}
"""timm's `amp` is fp16 unless its name says otherwise."""

_FILLERS: Final = re.compile(
    r"\((?:r|tm)\)|@.*|\b(?:nvidia|geforce|amd|intel|core|cpu|gpu|processor)\b|\b\d+-core\b", re.IGNORECASE
)


@dataclass(frozen=True)
class _Row:
    """One cell as timm tells it."""

    name: str
    speed_img_s: float
    step_ms: float
    traits: CellTraits
    params_m: float | None
    gmacs: float | None
    macts: float | None


def timm_files(records: Sequence[Record]) -> dict[str, str]:
    """The CSV files of a study's synthetic cells, by name; equal cells, as of an A/A check, are one row.

    Args:
        records: Lines of one study's `records.jsonl`, in order.
    """
    cells: dict[str, dict[str, list[CellRecord]]] = {}
    for cell in cell_records(records):
        if repeat_of(cell) is not None and traits_of(cell).input == "synthetic":
            cells.setdefault(file_name(cell), {}).setdefault(rest_key(cell.config), []).append(cell)
    return {name: _text(name.split("-")[1], by_key.values()) for name, by_key in sorted(cells.items())}


def file_name(cell: CellRecord) -> str:
    """Where timm would keep the cell: `benchmark-train-amp-nhwc-pt112-cu113-rtx3090.csv`."""
    traits, environment = traits_of(cell), cell.environment
    cuda = environment.get("cuda")
    mode, plus, graph = traits.mode.partition(" + ")
    parts = [
        "benchmark",
        traits.work,
        _PRECISIONS[traits.precision],
        traits.layout.lower(),
        f"pt{_digits(str(environment.get('torch')))}",
        f"cu{_digits(str(cuda))}" if cuda and cell.device_kind == "cuda" else cell.device_kind,
        device_name(str(environment.get("device", "unknown"))),
    ]
    if mode not in ("none", "graph"):
        parts.append("dynamo" if mode == "default" else f"dynamo_{mode.replace('-', '_')}")
    if plus or mode == "graph":
        parts.append(graph or mode)
    return f"{'-'.join(parts)}.csv"


def device_name(device: str) -> str:
    """A device as timm's file names spell it: `rtx3090`, `i9_10940x`."""
    words = re.findall(r"[a-z0-9]+", _FILLERS.sub(" ", device.lower()))
    return re.sub(r"\b(rtx|gtx)_(?=\d)", r"\1", "_".join(words)) or "unknown"


def _text(work: str, cells: Iterable[Sequence[CellRecord]]) -> str:
    rows = sorted(_named([_row(own) for own in cells]), key=lambda row: (-row.speed_img_s, row.name))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS[work])
    for row in rows:
        own = _fields(work, row)
        writer.writerow(["" if own[key] is None else own[key] for key in COLUMNS[work]])
    return out.getvalue()


def _row(cells: Sequence[CellRecord]) -> _Row:
    """One cell over its repeats."""
    repeats = [repeat for cell in cells if (repeat := repeat_of(cell)) is not None]
    speed, traits, metrics = median(r.median_img_s for r in repeats), traits_of(cells[0]), cells[0].metrics
    assert traits.batch_size is not None
    params = None if metrics.n_params is None else metrics.n_params / 1e6
    step_ms = 1000 * traits.batch_size / speed
    return _Row(traits.network, speed, step_ms, traits, params, metrics.gmacs, metrics.macts)


def _named(rows: Sequence[_Row]) -> list[_Row]:
    """Without the library in a network's name, unless two rows would then read alike."""
    short = [row.name.rpartition(":")[2] for row in rows]
    seen = [
        (name, row.traits.image_size, row.traits.batch_size) for name, row in zip(short, rows, strict=True)
    ]
    return [
        _Row(**{**vars(row), "name": name if seen.count(key) == 1 else row.name})
        for row, name, key in zip(rows, short, seen, strict=True)
    ]


def _fields(work: str, row: _Row) -> dict[str, Any]:
    """Rounded as timm rounds."""
    return {
        "model": row.name,
        f"{work}_samples_per_sec": round(row.speed_img_s, 2),
        f"{work}_step_time": round(row.step_ms, 3),
        f"{work}_batch_size": row.traits.batch_size,
        f"{work}_img_size": row.traits.image_size,
        "param_count": None if row.params_m is None else round(row.params_m, 2),
        "infer_gmacs": None if row.gmacs is None else round(row.gmacs, 2),
        "infer_macts": None if row.macts is None else round(row.macts, 2),
    }


def _digits(version: str) -> str:
    """`2.15.0+cu132` reads 2150; a version that is not known, 0."""
    release = re.match(r"\d+(\.\d+)*", version)
    return release.group().replace(".", "") if release else "0"
