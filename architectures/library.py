"""Networks of timm and torchvision behind the same door, and the stages of any network that names none.

The libraries are needed for their own networks alone; both come with the extra `timm`. Initial weights are
theirs, drawn from torch's generator. Nothing pretrained is ever loaded here: weights are a matter of
`architectures.weights`.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from torch import nn

from architectures.discover import library_stages
from architectures.nearest import nearest

__all__ = ["LIBRARIES", "build_library", "library_stages"]

LIBRARIES = ("timm", "torchvision")

_TRAIN_ALONE: Mapping[str, Mapping[str, Any]] = {
    # Their training form returns auxiliary logits beside the logits; a study trains on logits.
    "googlenet": {"aux_logits": False, "init_weights": True},
    "inception_v3": {"aux_logits": False, "init_weights": True},
}


def build_library(name: str, *, num_classes: int, in_chans: int, img_size: int, **options: Any) -> nn.Module:
    """A network of timm or torchvision with its library's initial weights.

    Args:
        name: `timm:NAME` or `torchvision:NAME`; a recipe in a timm name (`resnet18.tv_in1k`) is allowed.
        num_classes: Width of the last layer.
        in_chans: Channels of the images. A torchvision network for other than three gets its first
            convolution anew.
        img_size: Side of the images in pixels, told to the networks that are built for one size.
        options: Keyword arguments of the library's builder.

    Returns:
        The module, on the CPU, in training mode.

    Raises:
        ValueError: No such network, or it does not take these options or this size; one line.
        ModuleNotFoundError: The library is not installed; says which extra holds it.
    """
    library, _, model = name.partition(":")
    if library not in LIBRARIES:
        raise ValueError(f"{name!r} names no library; {' and '.join(f'{lib}:NAME' for lib in LIBRARIES)} do")
    build = _build_timm if library == "timm" else _build_torchvision
    try:
        return build(model, num_classes, in_chans, img_size, options)
    except (TypeError, AssertionError) as error:  # how the libraries refuse arguments, beside ValueError
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"{name}: {reason}") from error


def _build_timm(
    name: str, num_classes: int, in_chans: int, img_size: int, options: Mapping[str, Any]
) -> nn.Module:
    timm = _library("timm")
    plain, _, recipe = name.partition(".")
    if not timm.is_model(plain):
        raise ValueError(f"timm:{name} is no model of timm; {nearest(plain, timm.list_models())}")
    if recipe:
        recipes = [full.partition(".")[2] for full in timm.list_pretrained(f"{plain}.*")]
        if recipe not in recipes:
            raise ValueError(f"timm:{name}: no such recipe; {nearest(recipe, recipes)}")
    sized = {"img_size": img_size} if timm.get_pretrained_cfg_value(name, "fixed_input_size") else {}
    model: nn.Module = timm.create_model(
        name, pretrained=False, num_classes=num_classes, in_chans=in_chans, **sized | dict(options)
    )
    return model.train()


def _build_torchvision(
    name: str, num_classes: int, in_chans: int, img_size: int, options: Mapping[str, Any]
) -> nn.Module:
    models = _library("torchvision").models
    known = models.list_models(module=models)
    if name not in known:
        raise ValueError(f"torchvision:{name} is no classifier of torchvision; {nearest(name, known)}")
    arguments = {
        "num_classes": num_classes,
        **_torchvision_size(name, img_size),
        **_TRAIN_ALONE.get(name, {}),
    }
    model: nn.Module = models.get_model(name, weights=None, **arguments | dict(options))
    if in_chans != 3:
        _replace_first_conv(model, in_chans)
    return model.train()


def _torchvision_size(name: str, img_size: int) -> dict[str, Any]:
    if name.startswith("vit_"):
        return {"image_size": img_size}
    return {"input_size": (img_size, img_size)} if name.startswith("maxvit") else {}


def _replace_first_conv(model: nn.Module, in_chans: int) -> None:
    path, conv = next((path, m) for path, m in model.named_modules() if isinstance(m, nn.Conv2d))
    arguments = {
        key: getattr(conv, key)
        for key in inspect.signature(nn.Conv2d).parameters
        if key not in ("in_channels", "bias", "device", "dtype")
    }
    fresh = nn.Conv2d(in_chans, bias=conv.bias is not None, **arguments)
    parent, _, leaf = path.rpartition(".")
    setattr(model.get_submodule(parent), leaf, fresh)


def _library(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise ModuleNotFoundError(f"{name} is not installed; pip install 'bench[timm]'", name=name) from None
