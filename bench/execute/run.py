"""One job from start to record: data, network, training, test, record.

Everything that can go wrong inside a run ends here as an answer: a diverged, out-of-memory or failed run
is a result with a reason, never an exception that takes the worker along.
"""

from __future__ import annotations

import hashlib
import io
import os
import statistics
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

import architectures
from architectures.keys import derive
from architectures.weights import load_weights, read_weights
from bench.data import DataSplits, EvalBatches, open_splits
from bench.errors import BenchError, EnvironmentFault
from bench.execute.job import Answer, Job, ProbeJob, Progress, RunJob, SurveyJob, now_utc, start_record
from bench.execute.normalise import resolved_data
from bench.measure.network import count_parameters, gmacs
from bench.measure.probe import probe_arm
from bench.record import environment
from bench.record.bits import bits_digest
from bench.record.durable import write_bytes, write_text
from bench.record.folder import (
    ERROR,
    PREDICTIONS,
    locked,
    publish,
    read_record,
    read_run,
    shelve_attempt,
)
from bench.record.schema import Digests, EpochRow, Metrics, ProbeRecord, RunRecord, Status
from bench.record.tensorboard import Events
from bench.study.identity import ENGINE
from bench.study.specs import BaseSpec
from bench.train import checkpoint
from bench.train.evaluate import Evaluation, evaluate
from bench.train.freeze import count_trainable_at_start
from bench.train.loop import TrainResult, train
from bench.train.modes import applied
from bench.train.weights import weights_digest

Report = Callable[[Progress], None]


def execute(job: Job, *, device: str, stop: Callable[[], bool], report: Report) -> Answer:
    """Do a job on a device.

    Args:
        job: A run, a probe or a survey.
        device: Torch's name of the device.
        stop: Whether the user wants to stop; asked at every step.
        report: Hears the progress.

    Returns:
        How it ended. Runs and probes have been recorded in their folder by then, unless interrupted.
    """
    try:
        if isinstance(job, SurveyJob):
            return _survey(job)
        with locked(job.folder) as held:
            if not held:
                return Answer("busy")
            if isinstance(job, ProbeJob):
                return _probe(job, device, report)
            return _run(job, device, stop, report)
    except EnvironmentFault as fault:
        return Answer("interrupted", reason=str(fault), fault=True)


def build_network(config: BaseSpec, data: DataSplits, key: int) -> torch.nn.Module:
    """The arm's network on the CPU, with initial weights drawn by `key`.

    Our networks draw each parameter by its name; library and user models draw from torch's generator,
    seeded by the same key.
    """
    with torch.random.fork_rng([]):
        torch.manual_seed(key)
        model = _builder(config, data.facts)()
    if draws_by_name(config):
        architectures.initialise(model, key)
    return model


def draws_by_name(config: BaseSpec) -> bool:
    """Whether the network is one of ours, whose initial weights are keyed by parameter name."""
    return config.model.name in architectures.names()


def copy_weights(job: RunJob, model: torch.nn.Module) -> str | None:
    """Copy a source's weights into the network, up to `weights.through`.

    Returns:
        sha256 of the file that they came from; None where nothing is copied.

    Raises:
        EnvironmentFault: The source's weights are gone.
        ValueError: They do not fit the network.
    """
    config = job.run.arm.config
    path = job.run.weights_file
    if job.source_folder is not None and job.run.source is not None:
        best = job.run.source.arm.config.train.select == "best_val"
        path = job.source_folder / (checkpoint.BEST if best else checkpoint.LAST)
    if path is None or config.weights is None:
        return None
    if not path.is_file():
        raise EnvironmentFault(f"{path}: the source's weights are gone; --retry its run or restore the file")
    load_weights(model, read_weights(path), through=config.weights.through)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def run_key(seed: int, n_behind: int = 0) -> int:
    """Key of everything random in a run: initial weights, order, augmentation.

    A run that starts from another run's weights draws under a key of its own, so that no fresh layer
    repeats its source's initial values or order.
    """
    return derive("run", seed) if n_behind == 0 else derive("run", seed, n_behind)


def _run(job: RunJob, device: str, stop: Callable[[], bool], report: Report) -> Answer:
    found = read_run(job.folder)
    if found is not None:
        if not job.retry:
            return Answer(found.status, reason=found.reason, metrics=found.metrics, found=True)
        shelve_attempt(job.folder)
    started_utc = now_utc()
    try:
        record = _train_and_test(job, device, started_utc, stop, report)
    except torch.OutOfMemoryError as error:
        torch.cuda.empty_cache()
        record = _failure(job, "oom", error, started_utc, device)
    except MemoryError as error:
        record = _failure(job, "oom", error, started_utc, device)
    except EnvironmentFault:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a network or a user's callable raises is the run's result
        record = _failure(job, "failed", error, started_utc, device)
    if record is None:
        return Answer("interrupted")
    publish(job.folder, record)
    checkpoint.discard(job.folder)
    return Answer(record.status, reason=record.reason, metrics=record.metrics)


def _train_and_test(
    job: RunJob, device: str, started_utc: str, stop: Callable[[], bool], report: Report
) -> RunRecord | None:
    """The record, or None when the run was interrupted and left a checkpoint."""
    config = job.run.arm.config
    key = run_key(job.run.seed, job.run.n_behind)
    with applied(config.execution, device):
        section = resolved_data(job.run, job.data_dir)
        data = open_splits(section, job.data_dir, device, on_progress=_decoding(job, report))
        model = build_network(config, data, key)
        source = copy_weights(job, model)
        initial = weights_digest(model)
        hparams = {**job.run.arm.levels, "seed": job.run.seed}
        with Events(job.folder / "tb", group=job.run.arm.name, hparams=hparams) as events:
            on_epoch = _on_epoch(job, data, events, report)
            result = train(
                model,
                data,
                spec=config.train,
                execution=config.execution,
                augment=config.data.augment,
                key=key,
                device=device,
                weights_through=_through(config),
                folder=job.folder,
                identity=job.run.run_id or "",
                should_stop=stop,
                on_epoch=on_epoch,
                checkpoint_every_s=float(os.environ.get("BENCH_CHECKPOINT_EVERY_S", CHECKPOINT_EVERY_S)),
            )
            for warning in result.warnings:
                report(Progress(job.label, warning=warning))
            if result.outcome == "interrupted":
                return None
            before = Digests(
                data=data.digest, split=data.split_digest, initial_weights=initial, source_weights=source
            )
            record = _record(job, data, model, result, before, started_utc, device)
            events.end(record.metrics, done=record.status == "done")
    return record


def _record(
    job: RunJob,
    data: DataSplits,
    model: torch.nn.Module,
    result: TrainResult,
    digests: Digests,
    started_utc: str,
    device: str,
) -> RunRecord:
    final = weights_digest(model)
    metrics = _training_metrics(job, data, model, result)
    common: dict[str, Any] = {
        "started_utc": started_utc,
        "epochs": result.epochs,
        "class_names": data.facts.class_names,
        "initial_draw": "by name" if draws_by_name(job.run.arm.config) else "torch",
        "environment": environment.describe(device),
    }
    if result.outcome == "diverged":
        reason = f"loss not finite at step {result.diverged_step}"
        return start_record(job, status="diverged", reason=reason, metrics=metrics, digests=digests, **common)
    if job.run.arm.config.train.select == "best_val":
        checkpoint.load_weights(model, job.folder / checkpoint.BEST)
    tested = weights_digest(model)
    validation = _evaluate(job, model, data, "val", device) if data.val is not None else None
    test = _evaluate(job, model, data, "test", device)
    correct = _save_predictions(job.folder / PREDICTIONS, data, test)
    return start_record(
        job,
        status="done",
        metrics=metrics.model_copy(update=_test_metrics(validation, test)),
        confusion=tuple(tuple(int(count) for count in row) for row in test.confusion),
        digests=digests.model_copy(
            update={"final_weights": final, "tested_weights": tested, "correct": bits_digest(correct)}
        ),
        **common,
    )


def _training_metrics(job: RunJob, data: DataSplits, model: torch.nn.Module, result: TrainResult) -> Metrics:
    config = job.run.arm.config
    facts = data.facts
    return Metrics(
        n_train=len(data.train),
        n_val=len(data.val) if data.val is not None else 0,
        n_test=len(data.test),
        n_params=count_parameters(model),
        n_trainable_params=count_trainable_at_start(model, config.train, _through(config)),
        gmacs=gmacs(_builder(config, facts), facts.channels, facts.image_size),
        epochs=result.steps / (len(data.train) // config.train.batch_size),
        steps=result.steps,
        best_epoch=result.best_epoch if config.train.select == "best_val" else None,
        train_top1_pct=result.epochs[-1].train_top1_pct if result.epochs else None,
        train_time_s=result.train_time_s,
        compile_time_s=result.compile_time_s,
        run_train_img_s=result.images / result.train_time_s if result.train_time_s else None,
        n_concurrent=job.n_concurrent,
        peak_memory_bytes=result.peak_memory_bytes,
        diverged_step=result.diverged_step,
    )


def _test_metrics(validation: Evaluation | None, test: Evaluation) -> dict[str, float | None]:
    return {
        "val_top1_pct": validation.top1_pct if validation is not None else None,
        "test_top1_pct": test.top1_pct,
        "test_top5_pct": test.top5_pct,
        "test_mean_class_pct": test.mean_class_pct,
        "test_loss": test.loss,
    }


def _evaluate(job: RunJob, model: torch.nn.Module, data: DataSplits, part: str, device: str) -> Evaluation:
    images = data.test if part == "test" else data.val
    assert images is not None
    return evaluate(
        model,
        EvalBatches(images, batch_size=EVAL_BATCH),
        num_classes=data.facts.num_classes,
        execution=job.run.arm.config.execution,
        device=device,
        keep_logits=part == "test",
    )


EVAL_BATCH = 1024
CHECKPOINT_EVERY_S = 20.0
"""Seconds of training that a kill may cost; BENCH_CHECKPOINT_EVERY_S says otherwise. Moves no result."""


def _save_predictions(path: Path, data: DataSplits, test: Evaluation) -> np.ndarray:
    """Write index, label and logits of every test image; return which were right, of shape (n_test,)."""
    assert test.logits is not None
    buffer = io.BytesIO()
    np.savez(buffer, index=np.arange(len(data.test)), label=test.labels, logits=test.logits)
    write_bytes(path, buffer.getvalue())
    correct: np.ndarray = test.logits.argmax(axis=1) == test.labels
    return correct


def _failure(job: RunJob, status: Status, error: BaseException, started_utc: str, device: str) -> RunRecord:
    write_text(job.folder / ERROR, "".join(traceback.format_exception(error)))
    lines = str(error).strip().splitlines() or [""]
    reason = environment.without_paths(f"{type(error).__name__}: {lines[0]}".rstrip(": "))
    return start_record(
        job,
        status=status,
        started_utc=started_utc,
        reason=reason,
        environment=environment.describe(device),
    )


def _on_epoch(job: RunJob, data: DataSplits, events: Events, report: Report) -> Callable[[EpochRow], None]:
    train_spec = job.run.arm.config.train
    steps_per_epoch = len(data.train) // train_spec.batch_size
    budget = train_spec.epochs if train_spec.steps is None else train_spec.steps / steps_per_epoch

    def on_epoch(row: EpochRow) -> None:
        events.epoch(row)
        report(Progress(job.label, row=row, n_epochs=float(budget or 0)))

    return on_epoch


def _decoding(job: RunJob | ProbeJob, report: Report) -> Callable[[str, int, int], None]:
    def on_progress(what: str, done: int, total: int) -> None:
        report(Progress(job.label, text=f"{what}: {done:,} of {total:,}"))

    return on_progress


def _through(config: BaseSpec) -> str | None:
    """The last stage whose weights come from elsewhere."""
    return config.weights.through if config.weights is not None else None


def _builder(config: BaseSpec, facts: Any) -> Callable[[], torch.nn.Module]:
    return lambda: architectures.build(
        config.model.name,
        num_classes=facts.num_classes,
        in_chans=facts.channels,
        img_size=facts.image_size,
        **config.model.options,
    )


def _probe(job: ProbeJob, device: str, report: Report) -> Answer:
    if read_record(job.folder) is not None:
        return Answer("done", found=True)
    config = job.arm.config
    key = run_key(0)
    with applied(config.execution, device):
        section = config.data
        if section.normalize == "weights":  # the numbers have no part in the speed
            section = section.model_copy(update={"normalize": "train"})
        data = open_splits(section, job.data_dir, device, on_progress=_decoding(job, report))
        result = probe_arm(
            build_network(config, data, key),
            data,
            spec=config.train,
            execution=config.execution,
            augment=config.data.augment,
            key=key,
            device=device,
            weights_through=_through(config),
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
        environment=environment.describe(device),
        measured_utc=now_utc(),
    )
    publish(job.folder, record)
    return Answer("done")


def _survey(job: SurveyJob) -> Answer:
    """GMACs of every arm; what cannot be built is told, all of it, before the first run."""
    from bench.data.catalogue import facts as facts_of  # noqa: PLC0415 - the torch-free half of the room

    costs: dict[str, float] = {}
    faults: list[str] = []
    for arm in job.arms:
        facts = facts_of(arm.config.data, job.data_dir)
        build = _builder(arm.config, facts)
        try:
            costs[arm.name] = gmacs(build, facts.channels, facts.image_size)
            with torch.device("meta"):
                count_trainable_at_start(build(), arm.config.train, _through(arm.config))
        except BenchError as error:
            faults.extend(f"arm {arm.name}: {line}" for line in error.lines)
        except (TypeError, ValueError, RuntimeError) as error:
            faults.append(f"arm {arm.name}: the network cannot be built: {error}")
    if faults:
        return Answer("failed", reason="\n".join(faults))
    return Answer("done", gmacs=costs)
