"""Calibration as a part of `bench run`: measured in a worker of its own before the study has ids."""

from __future__ import annotations

import time
from contextlib import nullcontext

from rich.console import Console
from rich.markup import escape

from bench.console.place import Place
from bench.errors import BenchError, EnvironmentFault, UsageError
from bench.execute.job import Answer, CalibrateJob, Job, Progress
from bench.launch.campaign import Campaign
from bench.launch.pool import Listener, Pool, Signals
from bench.study.check import leave_out
from bench.study.execution import is_open, open_keys
from bench.study.lock import LOCK_FILE, read_lock
from bench.study.model import Study
from bench.units import duration


def needs_calibration(campaign: Campaign, *, again: bool) -> bool:
    """Whether modes have to be chosen before anything can run.

    Raises:
        UsageError: An earlier choice does not fit the study any more, or there is nothing to choose.
    """
    plan = campaign.plan
    study = plan.declared or plan.study
    if again and not any(is_open(arm.config.execution) for arm in study.arms):
        raise UsageError(
            f"--recalibrate: {study.path} leaves nothing open; write execution: {{auto: true}} or amp: auto"
        )
    if plan.misfit is not None and not again:
        raise UsageError(plan.misfit)
    return again or plan.is_uncalibrated


def calibrate(place: Place, campaign: Campaign, console: Console, *, again: bool) -> None:
    """Measure, choose and write the lock.

    Raises:
        Stop: The user's signal; nothing was chosen.
        BenchError: Nothing could be measured, and why.
    """
    job = _job(place, campaign, again=again)
    keys = ", ".join(open_keys(job.arms[0].config.execution))
    console.print(escape(f"calibrating on {place.hardware.model}: {keys}"), highlight=False)
    began = time.monotonic()
    answers: list[Answer] = []
    logs = campaign.store.folder / "runs" / "logs"
    showing = console.status("building the costliest arm") if console.is_terminal else nullcontext()
    with Signals() as signals, Pool(campaign.device.names[:1], logs, signals) as pool, showing as status:

        def show(_: Job, progress: Progress) -> None:
            if status is not None:
                status.update(escape(f"measuring {progress.text}"))

        pool.run([job], Listener(lambda _: None, show, lambda _, answer: answers.append(answer)))
    answer = answers[0]
    if answer.outcome != "done":
        fault = EnvironmentFault if answer.fault or answer.outcome == "interrupted" else BenchError
        raise fault(answer.reason or "calibration ended early; run again")
    entry = read_lock(job.study_folder).entry(place.hardware.kind, place.hardware.model)
    assert entry is not None, "the worker wrote it"
    n_measured = sum(trial.img_s is not None for trial in entry.candidates)
    spent = duration(time.monotonic() - began)
    chose = f"chose {entry.chosen.text()}; {n_measured} modes measured in {spent}, all in {LOCK_FILE}"
    console.print(escape(chose), highlight=False, soft_wrap=True)


def _job(place: Place, campaign: Campaign, *, again: bool) -> CalibrateJob:
    study: Study = campaign.plan.declared or campaign.plan.study
    able, _ = leave_out(study, campaign.device.kind)
    n_workers = len(campaign.workers("auto", len(able.arms) * len(study.seeds)))
    return CalibrateJob(
        arms=able.arms,
        hardware=place.hardware,
        study_folder=campaign.store.folder,
        data_dir=place.data_dir,
        n_runs_a_worker=-(-len(study.seeds) // n_workers),
        again=again,
    )
