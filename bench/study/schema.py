"""The JSON Schema of a study file, for editors: completion, hover text and red underlines while typing.

Made from the specs, the networks' options and the catalogue, so it cannot say anything else than they do.
It forgives what only the loader can judge: keys of `base` that a factor supplies are not required, and rules
between keys stay with the loader.

`python -m bench.study.schema` prints it; with a path it writes it there.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import architectures
from architectures import Option
from bench.data import catalogue
from bench.study.design import KINDS
from bench.study.keys import known_keys
from bench.study.outline import StudyFile
from bench.study.specs import AUGMENTATIONS, NAME, BaseSpec

DIALECT = "https://json-schema.org/draft/2020-12/schema"

JSON_TYPES = {int: "integer", float: "number", bool: "boolean", str: "string"}

Schema = dict[str, Any]


def study_schema() -> Schema:
    """The schema of a whole study file."""
    outline = _without_titles(StudyFile.model_json_schema())
    base = _without_titles(BaseSpec.model_json_schema())
    definitions: dict[str, Schema] = {**outline.pop("$defs"), **base.pop("$defs")}
    for spec in (base, *definitions.values()):
        spec.pop("required", None)
    definitions |= {"BaseSpec": base, "ModelSpec": _model(definitions["ModelSpec"])}
    definitions["DataSpec"] = _data(definitions["DataSpec"])
    definitions["DesignSpec"] = _design(definitions["DesignSpec"])
    free = {"pattern": r"^train\.optimizer\.options\."}
    definitions["FactorKey"] = {"anyOf": [{"enum": list(known_keys())}, free]}
    properties = outline["properties"]
    properties["name"]["pattern"] = f"^{NAME.pattern}$"
    properties["base"] = {"$ref": "#/$defs/BaseSpec", "description": properties["base"]["description"]}
    return {"$schema": DIALECT, "title": "bench study", **outline, "$defs": definitions}


def _without_titles(schema: Schema) -> Schema:
    """Pydantic titles every property with its own name."""
    cleaned: Schema = {}
    for key, value in schema.items():
        if key in ("properties", "$defs"):
            cleaned[key] = {name: _without_titles(inner) for name, inner in value.items()}
        elif isinstance(value, list):
            cleaned[key] = [_without_titles(inner) if isinstance(inner, dict) else inner for inner in value]
        elif key != "title":
            cleaned[key] = _without_titles(value) if isinstance(value, dict) else value
    return cleaned


def _model(schema: Schema) -> Schema:
    """Each network's options apply where its name stands."""
    networks = [architectures.family(name) for name in architectures.names()]
    options: Schema = {option.name: {} for network in networks for option in network.options}
    name = {**schema["properties"]["name"], "enum": list(architectures.names())}
    rules = [
        {
            "if": {"properties": {"name": {"const": network.name}}, "required": ["name"]},
            "then": {
                "description": network.doc,
                "properties": {option.name: _option(option) for option in network.options}
                | {other: False for other in options if network.option(other) is None},
            },
        }
        for network in networks
    ]
    return {**schema, "properties": {"name": name, **options}, "additionalProperties": False, "allOf": rules}


def _option(option: Option) -> Schema:
    schema: Schema = {"description": option.doc, "type": JSON_TYPES[option.type]}
    if option.choices is not None:
        schema["enum"] = list(option.choices)
    if not option.required:
        schema["default"] = option.default
    return schema


def _data(schema: Schema) -> Schema:
    properties = dict(schema["properties"])
    properties["name"] = {**properties["name"], "enum": [*catalogue.names(), *catalogue.OWN]}
    augment = {
        key: value for key, value in properties["augment"].items() if key in ("description", "default")
    }
    choices = {"type": "string", "examples": [*AUGMENTATIONS, "package.module:callable"]}
    one_or_more = [choices, {"type": "array", "items": choices}]
    properties["augment"] = {**augment, "anyOf": [{"const": "none"}, *one_or_more]}
    return {**schema, "properties": properties}


def _design(schema: Schema) -> Schema:
    """Exactly one kind of design; factors are keys that a configuration has."""
    keys = {"$ref": "#/$defs/FactorKey"}
    properties = dict(schema["properties"])
    for kind in KINDS:
        (shape,) = [branch for branch in properties[kind]["anyOf"] if branch.get("type") == "object"]
        if kind == "arms":
            arm = {"type": ["object", "null"], "propertyNames": keys}
            shape = {**shape, "additionalProperties": arm}
        else:
            shape = {**shape, "propertyNames": keys}
        properties[kind] = {"description": properties[kind]["description"], **shape}
    return {**schema, "properties": properties, "oneOf": [{"required": [kind]} for kind in KINDS]}


def text() -> str:
    """The schema as the file holds it."""
    return json.dumps(study_schema(), indent=2, ensure_ascii=False) + "\n"


def main(arguments: Sequence[str]) -> None:
    """Print the schema, or write it to the path given."""
    if arguments:
        Path(arguments[0]).write_text(text(), encoding="utf-8")
    else:
        sys.stdout.write(text())


if __name__ == "__main__":
    main(sys.argv[1:])
