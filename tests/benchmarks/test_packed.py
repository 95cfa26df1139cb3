"""Many seeds on one GPU, and what the whole CIFAR-10 depth study takes (`pytest --benchmark-only -m gpu`).

Each network of studies/depth_cifar10.yaml takes graphed steps alone, then eight copies of it take theirs in
turn, each on a stream of its own, as `--pack 8` drives them. From the measured steps follows the time of the
whole study: 64,000 steps of every arm and seed. Images are noise of CIFAR-10's shape and number: the time of
a step does not depend on what they show.
"""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from time import perf_counter

import pytest
import torch

import architectures
from bench.data import TrainBatches
from bench.data.normalising import Normaliser
from bench.data.resident import ImageSet
from bench.study.load import load_study
from bench.study.specs import ExecutionSpec
from bench.train.drive import Driver, make_driver
from bench.train.modes import applied
from bench.train.step import Step

ROOT = Path(__file__).resolve().parents[2]
STUDY = load_study(ROOT / "studies" / "depth_cifar10.yaml")
N_PACKED = 8
LEAST_GAIN = 1.8
"""Of eight ResNet-20 side by side over one."""
MOST_MINUTES = 45
GPU_MODE = {"channels_last": True, "graph": True}
modes = pytest.mark.parametrize(
    "mode",
    [GPU_MODE | {"fp32_precision": "tf32"}, GPU_MODE | {"amp": "bf16"}],
    ids=["tf32-graph", "bf16-graph"],
)


def noise(device: torch.device, n_images: int) -> ImageSet:
    """Random bytes as a resident training set."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (n_images, 32, 32, 3), dtype=torch.uint8, generator=generator).to(device)
    labels = (torch.arange(n_images) % 10).to(device)
    white = torch.full((1,), 255.0, device=device)
    return ImageSet(images, labels, None, None, Normaliser(None, None, white), 32, device)


def drivers(
    options: dict, execution: ExecutionSpec, images: ImageSet, n: int, augment: tuple[str, ...]
) -> list[Driver]:
    """Runs of one arm that differ in their seed, ready for their first step."""
    made = []
    for seed in range(n):
        model = architectures.build("cifar_resnet", num_classes=10, in_chans=3, img_size=32, **options)
        architectures.initialise(model, seed)
        step = Step(model, STUDY.arms[0].config.train, execution, images.device)
        batches = TrainBatches(images, batch_size=128, augment=augment, key=seed)
        made.append(make_driver(step, batches, lr=lambda _: 0.1))
    return made


def seconds_a_step(driving: list[Driver], device: torch.device, n_steps: int) -> float:
    """Seconds in which each of the runs takes one step; they take turns, each on its own stream."""
    cuda = device.type == "cuda"
    streams = [torch.cuda.Stream(device) if cuda else None for _ in driving]
    on = [torch.cuda.stream(stream) if stream is not None else nullcontext() for stream in streams]
    for driver, stream in zip(driving, on, strict=True):
        with stream:
            driver.prepare()
    times = []
    for _ in range(2):  # the first time round warms up
        for driver, stream in zip(driving, on, strict=True):
            with stream:
                driver.start_epoch(0)
        _wait(device)
        began = perf_counter()
        for _ in range(n_steps):
            for driver, stream in zip(driving, on, strict=True):
                with stream:
                    driver.step()
        _wait(device)
        times.append((perf_counter() - began) / n_steps)
    return times[-1]


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def compare(
    options: dict, execution: ExecutionSpec, device: torch.device, *, n: int, n_steps: int, n_images: int
):
    """Seconds of a step alone, and of a round in which `n` runs take one step each."""
    images = noise(device, n_images)
    augment = STUDY.arms[0].config.data.augment
    with applied(execution, device):
        alone = seconds_a_step(drivers(options, execution, images, 1, augment), device, n_steps)
        packed = seconds_a_step(drivers(options, execution, images, n, augment), device, n_steps)
    return alone, packed


def test_packs_are_measured_as_they_are_driven():
    """The measuring itself, as far as a CPU can: steps are taken and counted, in turns."""
    options = {"depth": 8}
    alone, packed = compare(options, ExecutionSpec(), torch.device("cpu"), n=2, n_steps=1, n_images=256)
    assert 0 < alone < packed


@pytest.mark.gpu
@pytest.mark.timeout(600)
@modes
def test_seeds_share_a_gpu_and_the_depth_study_fits_a_lease(benchmark, mode):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    device, execution = torch.device("cuda", torch.cuda.current_device()), ExecutionSpec(**mode)
    found = {}

    def measure():
        for arm in STUDY.arms:
            n_steps = max(30, 6000 // arm.config.model.options["depth"])
            steps = compare(
                arm.config.model.options, execution, device, n=N_PACKED, n_steps=n_steps, n_images=50_000
            )
            found[arm.name] = steps

    benchmark.pedantic(measure, rounds=1)
    steps = STUDY.arms[0].config.train.steps * len(STUDY.seeds)
    gains = {name: N_PACKED * alone / packed for name, (alone, packed) in found.items()}
    minutes = sum(steps * packed / N_PACKED for _, packed in found.values()) / 60
    benchmark.extra_info.update(
        study_minutes_packed=round(minutes, 1),
        study_minutes_alone=round(sum(steps * alone for alone, _ in found.values()) / 60, 1),
        **{f"{name}: img_s alone": round(128 / alone) for name, (alone, _) in found.items()},
        **{f"{name}: img_s packed": round(128 * N_PACKED / packed) for name, (_, packed) in found.items()},
        **{f"{name}: gain": round(gain, 2) for name, gain in gains.items()},
    )
    assert gains["model.depth=20,model.residual=true"] >= LEAST_GAIN
    assert minutes <= MOST_MINUTES
