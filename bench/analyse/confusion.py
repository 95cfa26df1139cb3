"""Which classes are taken for which: confusion matrices pooled over seeds, and what sets two arms apart.

Rows are shares of a true class. The arm that differs most is the one whose rows lie farthest from the
reference's, not the one with the lowest accuracy: two networks may be equally often wrong, about different
images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.analyse.frame import run_records
from bench.analyse.outline import section
from bench.record.schema import Record, RunRecord

_TEST_KEYS = ("name", "path", "image", "label", "classes")
"""Keys of `data` that decide on the test images; a test set never varies with the split."""


@dataclass(frozen=True)
class Confusion:
    """One arm's test images by class, all finished runs together."""

    arm: str
    class_names: tuple[str, ...]
    n_runs: int
    counts: tuple[tuple[int, ...], ...]
    """Rows true, columns predicted."""

    @property
    def shares(self) -> tuple[tuple[float, ...], ...]:
        """Rows that add up to 1; of a class without images, zeros."""
        return tuple(tuple(n / (sum(row) or 1) for n in row) for row in self.counts)

    @property
    def images(self) -> tuple[int, ...]:
        """Test images of each class."""
        return tuple(sum(row) // max(self.n_runs, 1) for row in self.counts)


@dataclass(frozen=True)
class Mistake:
    """One class taken for another, in the reference and in the arm."""

    true: str
    predicted: str
    share: float
    """Of the true class, in the reference."""
    arm_share: float | None
    """In the arm; None where there is none."""


def confusions(records: Sequence[Record], device_kind: str) -> dict[str, Confusion]:
    """Pooled matrices by arm, in the order of the records; arms without a finished run have none."""
    own: dict[str, list[RunRecord]] = {}
    for run in run_records(records):
        if run.device_kind == device_kind and run.status == "done" and run.confusion and run.class_names:
            own.setdefault(run.arm, []).append(run)
    return {arm: _pooled(arm, [run for run in runs if _alike(run, runs[0])]) for arm, runs in own.items()}


def same_test_images(one: RunRecord, other: RunRecord) -> bool:
    """Whether two runs were tested on the same images with the same classes."""
    data = section(one.config, "data"), section(other.config, "data")
    return (
        one.metrics.n_test == other.metrics.n_test
        and one.class_names == other.class_names
        and all(data[0].get(key) == data[1].get(key) for key in _TEST_KEYS)
    )


def farthest(reference: Confusion, others: Sequence[Confusion]) -> Confusion | None:
    """The arm whose rows differ most from the reference's, among those of the same classes.

    Distance is total variation, averaged over the classes: the share of images that one would have to give
    another prediction to turn one matrix into the other.
    """
    alike = [one for one in others if one.class_names == reference.class_names and one.arm != reference.arm]
    return max(alike, key=lambda one: distance(reference, one), default=None)


def distance(one: Confusion, other: Confusion) -> float:
    """Mean total variation of the rows, from 0 to 1."""
    rows = [
        sum(abs(a - b) for a, b in zip(mine, theirs, strict=True)) / 2
        for mine, theirs in zip(one.shares, other.shares, strict=True)
    ]
    return sum(rows) / len(rows)


def mistakes(reference: Confusion, arm: Confusion | None, *, most: int) -> tuple[Mistake, ...]:
    """The commonest confusions of either arm, by the larger of both shares."""
    names = reference.class_names
    shares, theirs = reference.shares, None if arm is None else arm.shares
    found = [
        Mistake(names[t], names[p], shares[t][p], None if theirs is None else theirs[t][p])
        for t in range(len(names))
        for p in range(len(names))
        if t != p and max(shares[t][p], theirs[t][p] if theirs else 0.0) > 0
    ]
    return tuple(sorted(found, key=lambda one: -max(one.share, one.arm_share or 0.0))[:most])


def _alike(run: RunRecord, first: RunRecord) -> bool:
    return run.class_names == first.class_names


def _pooled(arm: str, runs: Sequence[RunRecord]) -> Confusion:
    matrices = [run.confusion for run in runs if run.confusion]
    size = len(matrices[0])
    counts = tuple(tuple(sum(m[t][p] for m in matrices) for p in range(size)) for t in range(size))
    return Confusion(arm, runs[0].class_names, len(matrices), counts)
