"""The whole step as one CUDA graph: gather, augment, forward, backward, update, count.

On small images a GPU waits for Python: a ResNet-20 of 200 kernels takes 2 ms to launch and a fifth of that to
compute. A graph is launched at once. Everything that changes from step to step therefore lies on the device:
the rows of the epoch, its learning rates, and the place in it, which the graph itself moves on. A step is one
replay and nothing else.

What is captured is the trainer's own step; the fused optimisers read rate and verdict (`found_inf`) from
tensors. Reference: Ng, Nolet, Massa et al., "Accelerating PyTorch with CUDA Graphs" (pytorch.org, 2021).
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from time import perf_counter

import torch
from torch import Tensor

from bench.data.batches import Batches, step_rows
from bench.errors import UsageError
from bench.garbage import uncollected
from bench.train.drive import LearningRate
from bench.train.held import Held
from bench.train.step import Step

WARMUP_STEPS = 3
"""Steps before the capture: cuDNN chooses its kernels, lazy state is made, `torch.compile` compiles."""

Work = Callable[[], None]


class GraphDriver:
    """Replays one graph a step.

    Args:
        step: Network and optimiser; its updates are gated on the device.
        batches: Rows and images may lie on the device, or each batch is copied to it before its replay.
        lr: Learning rate of each step; asked when its epoch starts.
        capture: Turns work on static tensors into its replay; before that it calls what practises it.

    Raises:
        UsageError: The optimiser cannot read its learning rate from the device.
    """

    def __init__(
        self,
        step: Step,
        batches: Batches,
        lr: LearningRate,
        *,
        capture: Callable[[Work, Work], Work] | None = None,
    ) -> None:
        if not step.updates_on_device:
            raise UsageError("execution.graph: needs sgd, adam or adamw with fused: true")
        self._step, self._batches, self._lr = step, batches, lr
        self._capture = capture or capture_cuda
        device = step.device
        self._place = torch.zeros(1, dtype=torch.int64, device=device)
        self._first = torch.zeros((), dtype=torch.int64, device=device)
        self._within = torch.arange(batches.batch_size, device=device)
        self._lrs = torch.zeros(batches.steps_per_epoch, dtype=torch.float32, device=device)
        self._group_lrs = [torch.zeros((), dtype=torch.float32, device=device) for _ in step.lr_shares]
        self._rows: tuple[Tensor, ...] = ()
        self._static: tuple[Tensor, ...] = ()
        self._host_place = 0
        self._replay: Work | None = None

    def prepare(self) -> float:
        """Warm up and capture; weights, statistics, optimiser and counts are what they were afterwards."""
        started = perf_counter()
        self._replay = None  # its memory goes before the next capture takes its own
        self._point_at_rates()
        self._load(0, 0)
        device = self._step.device
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            before = _Before(self._step)
            self._replay = self._capture(self._work, self._practise)
            before.come_back()
        if device.type == "cuda":
            torch.cuda.current_stream(device).synchronize()
        return perf_counter() - started

    def start_epoch(self, epoch: int, done: int = 0) -> None:
        """Put the epoch's rows and learning rates where the graph reads them."""
        self._load(epoch, done)

    def step(self) -> bool:
        """One replay; the verdict stays on the device."""
        assert self._replay is not None, "prepare() comes first"
        if not self._batches.on_device:
            self._feed()
        self._replay()
        return True

    def _load(self, epoch: int, done: int) -> None:
        rows = self._batches.rows(epoch)
        if self._batches.on_device:
            self._static = self._static or tuple(torch.empty_like(of_epoch) for of_epoch in rows)
            for static, of_epoch in zip(self._static, rows, strict=True):
                static.copy_(of_epoch)
        else:
            self._rows, self._host_place = rows, done
            if not self._static:
                first = self._batches.batch(step_rows(rows, 0, self._batches.batch_size))
                self._static = tuple(torch.empty_like(tensor).copy_(tensor) for tensor in first)
        first_number = epoch * self._batches.steps_per_epoch
        rates = [self._lr(first_number + place) for place in range(self._batches.steps_per_epoch)]
        on_host = torch.tensor(rates, dtype=torch.float32)
        self._lrs.copy_(on_host.pin_memory() if self._lrs.is_cuda else on_host, non_blocking=True)
        self._first.fill_(first_number)
        self._place.fill_(done)

    def _feed(self) -> None:
        """Bring the next batch to the device."""
        batch = self._batches.batch(step_rows(self._rows, self._host_place, self._batches.batch_size))
        for static, fresh in zip(self._static, batch, strict=True):
            static.copy_(fresh, non_blocking=True)
        self._host_place += 1

    def _point_at_rates(self) -> None:
        """Let the optimiser read its rates from the device; resuming replaces what its groups hold."""
        for group, rate in zip(self._step.optimizer.param_groups, self._group_lrs, strict=True):
            group["lr"] = rate
            if "capturable" in group:  # without it Adam's refuse to be captured
                group["capturable"] = True

    @torch.no_grad()
    def _set_rates(self) -> None:
        now = self._lrs.index_select(0, self._place).squeeze(0)
        for rate, share in zip(self._group_lrs, self._step.lr_shares, strict=True):
            torch.mul(now, share, out=rate)

    def _practise(self) -> None:
        """The first step a few times: an epoch may have no second one."""
        for _ in range(WARMUP_STEPS):
            self._place.zero_()
            self._work()
        self._place.zero_()

    def _work(self) -> None:
        """One step on static tensors."""
        self._set_rates()
        with torch.no_grad():
            self._step.set_number(self._first + self._place.squeeze(0))
        if self._batches.on_device:
            places = self._place * self._batches.batch_size + self._within
            images, labels = self._batches.batch(tuple(rows.index_select(0, places) for rows in self._static))
        else:
            images, labels = self._static
        self._step.advance(images, labels)
        self._place += 1


class _Before:
    """A step's whole state, to come back to after having been run for practice."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._model = Held([*step.model.parameters(), *step.model.buffers()])
        states = step.optimizer.state
        self._optimizer = {
            (parameter, name): value.clone()
            for parameter, state in states.items()
            for name, value in state.items()
            if isinstance(value, Tensor)
        }
        self._scaler = None if step.scaler is None else step.scaler.state_dict()
        self._average = None if step.average is None else step.average.contents()
        self._counts = step.tally.read()

    @torch.no_grad()
    def come_back(self) -> None:
        """Set everything in place: the graph holds the addresses."""
        if self._step.average is not None and self._average is not None:
            self._step.average.take_up(self._average)
        self._model.restore()
        for parameter, state in self._step.optimizer.state.items():
            for name, value in state.items():
                if isinstance(value, Tensor):
                    before = self._optimizer.get((parameter, name))
                    # What the practice made (moments, step counts) starts at zero.
                    value.zero_() if before is None else value.copy_(before)
        if self._step.scaler is not None and self._scaler is not None:
            self._step.scaler.load_state_dict(self._scaler)
        self._step.optimizer.zero_grad(set_to_none=True)
        self._step.tally.start(self._counts)
        self._step.recover()


def capture_cuda(work: Work, practise: Work) -> Work:
    """Record `work` as a CUDA graph.

    The graph has a memory pool of its own, and is captured on the stream of its run if that has one: graphs
    of several runs are replayed side by side, cuBLAS keeps one workspace a stream, and torch deals out only
    32 streams before it begins again.

    Args:
        work: Reads and writes static tensors only, and never waits.
        practise: Runs it a few times, so that nothing is left to be made in the capture.

    Returns:
        The replay; it runs on whichever stream is current.
    """
    stream = torch.cuda.current_stream()
    if stream == torch.cuda.default_stream():  # which cannot be captured
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # untyped in torch
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        practise()
    torch.cuda.current_stream().wait_stream(stream)
    gc.collect()  # an older graph that is destroyed in the middle of a capture breaks it
    graph = torch.cuda.CUDAGraph()
    with uncollected(), torch.cuda.graph(graph, stream=stream):
        work()
    return graph.replay
