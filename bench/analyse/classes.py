"""Which classes a change helps or hurts: every arm against the baseline, class by class, with correction.

The accuracy in a class is read off each run's confusion matrix. Looking at every class of every arm is many
looks: up to twenty are held by Holm, more of them are exploratory and hold the rate of false discoveries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bench.analyse.compare import compare
from bench.analyse.confusion import same_test_images
from bench.analyse.estimate import Scores
from bench.analyse.frame import run_records
from bench.analyse.multiplicity import Adjusted, Family, Method, family
from bench.analyse.summary import Block
from bench.record.schema import Record, RunRecord

MOST_CONFIRMED: Final = 20
"""Comparisons above which a table is exploratory."""


@dataclass(frozen=True)
class ClassChange:
    """One class of one arm against the baseline."""

    arm: str
    class_index: int
    line: Adjusted
    is_clear: bool
    """Whether the adjusted p-value is at most the family's alpha."""


@dataclass(frozen=True)
class ClassChanges:
    """Every class of every arm of one block."""

    class_names: tuple[str, ...]
    images: tuple[int, ...]
    """Test images of each class."""
    baseline: str
    baseline_pct: tuple[float | None, ...]
    """Mean accuracy of the baseline in each class; None where the class has no image."""
    family: Family
    changes: tuple[ClassChange, ...]

    def of(self, arm: str) -> dict[int, ClassChange]:
        """The arm's classes by index."""
        return {one.class_index: one for one in self.changes if one.arm == arm}

    @property
    def arms(self) -> tuple[str, ...]:
        """The arms compared, in order."""
        return tuple(dict.fromkeys(one.arm for one in self.changes))


def class_changes(records: Sequence[Record], block: Block) -> ClassChanges | None:
    """Differences in points, class by class; None without a baseline that others share the test set with.

    Args:
        records: Lines of one study.
        block: Its arms on one kind of device, with the rule of each comparison and the declared alpha.
    """
    own = _finished(records, block.device_kind)
    base = own.get(block.baseline or "")
    if not base or not base[0].confusion:
        return None
    names = base[0].class_names
    sizes = tuple(sum(row) for row in base[0].confusion)
    told = []
    for arm in block.arms:
        runs = own.get(arm.name, [])
        if arm.is_baseline or arm.difference is None or not runs or not same_test_images(runs[0], base[0]):
            continue
        for index in (i for i, size in enumerate(sizes) if size):
            line = compare(_scores(runs, index), _scores(base, index), arm.difference.rule)
            told.append((arm.name, index, line))
    if not told:
        return None
    method: Method = "holm" if len(told) <= MOST_CONFIRMED else "benjamini-hochberg"
    alpha = 0.05 if block.family is None else block.family.alpha
    found = family([line for *_, line in told], method=method, alpha=alpha, name="classes")
    changes = tuple(
        ClassChange(arm, index, line, line.p_adjusted is not None and line.p_adjusted <= alpha)
        for (arm, index, _), line in zip(told, found.members, strict=True)
    )
    means = tuple(_mean(_scores(base, index).values) if size else None for index, size in enumerate(sizes))
    return ClassChanges(names, sizes, block.baseline or "", means, found, changes)


def _finished(records: Sequence[Record], kind: str) -> dict[str, list[RunRecord]]:
    own: dict[str, list[RunRecord]] = {}
    for run in run_records(records):
        if run.device_kind == kind and run.status == "done" and run.confusion:
            own.setdefault(run.arm, []).append(run)
    return own


def _scores(runs: Sequence[RunRecord], index: int) -> Scores:
    rows = {run.seed: run.confusion[index] for run in runs if run.confusion}
    size = max(sum(row) for row in rows.values())
    return Scores({seed: 100 * row[index] / (sum(row) or 1) for seed, row in rows.items()}, 100 / size)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
