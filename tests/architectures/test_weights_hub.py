"""Where timm's weights are looked for, and what is said when they are not to be had."""

from __future__ import annotations

import subprocess
import sys

import pytest

from architectures.hub import (
    WeightsUnavailableError,
    cached_timm_weights,
    fetch_timm_weights,
    timm_weights_name,
)


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("resnet18", "resnet18.a1_in1k"),
        ("resnet152", "resnet152.a1h_in1k"),
        ("timm:resnet50", "resnet50.a1_in1k"),
        ("timm:resnet50.tv_in1k", "resnet50.tv_in1k"),
        ("timm:vit_tiny_patch16_224", None),
        ("cifar_resnet20", None),
        ("torchvision:resnet18", None),
        ("own.net:build", None),
    ],
)
def test_weights_are_named_as_timm_names_them(name, weights):
    assert timm_weights_name(name) == weights


@pytest.mark.parametrize("depth", [18, 34, 50, 101, 152])
def test_the_recipe_is_timms_default(depth):
    models = pytest.importorskip("timm.models")
    assert (
        timm_weights_name(f"resnet{depth}")
        == f"resnet{depth}.{models.get_pretrained_cfg(f'resnet{depth}').tag}"
    )


def put(cache, revision="abc"):
    folder = cache / "models--timm--resnet18.a1_in1k"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text(revision)
    path = folder / "snapshots" / revision / "model.safetensors"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    return path


@pytest.fixture
def clean(monkeypatch, tmp_path):
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return monkeypatch


@pytest.mark.parametrize(
    ("variable", "folder"),
    [
        ("HF_HUB_CACHE", "."),
        ("HUGGINGFACE_HUB_CACHE", "."),
        ("HF_HOME", "hub"),
        ("XDG_CACHE_HOME", "huggingface/hub"),
        ("HOME", ".cache/huggingface/hub"),
    ],
)
def test_the_cache_is_where_the_hub_puts_it(clean, tmp_path, variable, folder):
    clean.setenv(variable, str(tmp_path))
    assert cached_timm_weights("resnet18") is None
    path = put(tmp_path / folder)
    assert cached_timm_weights("resnet18") == path
    assert cached_timm_weights("resnet34") is None
    assert fetch_timm_weights("resnet18") == path


def test_the_cache_layout_is_the_hubs_own(clean, tmp_path):
    """The look-up is written without the hub's library; here that library confirms it."""
    hub = pytest.importorskip("huggingface_hub")
    path = put(tmp_path, revision="0" * 40)
    found = hub.try_to_load_from_cache("timm/resnet18.a1_in1k", "model.safetensors", cache_dir=tmp_path)
    clean.setenv("HF_HUB_CACHE", str(tmp_path))
    assert str(cached_timm_weights("resnet18")) == found == str(path)


def test_a_half_fetched_file_is_not_there(clean, tmp_path):
    clean.setenv("HF_HUB_CACHE", str(tmp_path))
    put(tmp_path).unlink()
    assert cached_timm_weights("resnet18") is None


def test_without_network_and_cache_the_error_names_another_source(clean, tmp_path):
    hub = pytest.importorskip("huggingface_hub.constants")
    clean.setenv("HF_HUB_CACHE", str(tmp_path))
    clean.setattr(hub, "HF_HUB_OFFLINE", True)
    with pytest.raises(
        WeightsUnavailableError, match=r"^resnet18\.a1_in1k: not in the cache .*; give a file"
    ) as caught:
        fetch_timm_weights("resnet18")
    assert "\n" not in str(caught.value)


def test_a_network_without_published_weights_says_which_have_some():
    with pytest.raises(
        WeightsUnavailableError, match=r"^cifar_resnet20 has no weights of timm's; these have: resnet18"
    ):
        fetch_timm_weights("cifar_resnet20")


def test_without_the_extra_the_error_names_it(clean, tmp_path):
    clean.setenv("HF_HUB_CACHE", str(tmp_path))
    clean.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(WeightsUnavailableError, match=r"pip install 'bench\[timm\]'"):
        fetch_timm_weights("resnet18")


def test_looking_for_weights_loads_neither_torch_nor_timm():
    code = (
        "import sys; from architectures.hub import cached_timm_weights as c; c('resnet18');"
        "print(sorted({'torch', 'timm', 'huggingface_hub'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
