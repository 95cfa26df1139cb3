"""A study's results: what is done, what is not, and `records.jsonl`, rewritten from the run folders.

The folders are the truth for what was trained here; a line of `records.jsonl` without a folder was
committed elsewhere and stays until `--update`. Nothing is ever overwritten: a changed arm has another
id and so another folder.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from bench.errors import EnvironmentFault
from bench.garbage import uncollected
from bench.record import folder as run_folder
from bench.record.bits import read_bits, write_bits
from bench.record.durable import write_if_changed
from bench.record.schema import Finished, ProbeRecord, Record, RunRecord, seal, unseal
from bench.study.model import Arm, Run

State = Literal["done", "diverged", "oom", "failed", "interrupted", "running", "pending", "recorded"]
FINISHED: tuple[State, ...] = ("done", "diverged", "oom", "failed")


@uncollected()
def read_records(path: Path) -> list[Record]:
    """Every line of a `records.jsonl`; an absent file has none.

    Raises:
        EnvironmentFault: Lines that were changed, cut or are of another schema, one line each.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    records: list[Record] = []
    faults: list[str] = []
    for number, line in enumerate(lines, start=1):
        try:
            records.append(unseal(line))
        except ValueError as error:
            faults.append(f"{path}:{number}: {error}")
    if faults:
        raise EnvironmentFault(*faults)
    return records


def _attempt_key(record: Finished) -> tuple[str, str, str]:
    return record.run_id, record.started_utc, record.ended_utc


@dataclass
class Store:
    """The results of one study.

    Attributes:
        root: The results root, `--results`.
        name: The study's folder in it.
        arm_ids: Arm of the plan behind each arm id, for every kind of device; sources last.
        source_ids: Those of `arm_ids` that are sources of weights and no arms.
        rival_ids: Those of `arm_ids` that another device of the plan's kind has by its own calibration.
            While lines of theirs stand, own ones wait for `--update`: they are computed in another way.
        seeds: Of the plan; None where a rule adds them.
    """

    root: Path
    name: str
    arm_ids: Mapping[str, Arm]
    source_ids: frozenset[str] = frozenset()
    rival_ids: frozenset[str] = frozenset()
    seeds: frozenset[int] | None = None
    _borrowed: dict[str, Path] | None = field(default=None, repr=False)

    @property
    def folder(self) -> Path:
        """`results/<study>`."""
        return self.root / self.name

    @property
    def records_path(self) -> Path:
        """`results/<study>/records.jsonl`."""
        return self.folder / "records.jsonl"

    def run_folder(self, run: Run) -> Path:
        """Where the run is or would be trained."""
        return self.folder / "runs" / run.folder_name

    def probe_folder(self, arm: Arm, arm_id: str) -> Path:
        """Where the arm's speed is or would be measured."""
        return self.folder / "runs" / f"probe-{arm.slug}-{arm_id[:8]}"

    def has_probe(self, arm_id: str) -> bool:
        """Whether the arm's speed was measured here."""
        folder = self.probe_folder(self.arm_ids[arm_id], arm_id)
        return run_folder.read_record(folder) is not None

    def recorded(self) -> dict[tuple[str, int], Finished]:
        """Lines of `records.jsonl` that the plan has a place for, by arm id and seed."""
        return {
            (record.arm_id, record.seed): record
            for record in read_records(self.records_path)
            if isinstance(record, Finished) and self._has_place(record)
        }

    def leaving(self) -> list[Finished]:
        """Lines that the plan has no place for and no folder here could give back."""
        return [
            record
            for record in read_records(self.records_path)
            if isinstance(record, Finished) and not self._has_place(record) and not self._has_folder(record)
        ]

    def _has_place(self, record: Finished) -> bool:
        return record.arm_id in self.arm_ids and (self.seeds is None or record.seed in self.seeds)

    def _has_folder(self, record: Finished) -> bool:
        folders = self.folder.glob(f"runs/*-s{record.seed}-{record.run_id[:8]}/{run_folder.RECORD}")
        return any(True for _ in folders)

    def find(self, run: Run) -> Finished | None:
        """The finished record of a run: from its own folder, else from another study of the same root."""
        found = self._found(run)
        return None if found is None else found[1]

    def where(self, run: Run) -> Path | None:
        """The folder that `find` takes the record from."""
        found = self._found(run)
        return None if found is None else found[0]

    def _found(self, run: Run) -> tuple[Path, Finished] | None:
        if run.run_id is None:
            return None
        own = run_folder.read_run(self.run_folder(run))
        if own is not None:
            return self.run_folder(run), own
        lender = self._lenders().get(f"s{run.seed}-{run.run_id[:8]}")
        lent = run_folder.read_run(lender) if lender is not None else None
        if lender is None or lent is None or lent.run_id != run.run_id or lent.status != "done":
            return None
        return lender, lent

    def state(self, run: Run, recorded: Mapping[tuple[str, int], Finished], arm_id: str | None) -> State:
        """Where a run stands. Reads only."""
        if run.run_id is not None:
            found = self.find(run)
            if found is not None:
                return found.status
            own = self.run_folder(run)
            if own.is_dir():
                return "running" if run_folder.is_locked(own) else "interrupted"
        if arm_id is not None and (arm_id, run.seed) in recorded:
            return "recorded"
        return "pending"

    def collect(self, runs: Iterable[tuple[Run, str]], *, update: bool = False) -> list[Record]:
        """Rewrite `records.jsonl` and `correct.npz` from the folders and the recorded lines.

        Args:
            runs: The plan's runs with their arm ids.
            update: Let own results replace lines that were recorded elsewhere.

        Returns:
            The lines, runs first in plan order, then probes.
        """
        with run_folder.locked(self.folder / "runs", wait=True):
            lines = self._merge_runs(runs, update=update)
            probes = self._merge_probes(update=update, yields=self._yields(lines))
            records: list[Record] = [*self._in_plan_order(lines), *probes]
            bits = self._merge_bits(lines.values())
            text = "".join(seal(record) + "\n" for record in records)
            write_if_changed(self.records_path, text.encode())
            write_bits(self.folder / "correct.npz", bits)
        return read_records(self.records_path)

    def _merge_runs(
        self, runs: Iterable[tuple[Run, str]], *, update: bool
    ) -> dict[tuple[str, int], Finished]:
        lines = self.recorded()
        results = [(run, arm_id, self.find(run)) for run, arm_id in runs]
        if update and any(found is not None for *_, found in results):
            lines = {key: line for key, line in lines.items() if key[0] not in self.rival_ids}
        yields = self._yields(lines)
        for run, arm_id, found in results:
            line = lines.get((arm_id, run.seed))
            if yields and line is None:
                continue
            if found is not None and (line is None or update or not self.is_foreign(line, found)):
                lines[arm_id, run.seed] = found
        return {key: self._relabel(record) for key, record in lines.items()}

    def rivals(self) -> int:
        """Recorded lines of a device of the same kind whose calibration chose otherwise."""
        return sum(arm_id in self.rival_ids for arm_id, _ in self.recorded())

    def _yields(self, lines: Iterable[tuple[str, int]]) -> bool:
        return any(arm_id in self.rival_ids for arm_id, _ in lines)

    def is_foreign(self, line: Finished, found: Finished) -> bool:
        """Whether a recorded line tells of no attempt in the folder that `found` came from."""
        tries = {(found.run_id, one.started_utc, one.ended_utc) for one in found.attempts}
        return _attempt_key(line) not in {_attempt_key(found), *tries}

    def _relabel(self, record: Finished) -> Finished:
        arm = self.arm_ids[record.arm_id]
        study = self.name.partition("+")[0]
        labels: dict[str, Any] = {
            "study": study,
            "arm": arm.name,
            "levels": dict(arm.levels),
            "role": self.role(record.arm_id),
        }
        if record.study != study:  # lent by a study whose seeds are no business of this one
            labels["n_seeds_declared"] = None
        return record.model_copy(update=labels)

    def role(self, arm_id: str) -> Literal["arm", "source"]:
        """Whether an arm stands in the study's tables or was trained for its weights only."""
        return "source" if arm_id in self.source_ids else "arm"

    def _in_plan_order(self, lines: Mapping[tuple[str, int], Finished]) -> list[Finished]:
        order = {arm_id: position for position, arm_id in enumerate(self.arm_ids)}
        return [lines[key] for key in sorted(lines, key=lambda key: (order[key[0]], key[1]))]

    def _merge_probes(self, *, update: bool, yields: bool) -> list[ProbeRecord]:
        probes = {
            record.arm_id: record
            for record in read_records(self.records_path)
            if isinstance(record, ProbeRecord) and record.arm_id in self.arm_ids
        }
        for arm_id, arm in self.arm_ids.items():
            found = run_folder.read_record(self.probe_folder(arm, arm_id))
            missing = arm_id not in probes and not yields
            if isinstance(found, ProbeRecord) and (update or missing):
                probes[arm_id] = found
        if update and not yields:
            probes = {arm_id: probe for arm_id, probe in probes.items() if arm_id not in self.rival_ids}
        return [
            probe.model_copy(update={"arm": self.arm_ids[arm_id].name})
            for arm_id in self.arm_ids
            if (probe := probes.get(arm_id)) is not None
        ]

    def _merge_bits(self, lines: Iterable[Finished]) -> dict[str, bytes]:
        kept = read_bits(self.folder / "correct.npz")
        bits: dict[str, bytes] = {}
        for record in lines:
            if not isinstance(record, RunRecord) or record.digests.correct is None:
                continue
            packed = kept.matching(record) or self._bits_from_folder(record)
            if packed is not None:
                bits[record.run_id] = packed
        return bits

    def _bits_from_folder(self, record: RunRecord) -> bytes | None:
        from bench.record.bits import bits_of_predictions  # noqa: PLC0415 - numpy only where it is needed

        suffix = f"s{record.seed}-{record.run_id[:8]}"
        own = self.folder / "runs" / f"{self.arm_ids[record.arm_id].slug}-{suffix}"
        for candidate in (own, self._lenders().get(suffix)):
            if candidate is not None and (candidate / run_folder.PREDICTIONS).is_file():
                return bits_of_predictions(candidate / run_folder.PREDICTIONS)
        return None

    def _lenders(self) -> dict[str, Path]:
        """Finished folders anywhere under the root by their `s<seed>-<hash8>`; listed once."""
        if self._borrowed is None:
            records = self.root.glob(f"*/runs/*/{run_folder.RECORD}")
            self._borrowed = {"-".join(path.parent.name.rsplit("-", 2)[1:]): path.parent for path in records}
        return self._borrowed
