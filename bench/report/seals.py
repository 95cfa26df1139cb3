"""`seals.csv`: the digest of every record that a report was made from.

Tables show a part of each record. This file stands for the rest (configuration, environment, times, attempts,
digests), so that a record which was changed and sealed anew no longer fits the report beside it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Final

from bench.record.schema import ProbeRecord, Record, line_digest

SEALS_FILE: Final = "seals.csv"
_COLUMNS: Final = ("kind", "arm", "seed", "id", "line_sha256")


def seals_csv(records: Sequence[Record]) -> str:
    """One row a record, in order; `id` is the run's, of a probe the arm's."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for record in records:
        own = ("", record.arm_id) if isinstance(record, ProbeRecord) else (record.seed, record.run_id)
        writer.writerow((record.kind, record.arm, *own, _digest(record)))
    return out.getvalue()


def _digest(record: Record) -> str:
    """As the line carries it; of a record that never was a line, what it would carry."""
    return record.line_sha256 or line_digest(record.model_dump(mode="json"))
