"""`bench run` on a throughput study: measure what is missing, one cell at a time, each in its own process.

Cells take turns: every cell once, then every cell again, in an order that differs from repeat to repeat, so
that a machine that drifts or is disturbed for a while does not favour one of them.
"""

from __future__ import annotations

import hashlib
import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.markup import escape
from rich.status import Status

from bench.console.report import report_study
from bench.console.run import Keeper, RunOptions, exit_code
from bench.errors import UsageError
from bench.execute.job import Answer, Job, Progress, RunJob
from bench.launch.campaign import Campaign
from bench.launch.pool import Listener, Pool, Signals, Stop
from bench.record.schema import CellMetrics, CellRecord, Record
from bench.record.store import FINISHED
from bench.study.model import Run
from bench.units import duration


def measure_study(campaign: Campaign, runs: Sequence[Run], options: RunOptions, console: Console) -> int:
    """Measure the cells that have no result here yet, then report.

    Returns:
        The exit code.

    Raises:
        UsageError: More than one worker is asked for, or a network cannot be built.
    """
    for flag, number in (("--jobs", options.jobs), ("--pack", options.pack)):
        if number not in ("auto", "1"):
            raise UsageError(f"{flag} {number}: a throughput study measures one cell at a time")
    jobs = in_turns(campaign.to_do(runs, options.retry))
    try:
        records = _measure(campaign, jobs, options, console) if jobs else campaign.collect()
    except Stop as stop:
        campaign.collect(update=options.update)
        n_done = sum(campaign.state(run) in FINISHED for run in runs)
        told = f"stopped with {n_done} of {len(runs)} measurements done; the same command goes on from there"
        console.print(told, highlight=False, soft_wrap=True)
        return stop.exit_code
    _compare(campaign, runs, options, console)
    if options.update:
        records = campaign.collect(update=True)
    report_study(campaign.store.folder, records)
    return exit_code(campaign, runs, console)


def in_turns(jobs: Iterable[RunJob]) -> list[RunJob]:
    """Repeat by repeat, the cells of each in an order drawn by a hash of both."""

    def turn(job: RunJob) -> tuple[int, bytes]:
        return job.run.seed, hashlib.sha256(f"{job.run.seed} {job.arm_id}".encode()).digest()

    return sorted(jobs, key=turn)


def _measure(
    campaign: Campaign, jobs: Sequence[RunJob], options: RunOptions, console: Console
) -> list[Record]:
    """Everything that needs workers."""
    devices = campaign.workers("1", 1)
    logs = campaign.store.folder / "runs" / "logs"
    keeper, began = Keeper(campaign), time.monotonic()
    with Signals() as signals, _Lines(console, len(jobs)) as lines:
        with Pool(devices, logs, signals) as pool:
            campaign.survey(pool, jobs)
        for job in jobs:
            with Pool(devices, logs, signals) as pool:
                campaign.train(pool, [job], lines.listener, fail_fast=options.fail_fast)
            keeper.keep()
            _, answer = campaign.answers[-1]
            if answer.fault or (options.fail_fast and campaign.has_failed):
                break
    spent = duration(time.monotonic() - began)
    console.print(f"{len(campaign.answers)} measurements in {spent}", highlight=False)
    return campaign.collect()


@dataclass
class _Lines:
    """One line a measurement; on a terminal also what goes on now."""

    console: Console
    n_jobs: int
    n_ended: int = 0
    began: float = field(default_factory=time.monotonic)
    status: Status | None = None

    def __enter__(self) -> _Lines:
        self.console.print(f"{self.n_jobs} measurements to make, one at a time", highlight=False)
        if self.console.is_terminal:
            self.status = self.console.status("")
            self.status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.status is not None:
            self.status.stop()

    @property
    def listener(self) -> Listener:
        """Whom the pool tells."""
        return Listener(lambda job: self._now(job.label), self._progress, self._ended)

    def _progress(self, job: Job, progress: object) -> None:
        if isinstance(progress, Progress):
            self._now(f"{job.label}: {progress.text}")

    def _now(self, text: str) -> None:
        if self.status is not None:
            self.status.update(escape(f"[{self.n_ended}/{self.n_jobs}] {text}"))

    def _ended(self, job: Job, answer: Answer) -> None:
        self.n_ended += 1
        left_s = (time.monotonic() - self.began) / self.n_ended * (self.n_jobs - self.n_ended)
        left = f"; left ~{duration(left_s)}" if self.n_ended < self.n_jobs else ""
        count = f"[{self.n_ended:>{len(str(self.n_jobs))}}/{self.n_jobs}]"
        self.console.print(
            escape(f"{count} {job.label}: {outcome_text(answer)}{left}"), highlight=False, soft_wrap=True
        )


def outcome_text(answer: Answer) -> str:
    """A measurement in a few words."""
    metrics = answer.metrics
    if answer.outcome != "done" or not isinstance(metrics, CellMetrics) or metrics.img_s is None:
        return answer.outcome + (f", {answer.reason}" if answer.reason else "")
    compiled = metrics.compile_cold_s or metrics.compile_warm_s
    kind = "cold" if metrics.compile_cold_s is not None else "warm"
    told = f", compiled {kind} in {compiled:.1f} s" if compiled is not None else ""
    flags = f" (flagged: {'; '.join(metrics.noise)})" if metrics.noise else ""
    return f"{metrics.img_s:,.0f} img/s{told}{flags}"


def _compare(campaign: Campaign, runs: Sequence[Run], options: RunOptions, console: Console) -> None:
    """Say how fast cells were where their lines were recorded, and how fast they are here."""
    by_arm: dict[str, list[tuple[float, float]]] = {}
    for line, found in campaign.recorded_pairs(runs):
        if isinstance(line, CellRecord) and isinstance(found, CellRecord):
            speeds = (line.metrics.img_s, found.metrics.img_s)
            if speeds[0] is not None and speeds[1] is not None:
                by_arm.setdefault(found.arm, []).append((speeds[0], speeds[1]))
    if not by_arm:
        return
    console.print("recorded elsewhere and measured here, img/s:", highlight=False)
    for arm, pairs in by_arm.items():
        there, here = (statistics.median(speeds) for speeds in zip(*pairs, strict=True))
        told = f"  {arm}: {there:,.0f} there, {here:,.0f} here ({here / there:.2f}×)"
        console.print(escape(told), highlight=False, soft_wrap=True)
    if not options.update:
        stays = "the table holds the recorded ones; --update puts yours in their place"
        console.print(stays, highlight=False)
