"""One study's results as the paper asks them: records, summaries by metric, arms by their labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from bench.analyse.frame import run_records
from bench.analyse.images import ImageChanges, image_changes
from bench.analyse.summary import ArmSummary, Block, StudySummary, summarise
from bench.errors import nearest
from bench.record.bits import read_bits
from bench.record.schema import Record, RunRecord
from bench.study.model import Study


@dataclass
class Source:
    """One study's results, summarised once a metric."""

    study: Study
    records: Sequence[Record]
    folder: Path | None = None
    """Results of the study, where the test images are told one by one."""
    _summaries: dict[str, StudySummary] = field(default_factory=dict)

    @cached_property
    def runs(self) -> tuple[RunRecord, ...]:
        """Runs of arms, in order."""
        return tuple(run_records(self.records))

    def image_changes(self, block: Block) -> tuple[ImageChanges, ...]:
        """What the test images say of a block's arms, one by one."""
        if self.folder is None:
            return ()
        return image_changes(self.records, read_bits(self.folder / "correct.npz"), block)

    def summary(self, metric: str | None = None) -> StudySummary:
        """The study's estimates in a metric, its own unless said."""
        key = metric or self.study.metric
        if key not in self._summaries:
            self._summaries[key] = summarise(self.records, key, study=self.study)
        return self._summaries[key]

    def block(self, query_device: str | None, metric: str | None = None) -> Block:
        """The block of a kind of device.

        Raises:
            LookupError: There are two and none is named, or the one named has no runs.
        """
        blocks = {block.device_kind: block for block in self.summary(metric).blocks}
        if query_device is None and len(blocks) == 1:
            return next(iter(blocks.values()))
        if query_device not in blocks:
            raise LookupError(f"device {query_device!r}: one of {', '.join(blocks) or 'none: no run'}")
        return blocks[query_device]


def find_arm(block: Block, called: str) -> ArmSummary:
    """An arm by its label or its whole name.

    Raises:
        LookupError: There is none of that name.
    """
    for arm in block.arms:
        if called in (arm.label, arm.name):
            return arm
    raise LookupError(f"no arm {called!r}; {nearest(called, [arm.label for arm in block.arms])}")
