"""Dropout and drop-path: functions of key, step, layer and element, and of nothing else."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

import architectures
from architectures.counter import derive, hash32
from architectures.noise import Dropout, DropPath, NoiseState, drop_paths, noise_states, set_key, set_step


def network() -> nn.Module:
    noise = NoiseState()
    return nn.Sequential(Dropout(0.5, noise), nn.Flatten(), Dropout(0.25, noise))


def test_kept_elements_are_those_whose_word_reaches_the_rate():
    state = NoiseState()
    state.key.fill_(77)
    state.step.fill_(3)
    words = hash32(77, 3, 9, torch.arange(1000))
    assert torch.equal(state.kept(0.25, 9, 1000), words >= 1 << 30)


def test_the_same_key_and_step_drop_the_same_and_others_drop_others():
    model, x = network(), torch.ones(64, 50)
    seen = []
    for key, step in [(1, 0), (1, 1), (2, 0), (1, 0)]:
        set_key(model, key)
        set_step(model, step)
        torch.rand(3)  # other draws change nothing
        seen.append(model(x))
    assert torch.equal(seen[0], seen[3])
    assert not torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[0], seen[2])


def test_layers_of_one_network_drop_independently():
    noise = NoiseState()
    first, second = Dropout(0.5, noise), Dropout(0.5, noise)
    x = torch.ones(10_000)
    both = ((first(x) > 0) & (second(x) > 0)).float().mean()
    assert abs(float(both) - 0.25) < 0.02
    assert noise.n_layers == 2


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropped_are_as_many_as_asked_and_the_mean_stays(rate):
    layer = Dropout(rate, NoiseState())
    out = layer(torch.ones(100_000))
    assert float((out == 0).float().mean()) == pytest.approx(rate, abs=0.01)
    assert float(out.max()) == pytest.approx(1 / (1 - rate))
    assert float(out.mean()) == pytest.approx(1, abs=0.05)


def test_drop_path_drops_whole_images():
    out = DropPath(0.5, NoiseState())(torch.ones(200, 3, 2, 2)).flatten(1)
    assert ((out == 0).all(1) | (out == 2).all(1)).all()
    assert 60 < int((out == 0).all(1).sum()) < 140


def test_nothing_is_dropped_in_evaluation_or_at_rate_zero():
    x = torch.randn(5, 4)
    assert network().eval()(x) is x
    assert Dropout(0, NoiseState())(x) is x


def test_a_step_in_a_tensor_counts_as_its_number():
    model, x = network(), torch.ones(4, 30)
    set_step(model, 12)
    first = model(x)
    set_step(model, torch.tensor(12))
    assert torch.equal(first, model(x))


def test_one_state_is_shared_through_copies_moves_and_types():
    model = copy.deepcopy(network()).to(torch.float64)
    (state,) = noise_states(model)
    assert model[0].noise is model[2].noise is state
    assert state.key.dtype == state.step.dtype == torch.int64
    assert not model.state_dict()
    assert len(noise_states(model.to("meta"))) == 1
    assert model[2].noise.key.is_meta


def test_half_precision_images_stay_so():
    out = Dropout(0.5, NoiseState())(torch.ones(8, 8, dtype=torch.bfloat16))
    assert out.dtype == torch.bfloat16
    assert set(out.flatten().tolist()) == {0.0, 2.0}


def test_the_layout_does_not_move_the_noise():
    layer = Dropout(0.5, NoiseState())
    x = torch.rand(2, 3, 4, 5)
    out = layer(x.to(memory_format=torch.channels_last))
    assert torch.equal(out, layer(x))
    assert out.is_contiguous(memory_format=torch.channels_last)


def test_gradients_flow_through_what_is_kept():
    layer = Dropout(0.5, NoiseState())
    x = torch.ones(100, requires_grad=True)
    out = layer(x)
    out.sum().backward()
    assert torch.equal(x.grad, out.detach())


def test_rates_rise_from_zero_to_the_last_block():
    paths = drop_paths(0.3, 4)
    assert isinstance(paths[0], nn.Identity)
    assert [path.rate for path in paths[1:]] == pytest.approx([0.1, 0.2, 0.3])
    assert len({id(path.noise) for path in paths[1:]}) == 1
    assert [path.rate for path in drop_paths(0.3, 1)] == [0.3]
    assert all(isinstance(path, nn.Identity) for path in drop_paths(0.0, 3))


def test_noise_compiles_into_one_graph_that_reads_the_step_anew():
    model = architectures.build("mlp", num_classes=3, in_chans=1, img_size=8)
    set_key(model, derive(0, "noise"))
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    x = torch.randn(6, 1, 8, 8)
    for step in (1, 2, 1):
        set_step(model, step)
        assert torch.equal(compiled(x), model(x))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_drops_as_the_cpu_does():
    model, x = network(), torch.ones(64, 50)
    set_key(model, derive(3, "noise"))
    set_step(model, 41)
    expected = model(x)
    assert torch.equal(model.cuda()(x.cuda()).cpu(), expected)
