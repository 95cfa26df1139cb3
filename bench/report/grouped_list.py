"""A long list of arms in panels: where two factors make all of them, a panel a level and a row a level.

Thirty rows whose names repeat each other become six panels of five, and the eye compares within a panel.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench import units
from bench.analyse.outline import level_text, short_keys
from bench.analyse.summary import ArmSummary, StudySummary
from bench.report import style
from bench.report.layout import Axis, axis_of
from bench.report.metric_figure import MOST_UNNUMBERED, draw_list, fit
from bench.study.model import Factor

_MOST_PANELS: Final = 12
_MOST_ROWS: Final = 12
_PANELS_ABREAST: Final = 3


@dataclass(frozen=True)
class Group:
    """One panel: its title, and its arms by row."""

    title: str
    arms: tuple[ArmSummary, ...]
    labels: tuple[str, ...]


def groups_of(summary: StudySummary, arms: Sequence[ArmSummary]) -> tuple[Group, ...] | None:
    """The arms by panel; None where they are few, or no full cross of two factors.

    Args:
        summary: Of the study, for its factors.
        arms: Of one block.
    """
    varied = [factor for factor in summary.factors if len(factor.levels) > 1]
    if len(arms) <= MOST_UNNUMBERED or len(varied) != 2:
        return None
    keys = [factor.key for factor in varied]
    cells = {tuple(level_text(arm.levels.get(key)) for key in keys): arm for arm in arms}
    if len(cells) != len(arms) or len(arms) != len(varied[0].levels) * len(varied[1].levels):
        return None
    panels, rows = sorted(_axes(varied, summary), key=lambda axis: -len(axis.levels))
    if len(panels.levels) > _MOST_PANELS or len(rows.levels) > _MOST_ROWS:
        return None
    is_first = panels.key == keys[0]
    groups = []
    for level in panels.levels:
        pairs = [(level_text(level), level_text(row)) for row in rows.levels]
        own = tuple(cells[pair if is_first else pair[::-1]] for pair in pairs)
        groups.append(Group(panels.entry(level), own, tuple(rows.entry(row) for row in rows.levels)))
    return tuple(groups)


def _axes(varied: Sequence[Factor], summary: StudySummary) -> list[Axis]:
    short = short_keys([factor.key for factor in summary.factors])
    return [axis_of(factor, short[factor.key]) for factor in varied]


def draw_groups(groups: Sequence[Group], quantity: units.Quantity) -> Figure:
    """All panels on one scale, the rows named at the left.

    Args:
        groups: Of the arms.
        quantity: What the x axis shows.
    """
    n_rows = math.ceil(len(groups) / _PANELS_ABREAST)
    n_columns = math.ceil(len(groups) / n_rows)
    height = 0.75 + n_rows * (0.25 + 0.2 * len(groups[0].labels))
    figure = style.new_figure(style.PAGE_IN, height)
    grid = figure.subplots(n_rows, n_columns, squeeze=False, sharex=True, sharey=True)
    panels: list[Axes] = list(grid.flat)
    everyone = [arm for group in groups for arm in group.arms]
    for index, (axes, group) in enumerate(zip(panels, groups, strict=False)):
        draw_list(axes, group.arms, quantity, labels=group.labels)
        axes.set_title(style.drawable(group.title, longest=38))
        if index + n_columns < len(groups):
            axes.set_xlabel("")
        else:
            axes.tick_params(axis="x", labelbottom=True)
    for axes in panels[len(groups) :]:
        axes.set_axis_off()
    fit(panels[0], everyone, quantity, "x")
    return figure
