"""Confusion matrices of the baseline and of the arm that differs most: shares of each true class, in percent.

Colours grow with the root of the share, since what is worth seeing is off the diagonal and small; the numbers
in the cells are plain percents.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from bench import units
from bench.analyse.confusion import Confusion, distance
from bench.report import style, words

_MOST_NUMBERS: Final = 12
"""Classes up to which cells hold numbers."""

_LONGEST: Final = 14
"""Characters of a class name beside a matrix."""

_UPRIGHT: Final = 2
"""Characters of a class name that stands upright below a matrix."""

_WIDEST: Final = 40
"""Characters of a title's line above a matrix."""

_COLOURS: Final = mpl.colormaps["Blues"]


def draw_confusions(
    first: Confusion, other: Confusion | None, labels: Mapping[str, str], *, baseline: str | None
) -> Figure:
    """One matrix, or two side by side.

    Args:
        first: The baseline, or the first arm where there is none.
        other: The arm that differs most from it.
        labels: Short names of the arms.
        baseline: Name of the baseline.
    """
    pair = [one for one in (first, other) if one is not None]
    many = len(first.class_names) > _MOST_NUMBERS
    if len(pair) > 1:
        figure = style.new_figure(
            style.PAGE_IN, 4.0 if many else 3.9 if max(map(len, first.class_names)) <= _UPRIGHT else 3.75
        )
    else:
        figure = style.new_figure(style.COLUMN_IN * 1.15, 3.75)
    row = figure.subplots(1, len(pair), squeeze=False, sharey=True)[0]
    norm = PowerNorm(0.5, vmin=0, vmax=100)
    for axes, one in zip(row, pair, strict=True):
        mesh = _draw(axes, one, norm)
        role = " (baseline)" if one.arm == baseline and labels[one.arm] != "baseline" else ""
        axes.set_title(_title(f"{labels[one.arm]}{role}"))
        axes.set_xlabel("predicted class")
    row[0].set_ylabel("true class")
    bar = figure.colorbar(mesh, ax=list(row), shrink=0.8, pad=0.015, aspect=28, ticks=[0, 1, 5, 20, 50, 100])
    bar.set_label("share of the true class (%)")
    bar.outline.set_visible(False)
    style.note(figure, _note(pair, baseline))
    return figure


def _note(pair: list[Confusion], baseline: str | None) -> str:
    counts = sorted({one.n_runs for one in pair})
    n = words.listed(units.plural(count, "run") for count in counts)
    pooled = ", pooled" if counts[-1] > 1 else ""
    told = f"rows add up to 100 %; {n} an arm{pooled}; colours by the root of the share"
    if len(pair) < 2:
        return told
    against = "the baseline" if pair[0].arm == baseline else "the first arm"
    moved = 100 * distance(*pair)
    return (
        f"{told}; right: of all arms the one whose rows differ most from {against}'s (a true class has on "
        f"average {moved:.2g} % of its images under other predictions)"
    )


def _draw(axes: Axes, confusion: Confusion, norm: PowerNorm) -> mpl.collections.QuadMesh:
    names = [_short(name) for name in confusion.class_names]
    shares = 100 * np.asarray(confusion.shares)
    size = len(names)
    edges = np.arange(size + 1) - 0.5
    mesh = axes.pcolormesh(edges, edges, shares, cmap=_COLOURS, norm=norm, edgecolors="white", linewidth=0.4)
    axes.set_aspect("equal")
    axes.set_ylim(size - 0.5, -0.5)
    axes.set_xticks(range(size), names, rotation=90 if max(map(len, names)) > _UPRIGHT else 0)
    axes.set_yticks(range(size), names)
    axes.tick_params(length=0, labelsize=7.0 if size <= _MOST_NUMBERS else 5.0)
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    if size <= _MOST_NUMBERS:
        for true in range(size):
            for predicted in range(size):
                _number(axes, shares[true, predicted], (predicted, true), norm)
    return mesh


def _number(axes: Axes, share: float, place: tuple[int, int], norm: PowerNorm) -> None:
    """Whole percents; what is above 0 and rounds to it reads `<1`."""
    if share == 0:
        return
    text = f"{int(share + 0.5)}" if share >= 0.5 else "<1"
    light = float(norm(share)) > 0.6
    axes.text(*place, text, ha="center", va="center", fontsize=6.0, color="white" if light else "#222222")


def _title(text: str) -> str:
    return "\n".join(textwrap.wrap(style.drawable(text, longest=2 * _WIDEST - 4), width=_WIDEST)[:2])


def _short(name: str) -> str:
    return style.drawable(name, longest=_LONGEST)
