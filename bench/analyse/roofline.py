"""Where each network stands under the roofs of the device: what it asks of memory, what it gets computed.

Intensity is the network's arithmetic over the least traffic that a fused network must move. Under the slope
of the measured bandwidth memory is what bounds it; under the flat roof the arithmetic of its precision.

Reference: Williams, Waterman & Patterson (2009), "Roofline: an insightful visual performance model for
multicore architectures", Commun. ACM 52(4).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from bench.analyse.cell_traits import PRECISIONS
from bench.analyse.cells import CellSummary

HALF: Final = ("bf16", "fp16")


@dataclass(frozen=True)
class Roof:
    """The flat roof of one precision."""

    precision: str
    measured_flops_s: float | None
    datasheet_flops_s: float | None

    @property
    def flops_s(self) -> float:
        """The one that networks are held against: measured here, where it was."""
        top = self.measured_flops_s or self.datasheet_flops_s
        assert top is not None
        return top

    @property
    def highest_flops_s(self) -> float:
        """The higher of the two."""
        return max(self.flops_s, self.datasheet_flops_s or 0.0)


@dataclass(frozen=True)
class Point:
    """A network at one size of image, one work and one width of numbers: its fastest cell."""

    network: str
    image_size: int | None
    precision: str
    work: str
    intensity_flop_byte: float
    flops_s: float
    share_pct: float
    """Of the roof above it, be it the slope or the flat one."""


@dataclass(frozen=True)
class Roofline:
    """The points of one kind of device under its roofs."""

    points: tuple[Point, ...]
    roofs: tuple[Roof, ...]
    """Of the points' precisions."""
    bandwidth_bytes_s: float

    @property
    def usual_size(self) -> int | None:
        """The side of most points' images."""
        sizes = [point.image_size for point in self.points if point.image_size is not None]
        return max(sizes, key=lambda size: (sizes.count(size), size)) if sizes else None

    @property
    def is_split(self) -> bool:
        """Whether points stand for full and for half precision."""
        return len({point.precision in HALF for point in self.points}) > 1


def roofline_of(cells: Sequence[CellSummary]) -> Roofline | str:
    """The roofline of one kind of device, or why there is none.

    Each network is its fastest cell by image size, work and width of numbers: bf16 and fp16 share a roof but
    for a per cent, and their marks would cover each other. Cells that decode are left out, since decoding is
    not the network's.
    """
    best: dict[tuple[str, bool, str], CellSummary] = {}
    for cell in cells:
        traits = cell.traits
        if traits is not None and traits.input != "end_to_end" and _has_place(cell):
            key = (traits.image, traits.precision in HALF, traits.work)
            best[key] = max((best.get(key, cell), cell), key=lambda one: one.median_img_s or 0.0)
    if not best:
        return "no cell has counts of arithmetic and traffic"
    bandwidth = _median(cell.metrics.measured_bandwidth_bytes_s for cell in cells)
    used = {cell.traits.precision for cell in best.values() if cell.traits is not None}
    roofs = [roof for name in PRECISIONS if name in used and (roof := _roof(name, cells)) is not None]
    if bandwidth is None or len(roofs) < len(used):
        return "the roofs of this device were not measured"
    points = [_point(cell, roofs, bandwidth) for cell in best.values()]
    return Roofline(tuple(points), tuple(roofs), bandwidth)


def _roof(precision: str, cells: Iterable[CellSummary]) -> Roof | None:
    own = [cell.metrics for cell in cells if cell.traits is not None and cell.traits.precision == precision]
    measured = _median(metrics.measured_peak_flops_s for metrics in own)
    sheet = _median(metrics.peak_flops_s for metrics in own if metrics.peak_flops_source == "datasheet")
    return None if measured is None and sheet is None else Roof(precision, measured, sheet)


def _point(cell: CellSummary, roofs: Iterable[Roof], bandwidth: float) -> Point:
    traits, metrics, rate = cell.traits, cell.metrics, cell.achieved_flops_s
    assert traits is not None
    assert metrics.flops_per_image is not None
    assert metrics.fused_bytes_per_image is not None
    assert rate is not None
    intensity = metrics.flops_per_image / metrics.fused_bytes_per_image
    flat = next(roof.flops_s for roof in roofs if roof.precision == traits.precision)
    share = 100 * rate / min(flat, bandwidth * intensity)
    return Point(traits.network, traits.image_size, traits.precision, traits.work, intensity, rate, share)


def _has_place(cell: CellSummary) -> bool:
    return bool(cell.achieved_flops_s and cell.metrics.fused_bytes_per_image)


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
