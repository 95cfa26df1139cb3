"""Ours: the engine that carries out studies, with everything that it does in a run."""

from __future__ import annotations

from typing import Any

from bench.record.schema import EpochRow
from bench.study.specs import OptimizerSpec, TrainSpec
from bench.train.loop import train
from tests.benchmarks.rivals.common import KEY, LR, MOMENTUM, WEIGHT_DECAY, execution, network, splits
from tests.benchmarks.rivals.turns import Task, Turns


def run(task: Task, turns: Turns) -> dict[str, Any]:
    """Train epochs in turn; returns the seconds of compilation."""
    data = splits(task, task.device)
    spec = TrainSpec(
        epochs=1_000_000,
        batch_size=task.batch_size,
        optimizer=OptimizerSpec(lr=LR, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY),
    )

    def on_epoch(row: EpochRow) -> None:
        turns.epoch_over(loss=row.train_loss)

    result = train(
        network(task, data),
        data,
        spec=spec,
        execution=execution(task),
        augment=("crop", "flip"),
        key=KEY,
        device=task.device,
        folder=task.scratch,
        identity="",
        should_stop=lambda: turns.over,
        on_epoch=on_epoch,
        clock=turns.clock,
    )
    if result.outcome != "interrupted":
        raise RuntimeError(f"training ended as {result.outcome} after {result.steps} steps")
    return {"compile_s": result.compile_time_s}
