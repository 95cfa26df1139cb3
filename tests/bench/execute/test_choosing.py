"""Calibration's decisions, with speeds and compile times given instead of measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from bench.execute.choosing import Horizon, Speed, Tournament, Unmeasurable
from bench.study.execution import OPEN_KEYS, SPEED_KEYS, Hardware, Settings
from bench.study.lock import Trial

CPU = Hardware("cpu", "some CPU")
AMX = Hardware("cpu", "some CPU", frozenset({"amx_bf16"}))
GPU = Hardware("cuda", "some GPU", capability=(9, 0))

LONG = Horizon(images_a_run=10_000_000, images_a_worker=30_000_000)
SHORT = Horizon(images_a_run=3_000, images_a_worker=10_000)

Table = Mapping[str, float]


def play(
    hardware: Hardware,
    *,
    speeds: Table,
    horizon: Horizon = LONG,
    prepare: Table | None = None,
    keys: tuple[str, ...] = SPEED_KEYS,
    **more: Any,
) -> tuple[Settings, tuple[Trial, ...], list[str]]:
    """The choice where a mode multiplies 1,000 img/s by its factors and adds up its seconds."""
    measured: list[str] = []

    def speed(settings: Settings) -> Speed:
        img_s, prepare_s = 1000.0, 0.0
        for key, value in settings.given().items():
            img_s *= speeds.get(f"{key}={value}", 1.0)
            prepare_s += (prepare or {}).get(f"{key}={value}", 0.0)
        return Speed(img_s, prepare_s)

    def compare(champion: Settings | None, challenger: Settings) -> tuple[Speed | None, Speed]:
        measured.append(challenger.text())
        return (speed(champion) if champion is not None else None), speed(challenger)

    tournament = Tournament(keys, hardware, horizon, more.pop("excluded", lambda _: ""), compare, **more)
    return (*tournament.run(), measured)


def rejection(trials: tuple[Trial, ...], **settings: Any) -> str:
    """Why the last candidate with these settings was not taken."""
    matching = [t for t in trials if settings.items() <= t.settings.given().items()]
    assert matching, f"no candidate {settings}"
    assert matching[-1].rejected is not None
    return matching[-1].rejected


def test_the_fastest_layout_is_taken() -> None:
    chosen, trials, _ = play(CPU, speeds={"channels_last=True": 1.25})
    assert (chosen.channels_last, chosen.compile) == (True, "none")
    assert rejection(trials, channels_last=False, compile="none") == "20 % slower than channels_last true"
    assert [trial.rejected for trial in trials].count(None) == 1


def test_what_is_no_faster_than_noise_leaves_the_plainer_mode() -> None:
    chosen, trials, _ = play(CPU, speeds={"channels_last=True": 1.01})
    assert chosen.channels_last is False
    assert rejection(trials, channels_last=True) == "gains less than 2 % over channels_last false"


@pytest.mark.parametrize(("images", "expected"), [(160_100, "default"), (159_900, "none")])
def test_compiling_is_taken_only_when_it_repays_itself_within_half_of_the_images(
    images: int, expected: str
) -> None:
    # 40 s against a gain of 0.5 ms an image: 80,000 images.
    chosen, trials, measured = play(
        CPU,
        speeds={"compile=default": 2.0},
        prepare={"compile=default": 40.0},
        horizon=Horizon(images // 2, images),
    )
    assert any("compile default" in text for text in measured)
    assert chosen.compile == expected
    if expected == "none":
        assert rejection(trials, compile="default") == (
            "40 s to prepare come back after 80,000 images, more than half of 159,900"
        )


@pytest.mark.parametrize(("images", "tried"), [(120_100, True), (119_900, False)])
def test_compiling_is_tried_only_where_twice_the_speed_would_repay_what_it_is_assumed_to_take(
    images: int, tried: bool
) -> None:
    horizon = Horizon(images // 2, images)
    _, trials, measured = play(CPU, speeds={"compile=default": 1.0}, horizon=horizon)
    assert any("compile default" in text for text in measured) == tried
    assert rejection(trials, compile="default").startswith("not tried: compiling takes about 30 s") != tried


def test_a_run_that_is_over_before_compiling_ends_is_not_compiled_for() -> None:
    chosen, trials, measured = play(CPU, speeds={"compile=default": 10.0}, horizon=SHORT)
    assert chosen.compile == "none"
    assert not any("compile default" in text for text in measured)
    assert rejection(trials, compile="default") == (
        "not tried: compiling takes about 30 s, a worker's runs 10 s"
    )


def test_a_compiler_that_is_absent_is_said() -> None:
    without = Hardware("cpu", "some CPU", compiles=False)
    _, trials, _ = play(without, speeds={})
    assert rejection(trials, compile="default") == "no C++ compiler"


def test_bf16_is_kept_out_without_amx() -> None:
    fast = {"amp=bf16": 3.0}
    chosen, trials, measured = play(CPU, speeds=fast, keys=OPEN_KEYS)
    assert chosen.amp == "none"
    assert rejection(trials, amp="bf16") == "no amx_bf16"
    assert not any("bf16" in text for text in measured)
    chosen, _, _ = play(AMX, speeds=fast, keys=OPEN_KEYS)
    assert chosen.amp == "bf16"


def test_bf16_is_kept_out_of_old_gpus() -> None:
    old = Hardware("cuda", "old GPU", capability=(7, 5))
    chosen, trials, _ = play(old, speeds={"amp=bf16": 3.0}, keys=OPEN_KEYS)
    assert chosen.amp == "none"
    assert rejection(trials, amp="bf16") == "compute capability 7.5 is below 8.0"


def test_precision_is_never_chosen_where_it_is_not_asked_for() -> None:
    chosen, trials, _ = play(AMX, speeds={"amp=bf16": 3.0})
    assert chosen.amp is None
    assert not any(trial.settings.amp for trial in trials)


def test_what_is_written_out_is_no_candidate() -> None:
    chosen, trials, _ = play(CPU, speeds={"compile=default": 9.0}, keys=("channels_last",))
    assert chosen.given() == {"channels_last": False}
    assert len(trials) == 2


def test_a_cpu_has_no_graphs() -> None:
    chosen, trials, _ = play(CPU, speeds={"graph=True": 9.0})
    assert chosen.graph is False
    assert rejection(trials, graph=True) == "needs a GPU"


def test_layout_is_judged_inside_the_graph_too() -> None:
    """Launching bounds the plain step, so that its layout seems not to matter."""
    chosen, _, _ = play(GPU, speeds={"graph=True": 4.0, "channels_last=True": 1.3})
    assert (chosen.graph, chosen.channels_last, chosen.fused) == (True, True, True)


def test_a_capture_repays_itself_within_one_run() -> None:
    # 0.75 ms an image are gained, so a second comes back after 1,333 images.
    speeds, prepare = {"graph=True": 4.0}, {"graph=True": 1.0}
    keys = ("channels_last", "graph", "fused")
    chosen, _, _ = play(GPU, speeds=speeds, prepare=prepare, horizon=Horizon(2_700, 10**9), keys=keys)
    assert chosen.graph is True
    chosen, trials, _ = play(GPU, speeds=speeds, prepare=prepare, horizon=Horizon(2_600, 10**9), keys=keys)
    assert chosen.graph is False
    assert rejection(trials, graph=True) == (
        "1.0 s to prepare come back after 1,333 images, more than half of 2,600"
    )


def test_a_compile_mode_with_graphs_of_its_own_stands_in_where_no_graph_can_be() -> None:
    def excluded(settings: Settings) -> str:
        return "graph excludes cycle_momentum" if settings.graph else ""

    speeds = {"compile=reduce-overhead": 3.0, "compile=default": 1.5}
    chosen, trials, _ = play(GPU, speeds=speeds, excluded=excluded)
    assert (chosen.graph, chosen.compile) == (False, "reduce-overhead")
    assert rejection(trials, graph=True) == "graph excludes cycle_momentum"
    chosen, _, measured = play(GPU, speeds={**speeds, "graph=True": 4.0})
    assert (chosen.graph, chosen.compile) == (True, "default")
    assert not any("reduce-overhead" in text for text in measured)


def test_an_unfused_update_is_never_tried_in_a_graph() -> None:
    chosen, _, measured = play(GPU, speeds={"graph=True": 4.0, "fused=False": 2.0})
    assert chosen.fused is True
    assert not any("fused false" in text for text in measured)


def test_a_candidate_that_fails_is_told_and_passed_over() -> None:
    def compare(champion: Settings | None, challenger: Settings) -> tuple[Speed | None, Speed]:
        if challenger.channels_last:
            raise Unmeasurable("out of memory")
        return (Speed(100.0) if champion is not None else None), Speed(100.0)

    chosen, trials = Tournament(("channels_last",), CPU, LONG, lambda _: "", compare).run()
    assert chosen.channels_last is False
    assert rejection(trials, channels_last=True) == "out of memory"


def test_where_nothing_runs_the_first_reason_is_told() -> None:
    def compare(_champion: Settings | None, challenger: Settings) -> tuple[Speed | None, Speed]:
        raise Unmeasurable(f"broken with {challenger.text()}")

    with pytest.raises(Unmeasurable, match="broken with channels_last false"):
        Tournament(("channels_last",), CPU, LONG, lambda _: "", compare).run()
