"""torch.compile: measured apart, and close to eager."""

from __future__ import annotations

import pytest
import torch

from bench.study.specs import ExecutionSpec, FreezeSpec
from bench.train.step import Step
from bench.train.weights import weights_digest


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch's own modules while it compiles
def test_compiling_changes_nothing_before_the_first_step_and_agrees_with_eager(
    fit, network, recipe, tmp_path
):
    execution = ExecutionSpec(compile="default")
    model = network()
    step = Step(model, recipe(), execution, torch.device("cpu"))
    images, labels = torch.randn(32, 1, 8, 8), torch.randint(0, 10, (32,))
    assert step.compile(images, labels) > 0
    assert weights_digest(model) == weights_digest(network())
    spec = recipe(epochs=1)
    compiled, _ = fit(spec, execution=execution, folder=tmp_path / "compiled")
    eager, _ = fit(spec, folder=tmp_path / "eager")
    assert compiled.compile_time_s > 0
    assert compiled.train_time_s < compiled.compile_time_s
    assert compiled.epochs[0].train_loss == pytest.approx(eager.epochs[0].train_loss, rel=1e-3)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch's own modules while it compiles
def test_unfreezing_compiles_again_and_agrees_with_eager(fit, network, recipe, tmp_path):
    """A stage that thaws needs another backward pass; the stem never does and keeps every bit."""
    spec = recipe(epochs=3, freeze=FreezeSpec(through="layer2", unfreeze={"layer2": 2, "layer1": 3}))
    execution = ExecutionSpec(compile="default")
    compiled, model = fit(spec, execution=execution, folder=tmp_path / "compiled")
    eager, _ = fit(spec, folder=tmp_path / "eager")
    first, _ = fit(recipe(epochs=1, freeze=spec.freeze), execution=execution, folder=tmp_path / "first")
    for ours, theirs in zip(compiled.epochs, eager.epochs, strict=True):
        assert ours.train_loss == pytest.approx(theirs.train_loss, rel=1e-2)
    assert compiled.train_time_s < compiled.compile_time_s
    assert compiled.compile_time_s > first.compile_time_s
    for key, value in network().state_dict().items():
        kept = torch.equal(value, model.state_dict()[key])
        assert kept is key.startswith(("conv1", "bn1")), key


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch's own modules while it compiles
def test_the_seeds_of_an_arm_are_compiled_once(fit, network, recipe, tmp_path):
    """The second network of one structure finds compiled code, and trains as it does in a fresh process."""
    execution = ExecutionSpec(compile="default")
    spec = recipe(epochs=1)
    torch.compiler.reset()
    first, _ = fit(spec, model=network(1), execution=execution, folder=tmp_path / "first")
    second, reused = fit(spec, model=network(2), execution=execution, folder=tmp_path / "second")
    assert second.compile_time_s < 0.2 * first.compile_time_s
    torch.compiler.reset()
    _, fresh = fit(spec, model=network(2), execution=execution, folder=tmp_path / "fresh")
    assert weights_digest(reused) == weights_digest(fresh)
