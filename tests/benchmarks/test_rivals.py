"""The measurement against rivals measures what it says: turns, ratios, equal work.

The measurement itself is a command, `python -m tests.benchmarks.rivals`; these tests time nothing.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rivals_helpers import make_rivals

from bench.data.augmenting import Crop, Flip
from bench.record.rivals import read_rivals
from tests.benchmarks.rivals.bare import PAD, Resident
from tests.benchmarks.rivals.contenders import may_be_chosen, our_modes, rivals
from tests.benchmarks.rivals.goals import goals
from tests.benchmarks.rivals.rounds import ContenderFailed, Running, play_rounds, quartiles, ratios
from tests.benchmarks.rivals.turns import Task


@pytest.fixture
def task(tmp_path: Path) -> Iterator[Task]:
    """A tiny job, in this process."""
    threads = torch.get_num_threads()
    yield Task(
        data={"name": "digits", "train_size": 96, "val": 0, "image_size": 32, "channels": 3},
        data_dir=tmp_path,
        depth=8,
        batch_size=32,
        device="cpu",
        threads=1,
        execution={},
        options={"loader_workers": 0, "trainer": {}},
        scratch=tmp_path,
    )
    torch.set_num_threads(threads)


class CountedTurns:
    """Ends after a number of epochs and keeps their losses."""

    def __init__(self, n: int) -> None:
        self.n, self.over, self.losses = n, False, []

    def clock(self) -> float:
        return 0.0

    def epoch_over(self, *, loss: float | None = None) -> None:
        self.losses.append(loss)
        self.over = len(self.losses) == self.n


@pytest.mark.parametrize("runner", ["ours", "plain", "bare"])
def test_a_contender_trains_one_epoch_a_turn_and_learns(runner: str, task: Task) -> None:
    pytest.importorskip("torchvision")
    turns = CountedTurns(10)
    facts = importlib.import_module(f"tests.benchmarks.rivals.{runner}").run(task, turns)
    assert facts == {"compile_s": None}
    assert len(turns.losses) == 10
    assert turns.losses[-1] < 0.8 * turns.losses[0]


def test_timms_protocol_takes_its_steps_by_turns(task: Task) -> None:
    pytest.importorskip("timm")
    turns = CountedTurns(2)
    runner = importlib.import_module("tests.benchmarks.rivals.timm_protocol")
    assert runner.run(task, turns) == {"compile_s": None}
    assert turns.losses == [None, None]


def test_the_bare_loop_crops_and_flips_as_we_do() -> None:
    images = torch.randn(6, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    padded = torch.nn.functional.pad(images, (PAD,) * 4)
    resident = Resident(padded, torch.arange(6), size=8)
    torch.manual_seed(0)
    rows = resident.draw(6)
    batch, labels = resident.batch(rows, torch.channels_last)
    order, top, left, flip = rows.unbind(1)
    ours = Crop(PAD).apply(images[order], torch.stack([top, left], dim=1))
    assert torch.equal(batch, Flip().apply(ours, flip[:, None]))
    assert torch.equal(labels, order)
    assert sorted(order.tolist()) == list(range(6))


@pytest.mark.gpu
@pytest.mark.parametrize("compile_mode", ["none", "default"])
def test_the_bare_loop_learns_as_a_graph(compile_mode: str, task: Task) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    from tests.benchmarks.rivals import bare

    turns = CountedTurns(10)
    mode = {"amp": "bf16", "channels_last": True, "graph": True, "compile": compile_mode}
    facts = bare.run(replace(task, device="cuda", execution=mode), turns)
    assert facts["compile_s"] > 0
    assert turns.losses[-1] < 0.8 * turns.losses[0]


class Scripted:
    """Takes its epochs from a list and tells who played when."""

    def __init__(self, key: str, times: list[float], played: list[str]) -> None:
        self.key, self.times, self.played = key, times, played

    def turn(self) -> float:
        self.played.append(self.key)
        return self.times.pop(0)


def test_rounds_turn_around_and_the_close_pair_encloses_itself() -> None:
    played: list[str] = []
    players = [Scripted(key, [1.0] * 4, played) for key in ("slow", "best", "bare")]
    play_rounds(players, ("best", "bare"), go_on=lambda number: number < 2)
    first, second = played[:5], played[5:]
    assert first == ["best", "bare", "bare", "best", "slow"]
    assert second == ["slow", "bare", "best", "best", "bare"]


def test_ratios_are_taken_round_by_round() -> None:
    """A machine half as fast in the second round changes no ratio."""
    played: list[str] = []
    players = [
        Scripted("best", [1.0, 1.0, 2.0, 2.0], played),
        Scripted("bare", [1.0, 1.5, 2.0, 3.0], played),
        Scripted("slow", [3.0, 6.0], played),
    ]
    rounds = play_rounds(players, ("best", "bare"), go_on=lambda number: number < 2)
    assert ratios(rounds, "best", "slow") == [3.0, 3.0]
    assert ratios(rounds, "best", "bare") == [1.25, 1.25]


def test_quartiles_of_one_to_five() -> None:
    """Method 7 of Hyndman & Fan (1996): 1, 2, 3, 4, 5 has quartiles 2, 3 and 4."""
    assert quartiles([5, 1, 4, 2, 3]) == (2, 3, 4)
    assert quartiles([1.5]) == (1.5, 1.5, 1.5)


def test_a_cpu_without_bf16_keeps_fp32() -> None:
    chosen = {mode.key for mode in our_modes("cpu") if may_be_chosen(mode, "cpu", ["avx512_bf16"])}
    assert chosen == {"ours_eager", "ours_channels_last", "ours_compiled"}
    assert all(may_be_chosen(mode, "cpu", ["amx_bf16"]) for mode in our_modes("cpu"))
    assert all(may_be_chosen(mode, "cuda", []) for mode in our_modes("cuda"))


@pytest.mark.parametrize("kind", ["cpu", "cuda"])
def test_rivals_written_for_speed_follow_our_fastest_mode(kind: str) -> None:
    best = our_modes(kind)[-1]
    by_key = {entrant.key: entrant for entrant in rivals(best, kind, cores=2)}
    assert by_key["bare"].execution == best.execution
    assert by_key["bare"].settings == best.settings
    assert by_key["timm_fast"].execution == {"channels_last": True, "amp": "bf16", "compile": "default"}
    assert len({entrant.key for entrant in [*our_modes(kind), *by_key.values()]}) == len(
        our_modes(kind)
    ) + len(by_key)


@pytest.mark.slow
def test_a_contender_that_fails_is_named_with_its_last_words(task: Task) -> None:
    broken = replace(task, data={"name": "digits", "train_size": 10**6})
    with (
        pytest.raises(ContenderFailed, match=r"(?s)^ours_eager: .*train_size"),
        Running("ours_eager", "ours", broken),
    ):
        pass


@pytest.mark.slow
def test_a_contender_waits_between_its_turns(task: Task) -> None:
    with Running("ours_eager", "ours", task) as running:
        seconds = [running.turn() for _ in range(3)]
    assert all(0 < spent < running.setup_s for spent in seconds)
    assert running.epochs == 4
    assert running.facts == {"compile_s": None}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_command_measures_everyone_and_writes_one_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("lightning")
    from tests.benchmarks.rivals.__main__ import main

    for name in ("TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR", "OMP_NUM_THREADS"):
        monkeypatch.setenv(name, "1")  # so that what the command sets is taken back
    words = "--device cpu --data-name digits --images 64 --batch-size 32 --depth 8 --threads 1 --minutes 0.01"
    tiny = ["--worker-pairs", "1", "--worker-override", "seeds=1", "--worker-override", "base.train.epochs=1"]
    assert main([*words.split(), *tiny, "--out", str(tmp_path)]) == 0
    (found,) = read_rivals(tmp_path)
    assert {contender.key for contender in found.contenders} == {
        *(mode.key for mode in our_modes("cpu")),
        *(entrant.key for entrant in rivals(our_modes("cpu")[0], "cpu", 2)),
    }
    assert {ratio.over for ratio in found.ratios} | {found.best} == {one.key for one in found.contenders}
    assert all(len(one.epochs_s) == 3 for one in found.contenders)
    assert found.workers is not None
    assert found.workers.n_runs == 8
    text = capsys.readouterr().out
    assert all(goal.line in text for goal in goals(found))


def test_goals_of_a_gpu_hold_graphs_against_eager() -> None:
    speed = {"ours_graph": 300.0, "ours_bf16": 110.0}
    lines = [goal.line for goal in goals(make_rivals(device_kind="cuda", img_s=speed, workers=None))]
    assert "fastest of ours over the bare loop: 1.01 (at least 0.98): reached" in lines
    assert "graphed over eager, both bf16: 2.73 (at least 3): MISSED" in lines
    assert "fastest of ours over the plain script: 8.50 (at least 8): reached" in lines


def test_goals_of_a_cpu_depend_on_its_bf16() -> None:
    without = [goal.what for goal in goals(make_rivals())]
    assert without == [
        "fastest of ours over the bare loop",
        "fastest of ours over Lightning",
        "2 workers over as many threads",
    ]
    with_amx = goals(make_rivals(environment={"cpu_flags": ["amx_bf16"]}))
    assert {goal.floor for goal in with_amx} == {0.98, 2.6, 1.8, 3.5, 1.5}
