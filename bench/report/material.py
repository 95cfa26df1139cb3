"""What the figures of one block are drawn from, and what becomes of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.analyse.equal_clocks import Clocks, clocks_of
from bench.analyse.summary import Block, StudySummary
from bench.record.schema import Record
from bench.report.layout import Layout
from bench.study.model import Study


@dataclass(frozen=True)
class Material:
    """What the figures of one block are drawn from."""

    records: Sequence[Record]
    summary: StudySummary
    block: Block
    layout: Layout
    study: Study | None

    @property
    def clocks(self) -> Clocks | str:
        """Validation against epochs, seconds and operations, or why there is none."""
        return clocks_of(self.records, self.block.device_kind, [arm.name for arm in self.block.arms])


@dataclass(frozen=True)
class Drawn:
    """A figure in every format, or the reason why there is none."""

    stem: str
    files: dict[str, bytes]
    skipped: str | None = None
