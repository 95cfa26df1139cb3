"""What the bits in `correct.npz` add to the scores: other test images, and the same images in every seed.

An interval over seeds holds for this test set alone. From which image each run got right follows how far
another test set of the same size would move the difference, and which images an arm gains or loses whatever
the seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.analyse.confusion import same_test_images
from bench.analyse.estimate import Rule
from bench.analyse.frame import run_records
from bench.analyse.levels import Correct, Flips, SeedSpread, TwoLevels, flips, seed_spread, two_levels
from bench.analyse.summary import Block
from bench.record.bits import Bits
from bench.record.schema import Record, RunRecord


@dataclass(frozen=True)
class ImageChanges:
    """One arm's images against the baseline's."""

    arm: str
    n_runs: int
    spread: SeedSpread | None
    """Of the arm's own accuracy."""
    levels: TwoLevels | None
    """None for the baseline, and where two seeds are lacking."""
    flips: Flips | None
    """None for the baseline."""


def image_changes(records: Sequence[Record], bits: Bits, block: Block) -> tuple[ImageChanges, ...]:
    """The baseline first, then every arm that shares its test images; empty where there are no bits.

    Args:
        records: Lines of one study.
        bits: Of the same study; those that do not fit their record are left out.
        block: Its arms on one kind of device, with the rule by which each is compared.
    """
    own = _tables(records, bits, block.device_kind)
    base = own.get(block.baseline or "")
    if base is None or len(own) < 2:
        return ()
    found = []
    for arm in block.arms:
        mine = own.get(arm.name)
        if mine is None or not same_test_images(mine[0], base[0]):
            continue
        correct, spread = _all(mine[1]), seed_spread(_all(mine[1]))
        if arm.is_baseline or arm.difference is None:
            found.append(ImageChanges(arm.name, len(correct), spread, None, None))
            continue
        levels = _levels(mine[1], base[1], arm.difference.rule)
        found.append(ImageChanges(arm.name, len(correct), spread, levels, flips(correct, _all(base[1]))))
    return tuple(found) if len(found) > 1 else ()


BySeed = Mapping[int, Correct]


def _tables(records: Sequence[Record], bits: Bits, kind: str) -> dict[str, tuple[RunRecord, BySeed]]:
    own: dict[str, tuple[RunRecord, dict[int, Correct]]] = {}
    for run in run_records(records):
        packed, n_test = bits.matching(run), run.metrics.n_test
        if run.device_kind != kind or run.status != "done" or packed is None or not n_test:
            continue
        row = np.unpackbits(np.frombuffer(packed, dtype=np.uint8), count=n_test).astype(bool)
        first, rows = own.setdefault(run.arm, (run, {}))
        if first.metrics.n_test == n_test:
            rows[run.seed] = row
    return {arm: (first, rows) for arm, (first, rows) in own.items()}


def _levels(arm: BySeed, base: BySeed, rule: Rule) -> TwoLevels | None:
    if rule == "welch":
        return two_levels(_all(arm), _all(base), rule)
    seeds = sorted(arm.keys() & base.keys())
    if not seeds:
        return None
    return two_levels(np.stack([arm[s] for s in seeds]), np.stack([base[s] for s in seeds]), rule)


def _all(rows: BySeed) -> Correct:
    return np.stack([rows[seed] for seed in sorted(rows)])
