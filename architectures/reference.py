"""The proof that our networks are the published ones: counts, and equality with timm's, tensor by tensor.

Equal means: the state dicts have the same keys in the same order with the same shapes, so weights pass both
ways; with weights passed over, logits agree within `TOLERANCE` times the largest logit, in both precisions,
at several image sizes, in evaluation and in training mode, and so do the running statistics; and in double
precision every gradient of one step, each against its own largest entry. Initial weights are compared by
their moments. Each check returns the differences that it found, in words; none means equal.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import architectures
from architectures.published import Case
from architectures.sizes import count_macs, is_within, on_meta

TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-10}
"""Largest difference, relative to the largest absolute value of the tensor."""

N_STANDARD_ERRORS = 5
"""How far apart the moments of two initial draws may lie."""


def differences(case: Case) -> Iterator[str]:
    """Everything in which one of our networks differs from what is published and from timm's.

    Args:
        case: The network and what is known of it.

    Raises:
        ModuleNotFoundError: The case has a twin and timm is not installed.
    """
    yield from count_differences(case)
    if case.twin is None:
        return
    yield from stage_differences(case)
    ours, theirs = pair(case)
    found = list(key_differences(ours, theirs))
    yield from found or _value_differences(case, ours, theirs)


def _value_differences(case: Case, ours: nn.Module, theirs: nn.Module) -> Iterator[str]:
    yield from moment_differences(ours, theirs)
    carry_over(ours, theirs, case.shape["img_size"])
    for dtype in TOLERANCE:
        ours, theirs = ours.to(dtype), theirs.to(dtype)
        for img_size in case.img_sizes:
            yield from logit_differences(ours, theirs, img_size)
    yield from gradient_differences(ours, theirs)


def count_differences(case: Case) -> Iterator[str]:
    """Parameters and multiply-adds against the published, and the torch-free counts against the network's."""
    model = on_meta(case.name, **case.shape, options=case.options)
    n_params = sum(parameter.numel() for parameter in model.parameters())
    if n_params != case.n_params:
        yield f"{n_params:,} parameters, not {case.n_params:,}"
    macs = count_macs(model, in_chans=case.shape["in_chans"], img_size=case.shape["img_size"])
    if case.macs is not None and macs != case.macs:
        yield f"{macs:,} multiply-adds, not {case.macs:,}"
    if case.gmacs is not None and round(macs / 1e9, 3) != case.gmacs:
        yield f"{macs / 1e9:.3f} GMACs, not {case.gmacs}"
    if case.twin is not None:
        with torch.device("meta"):
            twin = _twin(case).eval()
        theirs = count_macs(twin, in_chans=case.shape["in_chans"], img_size=case.shape["img_size"])
        if macs != theirs:
            yield f"{macs:,} multiply-adds, timm's {theirs:,}"
    yield from _stage_count_differences(case, model)


def _stage_count_differences(case: Case, model: nn.Module) -> Iterator[str]:
    foretold = architectures.count_parameters(case.name, case.options, **case.shape)
    counted = {
        stage: sum(
            parameter.numel() for name, parameter in model.named_parameters() if is_within(name, parts)
        )
        for stage, parts in architectures.stages(model).items()
    }
    if foretold != counted:
        yield f"parameters by stage {counted}, foretold {foretold}"


def key_differences(ours: nn.Module, theirs: nn.Module) -> Iterator[str]:
    """State-dict keys, their order, and shapes."""
    first, second = ours.state_dict(), theirs.state_dict()
    missing, unexpected = second.keys() - first.keys(), first.keys() - second.keys()
    for word, keys in (("missing", missing), ("unexpected", unexpected)):
        if keys:
            yield f"{len(keys)} keys {word}, as {min(keys)}"
    if missing or unexpected:
        return
    if list(first) != list(second):
        yield "keys in another order"
    for key in first:
        if first[key].shape != second[key].shape:
            yield f"{key} has shape {tuple(first[key].shape)}, timm's {tuple(second[key].shape)}"


def stage_differences(case: Case) -> Iterator[str]:
    """Channels and stride behind each stage against timm's `features_only`, at every image size."""
    for img_size in case.img_sizes:
        images = torch.empty(1, case.shape["in_chans"], img_size, img_size, device="meta")
        with torch.device("meta"), torch.no_grad():
            twin = _twin(case, features_only=True).eval()
            theirs = [tuple(features.shape) for features in twin(images)]
            strides = [info["reduction"] for info in twin.feature_info]  # type: ignore[union-attr] # a list
        model = on_meta(case.name, **case.shape, options=case.options)
        ours = _stage_shapes(model, images)
        if ours != theirs:
            yield f"stages at {img_size} px give {ours}, timm's {theirs}"
        if [math.ceil(img_size / shape[-1]) for shape in ours] != strides and img_size % 32 == 0:
            yield f"strides at {img_size} px are not {strides}"


def _stage_shapes(model: nn.Module, images: Tensor) -> list[tuple[int, ...]]:
    """Of the stem before its pooling, where timm takes its first feature, and of each layer."""
    found: list[tuple[int, ...]] = []
    parts = {stage: names[-1] for stage, names in architectures.stages(model).items() if stage != "head"}
    parts["stem"] = "bn1"
    for name in parts.values():
        model.get_submodule(name).register_forward_hook(lambda _m, _i, out: found.append(tuple(out.shape)))
    with torch.no_grad():
        model(images)
    return found


def pair(case: Case, key: int = 0) -> tuple[nn.Module, nn.Module]:
    """Our network and timm's, each with its own initial weights, on the CPU and in training mode."""
    ours = architectures.build(case.name, **case.shape, **case.options)
    architectures.initialise(ours, key)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(key)
        theirs = _twin(case, zero_init_last=False)
    return ours, theirs.train()


def moment_differences(ours: nn.Module, theirs: nn.Module) -> Iterator[str]:
    """Mean and spread of every initial tensor, within their standard errors; constants exactly.

    Convolutions: He normal by fan-out (He et al. 2015, section 2.2, the backward form).
    """
    second = theirs.state_dict()
    for key, value in ours.state_dict().items():
        other = second[key]
        if other.numel() == 1 or torch.equal(other, other.flatten()[0].expand_as(other)):
            if not torch.equal(value, other):
                yield f"{key} starts otherwise"
            continue
        (std, mean), (std_there, mean_there) = torch.std_mean(value), torch.std_mean(other)
        error = N_STANDARD_ERRORS * math.sqrt(2 / value.numel())
        if abs(mean - mean_there) > error * std_there:
            yield f"{key} starts with mean {mean:.2e}, timm's {mean_there:.2e}"
        # The error of a standard deviation is the mean's over sqrt(2), for a normal distribution.
        if abs(std / std_there - 1) > error / math.sqrt(2):
            yield f"{key} starts with deviation {std:.4g}, timm's {std_there:.4g}"


@torch.no_grad()
def carry_over(ours: nn.Module, theirs: nn.Module, img_size: int) -> None:
    """Give our network weights and statistics as after some training, and timm's the same.

    Fresh batch norms would hide much: all scales one, all shifts zero, all statistics the identity.
    """
    generator = torch.Generator().manual_seed(1)
    norms = [module for module in ours.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.weight.copy_(torch.rand(norm.weight.shape, generator=generator) + 0.5)
        norm.bias.copy_(torch.randn(norm.bias.shape, generator=generator) * 0.1)
        norm.momentum = 1.0
    ours.train()(_images(ours, 2, min(img_size, 64)))
    for norm in norms:
        norm.momentum = 0.1
    theirs.load_state_dict(ours.state_dict(), strict=True)


def logit_differences(ours: nn.Module, theirs: nn.Module, img_size: int) -> Iterator[str]:
    """Logits in both modes at one size, and the statistics that training mode leaves."""
    images = _images(ours, 1, img_size)
    dtype = images.dtype
    where = f"at {img_size} px in {str(dtype).removeprefix('torch.')}"
    with torch.no_grad():
        yield from _difference(f"logits {where}, eval", ours.eval()(images), theirs.eval()(images))
        first, second = (_train_once(model, images) for model in (ours, theirs))
    yield from _difference(f"logits {where}, train", first.pop("logits"), second.pop("logits"))
    for key, value in first.items():
        yield from _difference(f"{key} {where}", value, second[key])


def _train_once(model: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """Logits in training mode and the running statistics after them; the model's own stay as they are."""
    with _buffers_kept(model):
        logits: Tensor = model.train()(images)
        return {**{name: buffer.clone() for name, buffer in model.named_buffers()}, "logits": logits}


@contextmanager
def _buffers_kept(model: nn.Module) -> Iterator[None]:
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    yield
    with torch.no_grad():
        for name, buffer in model.named_buffers():
            buffer.copy_(before[name])


def gradient_differences(ours: nn.Module, theirs: nn.Module, img_size: int = 64) -> Iterator[str]:
    """Every gradient of one training step, in the networks' precision."""
    images = _images(ours, 2, img_size)
    first, second = (_gradients(model, images) for model in (ours, theirs))
    for key, gradient in first.items():
        yield from _difference(f"gradient of {key}", gradient, second[key])


def _gradients(model: nn.Module, images: Tensor) -> dict[str, Tensor]:
    names, parameters = zip(*model.named_parameters(), strict=True)
    with _buffers_kept(model):
        loss = F.cross_entropy(model.train()(images), torch.arange(len(images)))
        return dict(zip(names, torch.autograd.grad(loss, parameters), strict=True))


def _difference(what: str, ours: Tensor, theirs: Tensor) -> Iterator[str]:
    scale = theirs.abs().max().item()
    apart = (ours - theirs).abs().max().item()
    tolerance = TOLERANCE.get(ours.dtype, 0.0)
    if not apart <= tolerance * scale:
        yield f"{what}: {apart / scale if scale else apart:.1e} apart, allowed {tolerance:.0e}"


def _images(model: nn.Module, n: int, img_size: int) -> Tensor:
    first = next(parameter for parameter in model.parameters())
    generator = torch.Generator().manual_seed(img_size)
    return torch.randn(n, first.shape[1], img_size, img_size, generator=generator).to(first.dtype)


def _twin(case: Case, **options: Any) -> nn.Module:
    import timm  # noqa: PLC0415 - the counts need no timm

    assert case.twin is not None, "asked for by those who looked"
    if not options.get("features_only"):
        options["num_classes"] = case.shape["num_classes"]
    model: nn.Module = timm.create_model(
        case.twin, pretrained=False, in_chans=case.shape["in_chans"], **options
    )
    return model
