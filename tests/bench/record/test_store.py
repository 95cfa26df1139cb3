"""`records.jsonl` follows the folders, keeps what came from elsewhere, and forgets what the plan dropped."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from record_helpers import N_TEST, correct_bits, make_arm, make_record, make_run, save_predictions

from bench.errors import EnvironmentFault
from bench.record import folder as run_folder
from bench.record.schema import Attempt, RunRecord, seal
from bench.record.store import Store, read_records


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path, "depth", {"arm-a": make_arm(), "arm-b": make_arm("depth=20", 20)})


def train(store: Store, run, arm_id: str = "arm-a", **changes) -> RunRecord:  # type: ignore[no-untyped-def]
    """What a worker leaves behind."""
    where = store.run_folder(run)
    where.mkdir(parents=True, exist_ok=True)
    save_predictions(where, run.seed)
    record = make_record(run_id=run.run_id, arm_id=arm_id, arm=run.arm.name, seed=run.seed, **changes)
    run_folder.publish(where, record)
    return record


def commit(store: Store, *records: RunRecord) -> None:
    """Lines as they come with a clone."""
    store.folder.mkdir(parents=True, exist_ok=True)
    store.records_path.write_text("".join(seal(record) + "\n" for record in records))


def test_lines_stand_in_plan_order_whatever_the_order_of_training(store: Store) -> None:
    runs = [
        (make_run(arm, seed, f"{name}{seed}" * 8), arm_id)
        for arm_id, arm, name in (("arm-a", make_arm(), "a"), ("arm-b", make_arm("depth=20", 20), "b"))
        for seed in (0, 1)
    ]
    for run, arm_id in reversed(runs):
        train(store, run, arm_id)
    records = store.collect(runs)
    assert [(r.arm, r.seed) for r in records] == [
        ("depth=8", 0),
        ("depth=8", 1),
        ("depth=20", 0),
        ("depth=20", 1),
    ]
    before = store.records_path.read_bytes(), (store.folder / "correct.npz").read_bytes()
    store.collect(runs)
    assert (store.records_path.read_bytes(), (store.folder / "correct.npz").read_bytes()) == before


def test_bits_are_the_predictions_of_each_run(store: Store) -> None:
    run = make_run(make_arm(), seed=1)
    train(store, run)
    store.collect([(run, "arm-a")])
    with np.load(store.folder / "correct.npz") as arrays:
        bits = np.unpackbits(arrays[run.run_id])[:N_TEST].astype(bool)
    assert np.array_equal(bits, correct_bits(1))


def test_a_recorded_line_stays_until_update(store: Store) -> None:
    run = make_run(make_arm())
    elsewhere = make_record(run_id=run.run_id, started_utc="2025-01-01T00:00:00.000000+00:00")
    commit(store, elsewhere)
    assert store.state(run, store.recorded(), "arm-a") == "recorded"
    mine = train(store, run)
    assert store.state(run, store.recorded(), "arm-a") == "done"
    (kept,) = store.collect([(run, "arm-a")])
    assert kept.started_utc == elsewhere.started_utc
    assert store.is_foreign(elsewhere, mine)
    (updated,) = store.collect([(run, "arm-a")], update=True)
    assert updated.started_utc == mine.started_utc


def test_a_recorded_line_of_another_engine_belongs_to_the_same_arm_and_seed(store: Store) -> None:
    commit(store, make_record(run_id="old" + "0" * 13, engine=0))
    assert store.state(make_run(make_arm()), store.recorded(), "arm-a") == "recorded"


def test_an_own_line_follows_a_retry(store: Store) -> None:
    """The line told of the failed attempt in this very folder, so it is not from elsewhere."""
    run = make_run(make_arm())
    failed = train(store, run, status="failed", reason="boom")
    store.collect([(run, "arm-a")])
    run_folder.shelve_attempt(store.run_folder(run))
    attempts = run_folder.earlier_attempts(store.run_folder(run))
    assert [a.reason for a in attempts] == ["boom"]
    train(store, run, started_utc="2026-01-02T00:00:00.000000+00:00", attempts=attempts)
    (line,) = store.collect([(run, "arm-a")])
    assert line.status == "done"
    assert line.attempts == (
        Attempt(status="failed", reason="boom", started_utc=failed.started_utc, ended_utc=failed.ended_utc),
    )


def test_a_line_leaves_when_the_plan_drops_its_arm_and_its_folder_stays(store: Store) -> None:
    run = make_run(make_arm())
    train(store, run)
    store.collect([(run, "arm-a")])
    smaller = Store(store.root, store.name, {"arm-b": make_arm("depth=20", 20)})
    assert smaller.collect([]) == []
    assert store.run_folder(run).is_dir()
    assert len(store.collect([(run, "arm-a")])) == 1


def test_lines_that_nothing_here_could_give_back_are_told_before_they_leave(store: Store) -> None:
    """Of a clone, whose study was edited: only git would have them still."""
    commit(store, make_record(run_id="a" * 16), make_record(run_id="c" * 16, seed=3))
    smaller = Store(store.root, store.name, {"arm-b": make_arm("depth=20", 20)})
    assert [record.seed for record in smaller.leaving()] == [0, 3]
    assert store.leaving() == []
    fewer_seeds = Store(store.root, store.name, store.arm_ids, seeds=frozenset({0, 1}))
    assert [record.seed for record in fewer_seeds.leaving()] == [3]
    train(store, make_run(make_arm(), 3, "c" * 16))
    assert fewer_seeds.leaving() == []


def test_lines_of_seeds_that_the_plan_dropped_leave_and_come_back(store: Store) -> None:
    runs = [(make_run(make_arm(), seed, f"{seed}" * 16), "arm-a") for seed in range(3)]
    for run, _ in runs:
        train(store, run)
    assert len(store.collect(runs)) == 3
    fewer = Store(store.root, store.name, store.arm_ids, seeds=frozenset({0, 1}))
    assert [record.seed for record in fewer.collect(runs[:2])] == [0, 1]
    assert len(store.collect(runs)) == 3


def test_a_field_that_came_later_does_not_write_old_lines_anew(store: Store) -> None:
    commit(store, make_record())
    assert "n_seeds_declared" not in store.records_path.read_text()
    commit(store, make_record(n_seeds_declared=5))
    assert '"n_seeds_declared":5' in store.records_path.read_text()
    (line,) = read_records(store.records_path)
    assert line.n_seeds_declared == 5


def test_a_run_done_in_another_study_is_taken_from_there(store: Store) -> None:
    """How many seeds that one has is no business of this one."""
    arm = make_arm("named-otherwise")
    lender = Store(store.root, "other", {"arm-a": arm})
    train(lender, make_run(arm), study="other", n_seeds_declared=9)
    run = make_run(make_arm())
    assert store.state(run, {}, "arm-a") == "done"
    (line,) = store.collect([(run, "arm-a")])
    assert (line.study, line.arm, line.n_seeds_declared) == ("depth", "depth=8", None)
    assert line.digests.correct is not None
    with np.load(store.folder / "correct.npz") as arrays:
        assert run.run_id in arrays


def test_states_follow_the_folder(store: Store) -> None:
    run = make_run(make_arm())
    where = store.run_folder(run)
    assert store.state(run, {}, "arm-a") == "pending"
    with run_folder.locked(where) as held:
        assert held
        assert store.state(run, {}, "arm-a") == "running"
    assert store.state(run, {}, "arm-a") == "interrupted"
    for status in ("failed", "oom", "diverged", "done"):
        train(store, run, status=status)
        assert store.state(run, {}, "arm-a") == status


def test_a_lock_falls_free_when_its_holder_is_killed(tmp_path: Path) -> None:
    program = (
        "import sys, time\nfrom pathlib import Path\nfrom bench.record.folder import locked\n"
        "with locked(Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with run_folder.locked(tmp_path) as held:
            assert not held
        holder.kill()
        holder.wait()
        with run_folder.locked(tmp_path) as held:
            assert held


def test_looking_at_a_lock_writes_nothing(tmp_path: Path) -> None:
    assert not run_folder.is_locked(tmp_path / "absent")
    assert not (tmp_path / "absent").exists()
    descriptor = os.open(tmp_path / "lock", os.O_CREAT | os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    assert run_folder.is_locked(tmp_path)
    os.close(descriptor)


def test_damaged_lines_are_named_all_at_once(store: Store) -> None:
    commit(store, make_record(seed=0), make_record(seed=1), make_record(seed=2))
    lines = store.records_path.read_text().splitlines()
    lines[0] = lines[0].replace('"depth"', '"Depth"')
    lines[2] = lines[2][:50]
    store.records_path.write_text("\n".join(lines) + "\n")
    with pytest.raises(EnvironmentFault) as caught:
        read_records(store.records_path)
    assert [line.split("records.jsonl:")[1][:2] for line in caught.value.lines] == ["1:", "3:"]


def test_a_damaged_folder_says_what_to_do(store: Store) -> None:
    run = make_run(make_arm())
    train(store, run)
    path = store.run_folder(run) / "record.json"
    path.write_text(path.read_text().replace('"seed":0', '"seed":7'))
    with pytest.raises(EnvironmentFault, match="move the folder away"):
        store.find(run)


def test_a_damaged_bits_file_is_named(store: Store) -> None:
    run = make_run(make_arm())
    train(store, run)
    store.collect([(run, "arm-a")])
    (store.folder / "correct.npz").write_bytes(b"PK\x03\x04 not a zip")
    with pytest.raises(EnvironmentFault, match=r"correct\.npz: damaged"):
        store.collect([(run, "arm-a")])


def test_lines_of_another_device_in_another_mode_stand_until_update(store: Store) -> None:
    """Two modes in one arm would be averaged as one: calibration chose otherwise on the other device."""
    arms = {"arm-a": make_arm(), "arm-other": make_arm()}
    both = Store(store.root, store.name, arms, rival_ids=frozenset({"arm-other"}))
    other = [make_record(run_id=f"{seed}" * 16, arm_id="arm-other", seed=seed) for seed in (0, 1)]
    commit(both, *other)
    runs = [(make_run(make_arm(), seed, f"a{seed}" * 8), "arm-a") for seed in (0, 1, 2)]
    for run, _ in runs:
        train(both, run)
    assert both.rivals() == 2
    assert [record.arm_id for record in both.collect(runs)] == ["arm-other"] * 2
    assert [record.arm_id for record in both.collect(runs, update=True)] == ["arm-a"] * 3
    assert both.rivals() == 0
    assert [record.arm_id for record in both.collect(runs)] == ["arm-a"] * 3


def test_an_update_without_own_results_leaves_the_lines_of_another_device(store: Store) -> None:
    both = Store(store.root, store.name, {"arm-other": make_arm()}, rival_ids=frozenset({"arm-other"}))
    commit(both, make_record(arm_id="arm-other"))
    assert [record.arm_id for record in both.collect([], update=True)] == ["arm-other"]
