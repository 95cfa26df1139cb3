"""The JSON Schema of a study file, for editors: completion, hover text and red underlines while typing.

Made from the specs, the networks' options and the catalogue, so it cannot say anything else than they do.
It forgives what only the loader can judge: keys of `base` that a factor supplies are not required, and rules
between keys stay with the loader.

`python -m bench.study.schema` prints it; with a path it writes it there.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import architectures
from architectures import INTEGERS, Option
from architectures.options import OptionType
from bench.data import catalogue
from bench.study import bundles
from bench.study.cells import CELL_METRIC, NO_BUDGET, THROUGHPUT, CellSpec
from bench.study.design import KINDS
from bench.study.keys import MODEL_SECTIONS, free_keys, known_keys
from bench.study.outline import StudyFile
from bench.study.recipe_designs import LEAVE_ONE_OUT, PATH
from bench.study.specs import AUGMENTATIONS, NAME, WEIGHTS_SUFFIXES, WEIGHTS_WORDS, BaseSpec

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]

JSON_TYPES: dict[OptionType, Schema] = {
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    str: {"type": "string"},
    INTEGERS: {"type": "array", "items": {"type": "integer"}},
}

PROVIDED = r"^[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_.]*$"
"""Names of networks that a library or the user provides."""

SOURCES: list[Schema] = [
    {"enum": list(WEIGHTS_WORDS)},
    {"type": "string", "pattern": "(" + "|".join(re.escape(suffix) for suffix in WEIGHTS_SUFFIXES) + ")$"},
]
"""Words and files that weights come from."""

STAGE: Schema = {"type": "string", "examples": ["stem", "layer1", "layer2", "layer3", "head"]}
"""Names of stages, which the network decides."""


def study_schema() -> Schema:
    """The schema of a whole study file."""
    outline = _without_titles(StudyFile.model_json_schema())
    base = _without_titles(BaseSpec.model_json_schema())
    cell = _without_titles(CellSpec.model_json_schema())
    definitions: dict[str, Schema] = {**outline.pop("$defs"), **cell.pop("$defs"), **base.pop("$defs")}
    for spec in (base, cell, *definitions.values()):
        spec.pop("required", None)
    definitions |= {"BaseSpec": base, "ModelSpec": _model(definitions["ModelSpec"])}
    definitions["CellSpec"] = _less(cell, ("weights", "pretrain"))
    definitions["CellTrainSpec"] = _less(_train(definitions["CellTrainSpec"]), NO_BUDGET)
    definitions["DataSpec"] = _data(definitions["DataSpec"])
    definitions["FreezeSpec"] = _freeze(definitions["FreezeSpec"])
    definitions["TrainSpec"] = _train(definitions["TrainSpec"])
    definitions["WeightsSpec"] = _weights(definitions["WeightsSpec"])
    base["properties"]["weights"] = _or_a_word(base["properties"]["weights"])
    definitions["DesignSpec"] = _design(definitions["DesignSpec"])
    definitions |= _factors()
    properties = outline["properties"]
    properties["name"]["pattern"] = f"^{NAME.pattern}$"
    properties["base"] = {"description": properties["base"]["description"]}
    rules = {"allOf": [_of_its_kind()], **_own_networks()}
    return {"$schema": DIALECT, "title": "bench study", **outline, **rules, "$defs": definitions}


def _of_its_kind() -> Schema:
    """What `base` may hold, and what replicates are called, in each kind of study."""
    throughput = {"properties": {"kind": {"const": THROUGHPUT}}, "required": ["kind"]}

    def kind(spec: str, metric: Schema, theirs: str) -> Schema:
        return {"properties": {"base": {"$ref": f"#/$defs/{spec}"}, "metric": metric, theirs: False}}

    cells = kind("CellSpec", {"const": CELL_METRIC}, "seeds")
    cells["properties"] |= {"comparisons": False, "target": False}
    return {
        "if": throughput,
        "then": cells,
        "else": kind("BaseSpec", {"not": {"const": CELL_METRIC}}, "repeats"),
    }


def _less(schema: Schema, keys: Sequence[str]) -> Schema:
    """The section without keys that have no part in it."""
    kept = {key: value for key, value in schema["properties"].items() if key not in keys}
    return {**schema, "properties": kept}


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
    """Each network's options apply where its name stands; those of a provided one only it knows."""
    networks = [architectures.family(name) for name in architectures.names()]
    options: Schema = {option.name: {} for network in networks for option in network.options}
    ours = {"type": "string", "enum": list(architectures.names())}
    provided = {"pattern": PROVIDED, "examples": ["timm:NAME", "torchvision:NAME", "package.module:callable"]}
    name = {**schema["properties"]["name"], "anyOf": [ours, {"type": "string", **provided}]}
    name.pop("type", None)
    rules = [
        {
            "if": {"properties": {"name": {"const": network.name}}, "required": ["name"]},
            "then": {
                "description": network.doc,
                "properties": {option.name: _option(option) for option in network.options},
                "propertyNames": {"enum": ["name", *(option.name for option in network.options)]},
            },
        }
        for network in networks
    ]
    nameless = {
        "if": {"not": {"required": ["name"]}},
        "then": {"propertyNames": {"enum": list(options)}},
    }
    described = {key: value for key, value in schema.items() if key != "additionalProperties"}
    return {**described, "properties": {"name": name, **options}, "allOf": [*rules, nameless]}


def _option(option: Option) -> Schema:
    schema: Schema = {"description": option.doc, **JSON_TYPES[option.type]}
    if option.choices is not None:
        schema["enum"] = list(option.choices)
    if not option.required:
        schema["default"] = option.default
    return schema


def _freeze(schema: Schema) -> Schema:
    """One stage may stand for a list of one."""
    properties = dict(schema["properties"])
    several = {"type": "array", "items": STAGE, "minItems": 1}
    for key, shapes in (("through", [STAGE]), ("stages", [STAGE, several]), ("all_but", [STAGE, several])):
        properties[key] = _stage_names(properties[key], shapes)
    return {**schema, "properties": properties}


def _stage_names(schema: Schema, shapes: Sequence[Schema]) -> Schema:
    return {**_described(schema), "anyOf": [*shapes, {"type": "null"}]}


def _described(schema: Schema) -> Schema:
    return {key: value for key, value in schema.items() if key in ("description", "default")}


def _train(schema: Schema) -> Schema:
    """`transferred` beside the ways to name stages, a decay for the average that it makes."""
    properties = dict(schema["properties"])
    stage_lr = dict(properties["stage_lr"])
    stage_lr["examples"] = [{"stem": 0.1, "layer1": 0.1}]
    properties["stage_lr"] = stage_lr
    average = properties["ema"]
    decay = {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}
    properties["ema"] = {**average, "anyOf": [decay, *average["anyOf"]]}
    return {**schema, "properties": properties}


def _weights(schema: Schema) -> Schema:
    properties = dict(schema["properties"])
    properties["from"] = {**_described(properties["from"]), "anyOf": [*SOURCES, {"type": "null"}]}
    properties["run"] = {**properties["run"], "examples": ["STUDY", "STUDY/ARM"]}
    properties["through"] = _stage_names(properties["through"], [STAGE])
    return {**schema, "properties": properties}


def _or_a_word(schema: Schema) -> Schema:
    """`weights: timm` for `weights: {from: timm}`."""
    return {**schema, "anyOf": [*SOURCES, *schema["anyOf"]]}


def _data(schema: Schema) -> Schema:
    properties = dict(schema["properties"])
    properties["name"] = {**properties["name"], "enum": [*catalogue.names(), *catalogue.OWN]}
    augment = _described(properties["augment"])
    choices = {"type": "string", "examples": [*AUGMENTATIONS, "package.module:callable"]}
    one_or_more = [choices, {"type": "array", "items": choices}]
    properties["augment"] = {**augment, "anyOf": [{"const": "none"}, *one_or_more]}
    return {**schema, "properties": properties}


def _design(schema: Schema) -> Schema:
    """Exactly one kind of design."""
    properties = dict(schema["properties"])
    for kind in KINDS:
        (shape,) = [branch for branch in properties[kind]["anyOf"] if branch.get("type") == "object"]
        if kind in (LEAVE_ONE_OUT, PATH):
            shape = {**shape, "additionalProperties": {"$ref": "#/$defs/Component"}}
        elif kind == "factorial":
            shape = {**shape, "additionalProperties": _two_levels()}
        elif kind == "arms":
            arm = {"anyOf": [{"$ref": "#/$defs/Settings"}, {"type": "null"}]}
            shape = {**shape, "additionalProperties": arm}
        else:
            shape = {"$ref": "#/$defs/Factors"}
        properties[kind] = {"description": properties[kind]["description"], **shape}
    return {**schema, "properties": properties, "oneOf": [{"required": [kind]} for kind in KINDS]}


def _two_levels() -> Schema:
    """A factor of a factorial."""
    pair = {"type": "array", "items": {}, "minItems": 2, "maxItems": 2}
    return {"anyOf": [{"$ref": "#/$defs/Component"}, pair]}


def _component() -> Schema:
    sides = {
        "with": "What the component sets where it is there; absent: what `base` says.",
        "without": "What is set where it is not; absent: what `base` says.",
    }
    return {
        "type": "object",
        "properties": {
            side: {"description": told, "$ref": "#/$defs/Settings"} for side, told in sides.items()
        },
        "minProperties": 1,
        "additionalProperties": False,
    }


def _all_keys() -> list[str]:
    """Dotted keys of either kind of study; which of them a study has, the loader says."""
    return list(dict.fromkeys([*known_keys(), *known_keys(CellSpec)]))


def _factors() -> Schema:
    """A factor is a key of `base` with its values, or a name of its own whose levels set several keys."""
    free = "|".join(re.escape(f"{key}.") for key in free_keys(CellSpec))
    options = "|".join(re.escape(f"{section}.") for section in MODEL_SECTIONS)
    levels = {"type": "array", "items": {}, "minItems": 1}
    named = {"pattern": f"^{bundles.NAME.pattern}$"}
    known = {"anyOf": [{"enum": _all_keys()}, {"pattern": f"^({free})"}]}
    bundle = {
        "type": "object",
        "properties": {
            "label": {"type": ["string", "number", "boolean"], "description": "How the level reads."},
            "set": {"$ref": "#/$defs/Settings"},
        },
        "required": ["label", "set"],
        "additionalProperties": False,
    }
    bundled = {"type": "array", "items": {"$ref": "#/$defs/Bundle"}, "minItems": 1}
    return {
        "Component": _component(),
        "KnownKey": known,
        "FactorName": {"anyOf": [{"$ref": "#/$defs/KnownKey"}, named]},
        "Settings": {
            "description": "Dotted keys of `base`, without `base.`, and what each is set to.",
            "type": "object",
            "propertyNames": {"anyOf": [{"$ref": "#/$defs/KnownKey"}, {"pattern": f"^({options})"}]},
        },
        "Bundle": bundle,
        "Factors": {
            "type": "object",
            "minProperties": 1,
            "properties": dict.fromkeys(_all_keys(), levels),
            "patternProperties": {f"^({free}|{options})": levels},
            "additionalProperties": {"description": "Levels that set several keys at once.", **bundled},
        },
    }


def _own_networks() -> Schema:
    """Networks of ours take no other options than theirs, so a factor that is none of them is misspelt."""
    own = {"properties": {"name": {"enum": list(architectures.names())}}, "required": ["name"]}
    known, named = ({"$ref": f"#/$defs/{name}"} for name in ("KnownKey", "FactorName"))
    kinds: Schema = {kind: {"propertyNames": named} for kind in KINDS if kind != "arms"}
    kinds |= {
        kind: {"propertyNames": {"pattern": f"^{bundles.NAME.pattern}$"}} for kind in (LEAVE_ONE_OUT, PATH)
    }
    kinds["arms"] = {"additionalProperties": {"propertyNames": known}}
    has_own = {"properties": {"model": own}, "required": ["model"]}
    return {
        "if": {"properties": {"base": has_own}, "required": ["base"]},
        "then": {"properties": {"design": {"properties": kinds}}},
    }


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
