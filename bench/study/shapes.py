"""What is known of the images of a study: faults of their sections, facts, and what networks are built for.

Catalogued sets are known beforehand. A user's own have to be looked at, so a study is checked twice: without
a data folder as far as constants decide, and with one for the arms whose data had to be looked at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.data import catalogue
from bench.errors import DataMissing
from bench.study.faults import KeyPath
from bench.study.specs import DataSpec


@dataclass(frozen=True)
class Shape:
    """What a network is built for; the defaults stand for data that cannot be looked at yet."""

    num_classes: int = 1000
    channels: int = 3
    image_size: int = 224


@dataclass(frozen=True)
class Images:
    """What is known of one data section."""

    faults: tuple[tuple[KeyPath, Any, str], ...] = ()
    """(keys below the section, value, rule)."""
    facts: catalogue.DataFacts | None = None
    shape: Shape | None = None


@dataclass
class ImageSets:
    """What is known of each data section of a study; without a data folder, what constants say."""

    data_dir: Path | None
    _seen: dict[DataSpec | None, Images] = field(default_factory=dict)

    def is_due(self, *specs: DataSpec | None) -> bool:
        """Whether any of the sections is to be checked now, rather than when constants were."""
        return self.data_dir is None or any(spec is not None and _has_to_look(spec) for spec in specs)

    def of(self, spec: DataSpec | None) -> Images:
        """What is known of a section."""
        if spec not in self._seen:
            self._seen[spec] = Images() if spec is None else _images(spec, self.data_dir)
        return self._seen[spec]


def n_train_images(spec: DataSpec, facts: catalogue.DataFacts) -> int:
    """Images that a run trains on."""
    return catalogue.split_sizes(spec, facts.n_train)[0]


def _has_to_look(spec: DataSpec) -> bool:
    """Whether facts of a section stand in files, not in the catalogue."""
    if spec.name in catalogue.OWN:
        return True
    return spec.name in catalogue.names() and catalogue.entry(spec.name).train_counts is None


def _images(spec: DataSpec, data_dir: Path | None) -> Images:
    if data_dir is None and _has_to_look(spec):
        return Images(shape=_catalogued_shape(spec))
    faults = catalogue.check(spec, data_dir or Path())
    if faults:
        return Images(tuple((_key_parts(key), value, rule) for key, value, rule in faults))
    try:
        facts = catalogue.facts(spec, data_dir or Path())
    except DataMissing:
        return Images(shape=_catalogued_shape(spec))
    return Images((), facts, Shape(facts.num_classes, facts.channels, facts.image_size))


def _catalogued_shape(spec: DataSpec) -> Shape | None:
    if spec.name in catalogue.OWN:
        return None
    entry = catalogue.entry(spec.name)
    n_classes = len(spec.classes or entry.class_names)
    return Shape(n_classes, spec.channels or entry.channels, spec.image_size or entry.image_size)


def _key_parts(key: str) -> KeyPath:
    """`classes[1]` as `("classes", 1)`."""
    return tuple(int(part) if part.isdigit() else part for part in re.findall(r"[^.\[\]]+", key))
