"""Throughput studies by the command line: planned, measured in turns, resumed, compared, reported."""

from __future__ import annotations

import json
import shutil
import signal
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from io import StringIO
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from command_line import bench, finish, kill_group, start, wait_for, write_study
from rich.console import Console

from bench.console import cells
from bench.console.run import RunOptions
from bench.execute.job import Answer, CellJob, RunJob
from bench.record.schema import CellMetrics, Record
from bench.study.cells import CellSpec
from bench.study.model import Arm, Run

STUDY = """\
name: speed
kind: throughput
question: How fast?
repeats: 2
base:
  data: {name: digits}
  model: {name: mlp, hidden: [8]}
  train: {batch_size: 16}
  measure: {n_windows: 4, window_s: 0.002, warmup_s: 0.002, max_warmup_s: 0.05}
design:
  one_at_a_time:
    measure.work: [infer]
"""
"""Four measurements of a few hundredths of a second."""


def records(place: Path) -> list[dict[str, Any]]:
    lines = (place / "results" / "speed" / "records.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("speed")
    answer = bench("run", write_study(place, STUDY), "--device", "cpu", cwd=place)
    assert answer.returncode == 0, answer.stderr
    assert "4 measurements to make, one at a time" in answer.stderr
    assert "img/s" in answer.stdout
    return place


FED = """\
    feed:
    - {label: synthetic, set: {data.name: synthetic, data.image_size: 8}}
    - {label: cached, set: {data.name: parquet, data.path: nowhere, measure.input: cached}}
"""


def test_cells_that_need_no_images_are_measured_where_those_of_others_are_missing(tmp_path: Path) -> None:
    text = STUDY.replace("    measure.work: [infer]\n", FED).replace(
        "data: {name: digits}", "data: {name: synthetic, image_size: 8}"
    )
    study = write_study(tmp_path, text)
    whole = bench("run", study, "--device", "cpu", cwd=tmp_path)
    assert whole.returncode == 3
    assert "data.path: nowhere" in whole.stderr
    some = bench("run", study, "--device", "cpu", "--only", "*feed=synthetic*", cwd=tmp_path)
    assert some.returncode == 0, some.stderr
    assert {record["status"] for record in records(tmp_path)} == {"done"}


def test_every_cell_is_measured_once_a_repeat(measured: Path) -> None:
    found = records(measured)
    assert {line["kind"] for line in found} == {"cell"}
    assert [(line["metrics"]["work"], line["seed"]) for line in found] == [
        ("train", 0),
        ("train", 1),
        ("infer", 0),
        ("infer", 1),
    ]
    assert all(line["metrics"]["img_s"] > 0 for line in found)
    assert all(line["environment"]["device"] for line in found)


def test_repeats_take_turns(measured: Path) -> None:
    by_time = sorted(records(measured), key=lambda line: str(line["started_utc"]))
    assert [line["seed"] for line in by_time] == [0, 0, 1, 1]
    ends = [line["ended_utc"] for line in by_time]
    assert all(start["started_utc"] >= end for start, end in zip(by_time[1:], ends, strict=False))


def test_plan_and_status_speak_of_repeats(measured: Path) -> None:
    study = measured / "tiny.yaml"
    planned = bench("plan", study, "--device", "cpu", cwd=measured)
    assert "2 arms, 4 runs (repeats 0 1) on cpu; metric img_s" in planned.stdout
    status = bench("status", study, "--device", "cpu", "--json", cwd=measured)
    assert status.returncode == 0
    assert [entry["status"] for entry in json.loads(status.stdout)] == ["done"] * 4
    assert all(entry["img_s"] > 0 for entry in json.loads(status.stdout))


def test_a_second_call_measures_nothing_and_another_repeat_adds_to_it(measured: Path) -> None:
    study = measured / "tiny.yaml"
    before = (measured / "results" / "speed" / "records.jsonl").read_bytes()
    again = bench("run", study, "--device", "cpu", cwd=measured)
    assert again.returncode == 0
    assert "4 of 4 runs are finished already" in again.stderr
    assert (measured / "results" / "speed" / "records.jsonl").read_bytes() == before


def test_what_was_recorded_elsewhere_is_compared_and_kept_until_update(
    measured: Path, tmp_path: Path
) -> None:
    (tmp_path / "results").mkdir()
    shutil.copytree(measured / "results" / "speed", tmp_path / "results" / "speed")
    shutil.rmtree(tmp_path / "results" / "speed" / "runs")
    before = records(tmp_path)
    study = write_study(tmp_path, STUDY)
    answer = bench("run", study, "--device", "cpu", "--only", "*work=train", cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert "recorded elsewhere and measured here, img/s:" in answer.stderr
    assert "measure.work=train: " in answer.stderr
    assert records(tmp_path) == before
    updated = bench("run", study, "--device", "cpu", "--only", "*work=train", "--update", cwd=tmp_path)
    assert updated.returncode == 0
    after = records(tmp_path)
    assert [line["run_id"] for line in after] == [line["run_id"] for line in before]
    assert after[:2] != before[:2]
    assert after[2:] == before[2:]


@pytest.mark.parametrize("flag", ["--jobs", "--pack"])
def test_more_than_one_at_a_time_is_refused(measured: Path, flag: str) -> None:
    answer = bench("run", measured / "tiny.yaml", "--device", "cpu", flag, "2", cwd=measured)
    assert answer.returncode == 2
    assert answer.stderr.splitlines()[-1] == f"{flag} 2: a throughput study measures one cell at a time"


def test_random_images_need_no_data_and_real_ones_do(tmp_path: Path) -> None:
    study = write_study(tmp_path, STUDY.replace("digits", "mnist"))
    assert "mnist is not in" not in bench("plan", study, "--device", "cpu", cwd=tmp_path).stdout
    answer = bench("run", study, "base.measure.input=cached", "--device", "cpu", cwd=tmp_path)
    assert answer.returncode == 3
    assert "data.name: mnist is not in data" in answer.stderr


@pytest.fixture
def interrupted(tmp_path: Path) -> Path:
    study = write_study(tmp_path, STUDY)
    running = start("run", study, "--device", "cpu", cwd=tmp_path)
    try:
        runs = tmp_path / "results" / "speed" / "runs"
        wait_for(lambda: list(runs.glob("*/record.json")), what="the first measurement")
        running.send_signal(signal.SIGINT)
        code, _, err = finish(running)
    finally:
        kill_group(running)
    assert code == 130, err
    assert "the same command goes on from there" in err
    return tmp_path


def test_a_study_that_was_interrupted_goes_on_where_it_stopped(interrupted: Path) -> None:
    first = {line["run_id"]: line["line_sha256"] for line in records(interrupted)}
    assert 0 < len(first) < 4
    answer = bench("run", interrupted / "tiny.yaml", "--device", "cpu", cwd=interrupted)
    assert answer.returncode == 0, answer.stderr
    after = {line["run_id"]: line["line_sha256"] for line in records(interrupted)}
    assert len(after) == 4
    assert first.items() <= after.items()


@pytest.fixture
def job() -> CellJob:
    config = CellSpec.model_validate({"data": {"name": "digits"}, "model": {"name": "mlp"}})
    run = Run(Arm("a", "a", {}, config), 0, "0" * 16, arm_id="0")
    return CellJob(run, "0", "s", "d", Path(), Path(), "cpu", 1)


@dataclass
class FakeCampaign:
    """Notes which pool did what; every measurement ends as it is told to."""

    answer: Answer
    answers: list[tuple[RunJob, Answer]] = field(default_factory=list)
    pools: list[str] = field(default_factory=list)
    has_failed = False
    store = SimpleNamespace(folder=Path())

    def workers(self, *_: object) -> tuple[str, ...]:
        return ("cpu",)

    def survey(self, pool: str, _jobs: object) -> None:
        self.pools.append(pool)

    def train(self, pool: str, jobs: list[RunJob], _listener: object, *, fail_fast: bool) -> None:
        assert not fail_fast
        self.pools.append(pool)
        self.answers.append((*jobs, self.answer))

    def collect(self) -> list[Record]:
        return []


def measure(campaign: FakeCampaign, job: CellJob, monkeypatch: pytest.MonkeyPatch) -> None:
    pools = (nullcontext(f"pool {n}") for n in count())
    monkeypatch.setattr(cells, "Pool", lambda *_: next(pools))
    console = Console(file=StringIO())
    cells._measure(campaign, [job] * 3, RunOptions(), console)  # type: ignore[arg-type]  # a stand-in


def test_each_measurement_has_a_process_of_its_own(job: CellJob, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = FakeCampaign(Answer("done", metrics=CellMetrics(img_s=1.0)))
    measure(campaign, job, monkeypatch)
    assert campaign.pools == ["pool 0", "pool 1", "pool 2", "pool 3"]


def test_a_fault_of_the_machine_ends_the_call(job: CellJob, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = FakeCampaign(Answer("interrupted", reason="the disk is full", fault=True))
    measure(campaign, job, monkeypatch)
    assert len(campaign.answers) == 1


def test_a_measurement_is_told_in_a_line() -> None:
    clean = CellMetrics(img_s=1234.4, compile_cold_s=45.61)
    assert cells.outcome_text(Answer("done", metrics=clean)) == "1,234 img/s, compiled cold in 45.6 s"
    flagged = CellMetrics(img_s=8.0, noise=("throttled: power brake", "warm-up never settled"))
    told = "8 img/s (flagged: throttled: power brake; warm-up never settled)"
    assert cells.outcome_text(Answer("done", metrics=flagged)) == told
    assert cells.outcome_text(Answer("oom", reason="80 GiB")) == "oom, 80 GiB"


def test_the_order_of_cells_differs_from_repeat_to_repeat(job: CellJob) -> None:
    jobs = [
        replace(job, arm_id=str(cell), run=replace(job.run, seed=repeat))
        for cell in range(6)
        for repeat in range(3)
    ]
    turns = cells.in_turns(jobs)
    assert [one.run.seed for one in turns] == [0] * 6 + [1] * 6 + [2] * 6
    orders = [tuple(one.arm_id for one in turns[start : start + 6]) for start in (0, 6, 12)]
    assert len(set(orders)) == 3
    assert cells.in_turns(reversed(jobs)) == turns
