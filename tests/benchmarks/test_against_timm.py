"""Our ResNets beside timm's: training step and inference, the same settings (`pytest --benchmark-only`).

Both take the same images, with the same weights, in channels_last, and alternate within one run, block by
block, so that a machine that changes pace changes both. Reported is the median over the blocks of
timm's time over ours: the ratio of throughputs. Ours has the same arithmetic to do, so the floor is the ratio
one, less what the clock scatters.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from time import perf_counter

import pytest
import torch
import torch.nn.functional as F

from architectures import reference
from architectures.published import CASES

pytest.importorskip("timm")

LEAST_RATIO = 0.98
N_BLOCKS = 31
CASE_OF = {case.name: case for case in CASES if case.twin is not None}

cpu_jobs = pytest.mark.parametrize(
    ("name", "img_size", "batch_size"),
    [("resnet18", 64, 16), ("resnet50", 64, 8)],
    ids=["resnet18", "resnet50"],
)
gpu_jobs = pytest.mark.parametrize(
    ("name", "img_size", "batch_size"),
    [("resnet18", 224, 128), ("resnet50", 224, 64)],
    ids=["resnet18", "resnet50"],
)
both_works = pytest.mark.parametrize("work", ["train", "infer"])


@pytest.fixture(autouse=True)
def _one_thread():
    """As a run has unless its study says otherwise."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def twins(name, device):
    ours, theirs = reference.pair(CASE_OF[name])
    theirs.load_state_dict(ours.state_dict())
    return [model.to(device, memory_format=torch.channels_last) for model in (ours, theirs)]


def job(model, work, images, labels, *, compiled) -> Callable[[], None]:
    """One step of training or of inference, as a call that waits for its end."""
    model.train(work == "train")
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9, weight_decay=1e-4, fused=True)
    forward = torch.compile(model) if compiled else model
    synchronise = torch.cuda.synchronize if images.is_cuda else lambda: None

    def train():
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(forward(images), labels).backward()
        optimizer.step()
        synchronise()

    @torch.inference_mode()
    def infer():
        forward(images)
        synchronise()

    return train if work == "train" else infer


def compare(benchmark, name, work, *, device, img_size, batch_size, compiled, n_steps=1):
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(batch_size, 3, img_size, img_size, generator=generator).to(device)
    images = images.contiguous(memory_format=torch.channels_last)
    labels = (torch.arange(batch_size) % 1000).to(device)
    torch._dynamo.reset()
    jobs = [job(model, work, images, labels, compiled=compiled) for model in twins(name, device)]
    times = ([], [])
    benchmark.group = "against timm"

    def block():
        # Whoever goes second finds other caches: they take turns.
        order = (0, 1) if len(times[0]) % 2 else (1, 0)
        for which in order:
            started = perf_counter()
            for _ in range(n_steps):
                jobs[which]()
            times[which].append((perf_counter() - started) / n_steps)

    for step in jobs:
        for _ in range(3):
            step()
    benchmark.pedantic(block, rounds=N_BLOCKS)
    ratio = statistics.median(theirs / ours for ours, theirs in zip(*times, strict=True))
    benchmark.extra_info.update(
        img_s=round(batch_size / statistics.median(times[0]), 1),
        ours_over_timm=round(ratio, 4),
        ours_ms=round(1e3 * statistics.median(times[0]), 3),
        timm_ms=round(1e3 * statistics.median(times[1]), 3),
    )
    assert ratio >= LEAST_RATIO


@cpu_jobs
@both_works
def test_ours_is_no_slower_than_timm(benchmark, name, work, img_size, batch_size):
    compare(benchmark, name, work, device="cpu", img_size=img_size, batch_size=batch_size, compiled=False)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@cpu_jobs
@both_works
def test_ours_compiled_is_no_slower_than_timm_compiled(benchmark, name, work, img_size, batch_size):
    compare(benchmark, name, work, device="cpu", img_size=img_size, batch_size=batch_size, compiled=True)


@pytest.mark.gpu
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
@gpu_jobs
@both_works
def test_ours_is_no_slower_than_timm_on_a_gpu(benchmark, name, work, img_size, batch_size, compiled):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    compare(
        benchmark,
        name,
        work,
        device="cuda",
        img_size=img_size,
        batch_size=batch_size,
        compiled=compiled,
        n_steps=10,
    )
