"""Weights from files: what is recognised, what is refused, and that no file runs code."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import architectures
from architectures.weights import adapt_input, load_weights, read_weights


def network(*, depth=8, num_classes=10, in_chans=3, key=1, **options):
    model = architectures.build(
        "cifar_resnet", depth=depth, num_classes=num_classes, in_chans=in_chans, img_size=32, **options
    )
    architectures.initialise(model, key)
    return model


def bits(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)


def as_akamaster(state):
    def rename(key):
        return re.sub(r"^fc\.", "linear.", key.replace(".downsample.", ".shortcut."))

    return {rename(key): value for key, value in state.items()}


class TestReading:
    def test_safetensors_and_pickles_give_the_same_tensors(self, tmp_path):
        state = bits(network())
        save_file(state, tmp_path / "w.safetensors")
        torch.save(state, tmp_path / "w.pth")
        assert same(read_weights(tmp_path / "w.safetensors"), state)
        assert same(read_weights(tmp_path / "w.pth"), state)

    @pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "model.", "module._orig_mod."])
    @pytest.mark.parametrize("nested", [(), ("state_dict",), ("model",), ("state_dict", "model")])
    def test_wrappers_of_training_scripts_are_taken_off(self, tmp_path, prefix, nested):
        state = {"conv.weight": torch.ones(2), "model_ema.weight": torch.zeros(1)}
        content = {prefix + key: value for key, value in state.items()}
        for key in nested:
            content = {key: content, "epoch": 3}
        torch.save(content, tmp_path / "w.pt")
        assert same(read_weights(tmp_path / "w.pt"), state)

    def test_a_prefix_of_some_keys_only_is_part_of_their_names(self, tmp_path):
        state = {"module.weight": torch.ones(2), "weight": torch.ones(1)}
        torch.save(state, tmp_path / "w.pt")
        assert same(read_weights(tmp_path / "w.pt"), state)

    def test_a_pickle_that_would_run_code_is_refused_and_runs_none(self, tmp_path):
        """The file is what an attacker would publish: unpickling it in the plain way calls mkdir."""
        trace = tmp_path / "ran"

        class Malicious:
            def __reduce__(self):
                return os.mkdir, (str(trace),)

        torch.save({"state_dict": {"conv.weight": torch.ones(1)}, "args": Malicious()}, tmp_path / "w.pth")
        with pytest.raises(ValueError, match=r"^w\.pth: refused: .* could run code"):
            read_weights(tmp_path / "w.pth")
        assert not trace.exists()
        torch.load(tmp_path / "w.pth", weights_only=False)
        assert trace.exists()

    @pytest.mark.parametrize("name", ["w.safetensors", "w.pth"])
    @pytest.mark.parametrize(
        "content", [b"", b"no weights", b"PK\x03\x04 torn"], ids=["empty", "text", "torn zip"]
    )
    def test_a_damaged_file_is_one_line(self, tmp_path, name, content):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=r"^w\.\w+: ") as caught:
            read_weights(tmp_path / name)
        assert "\n" not in str(caught.value)

    def test_a_torn_checkpoint_is_one_line(self, tmp_path):
        torch.save(bits(network()), tmp_path / "w.pth")
        whole = (tmp_path / "w.pth").read_bytes()
        (tmp_path / "w.pth").write_bytes(whole[: len(whole) // 2])
        with pytest.raises(ValueError, match=r"^w\.pth: ") as caught:
            read_weights(tmp_path / "w.pth")
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("content", [[torch.ones(1)], {"epoch": 3}, torch.ones(1)])
    def test_a_file_without_weights_is_said_to_have_none(self, tmp_path, content):
        torch.save(content, tmp_path / "w.pt")
        with pytest.raises(ValueError, match=r"w\.pt: no weights within"):
            read_weights(tmp_path / "w.pt")

    def test_an_absent_file_is_named(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"none\.pth: no such weights file"):
            read_weights(tmp_path / "none.pth")


class TestLoading:
    def test_our_own_weights_are_copied_whole(self):
        source, target = network(key=1), network(key=2)
        source.bn1.running_mean.fill_(3.0)
        source.bn1.num_batches_tracked.fill_(7)
        report = load_weights(target, bits(source))
        assert same(bits(source), bits(target))
        assert report.layout == "timm"
        assert report.copied == tuple(source.state_dict())
        assert (report.fresh, report.adapted, report.replaced_head) == ((), None, False)

    @pytest.mark.parametrize("shortcut", ["A", "B"])
    def test_akamasters_keys_are_recognised(self, shortcut):
        source, target = network(key=1, shortcut=shortcut), network(key=2, shortcut=shortcut)
        theirs = as_akamaster(bits(source))
        assert "linear.weight" in theirs
        assert any(".shortcut.0." in key for key in theirs) == (shortcut == "B")
        assert load_weights(target, theirs).layout == "akamaster"
        assert same(bits(source), bits(target))

    def test_batch_norms_counter_may_be_absent(self):
        source, target = network(key=1), network(key=2)
        state = {key: value for key, value in bits(source).items() if "num_batches" not in key}
        report = load_weights(target, state)
        assert report.fresh == tuple(key for key in source.state_dict() if "num_batches" in key)

    def test_half_precision_weights_are_read_as_they_are(self):
        source, target = network(key=1), network(key=2)
        load_weights(target, {key: value.half() for key, value in bits(source).items()})
        assert target.conv1.weight.dtype == torch.float32
        assert torch.equal(target.conv1.weight, source.conv1.weight.half().float())

    def test_layout_and_gradients_stay_with_the_network(self):
        target = network(key=2).to(memory_format=torch.channels_last)
        parameter = target.layer1[0].conv1.weight
        load_weights(target, bits(network(key=1)))
        assert target.layer1[0].conv1.weight is parameter
        assert parameter.is_contiguous(memory_format=torch.channels_last)
        assert parameter.requires_grad
        assert parameter.is_leaf

    def test_another_number_of_classes_keeps_a_fresh_head(self):
        source, target = network(key=1), network(key=2, num_classes=3)
        fresh = bits(target)
        report = load_weights(target, bits(source))
        assert report.replaced_head
        assert report.fresh == ("fc.weight", "fc.bias")
        after = bits(target)
        for key in after:
            assert torch.equal(after[key], (fresh if key.startswith("fc.") else bits(source))[key])

    def test_a_prefix_is_copied_and_the_rest_stays(self):
        source, target = network(key=1), network(key=2, num_classes=3)
        fresh = bits(target)
        report = load_weights(target, bits(source), through="layer2")
        after = bits(target)
        for key in after:
            copied = key.startswith(("conv1.", "bn1.", "layer1.", "layer2."))
            assert (key in report.copied) == copied
            assert torch.equal(after[key], (bits(source) if copied else fresh)[key])
        assert not report.replaced_head

    def test_a_prefix_may_come_from_a_network_that_goes_on_otherwise(self):
        target = network(key=2)
        state = {k: v for k, v in bits(network(key=1)).items() if not k.startswith("layer3.")}
        report = load_weights(target, state | {"layer3.0.other": torch.ones(1)}, through="layer2")
        assert report.copied[-1].startswith("layer2.")

    def test_through_the_head_demands_equal_classes(self):
        with pytest.raises(
            ValueError, match=r"another shape \(first fc.weight: \(10, 64\), here \(3, 64\)\)"
        ):
            load_weights(network(num_classes=3), bits(network()), through="head")

    def test_an_unknown_stage_names_the_nearest(self):
        with pytest.raises(ValueError, match=r"'layr2' is no stage of CifarResNet; did you mean 'layer\d'"):
            load_weights(network(), bits(network()), through="layr2")

    def test_a_deeper_networks_weights_are_unexpected_and_counted(self):
        target, before = network(depth=8), bits(network(depth=8))
        with pytest.raises(ValueError, match="of another network") as caught:
            load_weights(target, bits(network(depth=14, key=2)))
        assert "36 keys unexpected (first layer1.1.conv1.weight)" in str(caught.value)
        assert same(bits(target), before)

    def test_a_shallower_networks_weights_are_missing_and_counted(self):
        with pytest.raises(ValueError, match="of another network") as caught:
            load_weights(network(depth=14), bits(network(depth=8)))
        assert "30 keys missing (first layer1.1.conv1.weight)" in str(caught.value)

    def test_a_wider_networks_weights_have_another_shape(self):
        with pytest.raises(
            ValueError, match=r"31 of another shape \(first layer1.0.conv1.weight: \(32, 16, 3, 3\), here"
        ):
            load_weights(network(), bits(network(width=2)))

    def test_only_the_number_of_classes_may_differ_in_a_head(self):
        state = bits(network())
        state["fc.weight"] = torch.zeros(5, 32)
        with pytest.raises(ValueError, match=r"first fc.weight: \(5, 32\), here \(10, 64\)"):
            load_weights(network(), state)

    def test_a_state_without_a_head_is_refused(self):
        state = {key: value for key, value in bits(network()).items() if not key.startswith("fc.")}
        with pytest.raises(ValueError, match=r"2 keys missing \(first fc.weight\)"):
            load_weights(network(), state)


class TestChannels:
    @pytest.mark.parametrize("in_chans", [1, 2, 4, 7])
    def test_other_channels_than_rgb_follow_timm(self, in_chans):
        timm = pytest.importorskip("timm.models._manipulate", exc_type=ImportError)
        weight = torch.randn(8, 3, 3, 3)
        assert torch.equal(adapt_input(weight, in_chans), timm.adapt_input_conv(in_chans, weight))

    def test_one_channel_answers_as_three_equal_ones_did(self):
        source, target = network(key=1).eval(), network(key=2, in_chans=1).eval()
        report = load_weights(target, bits(source))
        assert report.adapted == "conv1.weight"
        grey = torch.randn(2, 1, 32, 32)
        with torch.no_grad():
            torch.testing.assert_close(target(grey), source(grey.expand(-1, 3, -1, -1)))

    def test_weights_of_one_channel_do_not_become_rgb(self):
        with pytest.raises(ValueError, match=r"conv1.weight: \(16, 1, 3, 3\), here \(16, 3, 3, 3\)"):
            load_weights(network(), bits(network(in_chans=1)))


@pytest.mark.parametrize("depth", [20, 32, 44, 56])
def test_the_published_cifar_networks_fit(shared_data: Path, depth):
    model = network(depth=depth)
    report = load_weights(model, read_weights(shared_data / "weights" / f"cifar_resnet{depth}.safetensors"))
    assert report.layout == "akamaster"
    assert not report.replaced_head
    assert all(key.endswith("num_batches_tracked") for key in report.fresh)
