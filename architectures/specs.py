"""What each family of networks takes, without torch: types, defaults, choices, and whether it can be built.

Planning asks here about every arm before the first run, and the studies' JSON Schema lists the same options.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

OptionType = type[int] | type[float] | type[bool] | type[str]


@dataclass(frozen=True)
class Option:
    """One option of a family. `required` ones have no default."""

    name: str
    type: OptionType
    doc: str
    default: bool | int | float | str | None = None
    required: bool = False
    choices: tuple[bool | int | float | str, ...] | None = None
    rule: Callable[[Any], str | None] | None = None
    """Says what is wrong with a value of the right type, or None."""


@dataclass(frozen=True)
class FamilySpec:
    """A family of networks in one file of this package."""

    name: str
    module: str
    doc: str
    options: tuple[Option, ...]
    min_img_size: int = 1

    def option(self, name: str) -> Option | None:
        """The option of that name, if there is one."""
        return next((option for option in self.options if option.name == name), None)


@dataclass(frozen=True)
class OptionFault:
    """Why a network cannot be built.

    Attributes:
        key: The option; None for the network's name and for what it is built for.
        value: What was given; None where no value is to blame (an option unknown or missing).
        rule: What it breaks, with the nearest choice where there is one.
    """

    key: str | None
    value: Any
    rule: str

    def __str__(self) -> str:
        place = "" if self.key is None else f"{self.key}: "
        return f"{place}{self.rule}" if self.value is None else f"{place}{self.value!r} {self.rule}"


def _six_n_plus_two(depth: int) -> str | None:
    if depth >= 8 and (depth - 2) % 6 == 0:
        return None
    return f"is not 6n+2; nearest {max(8, 6 * round((depth - 2) / 6) + 2)}"


_FAMILIES = {
    spec.name: spec
    for spec in (
        FamilySpec(
            name="cifar_resnet",
            module="cifar_resnet",
            doc="ResNet for small images, with or without shortcuts (He et al. 2016, section 4.2).",
            options=(
                Option(
                    "depth",
                    int,
                    "Layers with weights, 6n+2: 8, 14, 20, 32, 44, 56, 110.",
                    required=True,
                    rule=_six_n_plus_two,
                ),
                Option(
                    "residual",
                    bool,
                    "Shortcuts (option A, without parameters), or none: a plain network of equal size.",
                    default=True,
                ),
            ),
            min_img_size=4,
        ),
    )
}


def names() -> tuple[str, ...]:
    """Every network that `build` knows, in alphabetical order."""
    return tuple(sorted(_FAMILIES))


def family(name: str) -> FamilySpec:
    """What the network of that name takes.

    Raises:
        KeyError: There is none; `check` says it kindly.
    """
    return _FAMILIES[name]


def defaults(name: str) -> dict[str, Any]:
    """The options that have a default, with it."""
    return {option.name: option.default for option in family(name).options if not option.required}


def check(
    name: str, options: Mapping[str, Any], *, num_classes: int, in_chans: int, img_size: int
) -> list[OptionFault]:
    """Every reason why this network cannot be built; none means that `build` succeeds.

    Args:
        name: The network.
        options: Options as the study writes them.
        num_classes: Width of the last layer.
        in_chans: Channels of the images.
        img_size: Side of the images in pixels.
    """
    if name not in _FAMILIES:
        return [OptionFault(None, name, f"is no architecture; {_nearest(name, _FAMILIES)}")]
    spec = _FAMILIES[name]
    faults = [_option_fault(spec, key, value) for key, value in options.items()]
    faults += [
        OptionFault(option.name, None, f"is required; {option.doc}")
        for option in spec.options
        if option.required and option.name not in options
    ]
    for what, value, least in (
        ("classes", num_classes, 2),
        ("image channels", in_chans, 1),
        ("pixels a side", img_size, spec.min_img_size),
    ):
        if value < least:
            faults.append(OptionFault(None, value, f"{what} are too few for {name}; at least {least}"))
    return [fault for fault in faults if fault is not None]


def _option_fault(spec: FamilySpec, key: str, value: Any) -> OptionFault | None:
    option = spec.option(key)
    if option is None:
        return OptionFault(key, None, f"unknown option; {_nearest(key, (o.name for o in spec.options))}")
    # bool is an int to Python, and 3 is a float to a reader of YAML.
    fits = type(value) is option.type or (option.type is float and type(value) is int)
    if not fits:
        kind = {int: "an integer", float: "a number", bool: "true or false", str: "text"}[option.type]
        return OptionFault(key, value, f"is not {kind}")
    if option.choices is not None and value not in option.choices:
        return OptionFault(key, value, "is not one of " + ", ".join(map(str, option.choices)))
    wrong = option.rule(value) if option.rule else None
    return None if wrong is None else OptionFault(key, value, wrong)


def _nearest(word: str, choices: Iterable[str]) -> str:
    known = sorted(choices)
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else "one of " + ", ".join(known)
