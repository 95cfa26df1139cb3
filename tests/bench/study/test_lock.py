"""The lock: written, read back, replaced by device, and what a plan makes of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.errors import UsageError
from bench.study.execution import Settings
from bench.study.lock import LOCK_FILE, Entry, Lock, Trial, read_lock
from bench.study.model import Study
from bench.study.plan import NO_CALIBRATION, plan

Load = Callable[..., Study]
Text = Callable[..., str]

WRITTEN = "execution: {amp: none, fp32_precision: ieee, channels_last: true, compile: none, threads: 1}"

FAST = Settings(channels_last=True, compile="none", graph=False, fused=True)
PLAIN = Settings(channels_last=False, compile="none", graph=False, fused=True)


def entry(device: str = "Some CPU", kind: Any = "cpu", chosen: Settings = FAST, **changes: Any) -> Entry:
    trials = (
        Trial(settings=Settings(graph=True), rejected="needs a GPU"),
        Trial(settings=PLAIN, img_s=380.5, rejected="20 % slower than channels_last true"),
        Trial(settings=FAST, img_s=467.0),
    )
    fields: dict[str, Any] = {
        "device": device,
        "device_kind": kind,
        "chosen": chosen,
        "torch": "2.15.0",
        "arm": "model.depth=56,model.residual=true",
        "batch_size": 128,
        "images_a_run": 10_000,
        "images_a_worker": 30_000,
        "candidates": trials,
    }
    return Entry(**{**fields, **changes})


def write(folder: Path, *entries: Entry) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / LOCK_FILE).write_text(Lock(devices=entries).text(), encoding="utf-8")


def test_a_lock_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    entries = entry(), entry("Some GPU", "cuda", Settings(amp="bf16", graph=True))
    write(tmp_path, *entries)
    found = read_lock(tmp_path)
    assert found.devices == entries
    assert found.text() == (tmp_path / LOCK_FILE).read_text(encoding="utf-8")
    assert found.entry("cuda", "Some GPU") == entries[1]
    assert found.entry("cpu", "Some GPU") is None
    assert found.entry("cpu", None) is None


def test_an_absent_lock_has_no_entries(tmp_path: Path) -> None:
    assert read_lock(tmp_path) == Lock()


def test_an_entry_replaces_the_one_of_its_device_in_its_place() -> None:
    lock = Lock(devices=(entry("A"), entry("B"), entry("C")))
    new = entry("B", chosen=PLAIN)
    assert [one.device for one in lock.with_entry(new).devices] == ["A", "B", "C"]
    assert lock.with_entry(new).devices[1] == new
    assert lock.with_entry(entry("D")).devices == (*lock.devices, entry("D"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "channels_last: true",
            "channels_last: yes please",
            r"devices\[0\]\.chosen\.channels_last: expected true",
        ),
        ("device_kind: cpu", "device_kind: tpu", r"device_kind: 'tpu' is not allowed; did you mean 'cpu'\?"),
        ("  arm: ", "  army: ", r"devices\[0\]\.army: unknown key"),
    ],
    ids=["type", "choice", "key"],
)
def test_a_damaged_lock_is_told_by_its_path(tmp_path: Path, old: str, new: str, message: str) -> None:
    write(tmp_path, entry())
    path = tmp_path / LOCK_FILE
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(UsageError, match=message) as refusal:
        read_lock(tmp_path)
    assert all(line.startswith(str(path)) for line in refusal.value.lines)


@pytest.fixture
def auto(study_text: Text, load: Load) -> Study:
    return load(study_text((WRITTEN, "execution: {auto: true}")))


def planned(study: Study, results: Path, model: str | None = "Some CPU") -> Any:
    return plan(study, device_kind="cpu", data_dir=Path(), results=results, device_model=model)


def test_runs_have_ids_after_calibration(auto: Study, tmp_path: Path) -> None:
    before = planned(auto, tmp_path)
    assert before.is_uncalibrated
    assert {(run.run_id, run.no_id_reason) for run in before.runs} == {(None, NO_CALIBRATION)}
    write(tmp_path / "depth", entry())
    after = planned(auto, tmp_path)
    assert (after.is_uncalibrated, after.settings) == (False, FAST)
    assert len({run.run_id for run in after.runs}) == len(after.runs) == 24
    assert all(run.arm.config.execution.channels_last for run in after.runs)


def test_ids_are_those_of_the_same_settings_written_out(
    auto: Study, study_text: Text, load: Load, tmp_path: Path
) -> None:
    write(tmp_path / "depth", entry())
    ids = [run.run_id for run in planned(auto, tmp_path).runs]
    assert ids == [run.run_id for run in planned(load(study_text()), tmp_path).runs]


def test_another_device_is_not_calibrated_by_it(auto: Study, tmp_path: Path) -> None:
    write(tmp_path / "depth", entry())
    assert planned(auto, tmp_path, "Other CPU").is_uncalibrated
    assert planned(auto, tmp_path, None).is_uncalibrated


def test_a_choice_that_no_longer_fits_is_told(study_text: Text, load: Load, tmp_path: Path) -> None:
    write(tmp_path / "depth", entry(chosen=Settings(channels_last=True)))
    found = planned(load(study_text((WRITTEN, "execution: {auto: true, fused: true}"))), tmp_path)
    assert found.is_uncalibrated
    path = tmp_path / "depth" / LOCK_FILE
    assert found.misfit == (
        f"{path}: Some CPU: nothing is said of compile, graph; --recalibrate chooses anew"
    )


def test_a_study_without_auto_never_reads_a_lock(study_text: Text, load: Load, tmp_path: Path) -> None:
    (tmp_path / "depth").mkdir()
    (tmp_path / "depth" / LOCK_FILE).write_text("no lock at all")
    found = planned(load(study_text()), tmp_path)
    assert (found.settings, found.is_uncalibrated) == (None, False)


FOLLOWER = (
    ("name: depth", "name: follower"),
    ("  execution", '  weights: {run: "depth/model.depth=8,model.residual=true"}\n  execution'),
    ("GRID", "  grid:\n    model.depth: [8]\n"),
    ("BASELINE", ""),
)


def test_a_source_in_an_earlier_study_takes_what_its_calibration_chose(
    study_text: Text, load: Load, tmp_path: Path
) -> None:
    source = study_text((WRITTEN, "execution: {auto: true}"))
    folder = tmp_path / "depth"
    folder.mkdir()
    (folder / "study.yaml").write_text(source)
    follower = load(study_text(*FOLLOWER))
    before = planned(follower, tmp_path)
    assert {run.no_id_reason for run in before.runs} == {"weights missing"}
    assert before.notes == ("weights.run: depth: not calibrated here; run it first",)
    write(folder, entry())
    after = planned(follower, tmp_path)
    written = planned(load(study_text()), tmp_path)
    ids = {run.run_id for run in written.runs if run.arm.name == "model.depth=8,model.residual=true"}
    assert {run.source.run_id for run in after.runs} == ids
