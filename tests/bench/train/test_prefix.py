"""A frozen prefix is computed once, and no bit of the run can tell."""

from __future__ import annotations

import itertools

import pytest
import torch
from recorded import recorded
from torch import nn

import architectures
from architectures.noise import set_key
from bench.data import TrainBatches, open_splits
from bench.data.batches import EvalBatches, step_rows
from bench.data.opening import close_splits
from bench.measure.probe import probe_arm
from bench.study.specs import DataSpec, ExecutionSpec, FreezeSpec
from bench.train import checkpoint, feed
from bench.train.drive import StepDriver
from bench.train.evaluate import evaluate
from bench.train.feed import Feed
from bench.train.graph import GraphDriver
from bench.train.prefix import EvalFeatures, FeatureBatches, cached_prefix, halves, pays
from bench.train.step import Step
from bench.train.weights import weights_digest

CPU = torch.device("cpu")
TRUNK = FreezeSpec(all_but=("head",))
GRADUAL = FreezeSpec(through="layer3", unfreeze={"layer3": 4, "layer1": 7})
FREEZES = {
    "trunk": TRUNK,
    "through": FreezeSpec(through="layer1"),
    "transferred": "transferred",
    "stages with a gap": FreezeSpec(stages=("stem", "layer2")),
    "gradual": GRADUAL,
    "gradual in the middle": FreezeSpec(stages=("stem", "layer1", "layer3"), unfreeze={"layer3": 4}),
}
EXECUTIONS = {
    "fp32": ExecutionSpec(),
    "nhwc unfused": ExecutionSpec(channels_last=True, fused=False),
    "bf16 nhwc": ExecutionSpec(amp="bf16", channels_last=True),
    "bf16": ExecutionSpec(amp="bf16"),
    "fp16": ExecutionSpec(amp="fp16"),
}
NETWORKS = {
    "preact": ("cifar_resnet", {"depth": 8, "preact": True, "drop_path_rate": 0.3}, "stem"),
    "wide plain": ("cifar_resnet", {"depth": 8, "residual": False, "width": 2}, "layer2"),
    "resnet": ("resnet", {"layers": [1, 1], "block": "bottleneck", "stem": "cifar", "width": 8}, "layer1"),
    "mlp": ("mlp", {"hidden": [16, 8], "dropout": 0.0}, "layer1"),
}


def built(network, key=1, *, img_size=8, **options):
    model = architectures.build(network, num_classes=10, in_chans=1, img_size=img_size, **options)
    architectures.initialise(model, key)
    return model


def passes_of(module):
    """Sizes of the batches that a module has seen, in a list that goes on growing."""
    sizes = []
    module.register_forward_hook(lambda _module, inputs, _output: sizes.append(len(inputs[0])))
    return sizes


def without_cache(monkeypatch):
    monkeypatch.setattr(feed, "pays", lambda *_: False)


def comparable(result):
    return [row.model_dump(exclude={"epoch_time_s"}) for row in result.epochs]


def assert_equal_runs(ours, theirs, our_folder, their_folder):
    (result, model), (expected, twin) = ours, theirs
    assert comparable(result) == comparable(expected)
    assert result.best_epoch == expected.best_epoch
    assert weights_digest(model) == weights_digest(twin)
    for name in (checkpoint.LAST, checkpoint.BEST):
        assert (our_folder / name).read_bytes() == (their_folder / name).read_bytes()


def test_the_longest_frozen_row_from_the_images_on_is_the_prefix(network):
    model = network()
    for frozen, expected in [
        ({"stem"}, ("stem",)),
        ({"stem", "layer1", "layer3"}, ("stem", "layer1")),
        ({"layer1", "layer2"}, None),
        (set(), None),
        (set(architectures.stages(model)), ("stem", "layer1", "layer2", "layer3")),
    ]:
        for name in frozen & {"stem", "layer1", "layer2", "layer3"}:
            for prefix in architectures.stages(model)[name]:
                model.get_submodule(prefix).eval()
        found = halves(model, frozenset(frozen))
        assert (found and found[0].names) == expected


def test_a_stage_that_drops_or_keeps_statistics_ends_the_prefix(network):
    frozen = frozenset({"stem", "layer1", "layer2", "layer3", "layer4"})
    dropping = built("mlp", hidden=[8, 8])
    assert halves(dropping, frozen) is None
    assert halves(dropping.eval(), frozen)[0].names == ("stem", "layer1")
    assert halves(built("mlp", hidden=[8, 8], dropout=0.0), frozen)[0].names == ("stem", "layer1")
    cnn = built("simple_cnn", img_size=16, dropout=0.5, width=2)
    for name in ("stem", "layer1", "layer2", "layer3"):
        cnn.get_submodule(name).eval()
    assert halves(cnn, frozen)[0].names == ("stem", "layer1", "layer2", "layer3")
    live = network()
    live.bn1.eval()
    assert halves(live, frozen)[0].names == ("stem",)
    live.bn1.train()
    assert halves(live, frozen) is None


def test_a_network_that_is_not_ours_has_no_prefix():
    assert halves(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), frozenset({"stem"})) is None


@pytest.mark.parametrize("freeze", FREEZES)
def test_a_run_with_kept_features_is_the_run_without(fit, network, recipe, tmp_path, monkeypatch, freeze):
    optimizer = {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.01}
    spec = recipe(
        optimizer, epochs=7, freeze=FREEZES[freeze], select="best_val", schedule={"name": "onecycle"}
    )
    options = {"weights_through": "layer2"}
    model = network()
    seen = passes_of(model.conv1)
    ours = fit(spec, model=model, folder=tmp_path / "kept", **options)
    without_cache(monkeypatch)
    plain = network()
    seen_plain = passes_of(plain.conv1)
    theirs = fit(spec, model=plain, folder=tmp_path / "plain", **options)
    assert_equal_runs(ours, theirs, tmp_path / "kept", tmp_path / "plain")
    if freeze != "gradual":
        # One pass over the images to validate, not seven; two batches to try and six to fill, not 35.
        assert (len(seen), len(seen_plain)) == (1 + 8, 1 + 35)
    monkeypatch.setattr("bench.train.step.halves", lambda *_: None)
    whole = fit(spec, folder=tmp_path / "whole", **options)
    assert_equal_runs(ours, whole, tmp_path / "kept", tmp_path / "whole")


@pytest.mark.parametrize(
    "freeze", [TRUNK, FreezeSpec(through="layer1"), GRADUAL], ids=["trunk", "1", "gradual"]
)
@pytest.mark.parametrize("execution", EXECUTIONS)
def test_every_precision_and_layout_is_kept(fit, recipe, tmp_path, monkeypatch, execution, freeze):
    options = {"execution": EXECUTIONS[execution]}
    spec = recipe(epochs=7 if freeze is GRADUAL else 3, freeze=freeze)
    ours = fit(spec, folder=tmp_path / "kept", **options)
    monkeypatch.setattr("bench.train.step.halves", lambda *_: None)
    theirs = fit(spec, folder=tmp_path / "whole", **options)
    assert_equal_runs(ours, theirs, tmp_path / "kept", tmp_path / "whole")


@pytest.mark.parametrize("name", NETWORKS)
def test_every_family_trains_on_features_as_on_images(fit, recipe, tmp_path, monkeypatch, name):
    network, options, through = NETWORKS[name]
    spec = recipe(epochs=3, freeze=FreezeSpec(through=through))
    ours = fit(spec, model=built(network, **options), folder=tmp_path / "kept")
    monkeypatch.setattr("bench.train.step.halves", lambda *_: None)
    theirs = fit(spec, model=built(network, **options), folder=tmp_path / "whole")
    assert_equal_runs(ours, theirs, tmp_path / "kept", tmp_path / "whole")


@pytest.mark.parametrize("freeze", [TRUNK, GRADUAL], ids=["trunk", "gradual"])
def test_stopped_at_any_step_it_goes_on_to_the_same_bits(fit, recipe, tmp_path, freeze):
    spec = recipe(epochs=7, freeze=freeze, select="best_val")
    whole = fit(spec, folder=tmp_path / "whole")
    for stop in (0, 1, 6, 11, 12, 13, 26):
        folder = tmp_path / f"stopped {stop}"
        calls = itertools.count()
        first, _ = fit(spec, folder=folder, should_stop=lambda calls=calls, stop=stop: next(calls) == stop)
        assert (first.outcome, first.steps) == ("interrupted", stop)
        assert_equal_runs(fit(spec, folder=folder), whole, folder, tmp_path / "whole")


def test_killed_between_two_checkpoints_it_goes_on_to_the_same_bits(fit, recipe, tmp_path):
    class Killed(Exception):
        pass

    def kill_at(step):
        calls = itertools.count()

        def should_stop():
            if next(calls) == step:
                raise Killed
            return False

        return should_stop

    spec = recipe(epochs=4, freeze=TRUNK)
    whole = fit(spec, folder=tmp_path / "whole")
    ticks = itertools.count()
    with pytest.raises(Killed):
        fit(
            spec,
            folder=tmp_path / "killed",
            should_stop=kill_at(10),
            clock=lambda: float(next(ticks)),
            checkpoint_every_s=4.0,
        )
    resumed = fit(spec, folder=tmp_path / "killed")
    assert 0 < resumed[0].resumed_from_step < 10
    assert_equal_runs(resumed, whole, tmp_path / "killed", tmp_path / "whole")


def test_the_time_to_compute_features_is_part_of_the_first_epoch(fit, recipe, monkeypatch):
    now_s = itertools.count().__next__

    class Clock:
        extra_s = 0.0

        def __call__(self):
            return self.extra_s + 1e-3 * now_s()

    clock = Clock()

    def slowly(*arguments, **options):
        clock.extra_s += 100.0
        return cached_prefix(*arguments, **options)

    monkeypatch.setattr(feed, "cached_prefix", slowly)
    result, _ = fit(recipe(epochs=3, freeze=TRUNK), clock=clock)
    assert 100 < result.epochs[0].epoch_time_s < 101
    assert max(row.epoch_time_s for row in result.epochs[1:]) < 1
    assert 100 < result.train_time_s < 102


@pytest.mark.parametrize(
    ("augment", "epochs", "room_bytes", "kept"),
    [
        ((), 3, 1 << 30, True),
        (("flip",), 3, 1 << 30, False),
        ((), 1, 1 << 30, False),
        ((), 3, 41_983, False),
        ((), 3, 41_984, True),
    ],
    ids=["plain", "augmented", "too short", "too large", "just fits"],
)
def test_features_are_kept_where_images_repeat_and_it_pays(
    digits, network, recipe, monkeypatch, augment, epochs, room_bytes, kept
):
    """164 images have 64 features of 4 bytes each behind the average over the pixels."""
    assert len(digits.train) == 164
    monkeypatch.setattr(feed, "room_bytes", lambda *_: room_bytes)
    batches = TrainBatches(digits.train, batch_size=32, augment=augment, key=1)
    step = Step(network(), recipe(epochs=epochs, freeze=TRUNK), ExecutionSpec(), CPU)
    found = Feed(step, batches, epochs * batches.steps_per_epoch)
    found.refresh(0)
    assert (found.batches is not batches) is kept
    assert step.takes_features is kept


def test_keeping_pays_only_for_more_steps_than_it_takes(digits):
    batches = TrainBatches(digits.train, batch_size=32, augment=(), key=1)
    assert [pays(batches, left) for left in (7, 8, 9)] == [False, False, True]


def test_features_come_in_the_order_of_the_images_in_their_own_layout(digits, network, recipe):
    for execution in EXECUTIONS.values():
        batches = TrainBatches(digits.train, batch_size=32, augment=(), key=1)
        step = Step(network(), recipe(freeze=FreezeSpec(through="layer1")), execution, CPU)
        kept = cached_prefix(step.features, batches, limit_bytes=1 << 30)
        assert (kept.batch_size, kept.steps_per_epoch, kept.on_device) == (32, 5, True)
        for epoch in range(2):
            for place, (images, labels) in enumerate(batches.epoch(epoch)):
                features, same_labels = kept.batch(step_rows(kept.rows(epoch), place, 32))
                expected = step.features(images)
                assert torch.equal(features, expected)
                assert (features.stride(), features.dtype) == (expected.stride(), expected.dtype)
                assert torch.equal(labels, same_labels)


def test_only_full_batches_meet_the_prefix(digits, network, recipe):
    model = network()
    sizes = passes_of(model.conv1)
    batches = TrainBatches(digits.train, batch_size=32, augment=(), key=1)
    step = Step(model, recipe(freeze=TRUNK), ExecutionSpec(), CPU)
    cached_prefix(step.features, batches, limit_bytes=1 << 30)
    assert sizes == [32] * 8


@pytest.mark.parametrize(
    "features",
    [
        lambda images: images.flatten(1) + torch.arange(len(images))[:, None] * 1e-7,
        lambda images: images.flatten(1) - images[:1].flatten(1),
        lambda images: images.flatten(1).mT.contiguous().mT,
        lambda images: images.expand(-1, 3, -1, -1),
    ],
    ids=["by place", "by neighbour", "images interleaved", "images overlapping"],
)
def test_features_that_cannot_be_kept_exactly_are_not_kept(digits, features):
    batches = TrainBatches(digits.train, batch_size=32, augment=(), key=1)
    assert cached_prefix(features, batches, limit_bytes=1 << 30) is None
    assert cached_prefix(lambda images: images.flatten(1), batches, limit_bytes=1 << 30) is not None


@pytest.mark.parametrize("limit_bytes", [1 << 20, 100], ids=["kept", "not kept"])
def test_an_evaluation_over_features_is_that_over_images(digits, network, recipe, limit_bytes):
    model = network()
    images = EvalBatches(digits.train, batch_size=50)
    execution = ExecutionSpec(channels_last=True)
    common = {"num_classes": 10, "execution": execution, "device": "cpu", "keep_logits": True}
    step = Step(model, recipe(freeze=FreezeSpec(through="layer2")), execution, CPU)
    expected = evaluate(model, images, **common)
    before, behind = step.halves
    sizes = passes_of(model.conv1)
    features = EvalFeatures(images, before, limit_bytes)
    for _ in range(2):
        found = evaluate(behind, features, takes_features=True, **common)
        assert (found.logits == expected.logits).all()
        assert found.loss == expected.loss
    assert sizes == [50, 50, 50, 14] * (1 if limit_bytes > 100 else 2)
    assert step.model.training


def test_unfreezing_computes_a_shorter_prefix_anew_and_keeps_an_equal_one(digits, network, recipe):
    for freeze, expected in [
        (GRADUAL, {1: "layer3", 4: "layer2", 7: "stem"}),
        (FREEZES["gradual in the middle"], {1: "layer1", 4: "layer1", 7: "layer1"}),
    ]:
        model = network()
        batches = TrainBatches(digits.train, batch_size=32, augment=(), key=1)
        step = Step(model, recipe(epochs=10, freeze=freeze), ExecutionSpec(), CPU)
        found, fed = Feed(step, batches, 50), []
        for epoch, last in expected.items():
            step.start_epoch(epoch)
            found.refresh((epoch - 1) * 5)
            assert step.halves[0].names[-1] == last
            assert isinstance(found.batches, FeatureBatches)
            assert step.takes_features
            fed.append(found.batches)
        assert len(set(map(id, fed))) == len(set(expected.values()))


def test_a_graph_gathers_features_as_it_gathers_images(digits, network, recipe):
    """The work that a CUDA graph would record is called again instead."""

    digests = []
    for graphed in (False, True):
        model = network()
        set_key(model, 7)
        batches = TrainBatches(digits.train, batch_size=32, augment=(), key=1)
        spec = recipe({"name": "adam", "lr": 0.125}, freeze=FreezeSpec(through="layer2"))
        step = Step(model, spec, ExecutionSpec(channels_last=True), CPU, gate_on_device=True)
        fed = Feed(step, batches, 15)
        if graphed:
            fed.refresh(0)
            assert fed.batches.on_device
            driver = GraphDriver(step, fed.batches, lambda _: 0.125, capture=recorded)
            driver.prepare()
        else:
            driver = StepDriver(step, fed.batches, lambda _: 0.125)
        for epoch, done in ((0, 0), (1, 2)):
            driver.start_epoch(epoch, done)
            for _ in range(done, 5):
                driver.step()
        digests.append(weights_digest(model))
    assert digests[0] == digests[1]


def test_a_probe_times_steps_as_the_run_takes_them(digits, network, recipe):
    model = network()
    sizes = passes_of(model.conv1)
    found = probe_arm(
        model,
        digits,
        spec=recipe(epochs=3, freeze=TRUNK),
        execution=ExecutionSpec(),
        augment=(),
        key=1,
        device="cpu",
    )
    assert found.warmup_steps > 10
    assert sizes == [32] * 8


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch's own modules while it compiles
def test_compiled_halves_train_on_features_as_on_images(fit, recipe, tmp_path, monkeypatch):
    spec = recipe(epochs=3, freeze=FreezeSpec(through="layer1"))
    execution = ExecutionSpec(compile="default", channels_last=True)
    ours = fit(spec, execution=execution, folder=tmp_path / "kept")
    without_cache(monkeypatch)
    theirs = fit(spec, execution=execution, folder=tmp_path / "plain")
    assert_equal_runs(ours, theirs, tmp_path / "kept", tmp_path / "plain")
    assert ours[0].compile_time_s > ours[0].train_time_s


@pytest.mark.gpu
@pytest.mark.parametrize(
    "freeze", [TRUNK, FreezeSpec(through="layer1"), GRADUAL], ids=["trunk", "1", "gradual"]
)
@pytest.mark.parametrize(
    "execution",
    [
        ExecutionSpec(),
        ExecutionSpec(amp="bf16", channels_last=True),
        ExecutionSpec(amp="fp16", channels_last=True),
        ExecutionSpec(graph=True, channels_last=True),
        ExecutionSpec(graph=True, amp="bf16", channels_last=True),
        ExecutionSpec(compile="default", channels_last=True),
        ExecutionSpec(compile="reduce-overhead"),
    ],
    ids=["fp32", "bf16", "fp16", "graph", "graph bf16", "compiled", "reduce-overhead"],
)
def test_a_gpu_trains_on_features_as_on_images(fit, recipe, tmp_path, monkeypatch, execution, freeze):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    data = open_splits(DataSpec(name="digits", train_size=164, val=0.05), tmp_path, "cuda")
    options = {"data": data, "device": "cuda", "execution": execution}
    spec = recipe(epochs=7, freeze=freeze, select="best_val")
    ours = fit(spec, folder=tmp_path / "kept", **options)
    calls = itertools.count()
    fit(spec, folder=tmp_path / "stopped", should_stop=lambda: next(calls) == 14, **options)
    resumed = fit(spec, folder=tmp_path / "stopped", **options)
    assert_equal_runs(resumed, ours, tmp_path / "stopped", tmp_path / "kept")
    without_cache(monkeypatch)
    theirs = fit(spec, folder=tmp_path / "plain", **options)
    assert_equal_runs(ours, theirs, tmp_path / "kept", tmp_path / "plain")


@pytest.mark.gpu
def test_images_on_the_host_leave_their_features_on_the_gpu(network, recipe, tmp_path, monkeypatch):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    spec = DataSpec(name="digits", train_size=164, val=0.05)
    resident = open_splits(spec, tmp_path, "cuda")
    monkeypatch.setattr("bench.data.opening.DEVICE_SHARE", 0.0)
    close_splits()
    moved = open_splits(spec, tmp_path, "cuda")
    assert (resident.location, moved.location) == ("device", "host")
    kept = []
    for data in (resident, moved):
        batches = TrainBatches(data.train, batch_size=32, augment=(), key=1)
        step = Step(network(), recipe(freeze=TRUNK), ExecutionSpec(), torch.device("cuda"))
        kept.append(cached_prefix(step.features, batches, limit_bytes=1 << 30))
    ours, theirs = (found.batch(step_rows(found.rows(3), 1, 32)) for found in kept)
    assert all(found.on_device for found in kept)
    assert all(torch.equal(mine, other) for mine, other in zip(ours, theirs, strict=True))
    assert ours[0].is_cuda
