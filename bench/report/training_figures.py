"""The figures of how arms learn and what they cost: each drawn, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from matplotlib.figure import Figure

from bench.analyse.confusion import same_test_images
from bench.analyse.equal_budget import equal_budgets
from bench.analyse.equal_target import reach
from bench.analyse.frame import run_records
from bench.report import style, words
from bench.report.arm_lines import MOST_LINES, columns_of
from bench.report.confusion_figure import draw_confusions
from bench.report.confusions_table import MOST_CLASSES, confusion_pair
from bench.report.equal_figure import draw_equal
from bench.report.material import Material
from bench.report.pareto_figure import draw_pareto
from bench.report.reach_figure import draw_reach

SECONDS: Final = {
    "probe": "seconds at the speed of each arm's probe, which ran alone",
    "runs": "seconds of the runs' own training steps",
}
"""Where seconds come from."""


def reach_figure(material: Material) -> Figure | str:
    """The share of the runs that have reached the target."""
    study = material.study
    if study is None or study.target_val_top1_pct is None:
        return "the study declares no target"
    clocks = material.clocks
    if isinstance(clocks, str):
        return clocks
    arms = [arm for arm in material.block.arms if arm.name in clocks.arms]
    columns = columns_of(arms, material.layout)
    if columns is None:
        return f"{len(arms)} arms do not fit into panels of {MOST_LINES}; see tables/reach"
    target = reach(clocks, study.target_val_top1_pct, [arm.name for arm in arms])
    if not target.n_reached:
        return f"no run reached {study.target_val_top1_pct:g} % on validation"
    figure = draw_reach(columns, target)
    counts = sorted({arm.own["epochs"].n for arm in target.arms})
    n = f"n = {counts[0]}" if len(counts) == 1 else f"n = {counts[0]} to {counts[-1]}"
    told = f"marks: runs ({n} an arm); |: end of the budget of an arm of which runs never arrived"
    style.note(figure, "; ".join([told, *_seconds(clocks.seconds_from, clocks.absent.get("seconds"))]))
    return figure


def equal_figure(material: Material) -> Figure | str:
    """Accuracy at equal epochs, seconds and operations."""
    clocks = material.clocks
    if isinstance(clocks, str):
        return clocks
    arms = [arm for arm in material.block.arms if arm.name in clocks.arms]
    if len(arms) < 2:
        return "fewer than two arms were validated on the way"
    columns = columns_of(arms, material.layout)
    if columns is None:
        return f"{len(arms)} arms do not fit into panels of {MOST_LINES}; see tables/equal"
    budgets = equal_budgets(clocks, [arm.name for arm in arms])
    figure = draw_equal(columns, budgets)
    told = ["thin: seeds; thick: mean of the finished runs"]
    told.append("dotted: budget that all arms were given")
    told += _seconds(clocks.seconds_from, clocks.absent.get("seconds"))
    if "flops" in clocks.clocks:
        told.append("operations: three forward passes an image, nothing deducted for frozen layers")
    else:
        told.append(f"no operations: {clocks.absent['flops']}")
    style.note(figure, "; ".join(told))
    return figure


def pareto_figure(material: Material) -> Figure | str:
    """Accuracy against training speed and against size, with the arms that none beats in both."""
    arms = [arm for arm in material.block.arms if arm.n_done]
    if len(arms) < 2:
        return "fewer than two arms have a result"
    if not _same_images(material, [arm.name for arm in arms]):
        return "arms were tested on different images, so that no accuracy beats another"
    rows = {arm.name: row for row, arm in enumerate(material.block.arms, start=1)}
    figure = draw_pareto(arms, material.layout, words.quantity_of(material.summary), rows)
    if figure is None:
        return "arms have neither different sizes nor probes of their speed"
    return figure


def confusion_figure(material: Material) -> Figure | str:
    """Which classes are taken for which, by the baseline and by the arm that differs most."""
    pair = confusion_pair(material.records, material.block)
    if pair is None:
        return "no finished run has a confusion matrix"
    first, other = pair
    n_classes = len(first.class_names)
    if n_classes > MOST_CLASSES:
        return f"{n_classes} classes are more than the {MOST_CLASSES} that can be read; see tables/confusions"
    labels = {arm.name: arm.label for arm in material.block.arms}
    return draw_confusions(first, other, labels, baseline=material.block.baseline)


def _same_images(material: Material, arms: Sequence[str]) -> bool:
    """Whether all finished runs were tested on the same images."""
    kind = material.block.device_kind
    runs = [
        run
        for run in run_records(material.records)
        if run.device_kind == kind and run.arm in arms and run.status == "done"
    ]
    return all(same_test_images(run, runs[0]) for run in runs)


def _seconds(source: str | None, reason: str | None) -> list[str]:
    if source is not None:
        return [SECONDS[source]]
    return [f"no seconds: {reason}"] if reason else []


FIGURES: Final[dict[str, Callable[[Material], Figure | str]]] = {
    "reach": reach_figure,
    "equal": equal_figure,
    "pareto": pareto_figure,
    "confusion": confusion_figure,
}
