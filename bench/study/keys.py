"""Which dotted keys a study's configuration knows, read off the specs.

Factors and faults need to know whether `train.optimizer.lr` exists, what its default is and which key a
misspelt one was meant to be. A network's options belong to its family; here those of every family are known,
and whether the family of an arm has them is checked for each arm.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping
from functools import cache
from types import UnionType
from typing import Any, Union

from pydantic import BaseModel

import architectures
from bench.errors import nearest
from bench.study.specs import BaseSpec, ModelSpec

NO_DEFAULT = object()
"""The key has to be given."""


def spec_of(annotation: Any) -> type[BaseModel] | None:
    """The spec inside an annotation: of `NormalizeSpec | Literal[…] | None`, `NormalizeSpec`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    origin = typing.get_origin(annotation)
    if origin in (Union, UnionType, typing.Annotated):
        found = (spec_of(part) for part in typing.get_args(annotation))
        return next((spec for spec in found if spec is not None), None)
    return None


@cache
def children(spec: type[BaseModel]) -> Mapping[str, type[BaseModel] | None]:
    """Keys of a spec, each with the spec below it; a network's include every family's options."""
    keys = {field.alias or name: spec_of(field.annotation) for name, field in spec.model_fields.items()}
    if spec is ModelSpec:
        options = (option for name in architectures.names() for option in architectures.family(name).options)
        keys |= {option.name: None for option in options}
    return keys


@cache
def known_keys(spec: type[BaseModel] = BaseSpec) -> tuple[str, ...]:
    """Every dotted key below a spec, sections included."""
    return tuple(_walk(spec, ()))


def _walk(spec: type[BaseModel], above: tuple[str, ...]) -> Iterator[str]:
    for name, below in children(spec).items():
        yield ".".join((*above, name))
        if below is not None:
            yield from _walk(below, (*above, name))


def exists(parts: tuple[str, ...], spec: type[BaseModel] = BaseSpec) -> bool:
    """Whether a dotted key may stand in a configuration."""
    current: type[BaseModel] | None = spec
    for n, part in enumerate(parts):
        if current is None:
            # `options` of a user's own optimiser is free; other values have nothing inside.
            return parts[n - 1] == "options" and parts[:2] == ("train", "optimizer")
        if part not in children(current):
            return False
        current = children(current)[part]
    return True


def spec_at(parts: tuple[str | int, ...], spec: type[BaseModel] = BaseSpec) -> type[BaseModel] | None:
    """The spec of the section at a dotted key, if it is one."""
    current: type[BaseModel] | None = spec
    for part in parts:
        if current is None or not isinstance(part, str):
            return None
        current = children(current).get(part)
    return current


def meant(key: str, siblings: Mapping[str, Any], spec: type[BaseModel] | None, prefix: str = "") -> str:
    """The rule for an unknown key: the nearest sibling, else the same word deeper down, else all siblings."""
    guess = nearest(key, siblings)
    if spec is not None and not guess.startswith("did you mean"):
        deeper = [known for known in known_keys(spec) if known.rpartition(".")[2] == key]
        if deeper:
            guess = f"did you mean '{prefix}{deeper[0]}'?"
    return f"unknown key; {guess}"


def default_of(parts: tuple[str, ...], options: Mapping[str, Any]) -> Any:
    """What a configuration holds where a key is not given, or `NO_DEFAULT`.

    Args:
        parts: The dotted key.
        options: Defaults of the network's options.
    """
    if parts[0] == "model":
        return options.get(parts[1], NO_DEFAULT) if len(parts) == 2 else NO_DEFAULT
    spec = spec_at(parts[:-1])
    if spec is None or parts[-1] not in spec.model_fields:
        return NO_DEFAULT
    field = spec.model_fields[parts[-1]]
    if field.is_required():
        return NO_DEFAULT
    default = field.get_default(call_default_factory=True)
    if isinstance(default, BaseModel):
        return default.model_dump(exclude_unset=True)
    return list(default) if isinstance(default, tuple) else default
