"""One run from start to record: data, network, training, test, record.

Everything that can go wrong inside a run ends here as an answer: a diverged, out-of-memory or failed run
is a result with a reason, never an exception that takes the worker along. A run gives way after every step,
so that several of them can be driven side by side (`pack.py`).
"""

from __future__ import annotations

import io
import os
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.data import DataSplits, EvalBatches, open_splits
from bench.errors import EnvironmentFault
from bench.execute.job import Answer, Progress, Report, RunJob, decoding, now_utc, start_record
from bench.execute.mishap import is_out_of_memory, loses_device
from bench.execute.network import build_network, builder, copy_weights, draws_by_name, run_key, through_of
from bench.execute.normalise import resolved_data
from bench.measure.network import count_parameters, gmacs
from bench.record import environment
from bench.record.bits import bits_digest
from bench.record.durable import write_bytes, write_text
from bench.record.folder import ERROR, PREDICTIONS, publish, read_run, shelve_attempt
from bench.record.schema import Digests, EpochRow, Metrics, RunRecord
from bench.record.tensorboard import Events
from bench.train import checkpoint
from bench.train.evaluate import Evaluation, evaluate
from bench.train.freeze import count_trainable_at_start
from bench.train.loop import TrainResult, Turns, driven, training
from bench.train.modes import applied
from bench.train.weights import weights_digest


def run(job: RunJob, device: str, stop: Callable[[], bool], report: Report) -> Answer:
    """Train, test and publish one run, unless that is done already."""
    return driven(running(job, device, stop, report))


def running(job: RunJob, device: str, stop: Callable[[], bool], report: Report) -> Turns[Answer]:
    """The run step by step. A member of a pack that raises publishes nothing: it is run again alone.

    Yields:
        When its data are open, before anything of its own lies on the device; then after every step.

    Raises:
        EnvironmentFault: The machine's fault, not the run's.
    """
    found = read_run(job.folder)
    if found is not None:
        if not job.retry:
            return Answer(found.status, reason=found.reason, metrics=found.metrics, found=True)
        shelve_attempt(job.folder)
    started_utc, lost = now_utc(), False
    try:
        record = yield from _training_and_testing(job, device, started_utc, stop, report)
    except EnvironmentFault:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a network or a user's callable raises is the run's result
        if is_out_of_memory(error):
            torch.cuda.empty_cache()
        if job.n_packed > 1:
            return Answer("again", reason=_reason(error))
        record, lost = _failure(job, error, started_utc, device), loses_device(error)
    if record is None:
        return Answer("interrupted")
    publish(job.folder, record)
    checkpoint.discard(job.folder)
    return Answer(record.status, reason=record.reason, metrics=record.metrics, lost=lost)


def _training_and_testing(
    job: RunJob, device: str, started_utc: str, stop: Callable[[], bool], report: Report
) -> Turns[RunRecord | None]:
    """The record, or None when the run was interrupted and left a checkpoint."""
    config = job.run.arm.config
    key = run_key(job.run.seed, job.run.n_behind)
    with applied(config.execution, device):
        section = resolved_data(job.run, job.data_dir)
        data = open_splits(section, job.data_dir, device, on_progress=decoding(job, report))
        yield
        model = build_network(config, data, key)
        source = copy_weights(job, model)
        initial = weights_digest(model)
        hparams = {**job.run.arm.levels, "seed": job.run.seed}
        with Events(job.folder / "tb", group=job.run.arm.name, hparams=hparams) as events:
            on_epoch = _on_epoch(job, data, events, report)
            result = yield from training(
                model,
                data,
                spec=config.train,
                execution=config.execution,
                augment=config.data.augmentations,
                key=key,
                device=device,
                weights_through=through_of(config),
                folder=job.folder,
                identity=job.run.run_id or "",
                should_stop=stop,
                on_epoch=on_epoch,
                checkpoint_every_s=float(os.environ.get("BENCH_CHECKPOINT_EVERY_S", CHECKPOINT_EVERY_S)),
                in_turn=job.n_packed > 1,
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
        n_trainable_params=count_trainable_at_start(model, config.train, through_of(config)),
        gmacs=gmacs(builder(config, facts), facts.channels, facts.image_size),
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


def _failure(job: RunJob, error: BaseException, started_utc: str, device: str) -> RunRecord:
    write_text(job.folder / ERROR, "".join(traceback.format_exception(error)))
    return start_record(
        job,
        status="oom" if is_out_of_memory(error) else "failed",
        started_utc=started_utc,
        reason=_reason(error),
        environment=environment.describe(device),
    )


def _reason(error: BaseException) -> str:
    """An error in one line, without paths."""
    lines = str(error).strip().splitlines() or [""]
    return environment.without_paths(f"{type(error).__name__}: {lines[0]}".rstrip(": "))


def _on_epoch(job: RunJob, data: DataSplits, events: Events, report: Report) -> Callable[[EpochRow], None]:
    train_spec = job.run.arm.config.train
    steps_per_epoch = len(data.train) // train_spec.batch_size
    budget = train_spec.epochs if train_spec.steps is None else train_spec.steps / steps_per_epoch

    def on_epoch(row: EpochRow) -> None:
        events.epoch(row)
        report(Progress(job.label, row=row, n_epochs=float(budget or 0)))

    return on_epoch
