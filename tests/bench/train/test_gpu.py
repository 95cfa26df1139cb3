"""What only a CUDA device can show: no synchronisation inside a step, the gate, exact repetition."""

from __future__ import annotations

import pytest
import torch

from bench.data import DataSplits, TrainBatches, open_splits
from bench.data.mixing import Mixing
from bench.measure.probe import probe_arm
from bench.study.specs import DataSpec, ExecutionSpec, FreezeSpec
from bench.train.drive import make_driver
from bench.train.modes import applied
from bench.train.step import Step
from bench.train.weights import weights_digest

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]

CUDA = torch.device("cuda")
OPTIMIZERS = {
    "sgd": {},
    "momentum": {"momentum": 0.9},
    "adam": {"name": "adam", "lr": 1e-3},
    "adamw": {"name": "adamw", "lr": 1e-3},
}
UNFREEZING = FreezeSpec(through="layer2", unfreeze={"layer2": 2})
EXECUTIONS = {
    "fp32": ExecutionSpec(channels_last=True),
    "unfused": ExecutionSpec(fused=False),
    "bf16": ExecutionSpec(amp="bf16", channels_last=True),
    "fp16": ExecutionSpec(amp="fp16", channels_last=True),
    "graph": ExecutionSpec(graph=True, channels_last=True),
    "graph-bf16": ExecutionSpec(graph=True, amp="bf16", channels_last=True),
    "graph-fp16": ExecutionSpec(graph=True, amp="fp16", channels_last=True),
}
EAGER = {name: execution for name, execution in EXECUTIONS.items() if not execution.graph}
GRAPHED = {name: execution for name, execution in EXECUTIONS.items() if execution.graph}


@pytest.fixture(scope="module")
def on_gpu(tmp_path_factory) -> DataSplits:
    folder = tmp_path_factory.mktemp("gpu")
    return open_splits(DataSpec(name="digits", train_size=164, val=0.05), folder, "cuda")


@pytest.mark.parametrize("freeze", [None, FreezeSpec(through="layer1")], ids=["all", "frozen"])
@pytest.mark.parametrize("execution", EXECUTIONS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_nothing_waits_inside_a_step(network, recipe, on_gpu, optimizer, execution, freeze):
    """Batches, augmentation, forward, backward, clipping, gate and update, from the second step on."""
    spec = recipe(OPTIMIZERS[optimizer], clip_grad_norm=1.0, label_smoothing=0.1, freeze=freeze)
    batches = TrainBatches(on_gpu.train, batch_size=32, augment=("crop", "flip"), key=1)
    with applied(EXECUTIONS[execution], CUDA):
        step = Step(network(), spec, EXECUTIONS[execution], CUDA)
        driver = make_driver(step, batches, lr=lambda _: 0.01)
        driver.prepare()
        for epoch in range(2):
            driver.start_epoch(epoch)
            torch.cuda.synchronize()
            torch.cuda.set_sync_debug_mode("error" if epoch else "default")
            try:
                for _ in range(batches.steps_per_epoch):
                    driver.step()
            finally:
                torch.cuda.set_sync_debug_mode("default")
    assert step.tally.read().n_bad_steps == 0


@pytest.mark.parametrize("execution", EAGER)
@pytest.mark.parametrize("bad_step", [0, 2, 4], ids=["first", "middle", "last"])
@pytest.mark.parametrize("optimizer", [*OPTIMIZERS, "own"])
def test_a_bad_loss_is_gated_on_the_device(network, recipe, optimizer, execution, bad_step):
    spec = recipe({**OPTIMIZERS, "own": {"name": "torch.optim:RMSprop", "lr": 1e-3}}[optimizer])
    images, labels = torch.randn(16, 1, 8, 8, device=CUDA), torch.randint(0, 10, (16,), device=CUDA)
    before = None
    with applied(EXECUTIONS[execution], CUDA):
        model = network()
        step = Step(model, spec, EXECUTIONS[execution], CUDA)
        for index in range(5):
            if index == bad_step:
                before = weights_digest(model)
            assert step(images * torch.inf if index == bad_step else images, labels, 0.01)
        assert weights_digest(model) == before
        assert step.tally.read().n_bad_steps == 5 - bad_step


@pytest.mark.parametrize("execution", EAGER)
@pytest.mark.parametrize("optimizer", [*OPTIMIZERS, "own"])
def test_frozen_stages_keep_every_bit(fit, network, recipe, on_gpu, optimizer, execution):
    own = {"name": "torch.optim:RMSprop", "lr": 1e-3}
    optimizer = {"weight_decay": 0.1} | {**OPTIMIZERS, "own": own}[optimizer]
    spec = recipe(optimizer, freeze=FreezeSpec(through="layer2", unfreeze={"layer2": 2}))
    _, model = fit(spec, data=on_gpu, device="cuda", execution=EXECUTIONS[execution])
    for key, value in network().state_dict().items():
        kept = torch.equal(value, model.state_dict()[key].cpu())
        assert kept is key.startswith(("conv1", "bn1", "layer1")), key


@pytest.mark.parametrize("freeze", [None, UNFREEZING], ids=["all", "unfreezing"])
@pytest.mark.parametrize("execution", EXECUTIONS)
def test_a_run_repeats_and_resumes_to_the_last_bit(fit, recipe, on_gpu, tmp_path, execution, freeze):
    options = {"data": on_gpu, "device": "cuda", "augment": ("crop",), "execution": EXECUTIONS[execution]}
    spec = recipe(epochs=2, schedule={"name": "onecycle"}, freeze=freeze)
    first, model = fit(spec, folder=tmp_path / "first", **options)
    _, again = fit(spec, folder=tmp_path / "again", **options)
    assert weights_digest(again) == weights_digest(model)
    assert first.peak_memory_bytes > 0
    asked = iter([False] * 7 + [True])
    fit(spec, folder=tmp_path / "stopped", should_stop=lambda: next(asked), **options)
    result, resumed = fit(spec, folder=tmp_path / "stopped", **options)
    assert result.resumed_from_step == 7
    assert weights_digest(resumed) == weights_digest(model)


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_every_component_at_once_neither_waits_nor_drifts(fit, network, recipe, on_gpu, tmp_path, execution):
    """TrivialAugment, erasing, mixup, CutMix and the average, stopped and taken up again."""
    spec = recipe(epochs=2, mixup=0.2, cutmix=1.0, label_smoothing=0.1, ema={"decay": 0.9, "warmup": True})
    augment = ("trivial_augment", "crop", "flip", "erasing")
    options = {"data": on_gpu, "device": "cuda", "augment": augment, "execution": EXECUTIONS[execution]}
    _, model = fit(spec, folder=tmp_path / "whole", **options)
    asked = iter([False] * 7 + [True])
    fit(spec, folder=tmp_path / "stopped", should_stop=lambda: next(asked), **options)
    _, resumed = fit(spec, folder=tmp_path / "stopped", **options)
    assert weights_digest(resumed) == weights_digest(model)

    batches = TrainBatches(on_gpu.train, batch_size=32, augment=augment, key=1, mixing=Mixing.of(spec, 10))
    with applied(EXECUTIONS[execution], CUDA):
        driver = make_driver(Step(network(), spec, EXECUTIONS[execution], CUDA), batches, lr=lambda _: 0.01)
        driver.prepare()
        for epoch in range(2):
            driver.start_epoch(epoch)
            torch.cuda.synchronize()
            torch.cuda.set_sync_debug_mode("error" if epoch else "default")
            try:
                for _ in range(batches.steps_per_epoch):
                    driver.step()
            finally:
                torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize(
    "augment", [(), ("crop", "flip"), ("resized_crop", "flip")], ids=["none", "crop", "box"]
)
@pytest.mark.parametrize("execution", GRAPHED)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_graph_takes_the_steps_that_python_takes(
    fit, recipe, on_gpu, tmp_path, optimizer, execution, augment
):
    """Same kernels in the same order; only the learning rate is read as float32 instead of float64."""
    spec = recipe(OPTIMIZERS[optimizer], epochs=2, schedule={"name": "onecycle"}, clip_grad_norm=1.0)
    options = {"data": on_gpu, "device": "cuda", "augment": augment}
    graphed, model = fit(spec, execution=GRAPHED[execution], folder=tmp_path / "graph", **options)
    plain = GRAPHED[execution].model_copy(update={"graph": False})
    stepped, twin = fit(spec, execution=plain, folder=tmp_path / "plain", **options)
    assert graphed.compile_time_s > 0
    for ours, theirs in zip(graphed.epochs, stepped.epochs, strict=True):
        assert ours.train_loss == pytest.approx(theirs.train_loss, rel=1e-3)
    for ours, theirs in zip(model.parameters(), twin.parameters(), strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("freeze", [None, UNFREEZING], ids=["all", "unfreezing"])
def test_a_graph_keeps_frozen_stages(fit, network, recipe, on_gpu, freeze):
    spec = recipe({"weight_decay": 0.1, "momentum": 0.9}, freeze=freeze)
    _, model = fit(spec, data=on_gpu, device="cuda", execution=EXECUTIONS["graph"])
    for key, value in network().state_dict().items():
        kept = torch.equal(value, model.state_dict()[key].cpu())
        assert kept is (freeze is not None and key.startswith(("conv1", "bn1", "layer1"))), key


@pytest.mark.parametrize("mode", ["default", "max-autotune-no-cudagraphs"])
def test_a_graph_holds_a_compiled_network(fit, recipe, on_gpu, tmp_path, mode):
    options = {"data": on_gpu, "device": "cuda"}
    execution = ExecutionSpec(graph=True, compile=mode, channels_last=True)
    compiled, _ = fit(recipe(), execution=execution, folder=tmp_path / "compiled", **options)
    eager, _ = fit(recipe(), folder=tmp_path / "eager", **options)
    for ours, theirs in zip(compiled.epochs, eager.epochs, strict=True):
        assert ours.train_loss == pytest.approx(theirs.train_loss, rel=1e-2)


def test_a_graphed_run_diverges_at_its_step(fit, recipe, on_gpu):
    result, _ = fit(recipe({"lr": 1e30}), data=on_gpu, device="cuda", execution=EXECUTIONS["graph"])
    assert result.outcome == "diverged"
    assert result.diverged_step > 0


def test_images_on_the_host_feed_a_graph(fit, recipe, on_gpu, tmp_path, monkeypatch):
    """Sets too large for the device: each batch is copied to where the graph reads it."""
    options = {"data": on_gpu, "device": "cuda", "augment": ("crop",), "execution": EXECUTIONS["graph"]}
    _, resident = fit(recipe(), folder=tmp_path / "resident", **options)
    monkeypatch.setattr(TrainBatches, "on_device", property(lambda _: False))
    _, moved = fit(recipe(), folder=tmp_path / "moved", **options)
    assert weights_digest(moved) == weights_digest(resident)


def test_cpu_and_cuda_draw_the_same_batches(on_gpu, digits):
    everything = ("trivial_augment", "crop", "flip", "erasing")
    for augment, mixing in (((), None), (("crop", "flip"), None), (everything, Mixing(0.2, 1.0, 10))):
        kept = {"batch_size": 32, "augment": augment, "mixing": mixing, "key": 3}
        on_cpu, on_cuda = (TrainBatches(data.train, **kept).epoch(2) for data in (digits, on_gpu))
        for (images, labels), (their_images, their_labels) in zip(on_cpu, on_cuda, strict=True):
            assert torch.allclose(labels, their_labels.cpu(), atol=1e-6)
            assert torch.allclose(images, their_images.cpu(), atol=1e-6)


def test_a_probe_reports_speed_and_memory(network, recipe, on_gpu):
    found = probe_arm(
        network(), on_gpu, spec=recipe(), execution=ExecutionSpec(), augment=(), key=1, device="cuda"
    )
    assert min(found.windows_img_s) > 0
    assert found.peak_memory_bytes > 0


@pytest.mark.parametrize("freeze", [None, UNFREEZING], ids=["all", "unfreezing"])
@pytest.mark.parametrize("mode", ["default", "reduce-overhead"])
def test_compiled_training_agrees_with_eager(fit, recipe, on_gpu, tmp_path, mode, freeze):
    options = {"data": on_gpu, "device": "cuda"}
    spec = recipe(epochs=2, freeze=freeze)
    eager, _ = fit(spec, folder=tmp_path / "eager", **options)
    execution = ExecutionSpec(compile=mode)
    compiled, _ = fit(spec, folder=tmp_path / "compiled", execution=execution, **options)
    for ours, theirs in zip(compiled.epochs, eager.epochs, strict=True):
        assert ours.train_loss == pytest.approx(theirs.train_loss, rel=1e-2)
