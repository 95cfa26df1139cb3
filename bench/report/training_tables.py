"""The tables of how arms learn and what they get wrong; each is left out where its data are not there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bench.analyse.summary import StudySummary
from bench.record.bits import Bits
from bench.record.schema import Record
from bench.report.classes_table import classes_table
from bench.report.confusions_table import confusions_table
from bench.report.equal_table import equal_table
from bench.report.images_table import images_table
from bench.report.reach_differences_table import reach_differences_table
from bench.report.reach_table import reach_table
from bench.report.table import Table
from bench.study.model import Study

STEMS: Final = ("reach", "reach_differences", "equal", "classes", "images", "confusions")
"""Every table that this module may make."""


def training_tables(
    records: Sequence[Record], summary: StudySummary, bits: Bits, *, study: Study | None, name: str
) -> list[Table]:
    """The tables of a training study beside arms and differences.

    Args:
        records: Lines of the study.
        summary: Its arms.
        bits: Which test images each run got right.
        study: The plan, which declares the target.
        name: The study's name, for captions.
    """
    target = None if study is None else study.target_val_top1_pct
    made = (
        reach_table(records, summary, target, name=name),
        reach_differences_table(records, summary, target, name=name),
        equal_table(records, summary, name=name),
        classes_table(records, summary, name=name),
        images_table(records, bits, summary, name=name),
        confusions_table(records, summary, name=name),
    )
    return [table for table in made if table is not None]
