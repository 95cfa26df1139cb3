"""Several runs side by side in one process, taking turns step by step.

A small network leaves most of a GPU idle: its kernels are too short to fill it and wait for one another.
Each run of a pack has a stream of its own (and with `graph` a graph of its own), so the device always finds
work of another. What a run computes is what it computes alone: it has its own weights, order and noise, all
functions of its own key, and nothing but the images is shared, which nobody writes to.

Steps are launched in turns by one thread: while a graph is captured nothing else is launched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch

from bench.errors import EnvironmentFault
from bench.execute.job import Answer, Ended, PackJob, Progress, RunJob
from bench.execute.run import running
from bench.record.folder import locked
from bench.train.loop import Turns
from bench.train.modes import applied

_STREAMS: dict[str, list[torch.cuda.Stream]] = {}
"""By device, used again by every pack: torch deals out only 32 before two of them are one."""


@dataclass
class _Member:
    label: str
    turns: Turns[Answer]
    stream: Callable[[], AbstractContextManager[Any]] = nullcontext

    def go_on(self) -> Answer | None:
        """Take one turn; the answer when it was the last."""
        try:
            with self.stream():
                next(self.turns)
        except StopIteration as end:
            answer: Answer = end.value
            return answer
        return None


def execute_pack(
    job: PackJob, device: str, stop: Callable[[], bool], report: Callable[[Progress | Ended], None]
) -> Answer:
    """Drive the runs of a pack to their ends.

    Args:
        job: Runs of equal `execution`.
        device: Torch's name of the device.
        stop: Whether the user wants to stop; each run asks at every step and leaves a checkpoint.
        report: Hears the progress, and of each run how it ended.

    Returns:
        `again` where a run has to be run alone, after which this process is not to be trusted;
        `interrupted` where one was; else `done`.
    """
    execution = job.jobs[0].run.arm.config.execution
    outcomes: set[str] = set()
    with applied(execution, device), _generators_kept(device), _settled(device):
        # Each run sets and puts back the same settings, in any order, so they stand until the last has ended.
        members = [_Member(one.label, _member(one, device, stop, report)) for one in job.members]
        for turn in _rounds(members, device):
            answer = turn.go_on()
            if answer is not None:
                members.remove(turn)
                outcomes.add(answer.outcome)
                report(Ended(turn.label, answer))
    return Answer("again" if "again" in outcomes else "interrupted" if "interrupted" in outcomes else "done")


def _member(
    job: RunJob, device: str, stop: Callable[[], bool], report: Callable[[Progress], None]
) -> Turns[Answer]:
    try:
        with locked(job.folder) as held:
            if not held:
                return Answer("busy")
            return (yield from running(job, device, stop, report))
    except EnvironmentFault as fault:
        return Answer("interrupted", reason=str(fault), fault=True)


def _rounds(members: list[_Member], device: str) -> Iterator[_Member]:
    """Whose turn it is, until the list is empty.

    The first turn opens a run's images. They are uploaded on the default stream, and only then does the run
    get a stream of its own, which waits for them: other runs may be given the same images.
    """
    yield from list(members)
    if torch.device(device).type == "cuda":
        for member, stream in zip(members, _streams(device, len(members)), strict=True):
            stream.wait_stream(torch.cuda.default_stream(device))
            member.stream = _on(stream)
    while members:
        yield from list(members)


def _streams(device: str, n: int) -> list[torch.cuda.Stream]:
    streams = _STREAMS.setdefault(str(torch.device(device)), [])
    while len(streams) < n:
        streams.append(torch.cuda.Stream(device))  # type: ignore[no-untyped-call]  # untyped in torch
    return streams[:n]


def _on(stream: torch.cuda.Stream) -> Callable[[], AbstractContextManager[Any]]:
    return lambda: torch.cuda.stream(stream)


@contextmanager
def _generators_kept(device: str) -> Iterator[None]:
    """Put torch's generators back at the end: each run seeds them and puts back what it found."""
    with torch.random.fork_rng([torch.device(device)] if torch.device(device).type == "cuda" else []):
        yield


@contextmanager
def _settled(device: str) -> Iterator[None]:
    """At the end wait for every stream, and give back what they hold: another job uses other streams."""
    try:
        yield
    finally:
        if torch.device(device).type == "cuda":
            torch.cuda.synchronize(device)
            torch.cuda.empty_cache()
