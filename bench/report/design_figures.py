"""The figures that a design asks for: each drawn, or why there is none; None where the design is another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from matplotlib.figure import Figure

from bench.analyse.design_contributions import LEAVE_ONE_OUT, ONE_AT_A_TIME, contributions
from bench.analyse.design_factorial import Effects, effects
from bench.analyse.design_walk import walk
from bench.analyse.outline import level_text
from bench.report import style, words
from bench.report.design_contributions_figure import MOST_ROWS, draw_contributions, figure_size
from bench.report.design_effects_figure import (
    MOST_EFFECTS,
    MOST_FACTORS,
    draw_effects,
    draw_interactions,
    effects_size,
    interactions_size,
)
from bench.report.design_path_figure import draw_path
from bench.report.design_path_figure import figure_size as path_size
from bench.report.material import Material


def contributions_figure(material: Material) -> Figure | str | None:
    """What each component or level is worth."""
    kind = material.study.design if material.study is not None else None
    if kind not in (LEAVE_ONE_OUT, ONE_AT_A_TIME):
        return None
    found = contributions(material.block, kind, material.summary.metric)
    if isinstance(found, str):
        return found
    if len(found.changes) > MOST_ROWS:
        return (
            f"{len(found.changes)} changes are more than the {MOST_ROWS} that a page holds; see tables/design"
        )
    figure = style.new_figure(*figure_size(found))
    draw_contributions(figure, found, words.quantity_of(material.summary))
    what = (
        "number: full recipe minus the recipe without the component"
        if kind == LEAVE_ONE_OUT
        else "number: arm minus baseline"
    )
    alone = (
        "dots: seeds, paired ones laid at the reference's mean; line and brackets: 95 % interval, each alone"
    )
    rules = words.verdict_rules(material.summary)
    colours = "colours: Holm over the rows at .05" if rules is None else f"colours by the verdicts. {rules}"
    style.note(figure, f"{what}; {alone}; {words.selection_text(material.summary)}; {colours}")
    return figure


def path_figure(material: Material) -> Figure | str | None:
    """The stations of a greedy path."""
    study = material.study
    if study is None or study.design != "path":
        return None
    steps = walk(material.block, material.records, study, material.summary.metric)
    if isinstance(steps, str):
        return steps
    figure = style.new_figure(*path_size(steps))
    draw_path(figure, steps, words.quantity_of(material.summary))
    told = "above: what chose, means of validation accuracy; below: what was found, seeds with 95 % intervals"
    gain = "numbers: gain of the step in points; a chosen candidate's validation accuracy is biased upwards"
    style.note(figure, f"{told}; {gain}; {words.selection_text(material.summary)}")
    return figure


def effects_figure(material: Material) -> Figure | str | None:
    """Main effects and interactions of a factorial."""
    found = _effects(material)
    if found is None or isinstance(found, str):
        return found
    if len(found.effects) > MOST_EFFECTS:
        return f"{len(found.effects)} effects are more than a page's {MOST_EFFECTS}; see tables/design"
    figure = style.new_figure(*effects_size(found))
    draw_effects(figure, found, words.quantity_of(material.summary))
    levels = "; ".join(
        f"{name} {' to '.join(level_text(level) for level in factor.levels)}"
        for name, factor in zip(found.names, found.factors, strict=True)
    )
    aliased = "" if found.is_full else "; joined by +: aliased, only the sum is estimated"
    told = "effect: mean at the second level minus mean at the first; interaction: half the difference of two"
    bars = "dots: seeds; bars: 95 % intervals, each alone; filled: p ≤ .05 over all effects (Holm)"
    style.note(figure, f"{told}{aliased}; {bars}; levels {levels}")
    return figure


def interactions_figure(material: Material) -> Figure | str | None:
    """Every pair of factors as two lines."""
    found = _effects(material)
    if found is None or isinstance(found, str):
        return found
    if len(found.factors) > MOST_FACTORS:
        return f"the pairs of {len(found.factors)} factors are more than a page holds; see tables/design"
    figure = style.new_figure(*interactions_size(found))
    draw_interactions(figure, found, words.quantity_of(material.summary))
    more = "" if found.is_full else "; in a fraction, lines of aliased pairs carry each other's interaction"
    style.note(
        figure, f"means over all arms with both levels, small dots: seeds; parallel: no interaction{more}"
    )
    return figure


def _effects(material: Material) -> Effects | str | None:
    study = material.study
    if study is None or study.design != "factorial":
        return None
    return effects(material.block, study.factors, material.summary.metric)


FIGURES: Final[dict[str, Callable[[Material], Figure | str | None]]] = {
    "contributions": contributions_figure,
    "path": path_figure,
    "effects": effects_figure,
    "interactions": interactions_figure,
}
"""By the stem of their files."""
