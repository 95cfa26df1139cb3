"""`bench verify --rerun K`: train K recorded runs again, in a folder of their own, and compare.

Which runs is drawn by a number (`--draw`), so that a script can ask for the same again. What this machine
cannot train (another kind of device, data that are not there) is passed over with its study, and named.
"""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from bench.analyse.rerun import Rerun, judge
from bench.console.place import Place
from bench.console.report import all_folders
from bench.console.tables import print_json
from bench.data.catalogue import require
from bench.errors import BenchError, EnvironmentFault
from bench.launch.campaign import Campaign
from bench.launch.pool import Listener, Pool, Signals, Stop
from bench.record.schema import RunRecord
from bench.record.store import read_records
from bench.record.study_file import STUDY_FILE
from bench.study.cells import needs_images
from bench.study.load import load_study
from bench.study.lock import LOCK_FILE
from bench.study.model import Run


def rerun(
    studies: Sequence[Path],
    overrides: Sequence[str],
    results: Path,
    data_dir: Path,
    *,
    n_runs: int,
    draw: int,
    as_json: bool,
) -> int:
    """Train sampled runs again and print how each compares.

    Args:
        studies: Study files; none: every study with records.
        overrides: Of the studies.
        results: Their root; nothing is written there.
        data_dir: Where the data lie.
        n_runs: How many.
        draw: Which sample.
        as_json: On stdout, for a script.

    Returns:
        1 where a run was not reproduced, else 0; 130 or 143 when stopped.

    Raises:
        EnvironmentFault: None of the runs can be trained here, with the reasons.
    """
    folders = [results / load_study(study, overrides).results_name for study in studies]
    recorded = {folder: _runs(folder) for folder in folders or all_folders(results)}
    found: list[Rerun] = []
    barred: dict[Path, BenchError] = {}
    try:
        for folder, run in _sampled(recorded, draw):
            if len(found) == n_runs:
                break
            if folder in barred:
                continue
            try:
                found.append(_again(folder, run, recorded[folder], data_dir))
            except BenchError as error:
                barred[folder] = error
                continue
            if not as_json:
                sys.stdout.write(f"{found[-1].text}\n")
                sys.stdout.flush()
    except Stop as stop:
        return stop.exit_code
    reasons = [f"{folder.name}: {line}" for folder, error in barred.items() for line in error.lines]
    if not found:
        raise EnvironmentFault(*(reasons or ["no recorded run is there to train again"]))
    for reason in reasons:
        sys.stderr.write(f"passed over: {reason}\n")
    if as_json:
        print_json({"reruns": [asdict(one) for one in found], "passed_over": reasons})
    return 1 if any(one.verdict == "not" for one in found) else 0


def _runs(folder: Path) -> list[RunRecord]:
    """Recorded results of an arm; failures of a machine are not trained again."""
    records = read_records(folder / "records.jsonl")
    runs = [record for record in records if isinstance(record, RunRecord) and record.role == "arm"]
    return [run for run in runs if run.status in ("done", "diverged")]


def _sampled(recorded: Mapping[Path, Sequence[RunRecord]], draw: int) -> Iterator[tuple[Path, RunRecord]]:
    """All runs in the order of the draw."""
    order = [(folder, run) for folder, runs in recorded.items() for run in runs]
    random.Random(draw).shuffle(order)  # noqa: S311 - a sample, not a secret
    return iter(order)


def _again(folder: Path, record: RunRecord, arm_runs: Sequence[RunRecord], data_dir: Path) -> Rerun:
    """Train one run in a results folder that is thrown away, with the source that it needs.

    Raises:
        BenchError: This machine cannot, or the study beside the records plans no such run.
        Stop: The user's signal.
    """
    with tempfile.TemporaryDirectory() as temporary:
        lock = folder / LOCK_FILE
        if lock.is_file():
            (Path(temporary) / folder.name).mkdir()
            shutil.copy(lock, Path(temporary) / folder.name / LOCK_FILE)
        place = Place(folder / STUDY_FILE, (), record.device_kind, data_dir, Path(temporary))
        campaign = place.open()
        run = _planned(campaign, record)
        _require(run, data_dir)
        sys.stderr.write(f"training again: {record.study}: {run.label}\n")
        new = _train(campaign, run)
        metric = campaign.plan.study.metric
    same_arm = [one for one in arm_runs if one.arm_id == record.arm_id]
    return judge(record, new, same_arm, metric)


def _planned(campaign: Campaign, record: RunRecord) -> Run:
    for run in campaign.plan.runs:
        if (run.arm.name, run.seed) == (record.arm, record.seed):
            if run.arm_id is not None and run.arm_id != record.arm_id:
                raise EnvironmentFault(f"{record.arm}: its configuration or data are no longer the recorded")
            return run
    raise EnvironmentFault(f"{record.arm} seed {record.seed}: the study beside the records plans no such run")


def _require(run: Run, data_dir: Path) -> None:
    for one in (run, run.source):
        if one is not None and needs_images(one.arm.config):
            require(one.arm.config.data, data_dir)
    if run.run_id is None:
        raise EnvironmentFault(f"{run.label}: {run.no_id_reason}")


def _train(campaign: Campaign, run: Run) -> RunRecord:
    jobs = [replace(job, n_concurrent=1) for job in campaign.to_do([run], frozenset())]
    logs = campaign.store.folder / "runs" / "logs"
    quiet = Listener(lambda _: None, lambda *_: None, lambda *_: None)
    with Signals() as signals, Pool(campaign.workers("1", 1), logs, signals) as pool:
        campaign.train(pool, jobs, quiet, fail_fast=False)
    new = campaign.store.find(run)
    if not isinstance(new, RunRecord):
        told = [answer.reason for _, answer in campaign.answers if answer.reason]
        raise EnvironmentFault(f"{run.label}: {told[-1] if told else 'left no record'}")
    return new
