"""Studies that decide on their way, by the command line: paths and seeds, killed, replayed, tampered with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from command_line import bench, kill_group, run_records, start, wait_for, weights, write_study

BASE = """\
question: Does a decision follow from the records alone?
base:
  data: {name: digits, train_size: 200, val: 0.2}
  model: {name: cifar_resnet, depth: 8}
  train:
    epochs: 2
    batch_size: 32
    optimizer: {name: sgd, lr: 0.05}
    label_smoothing: 0.1
"""

PATH = f"""\
name: way
seeds: 2
{BASE}
design:
  path:
    momentum: {{with: {{train.optimizer.momentum: 0.9}}}}
    shortcut: {{without: {{model.residual: false}}}}
    smoothing: {{without: {{train.label_smoothing: 0}}}}
"""

UNTIL = f"""\
name: until
seeds: {{min: 3, max: 5, until: decided}}
{BASE}
design:
  leave_one_out:
    learning: {{without: {{train.optimizer.lr: 1e-9}}}}
    smoothing: {{without: {{train.label_smoothing: 0.05}}}}
"""
"""Without a learning rate nothing is learnt, which three seeds find; the rest stays open to the end."""

RUN = ("--device", "cpu", "--jobs", "1")


def decisions(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "decisions.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A path that was walked in one call."""
    folder = tmp_path_factory.mktemp("walked")
    answer = bench("run", write_study(folder, PATH), *RUN, cwd=folder)
    assert answer.returncode == 0, answer.stderr
    return folder


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seeds that were added until nothing was left to decide."""
    folder = tmp_path_factory.mktemp("decided")
    answer = bench("run", write_study(folder, UNTIL), *RUN, cwd=folder)
    assert answer.returncode == 0, answer.stderr
    return folder


def test_a_path_takes_the_best_candidate_on_validation_at_each_step(walked: Path) -> None:
    results = walked / "results" / "way"
    runs = run_records(results)
    arms = ["momentum", "shortcut", "smoothing"]

    def mean(arm: str) -> float:
        values = [run["metrics"]["val_top1_pct"] for run in runs if run["arm"] == arm]
        assert len(values) == 2
        return sum(values) / 2

    first, second = decisions(results)
    assert first["chosen"] == max(arms, key=mean)
    assert {c["component"]: c["mean_val_top1_pct"] for c in first["candidates"]} == {
        arm: pytest.approx(mean(arm)) for arm in arms
    }
    left = [arm for arm in arms if arm != first["chosen"]]
    pair = {name: "+".join(arm for arm in arms if arm in (first["chosen"], name)) for name in left}
    assert second["taken"] == [first["chosen"]]
    assert second["chosen"] == max(left, key=lambda name: mean(pair[name]))
    assert {run["arm"] for run in runs} == {"bare", *arms, *pair.values(), "full"}


def test_a_walked_path_has_nothing_left_to_do_and_says_where_it_stands(walked: Path) -> None:
    before = (walked / "results" / "way" / "records.jsonl").read_bytes()
    again = bench("run", walked / "tiny.yaml", *RUN, cwd=walked)
    assert again.returncode == 0
    assert "14 of 14 runs are finished already" in again.stderr
    assert (walked / "results" / "way" / "records.jsonl").read_bytes() == before
    chosen = [one["chosen"] for one in decisions(walked / "results" / "way")]
    (last,) = {"momentum", "shortcut", "smoothing"} - set(chosen)
    told = f"path: bare +{chosen[0]} +{chosen[1]} +{last}; all 2 choices made, on val_top1_pct"
    for command in ("plan", "status"):
        assert told in bench(command, walked / "tiny.yaml", "--device", "cpu", cwd=walked).stdout


def test_a_path_that_is_killed_takes_the_same_decisions(walked: Path, tmp_path: Path) -> None:
    """Killed without warning once the first decision stands, amid the step that follows from it."""
    study = write_study(tmp_path, PATH)
    results = tmp_path / "results" / "way"
    process = start("run", study, *RUN, cwd=tmp_path)
    try:
        wait_for((results / "decisions.jsonl").is_file, what="the first decision")
    finally:
        kill_group(process)
    assert len(decisions(results)) == 1
    answer = bench("run", study, *RUN, cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    same = walked / "results" / "way"
    assert (results / "decisions.jsonl").read_bytes() == (same / "decisions.jsonl").read_bytes()
    assert weights(results) == weights(same)


def test_decisions_that_were_lost_are_taken_again_from_the_records(walked: Path, tmp_path: Path) -> None:
    """As a kill between the last run of a step and its decision leaves them."""
    shutil.copytree(walked, tmp_path, dirs_exist_ok=True)
    kept = tmp_path / "results" / "way" / "decisions.jsonl"
    was = kept.read_bytes()
    kept.write_bytes(was.splitlines(keepends=True)[0])
    answer = bench("run", tmp_path / "tiny.yaml", *RUN, cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert kept.read_bytes() == was
    assert "runs to train" not in answer.stderr


def test_decisions_hold_for_the_design_under_which_they_were_taken(walked: Path, tmp_path: Path) -> None:
    shutil.copytree(walked, tmp_path, dirs_exist_ok=True)
    study = write_study(tmp_path, PATH.replace("epochs: 2", "epochs: 1"))
    plan = bench("plan", study, "--device", "cpu", cwd=tmp_path)
    assert "path: bare; 0 of 2 choices made" in plan.stdout
    assert "5 arms, 10 runs" in plan.stdout
    back = write_study(tmp_path, PATH)
    assert "all 2 choices made" in bench("plan", back, "--device", "cpu", cwd=tmp_path).stdout


def test_a_decision_that_was_changed_by_hand_is_refused(walked: Path, tmp_path: Path) -> None:
    shutil.copytree(walked, tmp_path, dirs_exist_ok=True)
    kept = tmp_path / "results" / "way" / "decisions.jsonl"
    kept.write_text(kept.read_text().replace('"step":1', '"step":2', 1))
    answer = bench("status", tmp_path / "tiny.yaml", "--device", "cpu", cwd=tmp_path)
    assert answer.returncode == 3
    line = "decisions.jsonl:1: the decision is not what was sealed: its digest differs"
    assert answer.stderr.strip().endswith(line)


def test_verify_names_a_decision_that_no_longer_follows(walked: Path, tmp_path: Path) -> None:
    shutil.copytree(walked / "results", tmp_path / "results")
    folder = tmp_path / "results" / "way"
    from bench.study.decisions import PathDecision, read_decisions, seal_decision

    first, *rest = read_decisions(folder)
    assert isinstance(first, PathDecision)
    others = [c.model_copy(update={"mean_val_top1_pct": 1.0}) for c in first.candidates]
    forged = [first.model_copy(update={"candidates": tuple(others)}), *rest]
    (folder / "decisions.jsonl").write_text("".join(seal_decision(one) + "\n" for one in forged))
    answer = bench("verify", "--results", tmp_path / "results", walked / "tiny.yaml", cwd=tmp_path)
    assert answer.returncode == 1
    assert "decisions.jsonl: step 1 of the path: momentum: kept 1.0, again" in answer.stdout


def test_seeds_are_added_until_each_comparison_is_decided_or_the_most_is_reached(decided: Path) -> None:
    results = decided / "results" / "until"
    found = {(one["arm"], one["look"]): one["outcome"] for one in decisions(results)}
    assert found[("without learning", 1)] == "more seeds" or found[("without learning", 1)] == "different"
    seeds: dict[str, int] = {}
    for run in run_records(results):
        seeds[run["arm"]] = seeds.get(run["arm"], 0) + 1
    for arm in ("without learning", "without smoothing"):
        last = max(look for name, look in found if name == arm)
        assert found[(arm, last)] != "more seeds"
        assert seeds[arm] == (3, 4, 5)[last - 1]
    assert seeds["full"] == max(seeds.values())
    assert {one["n_comparisons"] for one in decisions(results)} == {2}


def test_replaying_the_looks_gives_the_same_lines(decided: Path, tmp_path: Path) -> None:
    shutil.copytree(decided, tmp_path, dirs_exist_ok=True)
    kept = tmp_path / "results" / "until" / "decisions.jsonl"
    was = kept.read_bytes()
    kept.unlink()
    answer = bench("run", tmp_path / "tiny.yaml", *RUN, cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert kept.read_bytes() == was
    holds = bench("verify", tmp_path / "tiny.yaml", cwd=tmp_path)
    assert holds.returncode == 0, holds.stdout


def test_verdicts_are_those_of_the_looks(decided: Path) -> None:
    results = decided / "results" / "until"
    last: dict[str, str] = {one["arm"]: one["outcome"] for one in decisions(results)}
    rows = (results / "tables" / "differences.csv").read_text().splitlines()
    head = rows[0].split(",")
    for row in rows[1:]:
        told = dict(zip(head, row.split(","), strict=True))
        sign = "better" if float(told["delta"]) > 0 else "worse"
        assert told["verdict"] == {"different": sign, "undecided": "undecided"}[last[told["arm"]]]
    assert "looks at 3, 4, 5 seeds" in (results / "tables" / "differences.md").read_text()


def test_plan_says_what_the_seeds_can_detect(decided: Path, tmp_path: Path) -> None:
    fresh = write_study(tmp_path, UNTIL)
    told = bench("plan", fresh, "--device", "cpu", cwd=tmp_path).stdout
    assert "power: 2 comparisons paired by seed, sharing alpha 0.05: 5 seeds find 2.1 sd of the " in told
    assert "differences with 80% power; 1 sd needs 13, 2 sd needs 6" in told
    assert "seeds: looks at 3, 4, 5 seeds until decided; 0 comparisons decided" in told
    known = bench("plan", decided / "tiny.yaml", "--device", "cpu", "--json", cwd=decided)
    (power,) = json.loads(known.stdout)["power"]
    assert power["sd"] > 0
    assert power["delta"] == pytest.approx(power["effect"] * power["sd"])
    assert [size for size, _ in power["needed"]] == [0.5, 1.0]
