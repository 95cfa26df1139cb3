"""Checkpoints that are damaged, foreign or of another torch are found, said, and not used."""

from __future__ import annotations

import random

import pytest
import torch

from bench.errors import EnvironmentFault, UsageError
from bench.study.specs import ExecutionSpec
from bench.train import checkpoint
from bench.train.packing import pack, unpack
from bench.train.weights import load_weights, save_weights, weights_digest


@pytest.fixture
def stopped(fit, recipe, tmp_path):
    """A folder with the checkpoint of a run stopped at step 3."""
    asked = iter([False, False, False, True])
    fit(recipe(), folder=tmp_path, should_stop=lambda: next(asked))
    return tmp_path


def test_a_checkpoint_round_trips(tmp_path):
    tensors = {
        "a": torch.randn(3, 4),
        "empty": torch.zeros(0),
        "count": torch.tensor(5),
        "half": torch.ones(2, dtype=torch.bfloat16),
    }
    checkpoint.save(tmp_path, checkpoint.Contents(tensors, {"step": 3, "x": 0.1}), "mine")
    found, reason = checkpoint.load(tmp_path, "mine")
    assert reason is None
    assert found.notes == {"step": 3, "x": 0.1}
    assert all(torch.equal(found.tensors[name], tensors[name]) for name in tensors)
    checkpoint.discard(tmp_path)
    assert checkpoint.load(tmp_path, "mine") == (None, None)
    checkpoint.discard(tmp_path)


def test_any_damage_is_found(stopped):
    """300 random mutations: truncations, flipped bits, zeroed pages."""
    path = stopped / checkpoint.CHECKPOINT
    whole = path.read_bytes()
    draw = random.Random(0)
    for trial in range(300):
        data = bytearray(whole)
        place = draw.randrange(len(data)) if trial % 2 else draw.randrange(min(4000, len(data)))
        if trial % 3 == 0:
            data = data[:place]
        elif trial % 3 == 1:
            data[place] ^= 1 << draw.randrange(8)
        else:
            data[place : place + 4096] = bytes(len(data[place : place + 4096]))
            if bytes(data) == whole:
                continue
        path.write_bytes(data)
        found, reason = checkpoint.load(stopped, "a")
        assert found is None, f"mutation {trial} at {place} was not found"
        assert "damaged" in reason or "another" in reason
        assert "\n" not in reason
    path.write_bytes(whole)
    assert checkpoint.load(stopped, "a")[0] is not None


def test_a_run_starts_again_when_its_checkpoint_is_damaged(fit, recipe, stopped):
    path = stopped / checkpoint.CHECKPOINT
    path.write_bytes(path.read_bytes()[:-1])
    result, model = fit(recipe(), folder=stopped)
    assert result.resumed_from_step is None
    assert len(result.warnings) == 1
    assert "damaged" in result.warnings[0]
    assert weights_digest(model) == weights_digest(fit(recipe(), folder=stopped / "clean")[1])


def test_a_checkpoint_of_another_run_is_not_used(fit, recipe, stopped):
    result, _ = fit(recipe(), folder=stopped, identity="other")
    assert result.resumed_from_step is None
    assert "another run" in result.warnings[0]


def test_a_checkpoint_of_another_network_is_not_used(fit, recipe, stopped):
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
    result, _ = fit(recipe(), folder=stopped, model=model)
    assert result.resumed_from_step is None
    assert "another network" in result.warnings[0]


def test_a_checkpoint_of_another_torch_is_not_used(stopped, monkeypatch):
    monkeypatch.setattr(checkpoint, "_maker", lambda: [1, "1.0"])
    found, reason = checkpoint.load(stopped, "a")
    assert found is None
    assert "another version of torch" in reason


def test_a_folder_in_its_place_is_said_to_be_damaged(tmp_path):
    (tmp_path / checkpoint.CHECKPOINT).mkdir()
    found, reason = checkpoint.load(tmp_path, "a")
    assert found is None
    assert "damaged" in reason


def test_a_failed_write_leaves_the_old_checkpoint(stopped, monkeypatch):
    import os

    before = (stopped / checkpoint.CHECKPOINT).read_bytes()

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(EnvironmentFault, match="No space left"):
        checkpoint.save(stopped, checkpoint.Contents({}, {}), "a")
    assert (stopped / checkpoint.CHECKPOINT).read_bytes() == before


def test_state_of_any_shape_packs_and_unpacks():
    tensors = {}
    state = {
        "state": {0: {"buffer": torch.ones(2), "step": 3}, 1: {"deep": [torch.zeros(1), (1.5, None)]}},
        "param_groups": [{"lr": 0.1, "betas": (0.9, 0.99), "params": [0, 1], "name": "x", "fused": True}],
    }
    packed = pack(state, "optimizer", tensors)
    assert set(tensors) == {"optimizer.state.0.buffer", "optimizer.state.1.deep.0"}
    again = unpack(packed, tensors)
    assert again["param_groups"] == state["param_groups"]
    assert torch.equal(again["state"][0]["buffer"], torch.ones(2))
    assert again["state"][1]["deep"][1] == (1.5, None)


def test_state_that_cannot_be_saved_is_named():
    with pytest.raises(UsageError, match=r"its state optimizer\.state\.hook is a function"):
        pack({"state": {"hook": lambda: None}}, "optimizer", {})


def test_digests_ignore_layout_and_compilation_and_see_every_bit(network):
    model = network()
    digest = weights_digest(model)
    assert weights_digest(network().to(memory_format=torch.channels_last)) == digest
    assert weights_digest(torch.compile(network())) == digest
    model.fc.bias.data[3] += 1e-7
    assert weights_digest(model) != digest


def test_weights_round_trip_and_keep_the_layout(network, tmp_path):
    path = tmp_path / checkpoint.LAST
    save_weights(path, network(1).state_dict())
    model = network(2).to(memory_format=torch.channels_last)
    load_weights(model, path)
    assert weights_digest(model) == weights_digest(network(1))
    assert model.layer2[0].conv1.weight.is_contiguous(memory_format=torch.channels_last)


def test_weights_of_another_network_are_refused(tmp_path, network):
    save_weights(tmp_path / "x.safetensors", {"fc.weight": torch.zeros(1)})
    with pytest.raises(EnvironmentFault, match=r"x\.safetensors: not the weights of this network"):
        load_weights(network(), tmp_path / "x.safetensors")


def test_checkpoints_hold_no_memory_layout(fit, recipe, tmp_path):
    """A run may be taken up only under its own execution settings; the file itself is layout-free."""
    asked = iter([False] * 3 + [True])
    fit(recipe(), execution=ExecutionSpec(channels_last=True), should_stop=lambda: next(asked))
    found, _ = checkpoint.load(tmp_path, "a")
    assert all(tensor.is_contiguous() for tensor in found.tensors.values())
