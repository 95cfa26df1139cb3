"""The commonest confusions as a table, where a matrix would have too many classes to be read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bench import units
from bench.analyse.confusion import Confusion, Mistake, confusions, farthest, mistakes
from bench.analyse.summary import Block, StudySummary
from bench.record.schema import Record
from bench.report import words
from bench.report.table import Cell, Column, Row, RowGroup, Table

MOST_CLASSES: Final = 30
"""Classes of a matrix that can be read."""

MOST_ROWS: Final = 30


def confusions_table(records: Sequence[Record], summary: StudySummary, *, name: str) -> Table | None:
    """Classes that are taken for others most often; None where a matrix can be drawn.

    Args:
        records: Lines of the study.
        summary: Its arms.
        name: The study's name, for the caption.
    """
    groups, arms = [], []
    for block in summary.blocks:
        pair = confusion_pair(records, block)
        if pair is None or len(pair[0].class_names) <= MOST_CLASSES:
            continue
        labels = {arm.name: arm.label for arm in block.arms}
        first, other = pair
        arms.append(labels[first.arm] + (f" and {labels[other.arm]}" if other else ""))
        told = tuple(_cells(one) for one in mistakes(first, other, most=MOST_ROWS))
        groups.append(RowGroup(block.device_kind, words.block_label(block), told))
    if not groups:
        return None
    caption = (
        f"Study {name}: the {MOST_ROWS} commonest confusions of {'; '.join(dict.fromkeys(arms))} (the "
        "baseline, or the first arm, and the arm that differs most from it), as shares of the true class; "
        "finished runs pooled."
    )
    columns = (
        Column(("true",), "True class", "l"),
        Column(("predicted",), "Taken for", "l"),
        Column(("share_pct",), "First (%)"),
        Column(("arm_share_pct",), "Other (%)"),
    )
    return Table("confusions", caption, columns, tuple(groups))


def confusion_pair(records: Sequence[Record], block: Block) -> tuple[Confusion, Confusion | None] | None:
    """The baseline (else the first arm) and the arm whose confusions differ most from it."""
    found = confusions(records, block.device_kind)
    names = [arm.name for arm in block.arms if arm.name in found]
    if not names:
        return None
    first = found[names[0]]
    return first, farthest(first, [found[name] for name in names[1:]])


def _cells(one: Mistake) -> Row:
    other = None if one.arm_share is None else 100 * one.arm_share
    return (
        Cell(one.true, (one.true,)),
        Cell(one.predicted, (one.predicted,)),
        Cell(units.fixed(100 * one.share, 1), (100 * one.share,)),
        Cell(words.NONE if other is None else units.fixed(other, 1), (other,)),
    )
