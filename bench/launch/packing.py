"""Which runs may go side by side in one process, and how many: the rule, without torch.

A run may be packed when nothing in it draws from torch's global generators, which the members share: its
network is one of ours, and no callable of the user's takes part. Settings of the whole process (threads,
determinism, precision) are those of `execution`, so it has to be equal. No run is packed with its source: the
gate holds it back until that is done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

import architectures
from bench.execute.job import Job, PackJob, RunJob
from bench.study.device import Device, cuda_memory_bytes
from bench.study.specs import CAPTURING_COMPILE_MODES, is_callable_name

MOST = 8
"""Runs that `auto` puts side by side at most: beyond it the one thread that launches them is the limit."""

ROUND_GMACS = 320.0
"""Multiply-accumulates (1e9) of one step of each member that `auto` takes to fill a GPU.

Forward and backward pass are three times that, so a round is about 2 TFLOP: some 10 ms of an H100 at what
convolutions reach there, ten times what launching a step's graph takes. Eight ResNet-110 at batch 128 on
32 px (259) go together, four ResNet-18 of that size (284), and a ResNet-50 at 224 px (523) goes alone: its
kernels fill the device by themselves."""

MEMORY_SHARE = 0.7
"""Of a GPU's memory that the members of a pack take together; images and the CUDA context have the rest."""


FULL = 1 + 1e-9
"""Shares of a device that a pack may take, rounding included."""


def _whole(_job: RunJob) -> float:
    return 1.0


@dataclass(frozen=True)
class Packing:
    """How runs are put together."""

    most: int = 1
    """Runs side by side."""
    share: Callable[[RunJob], float] = _whole
    """Of a worker's device that a run takes; a pack takes 1 at most, unless a run takes more alone."""

    def reach(self, jobs: Sequence[RunJob]) -> int:
        """How many of these jobs, at least one, may go side by side at most."""
        taken = accumulate(sorted(self.share(job) for job in jobs if may_be_packed(job)))
        return max(1, min(self.most, sum(share <= FULL for share in taken)))

    def first(self, ready: Sequence[Job], *, at_most: int) -> list[Job]:
        """The first job, with those behind it that may go beside it.

        Args:
            ready: Jobs that may start, in order; at least one.
            at_most: How many are wanted.
        """
        job, *others = ready
        if not isinstance(job, RunJob) or not may_be_packed(job):
            return [job]
        together: list[Job] = [job]
        taken, wanted = self.share(job), min(at_most, self.most)
        for other in others:
            if len(together) >= wanted:
                break
            if not isinstance(other, RunJob) or not may_be_packed(other) or not _alike(job, other):
                continue
            share = self.share(other)
            if taken + share <= FULL:
                together.append(other)
                taken += share
        return together


APART = Packing()
"""One run at a time in a worker."""


def packed(jobs: Sequence[Job]) -> Job:
    """One job of several runs; the job itself where there is one."""
    if len(jobs) == 1:
        return jobs[0]
    return PackJob(tuple(job for job in jobs if isinstance(job, RunJob)))


def side_by_side(n: int) -> Packing:
    """`--pack N`: so many, whatever they take."""
    return Packing(n, lambda _: 1 / n)


def by_need(gmacs: Mapping[str, float], memory_bytes: Mapping[str, int], device_bytes: int) -> Packing:
    """`--pack auto` on a GPU: as many as the device can use and hold.

    Without `graph` a run goes alone: one thread launches the kernels of all, and is the limit already.

    Args:
        gmacs: Of one image by arm name.
        memory_bytes: Of training, by arm name. A run of an arm that is in neither goes alone.
        device_bytes: Memory of the device.
    """

    def share(job: RunJob) -> float:
        arm = job.run.arm
        is_known = arm.name in gmacs and arm.name in memory_bytes
        if not (is_known and arm.config.execution.graph):
            return 1.0
        work = gmacs[arm.name] * arm.config.train.batch_size / ROUND_GMACS
        return max(1 / MOST, work, memory_bytes[arm.name] / (MEMORY_SHARE * device_bytes))

    return Packing(MOST, share)


def packing_for(
    wanted: str, device: Device, gmacs: Mapping[str, float], memory_bytes: Mapping[str, int]
) -> Packing:
    """What `--pack` asks for.

    Args:
        wanted: `auto` or a number of runs. On a CPU, where every run fills its core, `auto` is 1.
        device: Of the workers.
        gmacs: As in `by_need`.
        memory_bytes: As in `by_need`.
    """
    if wanted != "auto":
        return side_by_side(int(wanted))
    if device.kind == "cpu":
        return APART
    smallest = min(cuda_memory_bytes(index) for index in device.indices)
    return by_need(gmacs, memory_bytes, smallest)


def may_be_packed(job: RunJob) -> bool:
    """Whether a run computes beside others what it computes alone."""
    config = job.run.arm.config
    names = (*config.data.augment, config.train.optimizer.name)
    return (
        type(job) is RunJob  # a throughput study's cell is one too, and wants its device for itself
        and not job.alone
        and config.model.name in architectures.names()
        and not any(map(is_callable_name, names))
        # Their graphs share one pool of memory, for they count on being replayed one after the other.
        and config.execution.compile not in CAPTURING_COMPILE_MODES
    )


def _alike(one: RunJob, other: RunJob) -> bool:
    return one.run.arm.config.execution == other.run.arm.config.execution
