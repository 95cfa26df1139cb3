"""One repeat of one cell, from nothing to its record: build, compile, warm up, time, account for.

It runs in a process that has done nothing before, so that neither kernels chosen for another cell nor memory
left by one can be felt. The step is the trainer's own, by the trainer's own driver.
"""

from __future__ import annotations

import gc
import importlib
import os
import shutil
import statistics
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch

from bench.data import TrainBatches, open_splits
from bench.data.batches import Batches
from bench.data.catalogue import DataFacts
from bench.data.catalogue import facts as facts_of
from bench.data.encoded import open_encoded
from bench.data.synthetic import SyntheticBatches
from bench.errors import BenchError, EnvironmentFault
from bench.execute.account import account
from bench.execute.job import Answer, CellJob, Progress, Report, cell_record, decoding, now_utc
from bench.execute.mishap import is_out_of_memory
from bench.execute.network import builder, run_key
from bench.measure.inference import InferenceDriver
from bench.measure.noise import noise_of
from bench.measure.probe import endless
from bench.measure.watch import Seen, watch
from bench.measure.windows import ClockTimer, EventTimer, Timed, Timer, WarmUp, time_windows, warm_up
from bench.record import environment
from bench.record.durable import write_text
from bench.record.folder import ERROR, publish, read_run, shelve_attempt
from bench.record.schema import CellMetrics, CellRecord, Status
from bench.study.cells import CellSpec, needs_images
from bench.train.drive import Driver, compiles, make_driver
from bench.train.modes import applied
from bench.train.step import Step

COMPILED = "compiled"
"""Folder below a study's `runs/` in which each cell keeps what it compiled, for its later repeats."""


class Stopped(Exception):
    """The user's wish, noticed between the parts of a measurement."""


def measure_cell(job: CellJob, device: str, stop: Callable[[], bool], report: Report) -> Answer:
    """Measure and publish one repeat, unless that is done already."""
    found = read_run(job.folder)
    if found is not None:
        if not job.retry:
            return Answer(found.status, reason=found.reason, metrics=found.metrics, found=True)
        shelve_attempt(job.folder)
    started_utc = now_utc()
    measured = _Cell(job, torch.device(device), stop, report)
    try:
        with _compiling_in(measured.cache):
            metrics = measured.measure()
    except Stopped:
        return Answer("interrupted")
    except EnvironmentFault:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a network or a compiler raises is the cell's result
        status: Status = "oom" if is_out_of_memory(error) else "failed"
        record = _failure(job, status, error, started_utc, device)
    else:
        known = environment.describe(device)
        record = cell_record(job, status="done", started_utc=started_utc, metrics=metrics, environment=known)
    publish(job.folder, record)
    return Answer(record.status, reason=record.reason, metrics=record.metrics)


@dataclass(frozen=True)
class _Compiled:
    """Seconds of compiling, from an empty cache and from a filled one."""

    cold_s: float | None = None
    warm_s: float | None = None
    prepare_s: float | None = None


class _Cell:
    """What the parts of one measurement share."""

    def __init__(self, job: CellJob, device: torch.device, stop: Callable[[], bool], report: Report) -> None:
        self.job, self.device, self._stop, self._report = job, device, stop, report
        self.config = cast("CellSpec", job.run.arm.config)
        self.facts: DataFacts = facts_of(self.config.data, job.data_dir)
        self.key = run_key(job.run.seed)
        self.cache = job.folder.parent / COMPILED / job.arm_id
        self._step: Step | None = None

    def measure(self) -> CellMetrics:
        """Every number of the cell, the cheap ones last."""
        cuda = self.device.type == "cuda"
        # Events and graphs belong to the current device.
        current = torch.cuda.device(self.device) if cuda else nullcontext()
        with current, applied(self.config.execution, self.device):
            batches = self._batches()
            driver, compiled = self._prepared(batches)
            take = endless(driver, batches.steps_per_epoch)
            timer: Timer = EventTimer() if cuda else ClockTimer()
            settled = self._warm_up(take, timer)
            with watch(self.device) as watched:
                timed = self._time(take, timer, settled)
            self._check_loss()
            memory = self._memory() if cuda else {}
            del driver, take, batches
            self._free()
            numbers = self._timings(settled, timed) | self._compile_times(compiled) | memory
            self._say("measuring the roofs")
            numbers |= account(self.config, self.facts, self.device)
        numbers |= self._surroundings(watched.seen, timed, settled)
        return CellMetrics(**numbers)

    def _batches(self) -> Batches:
        config = self.config
        if not needs_images(config):
            return SyntheticBatches(
                self.facts,
                batch_size=config.train.batch_size,
                device=self.device,
                channels_last=config.execution.channels_last,
                gathered=config.execution.graph,
                key=self.key,
            )
        section = config.data
        if section.normalize == "weights":  # the numbers have no part in the speed
            section = section.model_copy(update={"normalize": "train"})
        told = decoding(self.job, self._report)
        data = open_splits(section, self.job.data_dir, self.device, on_progress=told)
        images = data.train
        if config.measure.input == "end_to_end":
            images = open_encoded(section, self.job.data_dir, data)
        return TrainBatches.of(
            images,
            config.train,
            augment=config.data.augmentations,
            key=self.key,
            n_classes=self.facts.num_classes,
        )

    def _driver(self, batches: Batches) -> Driver:
        config = self.config
        with torch.random.fork_rng([]):
            torch.manual_seed(self.key)
            model = builder(config, self.facts)()
        if config.measure.work == "infer":
            return InferenceDriver(model, batches, config.execution, self.device)
        self._step = Step(model, config.train, config.execution, self.device)
        self._step.start_epoch(1)
        # A rate of 0: speed must not depend on whether the recipe is stable at its first steps.
        return make_driver(self._step, batches, lr=lambda _: 0.0)

    def _prepared(self, batches: Batches) -> tuple[Driver, _Compiled]:
        """The driver that is timed, compiled from a filled cache; one before it fills an empty one."""
        execution = self.config.execution
        cold_s = None
        if execution.compile != "none":
            _load_compiler()
            if self.job.run.seed < self.config.measure.cold_repeats:
                shutil.rmtree(self.cache)
                self.cache.mkdir()
        if execution.compile != "none" and not any(self.cache.iterdir()):
            self._say("compiling with an empty cache")
            cold_s = self._driver(batches).prepare()
            torch.compiler.reset()
            self._free()
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        self._say("compiling" if execution.compile != "none" else "building")
        driver = self._driver(batches)
        if not compiles(execution):
            return driver, _Compiled()
        prepare_s = driver.prepare()
        # Who has just compiled holds more than the disk does: warm is for processes that start with it.
        is_warm = execution.compile != "none" and cold_s is None
        return driver, _Compiled(cold_s, prepare_s if is_warm else None, prepare_s)

    def _warm_up(self, take: Callable[[], None], timer: Timer) -> WarmUp:
        self._say("warming up")
        measure = self.config.measure
        return warm_up(
            take,
            timer,
            window_s=measure.window_s,
            least_s=measure.warmup_s,
            most_s=measure.max_warmup_s,
            agree_pct=measure.settled_pct,
        )

    def _time(self, take: Callable[[], None], timer: Timer, settled: WarmUp) -> Timed:
        self._say("timing")
        measure = self.config.measure
        return time_windows(
            take, timer, n_windows=measure.n_windows, window_s=measure.window_s, step_s=settled.step_s
        )

    def _timings(self, settled: WarmUp, timed: Timed) -> dict[str, Any]:
        images = timed.steps_per_window * self.config.train.batch_size
        return {
            "work": self.config.measure.work,
            "input": self.config.measure.input,
            "batch_size": self.config.train.batch_size,
            "image_size": self.facts.image_size,
            "windows_s": timed.windows_s,
            "steps_per_window": timed.steps_per_window,
            "warmup_steps": settled.steps + timed.earlier_steps,
            "warmup_settled": settled.settled,
            "img_s": images / statistics.median(timed.windows_s),
        }

    def _compile_times(self, compiled: _Compiled) -> dict[str, Any]:
        return {
            "compile_cold_s": compiled.cold_s,
            "compile_warm_s": compiled.warm_s,
            "prepare_s": compiled.prepare_s,
        }

    def _check_loss(self) -> None:
        if self._step is not None and self._step.tally.read().n_bad_steps:
            raise BenchError("the loss is not finite at the initial weights; there is no speed to measure")

    def _memory(self) -> dict[str, Any]:
        return {
            "peak_allocated_bytes": torch.cuda.max_memory_allocated(self.device),
            "peak_reserved_bytes": torch.cuda.max_memory_reserved(self.device),
        }

    def _surroundings(self, seen: Seen, timed: Timed, settled: WarmUp) -> dict[str, Any]:
        images = timed.steps_per_window * self.config.train.batch_size * len(timed.windows_s)
        images += timed.earlier_steps * self.config.train.batch_size
        return {
            "joules_per_image": seen.energy_j / images if seen.energy_j is not None else None,
            "sm_clock_mhz": seen.sm_clock_mhz,
            "throttle_reasons": seen.throttle_reasons,
            "others_share_pct": seen.others_share_pct,
            "noise": noise_of(timed.windows_s, seen, settled=settled.settled),
        }

    def _free(self) -> None:
        self._step = None
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _say(self, text: str) -> None:
        if self._stop():
            raise Stopped
        self._report(Progress(self.job.label, text=text))


@contextmanager
def _compiling_in(folder: Path) -> Iterator[None]:
    """Keep what is compiled in the cell's own folder; the process is the cell's, so nothing is put back."""
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(folder)
    os.environ["TRITON_CACHE_DIR"] = str(folder / "triton")
    yield


def _load_compiler() -> None:
    """Import what compiling needs, so that no compile time holds it."""
    for module in ("torch._dynamo", "torch._inductor.compile_fx"):
        importlib.import_module(module)


def _failure(job: CellJob, status: Status, error: BaseException, started_utc: str, device: str) -> CellRecord:
    write_text(job.folder / ERROR, "".join(traceback.format_exception(error)))
    lines = str(error).strip().splitlines() or [""]
    reason = environment.without_paths(f"{type(error).__name__}: {lines[0]}".rstrip(": "))
    known = environment.describe(device)
    return cell_record(job, status=status, started_utc=started_utc, reason=reason, environment=known)
