"""Rival (b): Lightning's Trainer at its defaults, over the plain script's DataLoader.

Logger, progress bar, model summary and checkpoints are on, as they are unless switched off; only `precision`
is set where the second variant asks for it.
"""

from __future__ import annotations

from typing import Any

import lightning
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.benchmarks.rivals.common import network, sgd, splits
from tests.benchmarks.rivals.plain import loader
from tests.benchmarks.rivals.turns import Task, Turns


class Classifier(lightning.LightningModule):
    """The module of Lightning's own introduction."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def training_step(self, batch: tuple[Tensor, Tensor], _batch_index: int) -> Tensor:
        """Cross-entropy of one batch."""
        images, labels = batch
        loss = F.cross_entropy(self.model(images), labels)
        self.log("train_loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """The recipe's."""
        return sgd(self.model)


class InTurn(lightning.Callback):
    """Waits at the end of every epoch."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Tell the epoch's end, and go on or stop."""
        self.turns.epoch_over(loss=float(trainer.callback_metrics["train_loss"]))
        trainer.should_stop = self.turns.over


def run(task: Task, turns: Turns) -> dict[str, Any]:
    """Train epochs in turn."""
    data = splits(task, "cpu")
    torch.manual_seed(0)
    trainer = lightning.Trainer(
        accelerator="gpu" if task.device.startswith("cuda") else "cpu",
        devices=1,
        max_epochs=-1,
        default_root_dir=task.scratch,
        callbacks=[InTurn(turns)],
        **task.options["trainer"],
    )
    trainer.fit(Classifier(network(task, data)), loader(task, data))
    return {"compile_s": None}
