"""Rounds in which every contender trains an epoch in its turn, while the others wait.

A machine that changes pace during the measurement changes all alike, and ratios are taken round by round. The
order turns around from round to round. Our fastest mode and the bare loop, which lie closest together, stand
side by side and have two turns each, one within the other.
"""

from __future__ import annotations

import multiprocessing
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from time import perf_counter
from types import TracebackType
from typing import Any, Protocol, Self

from tests.benchmarks.rivals.turns import Task, play


class Player(Protocol):
    """Whoever trains an epoch when asked."""

    key: str

    def turn(self) -> float:
        """Train one epoch; its seconds."""


class ContenderFailed(Exception):
    """A contender's process ended; the message says how, the log holds the rest."""


@dataclass
class Running:
    """A contender in its process, ready for its first counted epoch."""

    key: str
    runner: str
    task: Task
    setup_s: float = field(init=False)
    epochs: int = field(init=False, default=0)
    loss: float | None = field(init=False, default=None)
    facts: dict[str, Any] = field(init=False, default_factory=dict)

    def __enter__(self) -> Self:
        """Start the process and wait for its first epoch, which warms it up."""
        began = perf_counter()
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process: BaseProcess = context.Process(
            target=play, args=(theirs, self.runner, self.task), name=self.key
        )
        self._process.start()
        theirs.close()
        try:
            self._hear()
        except BaseException:
            self._end()
            raise
        self.setup_s = perf_counter() - began
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Stop the training; after a fault, the process."""
        if kind is None:
            self._connection.send("stop")
            self.facts = self._receive()["facts"]
            self._process.join(60)
        self._end()

    def turn(self) -> float:
        """Train one epoch; its seconds."""
        self._connection.send("go")
        return self._hear()

    def _hear(self) -> float:
        answer = self._receive()
        self.epochs += 1
        self.loss = answer["loss"]
        return float(answer["epoch_s"])

    def _receive(self) -> dict[str, Any]:
        connection: Connection = self._connection
        try:
            answer: dict[str, Any] = connection.recv()
        except EOFError:
            answer = {"failed": "its process ended without a word"}
        if "failed" in answer:
            log = (self.task.scratch / "log.txt").read_text(encoding="utf-8", errors="replace")
            tail = "\n".join(log.splitlines()[-15:])
            raise ContenderFailed(f"{self.key}: {answer['failed']}\n{tail}")
        return answer

    def _end(self) -> None:
        if self._process.is_alive():
            self._process.kill()
        self._process.join()
        self._connection.close()


Round = dict[str, list[float]]
"""Seconds of each contender's epochs in one round."""


def play_rounds(
    players: Sequence[Player],
    pair: tuple[str, str],
    *,
    go_on: Callable[[int], bool],
    on_round: Callable[[int], None] = lambda _number: None,
) -> list[Round]:
    """Play until `go_on` says no.

    Args:
        players: Of different keys.
        pair: The two that have two turns each.
        go_on: Whether to play the round of that number, from 0.
        on_round: Told of the number of rounds done.
    """
    by_key = {player.key: player for player in players}
    others = [key for key in by_key if key not in pair]
    rounds: list[Round] = []
    while go_on(len(rounds)):
        first, second = pair if len(rounds) % 2 == 0 else pair[::-1]
        order = [first, second, second, first, *others]
        times: Round = {key: [] for key in by_key}
        for key in order if len(rounds) % 2 == 0 else reversed(order):
            times[key].append(by_key[key].turn())
        rounds.append(times)
        on_round(len(rounds))
    return rounds


def median_s(rounds: Iterable[Round], key: str) -> float:
    """Median seconds of a contender's epochs."""
    return statistics.median(seconds for times in rounds for seconds in times[key])


def ratios(rounds: Iterable[Round], best: str, over: str) -> list[float]:
    """How many times faster `best` was than `over`, in each round."""
    return [statistics.mean(times[over]) / statistics.mean(times[best]) for times in rounds]


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """Lower quartile, median, upper quartile."""
    if len(values) == 1:
        return (values[0],) * 3
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high
