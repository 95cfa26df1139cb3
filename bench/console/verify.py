"""`bench verify`: does everything that was derived still follow from the records? Recomputes and compares.

A study's report is written anew beside a copy of its folder, the paper's numbers are asked again, README's
generated parts are made again; what differs is named. Figures are compared by their bytes, or by the data
drawn where other versions of the plotting libraries drew them.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench.console.adaptive import replay_decisions
from bench.console.report import all_folders, write_files
from bench.console.tables import print_json
from bench.console.verify_paper import check_paper, check_readme
from bench.errors import BenchError, EnvironmentFault
from bench.record.damage import damaged_bits, read_what_is_there
from bench.record.schema import Record
from bench.record.study_file import STUDY_FILE
from bench.study.decisions import DECISIONS_FILE, read_decisions
from bench.study.load import load_study


@dataclass(frozen=True)
class Places:
    """Where verify looks."""

    results: Path
    paper: Path
    readme: Path = Path("README.md")


@dataclass
class Found:
    """What a check came to."""

    faults: list[str] = field(default_factory=list)
    """What no longer holds, place first."""
    notes: list[str] = field(default_factory=list)
    """What was compared in another way, and why."""
    n_records: int = 0
    n_files: int = 0
    n_numbers: int = 0

    def add(self, other: Found) -> None:
        """Take up what another check found."""
        self.faults += other.faults
        self.notes += other.notes
        self.n_records += other.n_records
        self.n_files += other.n_files
        self.n_numbers += other.n_numbers


def verify(studies: Sequence[Path], overrides: Sequence[str], places: Places, *, as_json: bool) -> int:
    """Check studies, the paper and README, and print what no longer holds.

    Args:
        studies: Study files; none: every study with records, and README's parts.
        overrides: Of the studies.
        places: Where they and the paper are.
        as_json: On stdout, for a script.

    Returns:
        1 where something does not hold, else 0.

    Raises:
        UsageError: A study file is wrong.
        EnvironmentFault: A study has no records.
    """
    found = check_all(studies, overrides, places)
    if as_json:
        print_json({"holds": not found.faults, **asdict(found)})
    else:
        for line in found.faults:
            sys.stdout.write(f"{line}\n")
        for note in found.notes:
            sys.stderr.write(f"{note}\n")
        sys.stdout.write(f"{_summary(found)}\n")
    return 1 if found.faults else 0


def check_all(studies: Sequence[Path], overrides: Sequence[str], places: Places) -> Found:
    """Everything that `verify` recomputes; see there."""
    folders = [places.results / load_study(study, overrides).results_name for study in studies]
    found = Found()
    records: dict[str, list[Record]] = {}
    for folder in folders or all_folders(places.results):
        if not (folder / "records.jsonl").is_file():
            raise EnvironmentFault(f"{folder}: no records yet; `bench run` makes them")
        own, records[folder.name] = check_study(folder)
        found.add(own)
    paper = check_paper(places.paper, places.results, records, only_these=bool(folders))
    found.add(Found(paper.faults, n_files=paper.n_files, n_numbers=paper.n_numbers))
    if not folders:
        found.faults += check_readme(places.readme, places.paper)
    return found


def check_study(folder: Path) -> tuple[Found, list[Record]]:
    """A study's records, bits and derived files; and its records, as far as they can be read."""
    records, damages = read_what_is_there(folder / "records.jsonl")
    found = Found(n_records=len(records), faults=[damage.text for damage in damages])
    try:
        found.faults += [damage.text for damage in damaged_bits(folder / "correct.npz", records)]
        found.add(check_files(folder, records))
        found.faults += check_decisions(folder, records)
    except BenchError as error:
        found.faults += error.lines
    return found, records


def check_decisions(folder: Path, records: Sequence[Record]) -> list[str]:
    """Decisions of an adaptive study that no longer follow from its records.

    Raises:
        BenchError: The decisions are damaged.
    """
    decisions = read_decisions(folder)
    if not decisions:
        return []
    lines = replay_decisions(load_study(folder / STUDY_FILE), records, decisions)
    return [f"{folder / DECISIONS_FILE}: {line}" for line in lines]


def check_files(folder: Path, records: Sequence[Record]) -> Found:
    """The study's tables, figures and CSV files against those that a report would write now.

    Raises:
        BenchError: The study beside the records cannot be read.
    """
    from bench.report.drawn import present_libraries, read_stamp  # noqa: PLC0415 - matplotlib loads here

    found = Found()
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary) / folder.name
        shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("runs"))
        report = write_files(copy, records, load_study(folder / STUDY_FILE))
        found.n_files = len(report.files)
        for path in report.changed:
            kept, made = folder / path.relative_to(copy), path.read_bytes()
            if not kept.is_file():
                found.faults.append(f"{kept}: missing; the records give it")
                continue
            old, new = read_stamp(kept.read_bytes()), read_stamp(made)
            if old is None or new is None or old.libraries == new.libraries:
                found.faults.append(f"{kept}: is not what the records give")
            elif old.data_sha256 != new.data_sha256:
                found.faults.append(f"{kept}: shows other data than the records give")
            else:
                how = f"compared by the data drawn: it was made with {old.libraries}"
                found.notes.append(f"{kept}: {how}; here {present_libraries()}")
        gone = [folder / path.relative_to(copy) for path in report.removed]
        found.faults += [f"{path}: does not come from these records" for path in gone]
    return found


def _summary(found: Found) -> str:
    counted = f"{found.n_records:,} records, {found.n_files:,} derived files, {found.n_numbers:,} numbers"
    if not found.faults:
        return f"{counted}: everything follows from the records"
    return f"{counted}: {len(found.faults):,} of them or of what they say does not hold"
