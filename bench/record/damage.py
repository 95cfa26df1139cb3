"""Records as far as they can be read: what `verify` looks at when a line is no longer what was sealed.

Everything else reads by `bench.record.store.read_records`, which refuses such a file whole.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.garbage import uncollected
from bench.record.bits import read_bits
from bench.record.schema import RECORDS, Finished, Record, RunRecord, line_digest, unseal


@dataclass(frozen=True)
class Damage:
    """One line that was changed, or bits that were."""

    path: Path
    line: int | None
    """Counted from 1; None for bits."""
    whose: str
    """The run, as far as the line tells."""
    what: str

    @property
    def text(self) -> str:
        """Place, run, fault."""
        place = str(self.path) if self.line is None else f"{self.path}:{self.line}"
        return f"{place}: {self.whose}{': ' if self.whose else ''}{self.what}"


@uncollected()
def read_what_is_there(path: Path) -> tuple[list[Record], list[Damage]]:
    """Every line that still is a record, sealed or not, and what is wrong with the others.

    A changed line keeps its place with the digest that it has now, so that what follows from it can be
    told from what was written down.
    """
    records: list[Record] = []
    damages: list[Damage] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            records.append(unseal(line))
            if line != canonical_line(line):
                damages.append(Damage(path, number, "", "the line is not spelled as it was sealed"))
        except ValueError as error:
            record = _unsealed(line)
            whose = "" if record is None else whose_record(record)
            damages.append(Damage(path, number, whose, str(error).splitlines()[0]))
            if record is not None:
                records.append(record)
    return records, damages


def whose_record(record: Record) -> str:
    """How a record is called: its arm and seed."""
    return f"{record.arm} seed {record.seed}" if isinstance(record, Finished) else f"{record.arm} probe"


def damaged_bits(path: Path, records: Sequence[Record]) -> list[Damage]:
    """Bits of `correct.npz` that are not those which their records were sealed with, or belong to none."""
    bits = read_bits(path).by_run
    runs = {run.run_id: run for run in records if isinstance(run, RunRecord)}
    damages = []
    for run in runs.values():
        packed = bits.get(run.run_id)
        if run.digests.correct is None:
            continue
        if packed is None:
            damages.append(Damage(path, None, whose_record(run), "its bits are missing"))
        elif hashlib.sha256(packed).hexdigest() != run.digests.correct:
            damages.append(Damage(path, None, whose_record(run), "its bits are not what was sealed"))
        elif (said := wrong_count(run, packed)) is not None:
            damages.append(Damage(path, None, whose_record(run), said))
    strays = sorted(bits.keys() - runs.keys())
    return damages + [Damage(path, None, run_id, "bits of a run without a record") for run_id in strays]


def wrong_count(run: RunRecord, packed: bytes) -> str | None:
    """Where accuracy, confusion matrix and bits do not tell the same number of right images."""
    n_test, top1_pct = run.metrics.n_test, run.metrics.test_top1_pct
    if n_test is None or top1_pct is None:
        return None
    n_bits = sum(byte.bit_count() for byte in packed)
    told = {"bits": n_bits, "accuracy": round(top1_pct * n_test / 100)}
    if run.confusion is not None:
        told["confusion"] = sum(row[index] for index, row in enumerate(run.confusion))
    if len(set(told.values())) == 1:
        return None
    return f"right images differ: {', '.join(f'{name} {count}' for name, count in told.items())}"


def canonical_line(line: str) -> str:
    """A line as sealing spells it: more digits than a number has are no part of its value."""
    return json.dumps(json.loads(line), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _unsealed(line: str) -> Record | None:
    """The record of a line whatever its digest says; None where it is none."""
    try:
        fields = json.loads(line)
        fields["line_sha256"] = line_digest(fields)
        return RECORDS[fields["kind"]].model_validate(fields)
    except (ValueError, KeyError, TypeError):
        return None
