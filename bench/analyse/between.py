"""Any two arms of a study against each other: what a paper asks beyond the declared comparisons.

The rule (paired or Welch) is the one that every report goes by. Such a p-value belongs to no family and
stands alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench.analyse.compare import Comparison
from bench.analyse.declared import ArmRuns, compare_arms, scale_of
from bench.analyse.estimate import Scores
from bench.analyse.frame import run_records
from bench.analyse.summary import ArmSummary
from bench.record.schema import Record, RunRecord


def between(
    records: Sequence[Record], arm: ArmSummary, other: ArmSummary, device_kind: str, metric: str
) -> Comparison:
    """Compare two arms on one kind of device.

    Args:
        records: Lines of the study.
        arm: One.
        other: What it is compared with.
        device_kind: Of the block that both are of.
        metric: A key of `bench.units.QUANTITIES`.
    """
    own, base = (ArmRuns(a.label, runs_of(records, a.name, device_kind), _scores(a)) for a in (arm, other))
    return compare_arms(own, base, scale_of(metric))


def runs_of(records: Sequence[Record], arm: str, device_kind: str) -> list[RunRecord]:
    """An arm's runs on one kind of device, finished or not."""
    return [run for run in run_records(records) if run.arm == arm and run.device_kind == device_kind]


def _scores(arm: ArmSummary) -> Scores:
    return Scores({point.seed: point.value for point in arm.points}, arm.one_image)
