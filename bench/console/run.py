"""`bench run`: train what is missing, measure, record, report.

The call reads from top to bottom: calibrate, choose, survey, train, probe, collect, compare, report. Whatever
ends it early (a signal, a fault) leaves finished runs recorded and unfinished ones with a checkpoint.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape

from bench.console.adaptive import decide
from bench.console.calibrate import calibrate, needs_calibration
from bench.console.hub import fetch_weights
from bench.console.place import Place
from bench.console.report import report_study
from bench.console.tables import progress_console
from bench.data.catalogue import require
from bench.errors import DataMissing, EnvironmentFault, UsageError
from bench.execute.job import Answer, RunJob
from bench.launch.campaign import Campaign
from bench.launch.packing import packing_for
from bench.launch.pool import Listener, Pool, Signals, Stop
from bench.launch.view import View
from bench.record.schema import Record
from bench.record.store import FINISHED
from bench.record.study_file import write_study
from bench.study.cells import needs_images
from bench.study.model import Arm, Run
from bench.study.plan import NO_DATA, NO_WEIGHTS
from bench.units import duration, plural

COLLECT_EVERY_S = 5.0
"""How often `records.jsonl` is brought up to date while runs finish; the folders are safe at once."""


@dataclass(frozen=True)
class RunOptions:
    """What the command line says beside the study."""

    jobs: str = "auto"
    pack: str = "auto"
    only: str | None = None
    retry: frozenset[str] = frozenset()
    update: bool = False
    fail_fast: bool = False
    recalibrate: bool = False


def run_study(place: Place, options: RunOptions) -> int:
    """Bring a study to its end as far as this call can.

    Returns:
        The exit code.

    Raises:
        UsageError: The study is wrong, or `--only` matches nothing.
        EnvironmentFault: A device, data or room on disk is missing.
    """
    fetch_weights(place.load())
    campaign = place.open()
    runs = campaign.runs(options.only)
    console = progress_console()
    _require_inputs(campaign, runs)
    if needs_calibration(campaign, again=options.recalibrate):
        try:
            calibrate(place, campaign, console, again=options.recalibrate)
        except Stop as stop:
            console.print("stopped before a mode was chosen; run the same command again", highlight=False)
            return stop.exit_code
        campaign = place.open()
        runs = campaign.runs(options.only)
        _require_inputs(campaign, runs)
    forgets = campaign.forgets()
    if forgets is not None and not options.update:
        raise UsageError(f"{forgets}; give the study another name, or let them go by --update")
    jobs = campaign.to_do(runs, options.retry)
    _say_what_is_skipped(campaign, runs, jobs, console)
    write_study(campaign.plan.study, campaign.store.folder, place.data_dir)
    if campaign.plan.study.is_throughput:
        from bench.console.cells import measure_study  # noqa: PLC0415 - the two know each other

        return measure_study(campaign, runs, options, console)
    try:
        records = _train_and_probe(campaign, runs, jobs, options, console)
        answers = list(campaign.answers)
        while not (options.fail_fast and campaign.has_failed) and _decide(campaign, records, console):
            campaign = place.open()
            runs = campaign.runs(options.only)
            records = _train_and_probe(campaign, runs, campaign.to_do(runs, frozenset()), options, console)
            answers += campaign.answers
        campaign.answers = answers
    except Stop as stop:
        campaign.collect(update=options.update)
        n_done = sum(campaign.state(run) in FINISHED for run in runs)
        console.print(
            f"stopped with {n_done} of {len(runs)} runs finished; "
            "run the same command again to go on from the checkpoints",
            highlight=False,
        )
        return stop.exit_code
    matches = _compare(campaign, runs, options, console)
    _say_whose_lines_stand(campaign, options, console)
    if options.update:
        records = campaign.collect(update=True)
    report_study(campaign.store.folder, records)
    return max(exit_code(campaign, runs, console), 0 if matches else 1, key=_severity)


def _require_inputs(campaign: Campaign, runs: Sequence[Run]) -> None:
    """Fail now, not at hour six."""
    unplanned = any(run.run_id is None and run.no_id_reason in (NO_DATA, NO_WEIGHTS) for run in runs)
    missing: dict[str, None] = dict.fromkeys(campaign.plan.notes if unplanned else ())
    sources = [run.source for run in runs if run.source is not None]
    for config in {run.arm.name: run.arm.config for run in (*runs, *sources)}.values():
        try:
            if needs_images(config):
                require(config.data, campaign.data_dir)
        except DataMissing as fault:
            missing.update(dict.fromkeys(fault.lines))
    if missing:
        raise DataMissing(*missing)


def _decide(campaign: Campaign, records: Sequence[Record], console: Console) -> bool:
    """Take the decisions that the records allow, and say them; False where none is due."""
    new = decide(campaign, records)
    for one in new:
        console.print(escape(one.text), highlight=False, soft_wrap=True)
    return bool(new)


def _say_whose_lines_stand(campaign: Campaign, options: RunOptions, console: Console) -> None:
    """Where calibration chose otherwise on another device, its lines stay until they are replaced."""
    n_lines = campaign.store.rivals()
    if n_lines and not options.update:
        stand = f"the table holds {n_lines} runs of another device of this kind, computed in another mode"
        console.print(f"{stand}; --update puts yours in their place", highlight=False, soft_wrap=True)


def _say_what_is_skipped(
    campaign: Campaign, runs: Sequence[Run], jobs: Sequence[RunJob], console: Console
) -> None:
    to_train = {(job.run.arm.name, job.run.seed) for job in jobs}
    skipped = [campaign.state(run) for run in runs if (run.arm.name, run.seed) not in to_train]
    troubles = {state: skipped.count(state) for state in FINISHED[1:] if state in skipped}
    if skipped:
        console.print(f"{len(skipped)} of {len(runs)} runs are finished already", highlight=False)
    for state, count in troubles.items():
        console.print(f"{count} stand {state}; --retry {state} trains them again", highlight=False)


def _train_and_probe(
    campaign: Campaign, runs: Sequence[Run], jobs: list[RunJob], options: RunOptions, console: Console
) -> list[Record]:
    """Everything that needs workers."""
    if not jobs:
        records = campaign.collect()
        if not campaign.probes(_arms(runs), records, update=options.update):
            return records
    devices = campaign.workers(options.jobs, len(jobs))
    jobs = [dataclasses.replace(job, n_concurrent=len(devices)) for job in jobs]
    logs = campaign.store.folder / "runs" / "logs"
    with Signals() as signals, Pool(devices, logs, signals) as pool:
        if jobs:
            _train(campaign, runs, jobs, pool, options, console, devices)
        records = campaign.collect()
        if not (options.fail_fast and campaign.has_failed):
            records = _probe(campaign, runs, records, pool, options, console)
    return records


def _train(
    campaign: Campaign,
    runs: Sequence[Run],
    jobs: list[RunJob],
    pool: Pool,
    options: RunOptions,
    console: Console,
    devices: Sequence[str],
) -> None:
    ordered = campaign.survey(pool, jobs)
    packing = packing_for(options.pack, campaign.device, campaign.costs, campaign.memory_bytes)
    workers = f"{len(devices)} worker{'s' if len(devices) > 1 else ''} on {campaign.device.kind}"
    n_packed = packing.reach(ordered)
    if n_packed > 1:
        workers += f", up to {n_packed} runs side by side"
    sources = tuple({job.run.arm.name: job.run.arm for job in jobs if job.role == "source"}.values())
    view = View(campaign.plan.study, console, workers=workers, sources=sources, cost=campaign.cost)
    to_train = {job.label for job in jobs}
    for run in runs:
        found = campaign.store.find(run)
        if found is not None and f"{run.arm.name} seed {run.seed}" not in to_train:
            view.known(run.arm.name, found.metrics, found.status)
    keeper = Keeper(campaign)
    began = time.monotonic()
    with view:
        view.plan(ordered)

        def ended(job: RunJob, answer: Answer) -> None:
            view.ended(job, answer)
            keeper.keep()

        listener = Listener(view.started, view.progress, ended, view.idle)  # type: ignore[arg-type]  # RunJobs only
        campaign.train(pool, ordered, listener, packing=packing, fail_fast=options.fail_fast)
    console.print(
        f"{plural(len(campaign.answers), 'run')} in {duration(time.monotonic() - began)}", highlight=False
    )


@dataclass
class Keeper:
    """Brings `records.jsonl` up to date now and then."""

    campaign: Campaign
    last: float = dataclasses.field(default_factory=time.monotonic)

    def keep(self) -> None:
        """Collect if it is time."""
        if time.monotonic() - self.last >= COLLECT_EVERY_S:
            self.campaign.collect()
            self.last = time.monotonic()


def _probe(
    campaign: Campaign,
    runs: Sequence[Run],
    records: list[Record],
    pool: Pool,
    options: RunOptions,
    console: Console,
) -> list[Record]:
    jobs = campaign.probes(_arms(runs), records, update=options.update)
    if not jobs:
        return records
    began = time.monotonic()
    arms = f"{len(jobs)} arm{'s' if len(jobs) > 1 else ''}"
    console.print(f"measuring the speed of {arms}, each alone", highlight=False)
    troubles: list[str] = []

    def ended(job: object, answer: Answer) -> None:
        if answer.outcome != "done":
            troubles.append(f"{getattr(job, 'label', '')}: {answer.outcome}, {answer.reason}")

    listener = Listener(lambda _: None, lambda *_: None, ended)
    for job in jobs:
        pool.run([job], listener)
    for trouble in troubles:
        console.print(escape(trouble), highlight=False, soft_wrap=True)
    console.print(f"measured in {duration(time.monotonic() - began)}", highlight=False)
    return campaign.collect()


def _arms(runs: Sequence[Run]) -> list[Arm]:
    return list({run.arm.name: run.arm for run in runs}.values())


def _compare(campaign: Campaign, runs: Sequence[Run], options: RunOptions, console: Console) -> bool:
    """Say whether lines recorded elsewhere were reproduced; False where one was not."""
    from bench.analyse.reproduce import reproduce  # noqa: PLC0415 - only where there is something to compare

    pairs = campaign.reproductions(runs)
    if not pairs:
        return True
    verdicts = reproduce(pairs, campaign.plan.study.metric)
    console.print(f"compared with {len(pairs)} recorded runs:", highlight=False)
    for one in verdicts:
        console.print("  " + escape(one.text()), highlight=False, soft_wrap=True)
    if not options.update:
        stays = "the table and its speeds are the recorded ones; --update puts yours in their place"
        console.print(stays, highlight=False)
    return all(one.verdict != "not" for one in verdicts)


def exit_code(campaign: Campaign, runs: Sequence[Run], console: Console) -> int:
    """1 where a run stands failed or was interrupted, 3 for a fault of the machine, else 0."""
    faults = {answer.reason: None for _, answer in campaign.answers if answer.fault}
    for fault in faults:
        console.print(escape(str(fault)), soft_wrap=True, highlight=False)
    killed = [job for job, answer in campaign.answers if answer.outcome == "interrupted" and not answer.fault]
    if killed:
        names = ", ".join(job.label for job in killed)
        console.print(escape(f"interrupted: {names}; run again to go on"), soft_wrap=True, highlight=False)
    if faults:
        return EnvironmentFault.exit_code
    sources = [run.source for run in runs if run.source is not None and run.source_study is None]
    bad = [run for run in (*runs, *sources) if campaign.state(run) in ("failed", "oom")]
    return 1 if bad or killed else 0


def _severity(code: int) -> int:
    return {0: 0, 1: 1, 3: 2}[code]
