"""Factors with a name of their own, whose levels set several keys together.

`treatment: [{label: BnB+, set: {}}, {label: AnB, set: {train.freeze: transferred, …}}]`: one axis of a study
that no single key of its configuration is. Elsewhere a level goes by its label.
"""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel

from bench.study.faults import KeyPath, show
from bench.study.keys import exists
from bench.study.levels import LevelFault, LevelSpec
from bench.study.specs import BaseSpec

FORM = "{label: …, set: {dotted.key: value, …}}"

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")

# fmt: off
RESERVED = frozenset((
    "run_id", "arm", "seed", "status", "n_train", "n_val", "n_test", "n_params", "n_trainable_params",
    "gmacs", "epochs", "steps", "best_epoch", "train_top1_pct", "val_top1_pct", "test_top1_pct",
    "test_top5_pct", "test_mean_class_pct", "test_loss", "train_time_s", "compile_time_s",
    "run_train_img_s", "n_concurrent", "probe_train_img_s", "peak_memory_bytes", "device", "torch",
    "commit",
))
# fmt: on
"""Columns of `records.csv`, beside which each factor gets its own."""


def is_bundle(key: str, levels: list[Any], spec: type[BaseModel] = BaseSpec) -> bool:
    """Whether a factor's levels set keys, rather than being values of the key that names it."""
    if any(isinstance(level, dict) and "set" in level and "value" not in level for level in levels):
        return True
    # Labels alone, under a name that is no key: `set` was forgotten.
    return not exists(tuple(key.split(".")), spec) and all(_is_bare_label(level) for level in levels)


def _is_bare_label(level: Any) -> bool:
    return isinstance(level, dict) and set(level) == {"label"}


def name_rule(key: str, spec: type[BaseModel] = BaseSpec) -> str | None:
    """Why a factor of bundles cannot be called so, or None."""
    if exists(tuple(key.split(".")), spec):
        return (
            f"is a key of the study, so its levels are values; {FORM} is for a factor with a name of its own"
        )
    if key in RESERVED:
        return "is a column of the records already; give the factor another name"
    if NAME.fullmatch(key) is None:
        return "is no name for a factor; use at most 64 letters, digits, '_' and '-', the first a letter"
    return None


def read_bundle(raw: Any, path: KeyPath) -> LevelSpec:
    """Read one level; its value is the mapping of what it sets, which stands at its path.

    Raises:
        LevelFault: It is not a label with a mapping.
    """
    if not isinstance(raw, dict) or set(raw) != {"label", "set"}:
        raise LevelFault(f"a level of a factor with a name of its own is written {FORM}")
    label, settings = raw["label"], raw["set"]
    if isinstance(label, dict | list) or label is None or label == "":
        raise LevelFault("a label is a word or a number")
    if not isinstance(settings, dict):
        raise LevelFault(f"set takes a mapping of dotted keys to values, {{}} for none; got {show(settings)}")
    return LevelSpec(label, settings, (*path, "set"))
