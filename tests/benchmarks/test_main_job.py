"""What the harness costs over the steps that the main job consists of (`pytest --benchmark-only`).

The rival is what one would write by hand for speed: two one-thread processes that take the runs of
studies/depth.yaml, longest first, and do nothing but steps over float images that lie in memory: no
evaluation, no record, no checkpoint, no progress. Its clock starts when both processes stand ready. Ours is
`bench run`, from its first run to its last, and whole.
"""

from __future__ import annotations

import multiprocessing
import re
import statistics
import subprocess
import sys
from multiprocessing.synchronize import Barrier
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
STUDY = ROOT / "studies" / "depth.yaml"
ROUNDS = 3


def bare_worker(barrier: Barrier, queue: Any) -> None:
    import torch
    import torch.nn.functional as F
    from sklearn.datasets import load_digits

    import architectures

    torch.set_num_threads(1)
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32)[:1438, None].div(16).sub(0.3).div(0.38)
    images = images.contiguous(memory_format=torch.channels_last)
    labels = torch.tensor(digits.target)[:1438]
    barrier.wait()
    while (work := queue.get()) is not None:
        options, seed, epochs, batch_size = work
        model = architectures.build("cifar_resnet", num_classes=10, in_chans=1, img_size=8, **options)
        architectures.initialise(model, seed)
        model.to(memory_format=torch.channels_last)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4, fused=True)
        n_steps = len(images) // batch_size
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=epochs * n_steps)
        for _ in range(epochs):
            order = torch.randperm(len(images))
            for step in range(n_steps):
                index = order[step * batch_size : (step + 1) * batch_size]
                optimizer.zero_grad(set_to_none=True)
                F.cross_entropy(model(images[index]), labels[index]).backward()
                optimizer.step()
                schedule.step()
    barrier.wait()


def bare() -> float:
    """Seconds of the study's bare steps in two processes."""
    from bench.study.load import load_study

    study = load_study(STUDY)
    train = study.arms[0].config.train
    runs = [
        (arm.config.model.options, seed, train.epochs, train.batch_size)
        for arm in study.arms
        for seed in study.seeds
    ]
    runs.sort(key=lambda run: -run[0]["depth"])
    context = multiprocessing.get_context("spawn")
    barrier, queue = context.Barrier(3), context.Queue()
    for run in [*runs, None, None]:
        queue.put(run)
    workers = [context.Process(target=bare_worker, args=(barrier, queue)) for _ in range(2)]
    for worker in workers:
        worker.start()
    barrier.wait()
    began = perf_counter()
    barrier.wait()
    seconds = perf_counter() - began
    for worker in workers:
        worker.join()
    return seconds


def ours(results: Path) -> tuple[float, float]:
    """Seconds of `bench run`: from the first run to the last, and of the whole command."""
    began = perf_counter()
    answer = subprocess.run(
        [
            sys.executable,
            "-m",
            "bench",
            "run",
            str(STUDY),
            "--device",
            "cpu",
            "--jobs",
            "2",
            "--results",
            str(results),
        ],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    whole = perf_counter() - began
    spent = re.search(r"^40 runs in (.+) s$", answer.stderr, flags=re.MULTILINE)
    assert spent is not None, answer.stderr
    return float(spent.group(1)), whole


@pytest.mark.benchmark(group="main job")
@pytest.mark.timeout(1200)
@pytest.mark.slow
def test_the_main_job_costs_little_over_its_bare_steps(benchmark: Any, tmp_path: Path) -> None:
    times: dict[str, list[float]] = {"bare": [], "runs": [], "whole": []}

    def interleaved() -> None:
        times["bare"].append(bare())
        runs, whole = ours(tmp_path / str(len(times["bare"])))
        times["runs"].append(runs)
        times["whole"].append(whole)

    benchmark.pedantic(interleaved, rounds=ROUNDS)
    ratios = [mine / floor for mine, floor in zip(times["runs"], times["bare"], strict=True)]
    benchmark.extra_info.update(
        {f"{name}_s": round(statistics.median(values), 1) for name, values in times.items()},
        runs_over_bare=round(statistics.median(ratios), 3),
    )
    assert statistics.median(ratios) < 1.1
