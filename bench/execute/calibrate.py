"""Calibration: which mode trains the study fastest on this device, measured on the real step.

The costliest arm stands for all, since it decides how long the study takes. Two candidates are alive at a
time, each with its own network, and take turns in short windows; more would not fit a GPU's memory. What is
chosen goes to the lock at once, so that a call which ends here has lost nothing.
"""

from __future__ import annotations

import gc
import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import torch

from bench.data import DataSplits, TrainBatches, open_splits
from bench.data.catalogue import facts as facts_of
from bench.errors import BenchError, EnvironmentFault
from bench.execute.choosing import Horizon, Speed, Tournament, Unmeasurable
from bench.execute.job import Answer, CalibrateJob, Progress, Report
from bench.execute.network import build_network, builder, run_key, through_of
from bench.measure.network import gmacs
from bench.measure.probe import endless
from bench.record import environment
from bench.record.durable import write_if_changed
from bench.study.execution import Settings, open_keys, resolve
from bench.study.lock import LOCK_FILE, Entry, Trial, read_lock
from bench.study.model import Arm
from bench.study.shapes import n_train_images
from bench.study.specs import BaseSpec, DataSpec
from bench.train.drive import compiles, make_driver
from bench.train.modes import applied
from bench.train.step import Step

WINDOW_S = 0.1
"""Shortest time of a window; it holds at least one step."""

COMPARISON_S = 3.0
"""How long two candidates take turns, unless the fewest rounds take longer."""

MIN_ROUNDS, MAX_ROUNDS = 3, 7

WARMUP_STEPS = 3

MAX_NETWORKS = 200
"""Different networks that are looked at for the costliest arm."""

BACKWARD = 2.0
"""Cost of a backward pass in forward passes."""


class Stopped(Exception):
    """The user wants to stop."""


def calibrate(job: CalibrateJob, device: str, stop: Callable[[], bool], report: Report) -> Answer:
    """Choose for the job's device and write the lock, unless another call has done so."""
    found = read_lock(job.study_folder).entry(job.hardware.kind, job.hardware.model)
    if found is not None and not job.again:
        return Answer("done", found=True)
    try:
        arm, horizon = costliest(job)
        chosen, trials = _choose(job, arm, horizon, device, stop, report)
    except Stopped:
        return Answer("interrupted")
    except Unmeasurable as error:
        return Answer("failed", reason=f"calibration: {error}")
    entry = Entry(
        device=job.hardware.model,
        device_kind=job.hardware.kind,
        chosen=chosen,
        torch=environment.packages()["torch"],
        arm=arm.name,
        batch_size=arm.config.train.batch_size,
        images_a_run=horizon.images_a_run,
        images_a_worker=horizon.images_a_worker,
        candidates=trials,
    )
    lock = read_lock(job.study_folder).with_entry(entry)
    write_if_changed(job.study_folder / LOCK_FILE, lock.text().encode())
    return Answer("done")


def costliest(job: CalibrateJob) -> tuple[Arm, Horizon]:
    """The arm whose training takes the most arithmetic, the first of equals, and how long it trains.

    Raises:
        Unmeasurable: A network cannot be built.
    """
    costs: list[float] = []
    known: dict[str, float] = {}
    for arm in job.arms:
        config = arm.config
        key = f"{config.model.model_dump_json()} {config.data.model_dump_json()}"
        if key not in known:
            known[key] = _gmacs(arm, job.data_dir) if len(known) < MAX_NETWORKS else 0.0
        passes = 1.0 if config.train.freeze is not None else 1.0 + BACKWARD
        costs.append(known[key] * passes * images_of(config, job))
    arm = job.arms[max(range(len(costs)), key=costs.__getitem__)]
    images = images_of(arm.config, job)
    return arm, Horizon(images, images * job.n_runs_a_worker)


def _gmacs(arm: Arm, data_dir: Path) -> float:
    facts = facts_of(arm.config.data, data_dir)
    try:
        return gmacs(builder(arm.config, facts), facts.channels, facts.image_size)
    except Exception as error:
        # A user's or a library's network raises what it likes.
        raise Unmeasurable(f"the network of arm {arm.name} cannot be built: {_first_line(error)}") from error


def images_of(config: BaseSpec, job: CalibrateJob) -> int:
    """Training images of one run of an arm."""
    train = config.train
    n_train = n_train_images(config.data, facts_of(config.data, job.data_dir))
    steps = train.steps if train.steps is not None else (train.epochs or 0) * (n_train // train.batch_size)
    return steps * train.batch_size


def _choose(
    job: CalibrateJob, arm: Arm, horizon: Horizon, device: str, stop: Callable[[], bool], report: Report
) -> tuple[Settings, tuple[Trial, ...]]:
    config = arm.config
    place = torch.device(device)
    with applied(config.execution, place), torch.random.fork_rng([place] if place.type == "cuda" else []):
        data = open_splits(_section(config.data), job.data_dir, device)
        bench = Workbench(config, data, place, stop, lambda text: report(Progress(job.label, text=text)))
        tournament = Tournament(
            open_keys(config.execution),
            job.hardware,
            horizon,
            lambda settings: _excluded(job.arms, settings),
            bench.compare,
            compile_written=config.execution.compile,
        )
        return tournament.run()


def _section(data: DataSpec) -> DataSpec:
    """The numbers of normalisation, which the source of weights decides, have no part in the speed."""
    return data.model_copy(update={"normalize": "train"}) if data.normalize == "weights" else data


def _excluded(arms: tuple[Arm, ...], settings: Settings) -> str:
    """Why some arm cannot take the settings; empty where all can."""
    for arm in arms:
        try:
            resolve(arm.config, settings.given())
        except ValueError as error:
            return str(error)
    return ""


@dataclass
class Contender:
    """A candidate ready to train."""

    train_once: Callable[[], None]
    prepare_s: float


@dataclass
class Workbench:
    """Builds candidates and lets two of them take turns."""

    config: BaseSpec
    data: DataSplits
    device: torch.device
    stop: Callable[[], bool] = lambda: False
    tell: Callable[[str], None] = lambda _: None
    clock: Callable[[], float] = perf_counter
    _ready: dict[str, Contender] = field(default_factory=dict)
    _speeds: dict[str, Speed] = field(default_factory=dict)

    def compare(self, champion: Settings | None, challenger: Settings) -> tuple[Speed | None, Speed]:
        """Speeds of both, in turns; where both do not fit into memory, the champion's earlier one.

        Raises:
            Unmeasurable: The challenger does not run here.
            Stopped: The user wants to stop.
        """
        self.tell(challenger.text())
        self._drop_all_but(champion)
        if champion is not None:
            try:
                return self._in_turns(champion, challenger)
            except torch.OutOfMemoryError:
                self._drop_all_but(None)
        ours = self._alone(challenger)
        return (self._speeds[champion.text()] if champion is not None else None), ours

    def _alone(self, challenger: Settings) -> Speed:
        try:
            contender = self._contender(challenger)
            n_steps = self._steps_a_window(contender)
            times_s = [self._time(contender, n_steps) for _ in range(MIN_ROUNDS)]
        except torch.OutOfMemoryError as error:
            self._drop_all_but(None)
            raise Unmeasurable("out of memory") from error
        return self._speed(challenger, contender, n_steps, statistics.median(times_s))

    def _in_turns(self, champion: Settings, challenger: Settings) -> tuple[Speed, Speed]:
        pair = [self._contender(champion), self._contender(challenger)]
        n_steps = [self._steps_a_window(one) for one in pair]
        times_s: list[tuple[float, float]] = []
        started_s = self.clock()
        while len(times_s) < MIN_ROUNDS or (
            len(times_s) < MAX_ROUNDS and self.clock() - started_s < COMPARISON_S
        ):
            first, second = (self._time(one, n) for one, n in zip(pair, n_steps, strict=True))
            times_s.append((first, second))
        ours = self._speed(challenger, pair[1], n_steps[1], statistics.median(t for _, t in times_s))
        # The champion's speed by the ratio within rounds: a drift meets both windows of a round.
        ratio = statistics.median((second / n_steps[1]) / (first / n_steps[0]) for first, second in times_s)
        return Speed(ours.img_s * ratio, pair[0].prepare_s), ours

    def _speed(self, settings: Settings, contender: Contender, n_steps: int, time_s: float) -> Speed:
        speed = Speed(n_steps * self.config.train.batch_size / time_s, contender.prepare_s)
        self._speeds[settings.text()] = speed
        return speed

    def _contender(self, settings: Settings) -> Contender:
        """The candidate, built, prepared and warm; whatever it raises says that it does not run here."""
        key = settings.text()
        if key not in self._ready:
            try:
                self._ready[key] = self._build(settings)
            except (torch.OutOfMemoryError, EnvironmentFault, Stopped):
                raise
            except Exception as error:
                # Compilers and captures raise what they like.
                raise Unmeasurable(_first_line(error)) from error
        return self._ready[key]

    def _build(self, settings: Settings) -> Contender:
        config = resolve(self.config, settings.given())
        train, key = config.train, run_key(0)
        batches = TrainBatches.of(
            self.data.train,
            train,
            augment=config.data.augmentations,
            key=key,
            n_classes=self.data.facts.num_classes,
        )
        model = build_network(config, self.data, key)
        step = Step(model, train, config.execution, self.device, weights_through=through_of(config))
        driver = make_driver(step, batches, lr=lambda _: 0.0)
        prepare_s = driver.prepare() if compiles(config.execution) else 0.0
        contender = Contender(endless(driver, batches.steps_per_epoch), prepare_s)
        self._time(contender, WARMUP_STEPS)
        return contender

    def _steps_a_window(self, contender: Contender) -> int:
        return max(1, math.ceil(WINDOW_S / max(self._time(contender, 1), 1e-9)))

    def _time(self, contender: Contender, n_steps: int) -> float:
        if self.stop():
            raise Stopped
        self._wait()
        started_s = self.clock()
        for _ in range(n_steps):
            contender.train_once()
        self._wait()
        return self.clock() - started_s

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def _drop_all_but(self, settings: Settings | None) -> None:
        kept = None if settings is None else settings.text()
        self._ready = {key: one for key, one in self._ready.items() if key == kept}
        gc.collect()  # networks and their drivers hold each other
        if self.device.type == "cuda":
            torch.cuda.empty_cache()


def _first_line(error: Exception) -> str:
    if isinstance(error, BenchError):
        return error.lines[0]
    said = str(error).strip().splitlines() or [""]
    return environment.without_paths(f"{type(error).__name__}: {said[0]}".rstrip(": "))[:200]
