"""What an option, a family and a fault are: plain data, without torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import GenericAlias
from typing import Any

INTEGERS: GenericAlias = GenericAlias(list, (int,))
"""Type of an option that is a list of integers, as `layers: [3, 4, 23, 3]`."""

OptionType = type[int] | type[float] | type[bool] | type[str] | GenericAlias

Options = Mapping[str, Any]
"""Every option of a network, those at their default included."""

Counts = Callable[[Options, int, int, int], dict[str, int]]
"""(options, num_classes, in_chans, img_size) -> parameters of each stage, in order."""


@dataclass(frozen=True)
class Option:
    """One option of a family. `required` ones have no default."""

    name: str
    type: OptionType
    doc: str
    default: bool | int | float | str | list[int] | None = None
    required: bool = False
    choices: tuple[bool | int | float | str, ...] | None = None
    rule: Callable[[Any], str | None] | None = None
    """Says what is wrong with a value of the right type, or None."""


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


@dataclass(frozen=True)
class FamilySpec:
    """A family of networks in one file of this package, or one network of it that a paper names.

    Attributes:
        name: What a study writes.
        module: The file.
        doc: One line with its source.
        options: What may be chosen.
        counts: Parameters of each stage, by arithmetic.
        fixed: Options of the family that this name settles.
        rule: Faults of options that are right by themselves and wrong together.
        min_img_size: Least side of the images in pixels.
    """

    name: str
    module: str
    doc: str
    options: tuple[Option, ...]
    counts: Counts
    fixed: Options = field(default_factory=dict)
    rule: Callable[[Options], Iterator[OptionFault]] | None = None
    min_img_size: int = 1

    def option(self, name: str) -> Option | None:
        """The option of that name, if there is one."""
        return next((option for option in self.options if option.name == name), None)

    def named(self, name: str, doc: str, **fixed: Any) -> FamilySpec:
        """The network of this family with some options settled."""
        free = tuple(option for option in self.options if option.name not in fixed)
        return FamilySpec(name, self.module, doc, free, self.counts, fixed, self.rule, self.min_img_size)

    def complete(self, options: Options) -> dict[str, Any]:
        """These options with those that the name settles and the defaults of the others."""
        return {**defaults(self), **self.fixed, **options}


def defaults(spec: FamilySpec) -> dict[str, Any]:
    """The options that have a default, with it; lists are the caller's own."""
    with_default = (option for option in spec.options if not option.required)
    return {
        option.name: list(option.default) if isinstance(option.default, list) else option.default
        for option in with_default
    }
