"""Whether a study's images can be what it wants of them: read, decoded for every batch, or only drawn."""

from __future__ import annotations

from collections.abc import Iterator

from bench.data import catalogue
from bench.study.attribute import Finding
from bench.study.cells import CellSpec
from bench.study.faults import KeyPath, show
from bench.study.specs import BaseSpec, DataSpec

ENCODED = ("parquet", "pets")
"""Layouts of catalogued sets whose images lie encoded on disk; a user's own always do."""


def input_findings(n: int, at: KeyPath, config: BaseSpec) -> Iterator[Finding]:
    """What is wrong with what an arm feeds its network.

    Args:
        n: Number of the arm.
        at: The section that holds `data` and, in a throughput study, `measure`.
        config: The arm.
    """
    if not isinstance(config, CellSpec):
        yield from _undrawn(n, (*at, "data"), config.data)
        if config.pretrain is not None:
            yield from _undrawn(n, (*at, "pretrain", "data"), config.pretrain.data)
    elif config.measure.input == "end_to_end" and not _is_encoded(config.data):
        rule = f"has nothing to decode: {config.data.name} is stored as pixels; use cached"
        yield Finding(n, (*at, "measure", "input"), rule, show(config.measure.input))


def _undrawn(n: int, at: KeyPath, data: DataSpec | None) -> Iterator[Finding]:
    if data is not None and _layout(data) == "synthetic":
        rule = "has no images to train on; it is for studies of kind: throughput"
        yield Finding(n, (*at, "name"), rule, show(data.name))


def _is_encoded(data: DataSpec) -> bool:
    return data.name in catalogue.OWN or _layout(data) in ENCODED


def _layout(data: DataSpec) -> str | None:
    """None for a name that is no set, which is told elsewhere."""
    return catalogue.entry(data.name).layout if data.name in catalogue.names() else None
