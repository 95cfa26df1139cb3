"""Every kind of job finds its way here: a worker knows this one function."""

from __future__ import annotations

from collections.abc import Callable

from bench.errors import EnvironmentFault
from bench.execute.calibrate import calibrate
from bench.execute.cell import measure_cell
from bench.execute.job import (
    Answer,
    CalibrateJob,
    CellJob,
    Ended,
    Job,
    PackJob,
    ProbeJob,
    Progress,
    RunJob,
    SurveyJob,
)
from bench.execute.pack import execute_pack
from bench.execute.probe import probe
from bench.execute.run import run
from bench.execute.survey import survey
from bench.record.folder import locked


def execute(
    job: Job, *, device: str, stop: Callable[[], bool], report: Callable[[Progress | Ended], None]
) -> Answer:
    """Do a job on a device.

    Args:
        job: A run, several side by side, a probe, a survey or a calibration.
        device: Torch's name of the device.
        stop: Whether the user wants to stop; asked at every step.
        report: Hears the progress, and how each member of a pack ended.

    Returns:
        How it ended. Runs and probes have been recorded in their folder by then, unless interrupted.
    """
    try:
        if isinstance(job, SurveyJob):
            return survey(job)
        if isinstance(job, PackJob):
            return execute_pack(job, device, stop, report)
        with locked(job.folder) as held:
            if not held:
                return Answer("busy")
            return _with_folder(job, device, stop, report)
    except EnvironmentFault as fault:
        return Answer("interrupted", reason=str(fault), fault=True)


def _with_folder(
    job: RunJob | ProbeJob | CalibrateJob,
    device: str,
    stop: Callable[[], bool],
    report: Callable[[Progress | Ended], None],
) -> Answer:
    """A job whose folder is held."""
    if isinstance(job, CellJob):
        return measure_cell(job, device, stop, report)
    if isinstance(job, ProbeJob):
        return probe(job, device, report)
    if isinstance(job, CalibrateJob):
        return calibrate(job, device, stop, report)
    return run(job, device, stop, report)
