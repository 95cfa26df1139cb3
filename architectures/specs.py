"""What each network takes, without torch: its options, whether it can be built, its stages and their sizes.

Planning asks here about every arm before the first run, and the studies' JSON Schema lists the same options.
Networks of timm, of torchvision and of the user's own are named but not known: their options are checked
where torch is, when they are built.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from architectures import options as _options
from architectures.families import FAMILIES
from architectures.nearest import nearest
from architectures.options import INTEGERS, FamilySpec, Option, OptionFault

LIBRARIES = ("timm", "torchvision")
"""Whose networks `timm:NAME` and `torchvision:NAME` name."""

_EXTERNAL = re.compile(r"(timm|torchvision):\S+|[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")

_KINDS: Mapping[Any, str] = {
    int: "an integer",
    float: "a number",
    bool: "true or false",
    str: "text",
    INTEGERS: "a list of integers",
}


def names() -> tuple[str, ...]:
    """Every network of ours that `build` knows, in alphabetical order."""
    return tuple(sorted(FAMILIES))


def is_external(name: str) -> bool:
    """Whether `name` has the form `timm:NAME`, `torchvision:NAME` or `package.module:callable`."""
    return _EXTERNAL.fullmatch(name) is not None


def family(name: str) -> FamilySpec:
    """What our network of that name takes.

    Raises:
        KeyError: There is none; `check` says it kindly.
    """
    return FAMILIES[name]


def defaults(name: str) -> dict[str, Any]:
    """The options that have a default, with it; none are known of networks that are not ours."""
    return {} if is_external(name) else _options.defaults(family(name))


def check(
    name: str, options: Mapping[str, Any], *, num_classes: int, in_chans: int, img_size: int
) -> list[OptionFault]:
    """Every reason why this network cannot be built; none means that `build` succeeds.

    Of networks that are not ours only the form of the name and the numbers are judged here; `build` judges
    the rest.

    Args:
        name: The network.
        options: Options as the study writes them.
        num_classes: Width of the last layer.
        in_chans: Channels of the images.
        img_size: Side of the images in pixels.
    """
    faults: list[OptionFault] = []
    least_size = 1
    if not is_external(name):
        if name not in FAMILIES:
            return [OptionFault(None, name, f"is no architecture; {_nearest_network(name)}")]
        spec = FAMILIES[name]
        faults += _option_faults(spec, options)
        least_size = spec.min_img_size
    for what, value, least in (
        ("classes", num_classes, 2),
        ("image channels", in_chans, 1),
        ("pixels a side", img_size, least_size),
    ):
        if value < least:
            faults.append(OptionFault(None, value, f"{what} are too few for {name}; at least {least}"))
    return faults


def stage_names(name: str, options: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The stages from the images to the logits: `stem`, `layer1`, …, `head`.

    Returns:
        The keys of `architectures.stages`; None where only the built network knows (`timm:…`, the user's
        own), or where `check` finds faults.
    """
    counts = _counts(name, options, 2, 1, 1)
    return None if counts is None else tuple(counts)


def count_parameters(
    name: str, options: Mapping[str, Any], *, num_classes: int, in_chans: int, img_size: int
) -> Mapping[str, int] | None:
    """How many parameters each stage has, by arithmetic.

    Args:
        name: The network.
        options: Options as the study writes them.
        num_classes: Width of the last layer.
        in_chans: Channels of the images.
        img_size: Side of the images in pixels.

    Returns:
        Stage name -> parameters, in order; None where only the built network knows, or where `check` finds
        faults.
    """
    if check(name, options, num_classes=num_classes, in_chans=in_chans, img_size=img_size):
        return None
    return _counts(name, options, num_classes, in_chans, img_size)


def _counts(
    name: str, options: Mapping[str, Any], num_classes: int, in_chans: int, img_size: int
) -> dict[str, int] | None:
    spec = FAMILIES.get(name)
    if spec is None or any(_option_faults(spec, options)):
        return None
    return spec.counts(spec.complete(options), num_classes, in_chans, img_size)


def _option_faults(spec: FamilySpec, options: Mapping[str, Any]) -> Iterator[OptionFault]:
    alone = [fault for fault in (_option_fault(spec, *given) for given in options.items()) if fault]
    alone += [
        OptionFault(option.name, None, f"is required; {option.doc}")
        for option in spec.options
        if option.required and option.name not in options
    ]
    yield from alone
    if not alone and spec.rule is not None:
        yield from spec.rule(spec.complete(options))


def _option_fault(spec: FamilySpec, key: str, value: Any) -> OptionFault | None:
    option = spec.option(key)
    if option is None and key in spec.fixed:
        return OptionFault(key, None, f"{spec.name} has {spec.fixed[key]}; {spec.module} leaves it free")
    if option is None:
        return OptionFault(key, None, f"unknown option; {nearest(key, (o.name for o in spec.options))}")
    if not _fits(option, value):
        return OptionFault(key, value, f"is not {_KINDS[option.type]}")
    if option.choices is not None and value not in option.choices:
        return OptionFault(key, value, "is not one of " + ", ".join(map(str, option.choices)))
    wrong = option.rule(value) if option.rule else None
    return None if wrong is None else OptionFault(key, value, wrong)


def _fits(option: Option, value: Any) -> bool:
    """By exact type: bool is an int to Python, and 3 is a float to a reader of YAML."""
    if option.type == INTEGERS:
        return isinstance(value, list | tuple) and all(type(item) is int for item in value)
    if option.type is float:
        return type(value) in (int, float) and math.isfinite(value)
    return type(value) is option.type


def _nearest_network(name: str) -> str:
    if ":" in name:
        return "write timm:NAME, torchvision:NAME or package.module:callable"
    return nearest(name, FAMILIES)
