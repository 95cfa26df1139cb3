"""The speed of one arm, measured while nothing else runs."""

from __future__ import annotations

import os
import statistics

import torch

from bench.data import open_splits
from bench.execute.job import Answer, ProbeJob, Report, decoding, now_utc
from bench.execute.network import build_network, run_key, through_of
from bench.measure.probe import WINDOW_S, probe_arm
from bench.measure.watch import watch
from bench.record import environment
from bench.record.folder import publish, read_record
from bench.record.schema import ProbeRecord
from bench.study.identity import ENGINE
from bench.train.modes import applied


def probe(job: ProbeJob, device: str, report: Report) -> Answer:
    """Measure an arm and publish its record, unless that is there already.

    BENCH_PROBE_WINDOW_S shortens the windows where nobody reads the speed; the record counts their steps.
    """
    if read_record(job.folder) is not None:
        return Answer("done", found=True)
    config = job.arm.config
    key = run_key(0)
    with applied(config.execution, device):
        section = config.data
        if section.normalize == "weights":  # the numbers have no part in the speed
            section = section.model_copy(update={"normalize": "train"})
        data = open_splits(section, job.data_dir, device, on_progress=decoding(job, report))
        model = build_network(config, data, key)
        with watch(torch.device(device)) as watched:
            result = probe_arm(
                model,
                data,
                spec=config.train,
                execution=config.execution,
                augment=config.data.augmentations,
                key=key,
                device=device,
                weights_through=through_of(config),
                window_s=float(os.environ.get("BENCH_PROBE_WINDOW_S", WINDOW_S)),
            )
    record = ProbeRecord(
        engine=ENGINE,
        arm_id=job.arm_id,
        arm=job.arm.name,
        device_kind=job.device_kind,
        batch_size=config.train.batch_size,
        windows_img_s=result.windows_img_s,
        probe_train_img_s=statistics.median(result.windows_img_s),
        warmup_steps=result.warmup_steps,
        steps_per_window=result.steps_per_window,
        others_share_pct=watched.seen.others_share_pct,
        environment=environment.describe(device),
        measured_utc=now_utc(),
    )
    publish(job.folder, record)
    return Answer("done")
