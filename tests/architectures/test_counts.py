"""Sizes by arithmetic against the built networks, and against the published counts."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import architectures
from architectures.noise import set_key, set_step


def combinations(name: str, **levels: list) -> list[tuple[str, dict]]:
    return [(name, dict(zip(levels, chosen, strict=True))) for chosen in itertools.product(*levels.values())]


SAMPLES = [
    *combinations(
        "resnet",
        layers=[[1], [2, 1], [1, 2, 1, 2]],
        block=["basic", "bottleneck"],
        width=[4, 6],
        stem=["imagenet", "cifar", "deep"],
        zero_init_last=[False, True],
        drop_path_rate=[0.0, 0.3],
    ),
    *combinations(
        "cifar_resnet",
        depth=[8, 14],
        shortcut=["A", "B", "C"],
        preact=[False, True],
        width=[1, 2],
        drop_path_rate=[0.0, 0.3],
    ),
    *combinations("cifar_resnet", depth=[8], shortcut=["A", "B"], zero_init_last=[True]),
    *combinations("cifar_resnet", depth=[8, 14], residual=[False], preact=[False, True], width=[1, 2]),
    *combinations("simple_cnn", width=[2, 5], hidden=[[7, 5]], dropout=[0.0, 0.5]),
    *combinations("mlp", hidden=[[9], [12, 7], [5, 5, 5]], dropout=[0, 0.2]),
]


def identify(value):
    return ",".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else value


@pytest.mark.parametrize(("name", "options"), SAMPLES, ids=identify)
def test_every_option_builds_runs_learns_and_is_counted(name, options):
    shape = {"num_classes": 3, "in_chans": 2, "img_size": 16}
    assert architectures.check(name, options, **shape) == []
    model = architectures.build(name, **shape, **options)
    architectures.initialise(model, 1)
    set_key(model, 5)
    set_step(model, 2)
    logits = model(torch.randn(4, 2, 16, 16))
    assert logits.shape == (4, 3)
    torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2, 0])).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    with torch.no_grad():
        assert model.eval()(torch.randn(1, 2, 16, 16)).isfinite().all()
    assert_stages_are_counted(name, options, model, shape)


@pytest.mark.parametrize(
    "name", [name for name in architectures.names() if not architectures.family(name).option("depth")]
)
@pytest.mark.parametrize("img_size", [33, 64])
def test_every_named_network_is_counted_stage_by_stage(name, img_size):
    options = {"resnet": {"layers": [3, 4, 23, 3], "block": "bottleneck"}}.get(name, {})
    shape = {"num_classes": 37, "in_chans": 1, "img_size": img_size}
    with torch.device("meta"):
        model = architectures.build(name, **shape, **options)
    assert_stages_are_counted(name, options, model, shape)


def assert_stages_are_counted(name, options, model, shape):
    counts = architectures.count_parameters(name, options, **shape)
    stages = architectures.stages(model)
    assert tuple(counts) == tuple(stages) == architectures.stage_names(name, options)
    assert (next(iter(stages)), list(stages)[-1]) == ("stem", "head")
    assert counts == {
        stage: sum(p.numel() for module in modules for p in model.get_submodule(module).parameters())
        for stage, modules in stages.items()
    }
    listed = [module for modules in stages.values() for module in modules]
    assert [
        key for module in listed for key in model.get_submodule(module).state_dict(prefix=f"{module}.")
    ] == [*model.state_dict()]


# Parameters and multiply-adds of convolutions and linear layers at 224 pixels, in 1e9: torchvision's figures.
IMAGENET = {
    "resnet18": (11_689_512, 1.814),
    "resnet34": (21_797_672, 3.664),
    "resnet50": (25_557_032, 4.089),
    "resnet101": (44_549_160, 7.801),
    "resnet152": (60_192_808, 11.514),
}


@pytest.mark.parametrize("name", IMAGENET)
def test_imagenet_resnets_have_the_published_parameters_and_gmacs(name):
    shape = {"num_classes": 1000, "in_chans": 3, "img_size": 224}
    n_params, gmacs = IMAGENET[name]
    assert sum(architectures.count_parameters(name, {}, **shape).values()) == n_params
    assert round(macs(name, {}, shape) / 1e9, 3) == gmacs


# From He et al. 2016, table 6: parameters and multiply-adds by depth, option A.
CIFAR = {
    8: (75_290, 12_239_488),
    20: (269_722, 40_551_040),
    32: (464_154, 68_862_592),
    44: (658_586, 97_174_144),
    56: (853_018, 125_485_696),
    110: (1_727_962, 252_887_680),
    1202: (19_421_274, 2_829_238_912),
}
CIFAR_SHAPE = {"num_classes": 10, "in_chans": 3, "img_size": 32}


@pytest.mark.parametrize("kind", ["A", "plain", "B"])
@pytest.mark.parametrize("depth", CIFAR)
def test_cifar_resnets_have_the_published_parameters_and_macs(depth, kind):
    options = {"depth": depth} | ({"residual": False} if kind == "plain" else {"shortcut": kind})
    n_params, n_macs = CIFAR[depth]
    more_params, more_macs = (2_752, 262_144) if kind == "B" else (0, 0)
    counts = architectures.count_parameters("cifar_resnet", options, **CIFAR_SHAPE)
    assert sum(counts.values()) == n_params + more_params
    if depth < 1202 or kind == "A":
        assert macs("cifar_resnet", options, CIFAR_SHAPE) == n_macs + more_macs
    if depth in (20, 32, 44, 56, 110, 1202) and kind == "A":
        assert architectures.count_parameters(f"cifar_resnet{depth}", {}, **CIFAR_SHAPE) == counts


@pytest.mark.parametrize(("depth", "n_params"), [(20, 283_962), (56, 900_858), (110, 1_826_202)])
def test_option_c_projects_everywhere(depth, n_params):
    options = {"depth": depth, "shortcut": "C"}
    assert sum(architectures.count_parameters("cifar_resnet", options, **CIFAR_SHAPE).values()) == n_params


def test_wide_resnet_28_10_has_its_36_million_parameters():
    """Zagoruyko & Komodakis 2016, table 4: 36.5M; theirs counts the projections as layers."""
    options = {"depth": 26, "width": 10, "preact": True, "shortcut": "B"}
    assert sum(architectures.count_parameters("cifar_resnet", options, **CIFAR_SHAPE).values()) == 36_479_194


@pytest.mark.parametrize(
    ("num_classes", "trainable"),
    [
        (10, [11_181_642, 11_172_106, 11_024_138, 10_498_570, 8_398_858, 5_130]),
        (37, [11_195_493, 11_185_957, 11_037_989, 10_512_421, 8_412_709, 18_981]),
    ],
)
def test_what_trains_behind_a_frozen_prefix_of_resnet18(num_classes, trainable):
    counts = architectures.count_parameters("resnet18", {}, num_classes=num_classes, in_chans=3, img_size=224)
    assert [sum([*counts.values()][n:]) for n in range(len(counts))] == trainable


@pytest.mark.parametrize(
    ("hidden", "n_params"),
    [
        ([128, 64], 109_386),
        ([128], 101_770),
        ([256, 128], 235_146),
        ([300, 100], 266_610),
        ([512, 512], 669_706),
    ],
)
def test_mlps_on_mnist_have_the_known_counts(hidden, n_params):
    shape = {"num_classes": 10, "in_chans": 1, "img_size": 28}
    assert sum(architectures.count_parameters("mlp", {"hidden": hidden}, **shape).values()) == n_params
    assert architectures.defaults("mlp") == {"hidden": [128, 64], "dropout": 0.2}


def test_the_simple_cnn_is_counted_by_hand():
    counts = architectures.count_parameters("simple_cnn", {}, **CIFAR_SHAPE)
    assert counts == {
        "stem": 27 * 32 + 64,
        "layer1": 9 * 32 * 64 + 128,
        "layer2": 9 * 64 * 128 + 256,
        "layer3": 9 * 128 * 256 + 512,
        "layer4": 1024 * 256 + 256 + 256 * 128 + 128,
        "head": 1290,
    }


@pytest.mark.parametrize("name", ["timm:resnet18", "torchvision:resnet18", "my.nets:tiny", "nothing"])
def test_sizes_and_stages_of_networks_that_are_not_ours_are_unknown(name):
    assert architectures.stage_names(name, {}) is None
    assert architectures.count_parameters(name, {}, **CIFAR_SHAPE) is None


def test_faulty_options_have_no_size_and_no_stages():
    assert architectures.stage_names("cifar_resnet", {}) is None
    assert architectures.stage_names("resnet", {"layers": 3, "block": "basic"}) is None
    assert architectures.count_parameters("cifar_resnet", {"depth": 9}, **CIFAR_SHAPE) is None
    assert architectures.count_parameters("simple_cnn", {}, num_classes=10, in_chans=3, img_size=8) is None


def macs(name, options, shape) -> int:
    with torch.device("meta"):
        model = architectures.build(name, **shape, **options)
        images = torch.empty(1, shape["in_chans"], shape["img_size"], shape["img_size"])
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(images)
    return counter.get_total_flops() // 2
