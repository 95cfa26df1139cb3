"""Studies of two levels: sources are trained first, shared, resumed and recorded; their failure is told."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
from command_line import bench, finish, kill_group, run_records, start, wait_for, write_study

STUDY = """\
name: transfer
question: Do weights of other classes help?
seeds: 2
base:
  data: {name: digits, classes: [5, 6, 7, 8, 9], train_size: 256}
  model: {name: cifar_resnet, depth: 8}
  train: {epochs: 2, batch_size: 64, optimizer: {lr: 0.05, momentum: 0.9}}
  pretrain: {data: {name: digits, classes: [0, 1, 2, 3, 4], train_size: 256}}
design:
  arms:
    base: {}
    transfer: {weights: pretrain}
    frozen: {weights: {from: pretrain, through: layer2}, train.freeze: transferred}
    selfcopy: {weights: pretrain, pretrain.data.classes: [5, 6, 7, 8, 9]}
    random: {weights: {from: random, through: layer2}, train.freeze: transferred}
    normalised: {weights: pretrain, data.normalize: weights}
baseline: base
"""

ON_CPU = ("--device", "cpu", "--jobs", "1")


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("transfer")
    answer = bench("run", write_study(folder, STUDY), "--device", "cpu", "--jobs", "2", cwd=folder)
    assert answer.returncode == 0, answer.stderr
    return folder


def by_arm(folder: Path) -> dict[str, dict[int, dict]]:  # type: ignore[type-arg]
    found: dict[str, dict[int, dict]] = {}  # type: ignore[type-arg]
    for record in run_records(folder / "results" / "transfer"):
        found.setdefault(record["arm"], {})[record["seed"]] = record
    return found


def test_a_source_is_trained_once_a_seed_and_recorded_as_a_source(done: Path) -> None:
    records = by_arm(done)
    arms = {"base", "transfer", "frozen", "selfcopy", "random", "normalised"}
    assert set(records) == {*arms, "pretrain-1"}
    assert {arm: {r["role"] for r in runs.values()} for arm, runs in records.items()}["pretrain-1"] == {
        "source"
    }
    assert all(record["status"] == "done" for runs in records.values() for record in runs.values())


def test_no_run_is_packed_with_its_source_and_packs_end_alike(done: Path, tmp_path: Path) -> None:
    study = write_study(tmp_path, STUDY)
    answer = bench("run", study, *ON_CPU, "--pack", "5", cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    packed, apart = by_arm(tmp_path), by_arm(done)
    digests = [
        {(arm, seed): record["digests"] for arm, runs in records.items() for seed, record in runs.items()}
        for records in (packed, apart)
    ]
    assert digests[0] == digests[1]
    assert any(r["metrics"]["n_concurrent"] == 5 for runs in packed.values() for r in runs.values())


def test_seed_s_starts_from_seed_s_of_its_source(done: Path) -> None:
    records = by_arm(done)
    for seed in (0, 1):
        assert records["transfer"][seed]["source_run_id"] == records["pretrain-1"][seed]["run_id"]
        assert records["selfcopy"][seed]["source_run_id"] == records["base"][seed]["run_id"], (
            "shared with the arm"
        )
        assert records["base"][seed]["source_run_id"] is None
        assert records["random"][seed]["source_run_id"] is None
        assert records["transfer"][seed]["digests"]["source_weights"] is not None
    assert (
        records["transfer"][0]["digests"]["source_weights"]
        != records["transfer"][1]["digests"]["source_weights"]
    )


def test_a_self_copy_starts_at_its_sources_weights_and_draws_another_order(done: Path) -> None:
    """With the order of its source it would repeat its source, and the control would measure nothing."""
    records = by_arm(done)
    for seed in (0, 1):
        source, copy = records["base"][seed], records["selfcopy"][seed]
        assert copy["digests"]["initial_weights"] == source["digests"]["tested_weights"]
        assert copy["digests"]["split"] == source["digests"]["split"]
        assert copy["epochs"][0]["train_loss"] < source["epochs"][0]["train_loss"]
        assert copy["digests"]["final_weights"] != source["digests"]["final_weights"]


def test_fresh_layers_do_not_repeat_the_sources_initial_values() -> None:
    """A run behind another draws by a key of its own: other initial values, other order."""
    import architectures
    from bench.execute.network import run_key

    keys = [run_key(seed, n_behind) for seed in (0, 1) for n_behind in (0, 1, 2)]
    assert len(set(keys)) == 6
    heads = []
    for key in keys:
        model = architectures.build("cifar_resnet", depth=8, num_classes=5, in_chans=1, img_size=8)
        architectures.initialise(model, key)
        heads.append(tuple(model.state_dict()["fc.weight"].flatten().tolist()))
    assert len(set(heads)) == 6


def test_what_was_copied_and_frozen_is_the_sources_bit_for_bit(done: Path) -> None:
    from safetensors.numpy import load_file

    runs = done / "results" / "transfer" / "runs"
    for seed in (0, 1):
        (source,) = runs.glob(f"pretrain-1-s{seed}-*")
        (frozen,) = runs.glob(f"frozen-s{seed}-*")
        before, after = load_file(source / "last.safetensors"), load_file(frozen / "last.safetensors")
        kept = [name for name in before if name.startswith(("conv1", "bn1", "layer1", "layer2"))]
        assert any("running_var" in name for name in kept)
        for name in kept:
            assert before[name].tobytes() == after[name].tobytes(), name
        assert before["layer3.0.conv1.weight"].tobytes() != after["layer3.0.conv1.weight"].tobytes()


def test_images_are_normalised_as_the_sources_were_where_the_study_says_so(done: Path) -> None:
    from bench.data import open_splits
    from bench.execute.normalise import resolved_data
    from bench.study.load import load_study
    from bench.study.plan import plan

    planned = plan(load_study(done / "tiny.yaml"), device_kind="cpu", data_dir=done, results=done / "results")
    run = next(run for run in planned.runs if run.arm.name == "normalised")
    assert run.source is not None
    numbers = resolved_data(run, done).normalize
    fitted = open_splits(run.source.arm.config.data, done, "cpu").normaliser
    assert fitted.mean is not None
    assert list(numbers.mean) == fitted.mean.flatten().tolist()  # type: ignore[union-attr]
    own = open_splits(planned.runs[0].arm.config.data, done, "cpu").normaliser
    assert own.mean is not None
    assert list(numbers.mean) != own.mean.flatten().tolist()  # type: ignore[union-attr]
    records = by_arm(done)
    assert records["normalised"][0]["status"] == "done"
    assert (
        records["normalised"][0]["digests"]["initial_weights"]
        == records["transfer"][0]["digests"]["initial_weights"]
    )
    assert (
        records["normalised"][0]["digests"]["final_weights"]
        != records["transfer"][0]["digests"]["final_weights"]
    )


def test_sources_stand_in_no_table(done: Path) -> None:
    answer = bench("report", cwd=done)
    assert answer.returncode == 0, answer.stderr
    assert "pretrain-1" not in answer.stdout.split("\n\n")[1]
    assert "selfcopy" in answer.stdout


def test_plan_shows_two_levels(done: Path) -> None:
    plan = bench("plan", "tiny.yaml", "--device", "cpu", cwd=done)
    assert plan.returncode == 0, plan.stderr
    assert "pretrain-1  digits, classes 0 1 2 3 4  2 done" in plan.stdout
    rows = json.loads(bench("plan", "tiny.yaml", "--json", "--device", "cpu", cwd=done).stdout)["runs"]
    assert sum(row["source_run_id"] is not None for row in rows) == 8


def test_a_run_of_an_earlier_study_can_be_the_source(done: Path) -> None:
    text = STUDY.replace("name: transfer", "name: later").partition("  pretrain:")[0]
    text += "design:\n  arms:\n    base: {}\n    later: {weights: {run: transfer/base}}\nbaseline: base\n"
    study = write_study(done, text, "later.yaml")
    answer = bench("run", study, *ON_CPU, cwd=done)
    assert answer.returncode == 0, answer.stderr
    records = {(r["arm"], r["seed"]): r for r in run_records(done / "results" / "later")}
    mine = by_arm(done)
    for seed in (0, 1):
        assert records["later", seed]["source_run_id"] == mine["base"][seed]["run_id"]
        same = mine["selfcopy"][seed]["digests"]["final_weights"]
        assert records["later", seed]["digests"]["final_weights"] == same, "the same run by another road"


def test_an_unknown_earlier_run_names_the_nearest(done: Path) -> None:
    text = STUDY.replace("name: transfer", "name: wrong").replace(
        "weights: pretrain}", "weights: {run: transfer/bas}}"
    )
    answer = bench("plan", write_study(done, text, "wrong.yaml"), "--device", "cpu", cwd=done)
    assert answer.returncode == 2
    assert "did you mean 'base'?" in answer.stderr


MISCHIEF = """\
import os

def fail(images, keys):
    if not os.path.exists("mended"):
        raise RuntimeError("the source fails")
    return images
"""


def test_a_failed_source_fails_its_dependants_and_retrying_it_frees_them(tmp_path: Path) -> None:
    (tmp_path / "mischief.py").write_text(MISCHIEF)
    text = STUDY.replace("[0, 1, 2, 3, 4], train_size", "[0, 1, 2, 3, 4], augment: mischief:fail, train_size")
    study = write_study(tmp_path, text)
    answer = bench("run", study, *ON_CPU, "--only", "[bt]*", cwd=tmp_path)
    assert answer.returncode == 1
    records = by_arm(tmp_path)
    assert records["base"][0]["status"] == "done"
    assert records["pretrain-1"][0]["reason"] == "RuntimeError: the source fails"
    assert records["transfer"][0]["status"] == "failed"
    assert records["transfer"][0]["reason"] == "source pretrain-1 seed 0: failed"
    (tmp_path / "mended").touch()
    again = bench("run", study, *ON_CPU, "--only", "[bt]*", "--retry", "failed", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert all(r["status"] == "done" for runs in by_arm(tmp_path).values() for r in runs.values())


def test_a_diverged_source_frees_its_dependants_when_it_is_retried(tmp_path: Path) -> None:
    """`--retry diverged` names the source's state; the dependants failed for its sake alone and go along."""
    text = STUDY.replace(
        "train_size: 256}}", "train_size: 256}, train: {epochs: 2, batch_size: 64, optimizer: {lr: 1e+30}}}"
    )
    study = write_study(tmp_path, text)
    words = ("run", study, *ON_CPU, "--only", "transfer")
    assert bench(*words, cwd=tmp_path).returncode == 1
    assert by_arm(tmp_path)["transfer"][0]["reason"] == "source pretrain-1 seed 0: diverged"
    assert bench(*words, "--retry", "diverged", cwd=tmp_path).returncode == 1
    assert len(by_arm(tmp_path)["transfer"][0]["attempts"]) == 1


def test_an_interrupted_source_goes_on_and_its_dependants_follow(tmp_path: Path, done: Path) -> None:
    study = write_study(tmp_path, STUDY)
    process = start("run", study, "--device", "cpu", cwd=tmp_path, BENCH_CHECKPOINT_EVERY_S="0")
    try:
        wait_for(
            lambda: list(tmp_path.glob("results/transfer/runs/*/checkpoint.safetensors")), what="a checkpoint"
        )
        os.killpg(process.pid, signal.SIGINT)
        code, _, _ = finish(process)
    finally:
        kill_group(process)
    assert code == 130
    answer = bench("run", study, *ON_CPU, cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr

    def weights(folder: Path) -> dict[tuple[str, int], str]:
        return {
            (r["arm"], r["seed"]): r["digests"]["tested_weights"]
            for r in run_records(folder / "results/transfer")
        }

    assert weights(tmp_path) == weights(done)
