"""The forest plot: every declared comparison with its difference, its interval and its verdict.

One row a comparison in the order of the table, the verdict in words beside it. Where a few differences are so
large that the others shrink to dots, a second panel beside the first shows the middle again on a scale of its
own; what lies beyond it is an arrow.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bench import units
from bench.analyse.declared import ArmComparison
from bench.analyse.verdict import Kind
from bench.report import style, words
from bench.report.material import Material

MOST_ROWS: Final = 60
"""Comparisons that one page holds."""

_MOST_UNEVEN: Final = 3.0
"""Where the middle of the rows takes less than one part in this many of the axis, it is shown again."""

_LEAST_JUMP: Final = 2.0
"""How many times further than the rows of the middle the next one has to reach."""

_BETTER: Final = (0.01, 0.45, 0.70)
_WORSE: Final = (0.84, 0.37, 0.0)
_ALIKE: Final = (0.0, 0.62, 0.45)
_OPEN: Final = (0.42, 0.42, 0.42)

_LOOKS: Final[dict[Kind, tuple[tuple[float, float, float], str]]] = {
    "better": (_BETTER, "o"),
    "worse": (_WORSE, "s"),
    "equivalent": (_ALIKE, "D"),
    "better but negligible": (_ALIKE, "^"),
    "worse but negligible": (_ALIKE, "v"),
    "undecided": (_OPEN, "o"),
}
"""Colour and marker of each verdict, so that neither alone tells them apart."""

Bounds = tuple[float, float]


def forest_figure(material: Material) -> Figure | str:
    """The declared comparisons with their verdicts."""
    block, summary = material.block, material.summary
    rows = block.comparisons
    if not rows:
        return "no comparison is declared, and there is no baseline"
    if not any(row.result.delta is not None for row in rows):
        return "no comparison has a result"
    if len(rows) > MOST_ROWS:
        return f"{len(rows)} comparisons are more than the {MOST_ROWS} that a page holds; see tables"
    one = {row.against for row in rows} == {summary.baseline}
    labels = [row.result.arm if one else f"{row.result.arm} against {row.result.baseline}" for row in rows]
    quantity = words.quantity_of(summary)
    figure = style.new_figure(*forest_size(len(rows), max(map(len, labels))))
    again = draw_forest(figure, rows, labels, quantity)
    base = style.drawable(next((arm.label for arm in block.arms if arm.is_baseline), ""), longest=40)
    against = f"arm minus baseline ({base})" if one else "arm minus what it is against"
    arrows = "; arrow: beyond the panel" if again else ""
    bars = f"bars: {words.interval_name(summary)}, {words.interval_rule(summary)}{arrows}"
    style.note(figure, f"{quantity.label}, {against}; {bars}. {words.verdict_rules(summary)}")
    return figure


def forest_size(n_rows: int, longest_label: int) -> Bounds:
    """Inches that the figure takes."""
    wide = n_rows > 12 or longest_label > 26
    return (style.PAGE_IN if wide else style.COLUMN_IN * 1.5, min(9.2, 1.2 + 0.2 * n_rows))


def draw_forest(
    figure: Figure, rows: Sequence[ArmComparison], labels: Sequence[str], quantity: units.Quantity
) -> bool:
    """Draw the comparisons that have a difference; the others keep their row and its reason.

    Args:
        figure: Empty.
        rows: Comparisons of one block.
        labels: Of the rows.
        quantity: What is compared.

    Returns:
        Whether the middle is shown again.
    """
    spans = [_span(row) for row in rows]
    whole, middle = _limits([span for span in spans if span is not None], rows)
    panels = [whole] if middle is None else [whole, middle]
    row_of_axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, limits in zip(row_of_axes, panels, strict=True):
        _draw_panel(axes, rows, limits)
        axes.set_xlabel(_header(quantity))
        style.tidy(axes, grid="x")
        axes.tick_params(axis="y", length=0)
    first, last = row_of_axes[0], row_of_axes[-1]
    first.set_yticks(range(len(rows)), [style.drawable(label, longest=60) for label in labels])
    first.set_ylim(len(rows) - 0.5, -0.5)
    if middle is not None:
        first.set_title("all")
        last.set_title("magnified")
    for index, row in enumerate(rows):
        last.annotate(
            row.verdict if row.is_made else "no result",
            (1.0, index),
            xycoords=("axes fraction", "data"),
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
            fontsize=7,
            color=_LOOKS[row.verdict][0],
        )
    _legend(figure, rows)
    return middle is not None


def _header(quantity: units.Quantity) -> str:
    return f"difference ({quantity.delta_unit})" if quantity.delta_unit else "difference"


def _span(row: ArmComparison) -> Bounds | None:
    """From end to end of what a row draws."""
    found = row.result
    if found.delta is None:
        return None
    low, high = found.ci95_low, found.ci95_high
    return (found.delta if low is None else low, found.delta if high is None else high)


def _limits(spans: Sequence[Bounds], rows: Sequence[ArmComparison]) -> tuple[Bounds, Bounds | None]:
    """Of the axis over all rows, and of one over the middle where that is worth a panel."""
    margins = [row.equivalence.margin for row in rows if row.equivalence is not None]
    reach = [0.0, *margins, *(-margin for margin in margins)]
    ends = [*reach, *(end for span in spans for end in span)]
    whole = _padded(min(ends), max(ends))
    reaches = sorted(max(abs(span[0]), abs(span[1])) for span in spans)
    # where the reach of the rows jumps most, the lower half always staying below the jump
    jumps = [
        (reaches[n] / reaches[n - 1], reaches[n - 1])
        for n in range(max(2, (len(reaches) + 1) // 2), len(reaches))
        if reaches[n - 1] > 0
    ]
    jump, most = max(jumps, default=(1.0, 0.0))
    near = [*reach, *(end for span in spans for end in span if abs(end) <= most)]
    middle = _padded(min(near), max(near))
    far = jump >= _LEAST_JUMP and whole[1] - whole[0] > _MOST_UNEVEN * (middle[1] - middle[0])
    return whole, middle if far else None


def _padded(low: float, high: float) -> Bounds:
    margin = 0.06 * (high - low) or 1.0
    return low - margin, high + margin


def _draw_panel(axes: Axes, rows: Sequence[ArmComparison], limits: Bounds) -> None:
    margin = next((row.equivalence.margin for row in rows if row.equivalence is not None), None)
    if margin is not None:
        axes.axvspan(-margin, margin, color=_ALIKE, alpha=0.13, linewidth=0, zorder=0)
    axes.axvline(0, color="#333333", linewidth=0.8, zorder=1)
    for index, row in enumerate(rows):
        _draw_row(axes, row, index, limits)
    axes.set_xlim(limits)


def _draw_row(axes: Axes, row: ArmComparison, index: int, limits: Bounds) -> None:
    span, delta = _span(row), row.result.delta
    if span is None or delta is None:
        return
    colour, marker = _LOOKS[row.verdict]
    is_open = row.verdict == "undecided"
    low, high = max(span[0], limits[0]), min(span[1], limits[1])
    if low < high:
        axes.plot([low, high], [index, index], color=colour, linewidth=1.3, solid_capstyle="butt", zorder=3)
    if limits[0] <= delta <= limits[1]:
        axes.plot(
            [delta],
            [index],
            color=colour,
            marker=marker,
            markersize=4.8,
            markerfacecolor="white" if is_open else colour,
            markeredgewidth=1.0,
            linestyle="none",
            zorder=4,
        )
    for end, edge, arrow in ((span[0], limits[0], "<"), (span[1], limits[1], ">")):
        if (end < edge) if arrow == "<" else (end > edge):
            axes.plot([edge], [index], color=colour, marker=arrow, markersize=4.5, clip_on=False, zorder=5)


def _legend(figure: Figure, rows: Sequence[ArmComparison]) -> None:
    kinds = [kind for kind in _LOOKS if any(row.verdict == kind and row.is_made for row in rows)]
    handles: list[Line2D | Patch] = []
    for kind in kinds:
        colour, marker = _LOOKS[kind]
        face = "white" if kind == "undecided" else colour
        handles.append(
            Line2D([], [], color=colour, marker=marker, markersize=4.8, markerfacecolor=face, label=kind)
        )
    test = next((row.equivalence for row in rows if row.equivalence is not None), None)
    if test is not None:
        unit = rows[0].result.scale.unit
        told = f"margin ±{test.margin:g} {unit}".rstrip()
        handles.append(Patch(color=_ALIKE, alpha=0.25, linewidth=0, label=told))
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
