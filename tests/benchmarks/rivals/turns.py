"""How processes that train in turn speak with the one who times them.

Each contender lives in a process of its own, so that no switch, warning or thread pool of one reaches
another, and trains for as long as it is asked to: one epoch, then it waits. Its own clock stands still
meanwhile. What an epoch costs is everything between the end of one and the end of the next.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

RUNNERS = "tests.benchmarks.rivals"
"""Package with a module for each way to train; its `run(task, turns)` trains until `turns.over`."""


@dataclass(frozen=True)
class Task:
    """What a contender trains and how; crosses to its process."""

    data: Mapping[str, Any]
    """A data section."""
    data_dir: Path
    depth: int
    """Of the CIFAR ResNet."""
    batch_size: int
    device: str
    threads: int
    execution: Mapping[str, Any]
    """Of ours, and of those rivals that follow our fastest mode."""
    options: Mapping[str, Any]
    """What only this runner knows."""
    scratch: Path
    """A folder of its own."""


class Turns(Protocol):
    """A contender's view of the rounds."""

    over: bool
    """Whether to stop training."""

    def clock(self) -> float:
        """Seconds, standing still while others have their turn."""

    def epoch_over(self, *, loss: float | None = None) -> None:
        """Tell that an epoch has ended and wait for the next turn."""


class PipedTurns:
    """Turns given by another process through a pipe.

    Args:
        connection: To the process that times.
        device: On a GPU, an epoch ends when the device has done it.
    """

    def __init__(self, connection: Connection, device: str) -> None:
        self.over = False
        self._connection = connection
        self._on_gpu = device.startswith("cuda")
        self._waited_s = 0.0
        self._began = perf_counter()

    def clock(self) -> float:
        """Seconds, without those spent waiting."""
        return perf_counter() - self._waited_s

    def epoch_over(self, *, loss: float | None = None) -> None:
        """Send the epoch's seconds and wait."""
        if self._on_gpu:
            import torch

            torch.cuda.synchronize()
        ended = perf_counter()
        self._connection.send({"epoch_s": ended - self._began, "loss": loss})
        self.over = self._connection.recv() != "go"
        self._began = perf_counter()
        self._waited_s += self._began - ended


def play(connection: Connection, runner: str, task: Task) -> None:
    """A contender's process: set the threads, train in turns, send what is known at the end.

    What the tools print goes to `log.txt` in the scratch folder.
    """
    with (task.scratch / "log.txt").open("w", encoding="utf-8") as log:
        for stream in (1, 2):
            os.dup2(log.fileno(), stream)
        try:
            import torch

            torch.set_num_threads(task.threads)
            module = importlib.import_module(f"{RUNNERS}.{runner}")
            facts = module.run(task, PipedTurns(connection, task.device))
        except Exception as error:  # noqa: BLE001 - the other process tells it
            traceback.print_exc()
            connection.send({"failed": f"{type(error).__name__}: {error}"})
            sys.exit(1)
        connection.send({"facts": facts})
