"""The measurement from start to file: workers, our modes, the fastest of them, rivals, rounds."""

from __future__ import annotations

import importlib.metadata
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from time import monotonic

from bench.record.environment import accelerator, available_cores, code_state, machine, packages
from bench.record.rivals import Contender, Job, Ratio, Rivals, Workers
from tests.benchmarks.rivals.common import RECIPE
from tests.benchmarks.rivals.contenders import Entrant, may_be_chosen, our_modes, rivals
from tests.benchmarks.rivals.rounds import Round, Running, median_s, play_rounds, quartiles, ratios
from tests.benchmarks.rivals.turns import Task
from tests.benchmarks.rivals.workers import compare

LEAST_ROUNDS = 3
"""Played even when the time is over: quartiles of fewer say nothing."""


@dataclass(frozen=True)
class Measurement:
    """What to measure, and for how long."""

    task: Task
    """Of every contender, but for its execution, options and folder."""
    n_images: int
    minutes: float
    """After which no further round begins."""
    most_rounds: int
    worker_pairs: int
    """How often the study of `workers.py` is run both ways; 0 leaves it out."""
    worker_overrides: tuple[str, ...] = ("seeds=2",)

    @property
    def device_kind(self) -> str:
        """`cpu` or `cuda`."""
        return self.task.device.split(":", maxsplit=1)[0]


_BEGAN = monotonic()


def say(line: str) -> None:
    """Progress, on stderr, with the seconds since the start."""
    sys.stderr.write(f"{monotonic() - _BEGAN:4.0f} s  {line}\n")
    sys.stderr.flush()


def measure(wanted: Measurement) -> Rivals:
    """Carry the measurement out.

    Raises:
        ContenderFailed: One of them ended early; nothing is kept.
    """
    began, kind = monotonic(), wanted.device_kind
    load_before = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    workers = _workers(wanted) if kind == "cpu" and wanted.worker_pairs else None
    with ExitStack() as stack:
        modes = our_modes(kind)
        running = [stack.enter_context(_start(wanted, entrant)) for entrant in modes]
        best = _fastest(modes, running, kind)
        others = rivals(best, kind, available_cores())
        running += [stack.enter_context(_start(wanted, entrant)) for entrant in others]
        say(f"fastest of ours: {best.settings}; the rounds begin")

        def go_on(number: int) -> bool:
            in_time = monotonic() - began < 60 * wanted.minutes
            return number < wanted.most_rounds and (in_time or number < LEAST_ROUNDS)

        rounds = play_rounds(
            running,
            (best.key, "bare"),
            go_on=go_on,
            on_round=lambda number: say(f"round {number} done"),
        )
    return _told(wanted, [*modes, *others], running, best, rounds, workers, load_before)


def _workers(wanted: Measurement) -> Workers:
    say("workers against threads")
    return compare(
        wanted.task.scratch / "workers",
        n_workers=wanted.task.threads,
        n_pairs=wanted.worker_pairs,
        overrides=list(wanted.worker_overrides),
    )


def _start(wanted: Measurement, entrant: Entrant) -> Running:
    say(f"start {entrant.key}: {entrant.trained_by}, {entrant.settings}")
    scratch = wanted.task.scratch / entrant.key
    scratch.mkdir(parents=True)
    task = replace(wanted.task, execution=entrant.execution, options=entrant.options, scratch=scratch)
    return Running(entrant.key, entrant.runner, task)


def _fastest(modes: Sequence[Entrant], running: Sequence[Running], device_kind: str) -> Entrant:
    """Our fastest mode of those that `auto` may choose: the better of two epochs of each, in turn."""
    times: Round = {mode.key: [] for mode in modes}
    for _ in range(2):
        for player in running:
            times[player.key].append(player.turn())
    eligible = [mode for mode in modes if may_be_chosen(mode, device_kind, machine()["cpu_flags"])]
    return min(eligible, key=lambda mode: min(times[mode.key]))


def _told(
    wanted: Measurement,
    entrants: Sequence[Entrant],
    running: Sequence[Running],
    best: Entrant,
    rounds: Sequence[Round],
    workers: Workers | None,
    load_before: float | None,
) -> Rivals:
    task = wanted.task
    device = accelerator(task.device)
    return Rivals(
        measured_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        device_kind=wanted.device_kind,
        device=str(device["device"]),
        environment={**code_state(), **packages(), **machine(), **device},
        versions={name: importlib.metadata.version(name) for name in ("lightning", "timm", "torchvision")},
        load_before=load_before,
        job=Job(
            network=f"ResNet-{task.depth}",
            data=str(task.data["name"]),
            n_images=wanted.n_images,
            batch_size=task.batch_size,
            recipe=RECIPE,
            threads=task.threads,
        ),
        best=best.key,
        contenders=tuple(
            _contender(entrant, player, rounds, wanted.n_images)
            for entrant, player in zip(entrants, running, strict=True)
        ),
        ratios=tuple(_ratio(rounds, best.key, entrant.key) for entrant in entrants if entrant != best),
        workers=workers,
    )


def _contender(entrant: Entrant, player: Running, rounds: Sequence[Round], n_images: int) -> Contender:
    return Contender(
        key=entrant.key,
        trained_by=entrant.trained_by,
        settings=entrant.settings,
        ours=entrant.ours,
        epochs_s=tuple(tuple(times[entrant.key]) for times in rounds),
        img_s=n_images / median_s(rounds, entrant.key),
        compile_s=player.facts["compile_s"],
        setup_s=player.setup_s,
        epochs=player.epochs,
        train_loss=player.loss,
    )


def _ratio(rounds: Sequence[Round], best: str, over: str) -> Ratio:
    found = ratios(rounds, best, over)
    low, middle, high = quartiles(found)
    return Ratio(over=over, median=middle, low=low, high=high, n=len(found))
