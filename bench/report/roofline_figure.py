"""The roofline: every network of a study under the roofs of the device, with its share of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from matplotlib.transforms import Bbox

from bench import units
from bench.analyse.roofline import Point, Roofline
from bench.report import labels, style

Line = list[tuple[float, float]]

_ROOF_COLOUR: Final = (0.25, 0.25, 0.25)
_MARKERS: Final = {"train": "o", "infer": "s"}
_WORK_WORDS: Final = {"train": "training", "infer": "inference"}

_INTENSITY: Final = "arithmetic intensity (FLOP/byte, fused traffic)"

_APART_PT: Final = 6
"""Points between a label and the marks that are not its own."""

_COVERS: Final = 0.05
"""Roofs closer than this share would hide one another; the lower of two is drawn broader."""

_WIDE: Final = 300
"""Ratio of an axis's ends from which it has ticks at powers of ten only."""


def draw_roofline(figure: Figure, roofline: Roofline) -> None:
    """Both roofs, and a labelled mark a network: colour by precision, shape by work.

    Args:
        figure: Empty.
        roofline: With at least one point.
    """
    axes = figure.subplots()
    axes.set_xscale("log")
    axes.set_yscale("log")
    points = roofline.points
    scale, unit = (1e12, "TFLOP/s") if min(p.flops_s for p in points) >= 1e12 else (1e9, "GFLOP/s")
    lines = _draw_roofs(axes, roofline, scale)
    colours = _colours(roofline)
    for point in points:
        filled = point.work == "train"
        axes.plot(
            [point.intensity_flop_byte],
            [point.flops_s / scale],
            marker=_MARKERS[point.work],
            markersize=5.5,
            markerfacecolor=colours[point.precision] if filled else "white",
            markeredgecolor="white" if filled else colours[point.precision],
            markeredgewidth=0.5 if filled else 1.1,
            linestyle="none",
            zorder=5,
        )
    for axis, (low, high) in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
        axis.set_major_locator(LogLocator(base=10, subs=(1.0, 2.0, 5.0) if high / low < _WIDE else (1.0,)))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
    axes.set_xlabel(_INTENSITY)
    axes.set_ylabel(f"achieved arithmetic ({unit})")
    style.tidy(axes)
    axes.grid(visible=True, axis="both")
    _legend(figure, roofline)
    style.note(figure, explanation(roofline))
    figure.draw_without_rendering()
    figure.draw_without_rendering()
    _label(figure, axes, roofline, lines, scale)


def explanation(roofline: Roofline) -> str:
    """The line below: what the roofs, the marks and their shares are."""
    is_measured = any(roof.measured_flops_s for roof in roofline.roofs)
    flat = "best matrix product measured" if is_measured else "datasheet"
    if any(roof.measured_flops_s and roof.datasheet_flops_s for roof in roofline.roofs):
        flat += ", dashed: datasheet"
    width = " in full and in half precision" if roofline.is_split else ""
    size = "" if roofline.usual_size is None else f", {roofline.usual_size} px unless said"
    return (
        f"slope: measured bandwidth, {_rate_text(roofline.bandwidth_bytes_s, 'B/s')}; flat: {flat}; "
        f"marks: each network's fastest cell{width}{size}, with its share of the roof above it"
    )


def label_of(point: Point, roofline: Roofline, *, is_apart: bool = False) -> str:
    """A point's network, its images where they are not of the usual size, its share of the roof.

    Args:
        point: One of the roofline's.
        roofline: Tells which size is usual and which points share a network.
        is_apart: The label stands away from its mark, whose colour and shape then have to be said where
            another mark has the same network.
    """
    words = [point.network]
    alike = [
        one
        for one in roofline.points
        if (one.network, one.image_size) == (point.network, point.image_size) and one != point
    ]
    if is_apart and any(one.precision != point.precision for one in alike):
        words.append(point.precision)
    if is_apart and alike and point.work == "infer":
        words.append(_WORK_WORDS[point.work])
    if point.image_size not in (roofline.usual_size, None):
        words.append(f"({point.image_size} px)")
    return f"{' '.join(words)}, {units.fixed(point.share_pct, 0 if point.share_pct >= 9.5 else 1)} %"


def _draw_roofs(axes: Axes, roofline: Roofline, scale: float) -> list[Line]:
    """The slope up to the highest ridge and each flat roof from its ridge on; sets the limits."""
    bandwidth, roofs, points = roofline.bandwidth_bytes_s, roofline.roofs, roofline.points
    highest = max(roof.highest_flops_s for roof in roofs)
    left = min(*(point.intensity_flop_byte for point in points), *(r.flops_s / bandwidth for r in roofs)) / 2
    right = 2 * max(*(point.intensity_flop_byte for point in points), highest / bandwidth)
    lines: list[Line] = []

    def draw(
        start: tuple[float, float],
        end: tuple[float, float],
        colour: object,
        dash: style.Dash,
        width: float = 1.3,
    ) -> None:
        line = [(x, y / scale) for x, y in (start, end)]
        axes.plot(
            [x for x, _ in line],
            [y for _, y in line],
            color=colour,
            linewidth=width,
            linestyle=dash,
            zorder=3,
        )
        lines.append(line)

    ridge = highest / bandwidth
    draw((left, left * bandwidth), (ridge, highest), _ROOF_COLOUR, "-")
    for index, roof in enumerate(roofs):
        colour = _colours(roofline)[roof.precision]
        is_covered = any(abs(later.flops_s / roof.flops_s - 1) < _COVERS for later in roofs[index + 1 :])
        width = 3.2 if is_covered else 1.3
        draw((roof.flops_s / bandwidth, roof.flops_s), (right, roof.flops_s), colour, "-", width)
        sheet = roof.datasheet_flops_s
        if sheet is not None and roof.measured_flops_s is not None:
            draw((sheet / bandwidth, sheet), (right, sheet), colour, (0, (4, 2.5)), 0.9)
    bottom = min(*(point.flops_s for point in points), left * bandwidth)
    axes.set_xlim(left, right)
    axes.set_ylim(bottom / scale / 1.8, 1.6 * highest / scale)
    return lines


def _label(figure: Figure, axes: Axes, roofline: Roofline, lines: Sequence[Line], scale: float) -> None:
    """A name beside each mark; where they would crowd, a number, and the names in a key on the right."""
    unit = figure.dpi / 72
    points = sorted(roofline.points, key=lambda point: -point.flops_s)
    places = [(point.intensity_flop_byte, point.flops_s / scale) for point in points]
    names = [label_of(point, roofline) for point in points]
    taken = _taken(axes, places, lines, unit)
    if labels.seat(
        axes, list(zip(places, names, strict=True)), taken, only_beside=True, apart=_APART_PT * unit
    ):
        return
    for text in list(axes.texts):
        text.remove()
    axes.set_xlabel(_INTENSITY.replace(" (", "\n("))  # the key takes half of the width
    told = [label_of(point, roofline, is_apart=True) for point in points]
    key = [Line2D([], [], linestyle="none", label=f"{number}  {name}") for number, name in enumerate(told, 1)]
    figure.legend(handles=key, loc="outside right center", handlelength=0, handletextpad=0, fontsize=6.5)
    figure.draw_without_rendering()
    figure.draw_without_rendering()
    numbered = [(place, str(number)) for number, place in enumerate(places, 1)]
    labels.seat(axes, numbered, _taken(axes, places, lines, unit), apart=_APART_PT * unit)


def _taken(
    axes: Axes, places: Sequence[tuple[float, float]], lines: Sequence[Line], unit: float
) -> list[Bbox]:
    """Boxes over roofs and marks; `unit` is a point in pixels."""
    boxes = [box for line in lines for box in labels.along(axes, line, unit)]
    for place in places:
        across, up = axes.transData.transform(place)
        boxes.append(Bbox.from_extents(across - 3 * unit, up - 3 * unit, across + 3 * unit, up + 3 * unit))
    return boxes


def _legend(figure: Figure, roofline: Roofline) -> None:
    colours = _colours(roofline)
    handles = [
        Line2D(
            [],
            [],
            color=colours[roof.precision],
            linewidth=1.3,
            label=f"{roof.precision}: {_rate_text(roof.flops_s, 'FLOP/s')}",
        )
        for roof in roofline.roofs
    ]
    works = [work for work in _MARKERS if any(point.work == work for point in roofline.points)]
    if len(works) > 1:
        handles += [
            Line2D(
                [],
                [],
                color=style.GREY,
                marker=_MARKERS[work],
                markersize=5,
                markerfacecolor=style.GREY if work == "train" else "white",
                linestyle="none",
                label=_WORK_WORDS[work],
            )
            for work in works
        ]
    columns = len(handles) if 1.4 * len(handles) <= figure.get_figwidth() else 2
    figure.legend(handles=handles, loc="outside upper center", ncols=columns)


def _colours(roofline: Roofline) -> dict[str, tuple[float, float, float]]:
    names = [roof.precision for roof in roofline.roofs]
    return dict(zip(names, style.colours(None, len(names)), strict=True))


def _rate_text(rate: float, unit: str) -> str:
    prefix, scale = ("T", 1e12) if rate >= 1e12 else ("G", 1e9)
    return f"{units.significant(rate / scale)} {prefix}{unit}"
