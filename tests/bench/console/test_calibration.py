"""`execution: {auto: true}` from the command line: plan, calibrate, run, and never measure again unasked."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from command_line import TINY, bench, run_records, write_study

from bench.record.hardware import find_hardware
from bench.study.device import Device
from bench.study.execution import Settings
from bench.study.lock import Entry, Lock, read_lock

ONE_ARM = TINY[: TINY.index("design:")].replace("seeds: 2", "seeds: 1").replace("epochs: 2", "epochs: 1")
AUTO = ONE_ARM + "  execution: {auto: true, amp: auto}\n"
DEVICE = ("--device", "cpu")


def lock_entry(folder: Path) -> Entry | None:
    return read_lock(folder).entry("cpu", find_hardware(Device("cpu")).model)


def put_choice(folder: Path, **chosen: object) -> None:
    """Write a lock for this machine as if it had been calibrated."""
    settings = Settings.model_validate(chosen)
    entry = Entry(
        device=find_hardware(Device("cpu")).model,
        device_kind="cpu",
        chosen=settings,
        torch="2.10.0",
        arm="base",
        batch_size=64,
        images_a_run=256,
        images_a_worker=256,
        candidates=(),
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "execution.lock.yaml").write_text(Lock(devices=(entry,)).text())


def test_a_study_is_calibrated_once_and_trained_as_chosen(tmp_path: Path) -> None:
    write_study(tmp_path, AUTO)
    results = tmp_path / "results" / "tiny"
    before = bench("plan", "tiny.yaml", *DEVICE, cwd=tmp_path)
    assert before.returncode == 0, before.stderr
    assert "id after calibration" in before.stdout
    assert re.search(
        r"^modes on .+: channels_last, fused, .*on a GPU only: fp16, tf32, graph", before.stdout, re.MULTILINE
    )
    assert "calibration, the first thing that `run` does, chooses amp, channels_last" in before.stdout
    assert not results.exists(), "plan writes nothing"

    first = bench("run", "tiny.yaml", *DEVICE, cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    entry = lock_entry(results)
    assert entry is not None
    assert f"chose {entry.chosen.text()}" in first.stderr.replace("\n", " ")
    assert (entry.chosen.graph, entry.chosen.compile) == (False, "none")
    (record,) = run_records(results)
    execution = record["config"]["execution"]
    assert {key: execution[key] for key in entry.chosen.given()} == entry.chosen.given()
    assert execution["auto"] is False

    lock = (results / "execution.lock.yaml").read_bytes()
    second = bench("run", "tiny.yaml", *DEVICE, cwd=tmp_path)
    assert second.returncode == 0, second.stderr
    assert "calibrating" not in second.stderr
    assert "1 of 1 runs are finished already" in second.stderr
    assert (results / "execution.lock.yaml").read_bytes() == lock
    after = json.loads(bench("plan", "tiny.yaml", *DEVICE, "--json", cwd=tmp_path).stdout)
    assert after["calibrated"] == entry.chosen.given()
    assert after["runs"][0]["run_id"] == record["run_id"]


def test_recalibrating_alone_replaces_a_choice(tmp_path: Path) -> None:
    write_study(tmp_path, ONE_ARM + "  execution: {auto: true, compile: none, graph: false, fused: true}\n")
    results = tmp_path / "results" / "tiny"
    put_choice(results, channels_last=True)
    planned = bench("plan", "tiny.yaml", *DEVICE, cwd=tmp_path)
    assert "calibration chose channels_last true (execution.lock.yaml)" in planned.stdout
    assert (found := lock_entry(results)) is not None
    assert found.torch == "2.10.0"
    run = bench("run", "tiny.yaml", *DEVICE, "--recalibrate", cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    entry = lock_entry(results)
    assert entry is not None
    assert entry.torch != "2.10.0"
    assert len(entry.candidates) == 2
    (record,) = run_records(results)
    assert record["config"]["execution"]["channels_last"] == entry.chosen.channels_last


def test_a_choice_that_does_not_fit_any_more_is_not_replaced_unasked(tmp_path: Path) -> None:
    write_study(tmp_path, AUTO)
    results = tmp_path / "results" / "tiny"
    put_choice(results, channels_last=True)
    lock = (results / "execution.lock.yaml").read_bytes()
    message = "nothing is said of amp, compile, graph, fused; --recalibrate chooses anew"
    assert message in bench("plan", "tiny.yaml", *DEVICE, cwd=tmp_path).stdout
    run = bench("run", "tiny.yaml", *DEVICE, cwd=tmp_path)
    assert run.returncode == 2
    assert run.stderr.splitlines()[-1].endswith(message)
    assert (results / "execution.lock.yaml").read_bytes() == lock


def test_there_is_nothing_to_recalibrate_where_all_is_written_out(tmp_path: Path) -> None:
    write_study(tmp_path, ONE_ARM)
    run = bench("run", "tiny.yaml", *DEVICE, "--recalibrate", cwd=tmp_path)
    assert run.returncode == 2
    assert run.stderr.strip() == (
        "--recalibrate: tiny.yaml leaves nothing open; write execution: {auto: true} or amp: auto"
    )


def test_an_arm_for_gpus_is_left_out_with_a_note(tmp_path: Path) -> None:
    write_study(tmp_path, ONE_ARM + "design:\n  grid:\n    execution.graph: [false, true]\n")
    planned = bench("plan", "tiny.yaml", *DEVICE, cwd=tmp_path)
    assert planned.returncode == 0, planned.stderr
    assert "arm execution.graph=true: graph needs a GPU; left out on cpu" in planned.stdout.splitlines()
    assert "1 arm, 1 run" in planned.stdout


def test_doctor_says_which_modes_there_are(tmp_path: Path) -> None:
    answer = bench("doctor", "--json", cwd=tmp_path, CUDA_VISIBLE_DEVICES="")
    found = {one["what"]: (one["verdict"], one["found"]) for one in json.loads(answer.stdout)}
    assert found["mode channels_last"] == ("ok", "")
    assert found["mode graph"] == ("absent", "needs a GPU")


@pytest.mark.parametrize("word", ["--recalibrate"])
def test_help_tells_of_it(word: str, tmp_path: Path) -> None:
    assert word in bench("run", "--help", cwd=tmp_path).stdout
