"""What makes training faster leaves the step the same: weights after one step agree to so many digits.

Distance is the norm of the difference over the norm of the weights, against plain fp32, eager, NCHW. Sums in
another order alone would leave six digits; a ReLU whose input lies within that of zero switches, and each
that does moves the gradient by far more, which is why modes that sum otherwise are held to four. bf16 has
eight significant bits, fp16 and TF32 eleven. Whether accuracy stays is not for a step to show but for a
study: `studies/precision.yaml`.
"""

from __future__ import annotations

import pytest
import torch

import architectures
from bench.data import TrainBatches
from bench.study.specs import ExecutionSpec, OptimizerSpec, TrainSpec
from bench.train.drive import make_driver
from bench.train.modes import applied
from bench.train.step import Step

RECIPE = TrainSpec(steps=1, batch_size=32, optimizer=OptimizerSpec(lr=0.1, momentum=0.9, weight_decay=1e-4))
PLAIN = ExecutionSpec()
DIGITS = {
    "unfused": (ExecutionSpec(fused=False), 6),
    "threads": (ExecutionSpec(threads=2), 4),
    "not deterministic": (ExecutionSpec(deterministic=False), 4),
    "channels_last": (ExecutionSpec(channels_last=True), 4),
    "compile": (ExecutionSpec(compile="default"), 4),
    "bf16": (ExecutionSpec(amp="bf16"), 2),
    "fp16": (ExecutionSpec(amp="fp16"), 3),
}
ON_GPU = {
    "tf32": (ExecutionSpec(fp32_precision="tf32"), 3),
    "graph": (ExecutionSpec(graph=True), 6),
    "graph, compile": (ExecutionSpec(graph=True, compile="default"), 4),
    "reduce-overhead": (ExecutionSpec(compile="reduce-overhead"), 4),
    "max-autotune": (ExecutionSpec(compile="max-autotune"), 4),
    "max-autotune-no-cudagraphs": (ExecutionSpec(compile="max-autotune-no-cudagraphs"), 4),
    "all at once": (ExecutionSpec(amp="bf16", channels_last=True, compile="default", graph=True), 2),
}


@pytest.fixture(scope="module")
def weights_after_a_step():
    """All weights after one step of a ResNet-20 on 32×32 images, end to end."""
    known = {}

    def take(execution: ExecutionSpec, device: str) -> torch.Tensor:
        key = execution.model_dump_json(), device
        if key not in known:
            known[key] = _weights(execution, torch.device(device))
        return known[key]

    return take


class _Noise(TrainBatches):
    """One batch of normal noise, the same everywhere."""

    def __init__(self, device: torch.device) -> None:
        images = torch.randn(32, 3, 32, 32, generator=torch.Generator().manual_seed(0))
        self.images, self.labels = images.to(device), (torch.arange(32) % 10).to(device)
        self.batch_size, self.steps_per_epoch = 32, 1

    on_device = True

    def rows(self, epoch):
        return (torch.arange(32, device=self.images.device),)

    def batch(self, rows):
        return self.images.index_select(0, rows[0]), self.labels.index_select(0, rows[0])


def _weights(execution: ExecutionSpec, device: torch.device) -> torch.Tensor:
    model = architectures.build("cifar_resnet", depth=20, num_classes=10, in_chans=3, img_size=32)
    architectures.initialise(model, 1)
    with applied(execution, device):
        driver = make_driver(Step(model, RECIPE, execution, device), _Noise(device), lr=lambda _: 0.1)
        driver.prepare()
        driver.start_epoch(0)
        assert driver.step()
    return torch.cat([p.detach().double().cpu().flatten() for p in model.parameters()])


def _digits_that_agree(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    distance = float((ours - theirs).norm() / theirs.norm())
    return -torch.tensor(max(distance, 1e-16)).log10().item()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch's own modules while it compiles
@pytest.mark.parametrize("mode", DIGITS)
def test_weights_after_one_step_agree(weights_after_a_step, mode):
    execution, digits = DIGITS[mode]
    plain = weights_after_a_step(PLAIN, "cpu")
    assert _digits_that_agree(weights_after_a_step(execution, "cpu"), plain) > digits


def test_a_step_moves_the_weights_by_more_than_modes_may_differ(weights_after_a_step):
    """Else the digits above would be those of the initial weights."""
    slower = architectures.build("cifar_resnet", depth=20, num_classes=10, in_chans=3, img_size=32)
    architectures.initialise(slower, 1)
    before = torch.cat([p.detach().double().flatten() for p in slower.parameters()])
    moved = weights_after_a_step(PLAIN, "cpu") - before
    for mode, (execution, _) in DIGITS.items():
        theirs = weights_after_a_step(execution, "cpu") - before
        assert float((theirs - moved).norm() / moved.norm()) < 0.25, mode


@pytest.mark.gpu
@pytest.mark.filterwarnings("ignore")  # of torch's own modules while it compiles
@pytest.mark.parametrize("mode", [*DIGITS, *ON_GPU])
def test_weights_after_one_step_agree_on_a_gpu(weights_after_a_step, mode):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    execution, digits = {**DIGITS, **ON_GPU}[mode]
    plain = weights_after_a_step(PLAIN, "cuda")
    assert _digits_that_agree(weights_after_a_step(execution, "cuda"), plain) > digits
