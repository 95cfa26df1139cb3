"""What a throughput cell is, read off its configuration: network, precision, layout, mode, batch, input.

Cells are matched by configuration and never by name: the equal cell without compilation, the twin of an A/A
check, the square of a matrix. So any design may hold them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import architectures
from bench.analyse.outline import level_text, section
from bench.record.schema import CellRecord

PRECISIONS: Final = ("fp32", "tf32", "bf16", "fp16")
LAYOUTS: Final = ("NCHW", "NHWC")
_COMPILE_MODES: Final = (
    "none",
    "default",
    "max-autotune-no-cudagraphs",
    "reduce-overhead",
    "max-autotune",
)
GRAPH: Final = "graph"
MODES: Final = (*_COMPILE_MODES, *(GRAPH if m == "none" else f"{m} + {GRAPH}" for m in _COMPILE_MODES))
"""Every mode, eager first; a whole-step graph is told beside the mode of the compiler."""

TWIN_KEYS: Final = ("measure.aa",)
"""What tells a cell of an A/A check from its twin, and nothing else of what is measured."""


@dataclass(frozen=True)
class CellTraits:
    """What a cell measures, in the words of tables and axes."""

    network: str
    work: str
    input: str
    batch_size: int | None
    image_size: int | None
    precision: str
    layout: str
    mode: str

    @property
    def image(self) -> str:
        """The network with the side of its images: `resnet50 (224 px)`."""
        return self.network if self.image_size is None else f"{self.network} ({self.image_size} px)"


def traits_of(record: CellRecord) -> CellTraits:
    """The traits of a cell; what only a finished one knows (the set's own image size) may be absent."""
    config, metrics = record.config, record.metrics
    execution, measure = section(config, "execution"), section(config, "measure")
    return CellTraits(
        network=network_name(section(config, "model")),
        work=str(metrics.work or measure.get("work", "train")),
        input=str(metrics.input or measure.get("input", "synthetic")),
        batch_size=metrics.batch_size or section(config, "train").get("batch_size"),
        image_size=metrics.image_size or section(config, "data").get("image_size"),
        precision=_precision(execution),
        layout=LAYOUTS[bool(execution.get("channels_last"))],
        mode=_mode(execution),
    )


def network_name(model: Mapping[str, Any]) -> str:
    """A network as one word: `resnet50`, `cifar_resnet20`; options that are not at their default follow."""
    name = str(model.get("name"))
    defaults = architectures.defaults(name) if name in architectures.names() else {}
    options = {
        key: value for key, value in model.items() if key != "name" and value != defaults.get(key, object())
    }
    depth = model.get("depth")
    if isinstance(depth, int) and not name[-1:].isdigit():
        name, options = f"{name}{depth}", {key: value for key, value in options.items() if key != "depth"}
    return " ".join([name, *(f"{key}={_option_text(value)}" for key, value in sorted(options.items()))])


def rest_key(config: Mapping[str, Any], without: Iterable[str] = ()) -> str:
    """A configuration as one text, without some dotted keys: equal for cells that differ in nothing else."""
    copy = json.loads(json.dumps(config))
    for dotted in (*without, *TWIN_KEYS):
        *path, last = dotted.split(".")
        place = copy
        for part in path:
            place = place.get(part) if isinstance(place, dict) else None
        if isinstance(place, dict):
            place.pop(last, None)
    return json.dumps(copy, sort_keys=True)


def _precision(execution: Mapping[str, Any]) -> str:
    amp = execution.get("amp", "none")
    if amp != "none":
        return str(amp)
    return "tf32" if execution.get("fp32_precision") == "tf32" else "fp32"


def _mode(execution: Mapping[str, Any]) -> str:
    mode = str(execution.get("compile", "none"))
    if not execution.get("graph"):
        return mode
    return GRAPH if mode == "none" else f"{mode} + {GRAPH}"


def _option_text(value: Any) -> str:
    return level_text(value) if isinstance(value, bool | int | float | str | None) else json.dumps(value)
