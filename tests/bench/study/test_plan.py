"""Plans: every run with its id, what an arm differs in, and how fast and lightly that is told."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.record.schema import RunRecord
from bench.record.store import read_records
from bench.study.check import check_arms, check_device
from bench.study.faults import StudyError
from bench.study.load import load_study
from bench.study.model import Study
from bench.study.plan import differences, plan

ROOT = Path(__file__).resolve().parents[3]
STUDIES = ROOT / "studies"

Load = Callable[..., Study]
Text = Callable[..., str]


def test_the_depth_study_keeps_the_ids_of_its_committed_results(tmp_path: Path) -> None:
    """Golden: an id that moves orphans every committed result. ENGINE or SCHEMA moves them on purpose."""
    planned = plan(load_study(STUDIES / "depth.yaml"), device_kind="cpu", data_dir=tmp_path)
    lines = read_records(ROOT / "results" / "depth" / "records.jsonl")
    committed = {(line.arm, line.seed): line.run_id for line in lines if isinstance(line, RunRecord)}
    assert {(run.arm.name, run.seed): run.run_id for run in planned.runs} == committed
    assert [run.seed for run in planned.runs[:6]] == [0, 1, 2, 3, 4, 0], "seeds run inside an arm"
    assert planned.runs[0].arm.is_baseline


def test_ids_do_not_depend_on_the_order_or_the_rest_of_the_design(study_text: Text, load: Load) -> None:
    def ids(study: Study) -> dict[tuple[str, int], str | None]:
        runs = plan(study, device_kind="cpu", data_dir=Path()).runs
        return {(run.arm.name, run.seed): run.run_id for run in runs}

    all_of_them = ids(load(study_text()))
    turned = ids(load(study_text(("[8, 20, 32, 56]", "[56, 20]"), ("seeds: 3", "seeds: [1]"))))
    assert turned.items() <= all_of_them.items()
    assert len(turned) == 4


def test_an_arm_tells_what_it_differs_in_from_the_baseline(study_text: Text, load: Load) -> None:
    study = load(study_text())
    told = [differences(arm, study.baseline) for arm in study.arms]
    assert told[:3] == ["baseline", "model.depth=8", "model.depth=8, model.residual=false"]
    assert differences(study.arms[1], None) == ""


def test_arms_written_out_are_compared_by_their_configurations(study_text: Text, load: Load) -> None:
    design = (
        "  arms:\n    plain: {model.residual: false, data.augment: [crop, flip]}\n    res:\n"
        "    adam: {train.optimizer: {name: adam, lr: 1e-3}}\n"
    )
    study = load(study_text(("GRID", design), ("BASELINE", "baseline: res\n")))
    assert [differences(arm, study.baseline) for arm in study.arms] == [
        "baseline",
        "data.augment=[crop, flip], model.residual=false",
        (
            "train.optimizer.name=adam, train.optimizer.lr=0.001, train.optimizer.weight_decay=0.0, "
            "train.optimizer.momentum=null"
        ),
    ]


OWN = ("base.data.name=parquet", "base.data.path=cifar10-jpeg", "base.data.image=img")


def test_runs_on_absent_data_have_no_id_and_say_why(tmp_path: Path) -> None:
    study = load_study(STUDIES / "depth_cifar10.yaml", OWN)
    check_arms(study, tmp_path)
    planned = plan(study, device_kind="cuda", data_dir=tmp_path)
    assert len(planned.runs) == 50
    assert {(run.run_id, run.no_id_reason) for run in planned.runs} == {(None, "data missing")}
    (note,) = planned.notes
    assert "cifar10-jpeg" in note


def test_the_cifar10_study_plans_on_its_own_data_before_they_are_there(tmp_path: Path) -> None:
    planned = plan(load_study(STUDIES / "depth_cifar10.yaml"), device_kind="cuda", data_dir=tmp_path)
    assert len({run.run_id for run in planned.runs}) == 50
    assert planned.notes == ()


def test_the_cifar10_study_plans_on_any_parquet_by_overrides(shared_data: Path) -> None:
    study = load_study(STUDIES / "depth_cifar10.yaml", OWN)
    check_arms(study, shared_data)
    planned = plan(study, device_kind="cuda", data_dir=shared_data)
    assert len({run.run_id for run in planned.runs if run.run_id}) == 50


def test_the_cifar10_study_is_for_a_gpu_and_says_how_a_cpu_may_have_it(shared_data: Path) -> None:
    with pytest.raises(StudyError, match=r"base\.execution\.graph: true needs a GPU; on a CPU use false"):
        check_device(load_study(STUDIES / "depth_cifar10.yaml", OWN), "cpu")
    on_cpu = load_study(
        STUDIES / "depth_cifar10.yaml", (*OWN, "base.execution.graph=false", "base.execution.amp=none")
    )
    check_device(on_cpu, "cpu")
    planned = plan(on_cpu, device_kind="cpu", data_dir=shared_data)
    assert len({run.run_id for run in planned.runs if run.run_id}) == 50


def test_what_the_users_data_decide_is_told_at_its_place(shared_data: Path) -> None:
    def told(*overrides: str) -> list[str]:
        study = load_study(STUDIES / "depth_cifar10.yaml", (*OWN[:2], *overrides))
        with pytest.raises(StudyError) as refusal:
            check_arms(study, shared_data)
        return list(refusal.value.lines)

    path = STUDIES / "depth_cifar10.yaml"
    line = next(
        n
        for n, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if text.startswith("  data:")
    )
    assert told() == [
        f"{path}:{line}:3: base.data.image: 'image' is no column of train.parquet; did you mean 'img'?"
    ]
    assert told(OWN[2], "base.train.batch_size=50001") == [
        "command line: base.train.batch_size=50001: 50001 is larger than the training set of 50,000 images"
    ]
    assert told(OWN[2], "metric=test_top5_pct", "base.data.classes=[cat, dog]") == [
        "command line: metric=test_top5_pct: test_top5_pct needs at least 6 classes, got 2"
    ]


def test_tf32_is_refused_on_a_cpu_and_taken_on_a_gpu(study_text: Text, load: Load) -> None:
    study = load(study_text(("fp32_precision: ieee", "fp32_precision: tf32")))
    check_device(study, "cuda")
    with pytest.raises(StudyError) as refusal:
        check_device(study, "cpu")
    assert refusal.value.lines == (
        "s.yaml:15:42: base.execution.fp32_precision: tf32 needs a GPU; on a CPU use ieee",
    )


PLAN_A_THOUSAND = """
import sys, time
started = time.perf_counter()
from pathlib import Path
from bench.study.load import load_study
from bench.study.plan import plan
study = load_study(Path(sys.argv[1]))
n_runs = len(plan(study, device_kind="cpu", data_dir=Path()).runs)
elapsed_s = time.perf_counter() - started
heavy = {"torch", "numpy", "pandas", "scipy", "pyarrow", "PIL"} & set(sys.modules)
print(n_runs, elapsed_s, sorted(heavy))
"""


def test_a_thousand_runs_are_planned_in_a_moment_and_without_torch(study_text: Text, tmp_path: Path) -> None:
    grid = (
        "  grid:\n    model.depth: [8, 14, 20, 26, 32]\n    model.residual: [true, false]\n"
        f"    data.split_seed: {list(range(100))}\n"
    )
    path = tmp_path / "s.yaml"
    path.write_text(study_text(("GRID", grid), ("seeds: 3", "seeds: 1"), ("BASELINE", "")), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", PLAN_A_THOUSAND, str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    n_runs, elapsed_s, heavy = done.stdout.split(maxsplit=2)
    assert n_runs == "1000"
    assert heavy.strip() == "[]"
    assert float(elapsed_s) < 1.5
