"""`bench verify`: what follows from the records holds, and any digit that was changed is found and named."""

from __future__ import annotations

import json
import random
import re
import shutil
from pathlib import Path

import pytest
from command_line import ROOT, bench, bench_process

from bench.console.report import write_files
from bench.console.verify import Places, check_all, check_study
from bench.record.bits import read_bits, write_bits
from bench.record.schema import line_digest
from bench.record.store import read_records
from bench.report.figures import metric_figure
from bench.study.load import load_study

N_LINES = 12


def small_results(root: Path) -> Path:
    """The depth study with its first runs and one probe, reported."""
    folder = root / "results" / "depth"
    folder.mkdir(parents=True)
    committed = ROOT / "results" / "depth"
    lines = (committed / "records.jsonl").read_text().splitlines()
    kept = [*lines[:N_LINES], lines[-1]]
    (folder / "records.jsonl").write_text("".join(f"{line}\n" for line in kept))
    shutil.copy(committed / "study.yaml", folder)
    ids = {json.loads(line).get("run_id") for line in kept}
    bits = read_bits(committed / "correct.npz").by_run
    write_bits(folder / "correct.npz", {run: packed for run, packed in bits.items() if run in ids})
    report(folder)
    return folder


def report(folder: Path) -> None:
    write_files(folder, read_records(folder / "records.jsonl"), load_study(folder / "study.yaml"))


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes most of the time and is not what finds these changes."""
    monkeypatch.setattr("bench.report.figures.draw_all", lambda *_args, **_named: iter(()))


def change_one_digit(line: str, draw: random.Random) -> str:
    """The line with another digit somewhere."""
    at = draw.choice([match.start() for match in re.finditer(r"\d", line)])
    other = draw.choice([digit for digit in "0123456789" if digit != line[at]])
    return line[:at] + other + line[at + 1 :]


def sealed_anew(line: str) -> str | None:
    """The line with the digest of what it says now; None where it says nothing any more."""
    try:
        fields = json.loads(line)
    except ValueError:
        return None
    if "line_sha256" not in fields:
        return None
    fields["line_sha256"] = line_digest(fields)
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


@pytest.mark.usefixtures("no_figures")
@pytest.mark.parametrize("is_sealed_anew", [False, True], ids=["as it stands", "sealed anew"])
def test_one_changed_digit_is_caught_100_times_of_100(tmp_path: Path, is_sealed_anew: bool) -> None:
    folder = small_results(tmp_path)
    path = folder / "records.jsonl"
    before = path.read_text().splitlines()
    draw = random.Random(0)
    missed, n_tried = [], 0
    while n_tried < 100:
        number = draw.randrange(len(before))
        changed = change_one_digit(before[number], draw)
        if is_sealed_anew:
            changed = sealed_anew(changed) or before[number]
        if changed == before[number]:
            continue
        n_tried += 1
        path.write_text("".join(f"{line}\n" for line in [*before[:number], changed, *before[number + 1 :]]))
        found, _ = check_study(folder)
        if not any("records.jsonl" in fault or "seals.csv" in fault for fault in found.faults):
            missed.append((number, changed))
    path.write_text("".join(f"{line}\n" for line in before))
    assert check_study(folder)[0].faults == []
    assert missed == []


@pytest.mark.usefixtures("no_figures")
def test_one_changed_bit_of_an_image_is_named(tmp_path: Path) -> None:
    folder = small_results(tmp_path)
    bits = read_bits(folder / "correct.npz").by_run
    run_id, packed = next(iter(bits.items()))
    write_bits(folder / "correct.npz", {**bits, run_id: bytes([packed[0] ^ 128]) + packed[1:]})
    fault = check_study(folder)[0].faults[0]
    whose = next(r for r in read_records(folder / "records.jsonl") if getattr(r, "run_id", "") == run_id)
    assert fault == (
        f"{folder / 'correct.npz'}: {whose.arm} seed {whose.seed}: its bits are not what was sealed"
    )


@pytest.mark.usefixtures("no_figures")
def test_bits_that_tell_another_accuracy_are_named_though_all_digests_fit(tmp_path: Path) -> None:
    folder = small_results(tmp_path)
    records = read_records(folder / "records.jsonl")
    record = records[0].model_copy(
        update={"metrics": records[0].metrics.model_copy(update={"test_top1_pct": 50.0})}
    )
    line = sealed_anew(record.model_dump_json())
    rest = (folder / "records.jsonl").read_text().splitlines()[1:]
    (folder / "records.jsonl").write_text("".join(f"{one}\n" for one in [line, *rest]))
    report(folder)
    (fault,) = check_study(folder)[0].faults
    assert "right images differ: bits 354, accuracy 180, confusion 354" in fault


@pytest.mark.usefixtures("no_figures")
def test_missing_and_foreign_derived_files_are_named(tmp_path: Path) -> None:
    folder = small_results(tmp_path)
    (folder / "tables" / "arms.tex").unlink()
    (folder / "figures").mkdir(exist_ok=True)
    (folder / "figures" / "cost.svg").write_text("<svg/>")
    (folder / "figures" / "mine.svg").write_text("<svg/>")
    faults = check_study(folder)[0].faults
    assert faults == [
        f"{folder / 'tables' / 'arms.tex'}: missing; the records give it",
        f"{folder / 'figures' / 'cost.svg'}: does not come from these records",
    ]


def test_figures_of_other_libraries_are_compared_by_what_they_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.report.figures._FIGURES", {"metric": metric_figure})  # the others take as long
    folder = small_results(tmp_path)
    path = folder / "figures" / "metric.svg"
    here = re.search("matplotlib [0-9.]+", path.read_text()).group()
    path.write_text(path.read_text().replace(here, "matplotlib 3.0.0"))
    found, _ = check_study(folder)
    assert found.faults == []
    assert any(note.startswith(f"{path}: compared by the data drawn") for note in found.notes)
    digest = re.search("sha256=([0-9a-f]{64})", path.read_text()).group(1)
    path.write_text(path.read_text().replace(digest, "0" * 64))
    assert check_study(folder)[0].faults == [f"{path}: shows other data than the records give"]
    path.write_text(path.read_text().replace("matplotlib 3.0.0", here))
    assert check_study(folder)[0].faults == [f"{path}: is not what the records give"]


@pytest.mark.usefixtures("no_figures")
def test_a_changed_accuracy_is_followed_into_the_paper(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = small_results(tmp_path).relative_to(tmp_path)
    (tmp_path / "paper").mkdir()
    arm = load_study(folder / "study.yaml").baseline.name
    (tmp_path / "paper" / "numbers.toml").write_text(f'[depth]\nbase = {{of = "mean", arm = "{arm}"}}\n')
    (tmp_path / "paper" / "main.tex").write_text(
        "\\begin{document}\nIt is \\num{depth.base}.\n\\end{document}"
    )
    places = Places(folder.parent, Path("paper"))
    assert check_all([], [], places).faults[0].startswith("paper/numbers.tex: depth.base is missing")
    from bench.report.paper import open_paper

    for name, data in open_paper(places.paper, places.results).files.items():
        (places.paper / name).write_bytes(data)
    assert check_all([], [], places).faults == []
    lines = (folder / "records.jsonl").read_text().splitlines()
    fields = json.loads(lines[0])
    fields["metrics"]["test_top1_pct"] = 50.0
    lines[0] = sealed_anew(json.dumps(fields))
    (folder / "records.jsonl").write_text("".join(f"{line}\n" for line in lines))
    faults = check_all([], [], places).faults
    assert any(f.startswith("paper/numbers.tex: depth.base says 98.5") and "main.tex:2" in f for f in faults)
    assert any(f.startswith(str(folder / "tables" / "arms.md")) for f in faults)


@pytest.mark.usefixtures("no_figures")
def test_the_command_exits_1_and_names_what_does_not_hold(tmp_path: Path) -> None:
    folder = small_results(tmp_path)
    fine = bench("verify", "--json", cwd=tmp_path)
    assert fine.returncode == 0, fine.stdout + fine.stderr
    assert json.loads(fine.stdout)["holds"] is True
    path = folder / "records.jsonl"
    path.write_text(path.read_text().replace('"cpu_cores":2', '"cpu_cores":4', 1))
    broken = bench("verify", cwd=tmp_path)
    assert broken.returncode == 1
    assert broken.stdout.startswith("results/depth/records.jsonl:1: ")
    assert "the line is not what was sealed" in broken.stdout.splitlines()[0]


def test_a_study_without_records_is_an_environment_fault(tmp_path: Path) -> None:
    (tmp_path / "studies").mkdir()
    shutil.copy(ROOT / "studies" / "depth.yaml", tmp_path / "studies")
    answer = bench("verify", "studies/depth.yaml", cwd=tmp_path)
    assert answer.returncode == 3
    assert "no records yet" in answer.stderr


@pytest.mark.slow
def test_committed_results_and_the_paper_hold() -> None:
    """Slow: draws every committed figure. `.ci/run` gives the same command right after the default suite."""
    answer = bench_process("verify", cwd=ROOT, timeout_s=280)
    assert answer.returncode == 0, answer.stdout
