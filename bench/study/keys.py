"""Which dotted keys a study's configuration knows, read off the specs.

Factors and faults need to know whether `train.optimizer.lr` exists, what its default is and which key a
misspelt one was meant to be. A network's options belong to its family; here those of every family are known,
and whether the family of an arm has them is checked for each arm. Networks of a library and a user's own take
options that only they know.
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

MODEL_SECTIONS = ("model", "pretrain.model")
"""Where networks stand."""

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


def _is_free(annotation: Any) -> bool:
    """Whether a field is a mapping with keys of the user's, such as learning rates by stage."""
    parts = typing.get_args(annotation)
    return typing.get_origin(annotation) is dict or any(_is_free(part) for part in parts)


@cache
def _free_keys(spec: type[BaseModel]) -> frozenset[str]:
    return frozenset(name for name, field in spec.model_fields.items() if _is_free(field.annotation))


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
            section = spec_at(parts[: n - 1], spec)
            return section is not None and parts[n - 1] in _free_keys(section)
        if part not in children(current):
            return False
        current = children(current)[part]
    return True


def free_keys(spec: type[BaseModel] = BaseSpec) -> tuple[str, ...]:
    """Dotted keys that hold keys of the user's: `train.stage_lr`, `train.optimizer.options`."""
    below = ((key, spec_at(tuple(key.split("."))[:-1], spec)) for key in known_keys(spec))
    return tuple(key for key, section in below if section and key.rpartition(".")[2] in _free_keys(section))


def takes_any_option(key: str, data: Any) -> bool:
    """Whether a key is an option of a network that a library or the user provides.

    Args:
        key: The dotted key, without `base.`.
        data: The whole study, as plain data.
    """
    section, dot, option = key.rpartition(".")
    return bool(dot and option) and section in MODEL_SECTIONS and _names_a_provided_network(data)


def _names_a_provided_network(data: Any) -> bool:
    """Whether the name of some network in the study has the form `timm:NAME` or `package.module:callable`."""
    if isinstance(data, dict):
        return any(
            _provides(value) if key == "model.name" or key.endswith(".model.name") else _below(key, value)
            for key, value in data.items()
        )
    return isinstance(data, list) and any(_names_a_provided_network(value) for value in data)


def _below(key: str, value: Any) -> bool:
    if key.rpartition(".")[2] == "model" and isinstance(value, dict) and _provides(value.get("name")):
        return True
    return _names_a_provided_network(value)


def _provides(name: Any) -> bool:
    """Whether a name, or one of the levels of a factor of names, is not one of ours."""
    if isinstance(name, list):
        return any(_provides(level.get("value") if isinstance(level, dict) else level) for level in name)
    return isinstance(name, str) and architectures.is_external(name)


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


def default_of(parts: tuple[str, ...], options: Mapping[str, Any], spec: type[BaseModel] = BaseSpec) -> Any:
    """What a configuration holds where a key is not given, or `NO_DEFAULT`.

    Args:
        parts: The dotted key.
        options: Defaults of the network's options.
        spec: Of the whole configuration.
    """
    section = spec_at(parts[:-1], spec)
    if section is ModelSpec:
        return options.get(parts[-1], NO_DEFAULT)
    known = section.model_fields if section is not None else {}
    fields = {field.alias or name: field for name, field in known.items()}
    field = fields.get(parts[-1])
    if field is None or field.is_required():
        return NO_DEFAULT
    default = field.get_default(call_default_factory=True)
    if isinstance(default, BaseModel):
        return default.model_dump(exclude_unset=True)
    return list(default) if isinstance(default, tuple) else default
