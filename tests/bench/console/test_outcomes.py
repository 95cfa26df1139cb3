"""What a study comes to when its runs misbehave: crashes, exceptions, memory, divergence; and exit codes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from command_line import TINY, bench, bench_process, run_records, write_study
from safetensors.numpy import load_file

MISCHIEF = """\
import os, signal
import torch

def segfault(images, keys):
    os.kill(os.getpid(), signal.SIGSEGV)

def refuse(images, keys):
    raise ValueError(f"cannot read {os.path.abspath('secret/place.txt')}")

def gobble(images, keys):
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 80 GiB")

def once(images, keys):
    if not os.path.exists("been-here"):
        open("been-here", "w").close()
        raise RuntimeError("the first time fails")
    return images

def fine(images, keys):
    return images

def lose_device(images, keys):
    note("lost")
    raise torch.AcceleratorError("CUDA error: device-side assert triggered")

def note_process(images, keys):
    note("next")
    return images

def note(name):
    with open(name, "a") as file:
        file.write(f"{os.getpid()} ")
"""

ON_CPU = ("--device", "cpu", "--jobs", "1")


def arms(**augmentations: str) -> str:
    """TINY with one arm an augmentation."""
    design = "".join(f"    {name}: {{data.augment: [{value}]}}\n" for name, value in augmentations.items())
    head = TINY.partition("design:")[0].replace("seeds: 2", "seeds: 1")
    return f"{head}design:\n  arms:\n{design}"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "mischief.py").write_text(MISCHIEF)
    return tmp_path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where TINY was trained by a process of its own, with all that a report draws."""
    folder = tmp_path_factory.mktemp("trained")
    answer = bench_process("run", write_study(folder), *ON_CPU, cwd=folder)
    assert answer.returncode == 0, answer.stderr
    (folder / "stdout").write_text(answer.stdout)
    return folder


def test_crashes_and_errors_cost_their_run_and_become_records(place: Path) -> None:
    study = write_study(
        place,
        arms(
            good="flip",
            crash="mischief:segfault",
            error="mischief:refuse",
            memory="mischief:gobble",
            own="mischief:fine",
        ),
    )
    answer = bench_process("run", study, *ON_CPU, cwd=place)
    assert answer.returncode == 1
    assert "Traceback" not in answer.stderr
    records = {record["arm"]: record for record in run_records(place / "results" / "tiny")}
    assert {arm: record["status"] for arm, record in records.items()} == {
        "good": "done",
        "crash": "failed",
        "error": "failed",
        "memory": "oom",
        "own": "done",
    }
    assert records["crash"]["reason"] == "worker died: SIGSEGV"
    assert records["error"]["reason"] == "ValueError: cannot read place.txt"
    assert records["memory"]["reason"] == "OutOfMemoryError: CUDA out of memory. Tried to allocate 80 GiB"
    (trace,) = place.glob("results/tiny/runs/error-*/error.txt")
    assert "Traceback" in trace.read_text()

    again = bench("run", study, *ON_CPU, cwd=place)
    assert again.returncode == 1, "failed runs still stand, though skipped"
    assert "2 stand failed; --retry failed trains them again" in again.stderr
    table = again.stdout
    for word in ("crash", "worker died: SIGSEGV", "out of memory"):
        assert word in table
    committed = (place / "results" / "tiny" / "records.jsonl").read_text()
    assert str(place) not in committed


def test_a_process_that_lost_its_device_trains_nothing_more(place: Path) -> None:
    """After an assertion on a GPU every later kernel of the process fails: the next run gets a new one."""
    study = write_study(place, arms(bad="mischief:lose_device", next="mischief:note_process"))
    answer = bench("run", study, *ON_CPU, cwd=place)
    assert answer.returncode == 1
    records = {record["arm"]: record for record in run_records(place / "results" / "tiny")}
    assert {arm: record["status"] for arm, record in records.items()} == {"bad": "failed", "next": "done"}
    assert records["bad"]["started_utc"] < records["next"]["started_utc"]
    lost, after = ((place / name).read_text().split()[0] for name in ("lost", "next"))
    assert lost != after


def test_retry_makes_a_new_attempt_and_keeps_the_old_one(place: Path) -> None:
    study = write_study(place, arms(flaky="mischief:once"))
    assert bench("run", study, *ON_CPU, cwd=place).returncode == 1
    assert bench("run", study, *ON_CPU, "--retry", "failed", cwd=place).returncode == 0
    (record,) = run_records(place / "results" / "tiny")
    assert record["status"] == "done"
    assert [attempt["reason"] for attempt in record["attempts"]] == ["RuntimeError: the first time fails"]


def test_a_diverged_run_is_a_result_and_no_failure(place: Path) -> None:
    text = TINY.partition("design:")[0].replace("lr: 0.05", "lr: 1e+30")
    answer = bench("run", write_study(place, text), *ON_CPU, cwd=place)
    assert answer.returncode == 0, answer.stderr
    records = run_records(place / "results" / "tiny")
    assert [record["status"] for record in records] == ["diverged", "diverged"]
    assert all(record["reason"].startswith("loss not finite at step ") for record in records)
    saved = list(place.glob("results/tiny/runs/*/*.safetensors"))
    assert saved, "the weights before the bad step are kept"
    for path in saved:
        assert all(np.isfinite(array).all() for array in load_file(path).values()), path
    assert "diverged" in answer.stdout


def test_a_finished_study_trains_nothing_again(trained: Path) -> None:
    results = trained / "results" / "tiny"
    before = {path: path.read_bytes() for path in results.rglob("*") if path.is_file()}
    second = bench("run", trained / "tiny.yaml", *ON_CPU, cwd=trained, draws=True)
    assert second.returncode == 0
    assert "4 of 4 runs are finished already" in second.stderr
    assert {path: path.read_bytes() for path in results.rglob("*") if path.is_file()} == before
    assert second.stdout == (trained / "stdout").read_text()


def test_a_probe_knows_how_much_others_took_meanwhile(trained: Path) -> None:
    lines = (trained / "results" / "tiny" / "records.jsonl").read_text().splitlines()
    probes = [line for line in map(json.loads, lines) if line["kind"] == "probe"]
    assert len(probes) == 2
    assert all(0 <= probe["others_share_pct"] <= 100 for probe in probes)


def test_more_seeds_extend_the_study_and_another_override_makes_its_own_folder(
    trained: Path, place: Path
) -> None:
    shutil.copytree(trained, place, dirs_exist_ok=True)
    study = place / "tiny.yaml"
    more = bench("run", study, "seeds=3", *ON_CPU, "--only", "model.residual=true", cwd=place)
    assert "2 of 3 runs are finished already" in more.stderr
    assert len(run_records(place / "results" / "tiny")) == 5
    other = bench("run", study, "base.train.epochs=1", *ON_CPU, "--only", "*=true", cwd=place)
    assert other.returncode == 0, other.stderr
    (folder,) = place.glob("results/tiny+*")
    assert "epochs: 1" in (folder / "study.yaml").read_text()


def test_a_changed_arm_says_why_it_runs_anew(trained: Path, place: Path) -> None:
    """One arm was trained for two epochs, the other never."""
    shutil.copytree(trained, place, dirs_exist_ok=True)
    results = place / "results" / "tiny"
    for folder in results.glob("runs/*residual=false*"):
        shutil.rmtree(folder)
    lines = (results / "records.jsonl").read_text().splitlines(keepends=True)
    kept = [line for line in lines if json.loads(line)["arm"] == "model.residual=true"]
    assert 0 < len(kept) < len(lines)
    (results / "records.jsonl").write_text("".join(kept))
    study = write_study(place, TINY.replace("epochs: 2", "epochs: 1"))
    plan = bench("plan", study, "--device", "cpu", cwd=place)
    assert "changed: train.epochs 2 → 1" in plan.stdout
    assert plan.stdout.count("new") == 1


def test_recorded_results_are_checked_and_kept_until_update(trained: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    committed = clone / "results" / "tiny"
    committed.mkdir(parents=True)
    for name in ("records.jsonl", "correct.npz", "study.yaml"):
        (committed / name).write_bytes((trained / "results" / "tiny" / name).read_bytes())
    before = (committed / "records.jsonl").read_bytes()
    study = write_study(clone)
    assert bench("status", study, "--device", "cpu", cwd=clone).stdout.count("recorded") == 5
    answer = bench("run", study, *ON_CPU, cwd=clone)
    assert answer.returncode == 0, answer.stderr
    assert answer.stderr.count("exactly (2 of 2 seeds bit for bit)") == 2
    assert (committed / "records.jsonl").read_bytes() == before
    assert bench("run", study, *ON_CPU, "--update", cwd=clone).returncode == 0
    assert (committed / "records.jsonl").read_bytes() != before


def test_an_edited_study_does_not_forget_what_a_clone_recorded(trained: Path, tmp_path: Path) -> None:
    committed = tmp_path / "results" / "tiny"
    committed.mkdir(parents=True)
    for name in ("records.jsonl", "correct.npz", "study.yaml"):
        (committed / name).write_bytes((trained / "results" / "tiny" / name).read_bytes())
    before = (committed / "records.jsonl").read_bytes()
    study = write_study(tmp_path, TINY.replace("epochs: 2", "epochs: 1"))
    told = "4 recorded runs have no place in the study as it is now, and no folder here to come back from"
    assert told in bench("plan", study, "--device", "cpu", cwd=tmp_path).stdout
    answer = bench("run", study, *ON_CPU, cwd=tmp_path)
    assert answer.returncode == 2
    assert told in answer.stderr
    assert "another name, or let them go by --update" in answer.stderr
    assert (committed / "records.jsonl").read_bytes() == before
    assert not (committed / "runs").exists()
    assert bench("run", study, *ON_CPU, "--update", cwd=tmp_path).returncode == 0
    assert (committed / "records.jsonl").read_bytes() != before


def test_fewer_seeds_again_show_fewer_seeds(place: Path) -> None:
    study = write_study(place, TINY.replace("[true, false]", "[true]"))
    for word in ("seeds=3", "seeds=2"):
        assert bench("run", study, word, *ON_CPU, cwd=place).returncode == 0
    answer = bench("report", study, "seeds=2", "--device", "cpu", cwd=place)
    assert "mean over seeds 0 and 1" in answer.stdout
    assert "(seeds cut from 3 to 2 after 2 runs)" not in answer.stdout  # one arm: nothing is compared
    assert {record["seed"] for record in run_records(place / "results" / "tiny")} == {0, 1}
    assert bench("run", study, "seeds=3", *ON_CPU, cwd=place).returncode == 0
    assert {record["seed"] for record in run_records(place / "results" / "tiny")} == {0, 1, 2}


def test_no_command_shows_the_commands_and_a_file_is_no_results_folder(place: Path) -> None:
    answer = bench_process(cwd=place)
    assert answer.returncode == 2
    assert "list arms and runs, train nothing" in answer.stderr
    (place / "taken").write_text("")
    for command in ("plan", "run", "status", "report"):
        answer = bench(command, write_study(place), "--results", "taken", cwd=place)
        assert (answer.returncode, answer.stderr) == (2, "--results taken: is a file, not a folder\n")


def test_a_library_that_is_missing_is_the_machines_fault(place: Path) -> None:
    study = write_study(
        place,
        TINY.replace("{name: cifar_resnet, depth: 8}", "{name: 'timm:resnet10t'}").partition("design:")[0],
    )
    (place / "timm.py").write_text("raise ModuleNotFoundError(\"No module named 'timm'\", name='timm')\n")
    answer = bench_process("run", study, *ON_CPU, cwd=place)
    assert answer.returncode == 3
    assert "timm is not installed; pip install 'bench[timm]'" in answer.stderr
    assert "worker died" not in answer.stderr


def test_a_record_that_does_not_hold_is_exit_code_1(place: Path) -> None:
    from bench.record.schema import seal, unseal

    study = write_study(place, TINY.replace("seeds: 2", "seeds: 4"))
    bench("run", study, *ON_CPU, "--only", "*=true", cwd=place)
    results = place / "results" / "tiny"
    lines = []
    for line in (results / "records.jsonl").read_text().splitlines():
        record = unseal(line)
        if record.kind == "run":
            metrics = record.metrics.model_copy(update={"test_top1_pct": 3.0})
            digests = record.digests.model_copy(update={"tested_weights": "another"})
            started = "2020-01-01T00:00:00.000000+00:00"
            record = record.model_copy(
                update={"metrics": metrics, "digests": digests, "started_utc": started}
            )
        lines.append(seal(record))
    (results / "records.jsonl").write_text("\n".join(lines) + "\n")
    answer = bench("run", study, *ON_CPU, "--only", "*=true", cwd=place)
    assert answer.returncode == 1
    assert "not reproduced" in answer.stderr


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        (["run", "tiny.yaml", "--only", "nothing*"], 2, "--only nothing*: matches none of 2 arms"),
        (["run", "absent.yaml"], 2, "absent.yaml"),
        (["run", "tiny.yaml", "base.train.epohcs=2"], 2, "did you mean 'base.train.epochs'?"),
        (["run", "tiny.yaml", "base.data.name=mnist", "base.data.train_size=1000"], 3, "mnist"),
        (["run", "tiny.yaml", "--device", "tpu"], 2, "--device tpu: one of auto, cpu, cuda, cuda:N"),
        (["run", "tiny.yaml", "--jobs", "0"], 2, "auto or a number above 0"),
        (["report"], 2, "no study has records here"),
        (["frobnicate"], 2, "invalid choice"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_is_one_line_and_writes_nothing(
    place: Path, words: list[str], code: int, line: str
) -> None:
    write_study(place)
    before = sorted(place.rglob("*"))
    answer = bench(*words, cwd=place)
    assert answer.returncode == code, answer.stderr
    assert line in answer.stderr
    assert "Traceback" not in answer.stderr
    assert answer.stdout == ""
    assert sorted(place.rglob("*")) == before


def test_a_dry_run_shows_the_plan_and_writes_nothing(place: Path) -> None:
    study = write_study(place)
    before = sorted(place.rglob("*"))
    answer = bench("run", study, "--dry-run", "--device", "cpu", cwd=place)
    assert answer.returncode == 0
    assert "2 arms, 4 runs" in answer.stdout
    assert sorted(place.rglob("*")) == before


def test_fail_fast_stops_at_the_first_failure(place: Path) -> None:
    text = arms(error="mischief:refuse", good="flip").replace("seeds: 1", "seeds: 6")
    answer = bench("run", write_study(place, text), *ON_CPU, "--fail-fast", cwd=place)
    assert answer.returncode == 1
    assert len(run_records(place / "results" / "tiny")) < 12


def test_plan_and_status_speak_json(place: Path) -> None:
    study = write_study(place)
    plan = json.loads(bench("plan", study, "--json", "--device", "cpu", cwd=place).stdout)
    assert [arm["name"] for arm in plan["arms"]] == ["model.residual=true", "model.residual=false"]
    assert len({run["run_id"] for run in plan["runs"]}) == 4
    status = json.loads(bench("status", study, "--json", "--device", "cpu", cwd=place).stdout)
    assert {run["status"] for run in status} == {"pending"}


def test_debug_shows_the_traceback_that_is_hidden_otherwise(place: Path) -> None:
    write_study(place)
    assert "Traceback" in bench("plan", "absent.yaml", "--debug", cwd=place).stderr


def test_tensorboard_opens_the_run_folders_as_they_are(trained: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams import metadata, plugin_data_pb2

    folders = sorted(trained.glob("results/tiny/runs/model.*/tb"))
    assert len(folders) == 4
    groups = set()
    for folder in folders:
        assert [path.is_file() for path in folder.iterdir()] == [True], "one event file and no sub-folder"
        events = EventAccumulator(str(folder)).Reload()
        assert {"loss/train", "top1_pct/train", "lr", "final/test_top1_pct"} <= set(events.Tags()["scalars"])
        assert [event.step for event in events.Scalars("loss/train")] == [1, 2]
        content = events.SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
        started = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info
        groups.add(started.group_name)
        assert set(started.hparams) == {"model.residual", "seed"}
    assert groups == {"model.residual=true", "model.residual=false"}


def test_plan_tells_what_trains_without_building_the_network(place: Path) -> None:
    """ResNet-18 with ten classes: 11,181,642 parameters, of which the last layer has 5,130."""
    text = TINY.partition("design:")[0].replace("{name: cifar_resnet, depth: 8}", "{name: resnet18}")
    text += "design:\n  arms:\n    whole: {}\n    head: {train.freeze: {all_but: head}}\n"
    study = write_study(
        place, text.replace("train_size: 256", "train_size: 256, image_size: 32, channels: 3")
    )
    arms = json.loads(bench("plan", study, "--json", "--device", "cpu", cwd=place).stdout)["arms"]
    assert {arm["name"]: arm["n_trainable_params"] for arm in arms} == {"whole": 11_181_642, "head": 5_130}
    assert "5,130" in bench("plan", study, "--device", "cpu", cwd=place).stdout
