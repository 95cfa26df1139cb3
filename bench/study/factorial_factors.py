"""The factors of a factorial, and which of its combinations a study asks for, with every fault on the way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.errors import nearest
from bench.study.components import is_component, read_components
from bench.study.document import Document
from bench.study.factorial import MOST_FACTORS, Fraction, smallest_fraction
from bench.study.factors import FactorReader, overlapping
from bench.study.faults import Fault, KeyPath
from bench.study.levels import FactorSpec
from bench.study.outline import DesignSpec

_PATH: KeyPath = ("design", "factorial")


def read_fraction(spec: DesignSpec, document: Document) -> tuple[Fraction | None, list[Fault]]:
    """The combinations of a factorial; None for another kind of design."""
    given = [key for key in ("generators", "resolution") if getattr(spec, key) is not None]
    if spec.factorial is None:
        alone = "is for a factorial; this design has none"
        return None, [document.fault(("design", key), alone, on_key=True) for key in given]
    names = tuple(spec.factorial)
    rule: str | None = None
    if len(names) > MOST_FACTORS:
        rule = f"{len(names)} factors are more than the {MOST_FACTORS} of a factorial"
    elif len(given) > 1:
        rule = "takes generators or resolution, not both: either says which fraction is run"
    if rule is not None:
        return None, [document.fault(_PATH, rule, on_key=True)]
    if spec.resolution is not None:
        return _by_resolution(names, spec.resolution, document)
    return _by_generators(names, spec.generators or {}, document)


def _by_resolution(
    names: tuple[str, ...], resolution: int, document: Document
) -> tuple[Fraction | None, list[Fault]]:
    fraction = smallest_fraction(names, resolution)
    if fraction is not None:
        return fraction, []
    every = f"all 2^{len(names)} combinations"
    rule = f"no fraction of {len(names)} factors has it; leave it out for {every}"
    return None, [document.fault(("design", "resolution"), rule, value=resolution)]


def _by_generators(
    names: tuple[str, ...], generators: Mapping[str, list[str]], document: Document
) -> tuple[Fraction | None, list[Fault]]:
    faults = _generator_faults(names, generators, document)
    if faults:
        return None, faults
    parts = {key: tuple(sorted(value, key=names.index)) for key, value in generators.items()}
    fraction = Fraction(names, tuple((name, parts[name]) for name in names if name in parts))
    if fraction.resolution is None or fraction.resolution > 2:
        return fraction, []
    word = " and ".join(name for name in names if name in fraction.words[0])
    rule = f"{word} always move together in this fraction; choose other generators"
    return None, [document.fault(("design", "generators"), rule, on_key=True)]


def _generator_faults(
    names: tuple[str, ...], generators: Mapping[str, list[str]], document: Document
) -> list[Fault]:
    faults = []
    for name, parts in generators.items():
        path: KeyPath = ("design", "generators", name)
        if name not in names:
            faults.append(
                document.fault(path, f"is no factor of the design; {nearest(name, names)}", on_key=True)
            )
        for n, part in enumerate(parts):
            rule = None
            if part not in names:
                rule = f"is no factor of the design; {nearest(part, names)}"
            elif part in generators:
                rule = "is itself generated; name factors that are not"
            elif part in parts[:n]:
                rule = "stands twice"
            if rule is not None:
                faults.append(document.fault((*path, n), rule, value=part))
    return faults


def two_level_factors(
    listed: Mapping[str, Any], path: KeyPath, reader: FactorReader
) -> tuple[FactorSpec, ...]:
    """Components, and factors of two levels, in declared order."""
    raw_components = {key: value for key, value in listed.items() if is_component(value)}
    raw_lists: dict[str, list[Any]] = {}
    for key, value in listed.items():
        if key in raw_components:
            continue
        if isinstance(value, list):
            raw_lists[key] = value
        else:
            rule = "a factor of a factorial has two levels, [first, second], or is a component"
            reader.faults.append(reader.document.fault((*path, key), rule))
    components = {one.name: one.factor for one in read_components(raw_components, path, reader)}
    lists = {one.key: one for one in reader.factors(raw_lists, path)}
    for key, one in lists.items():
        if len(one.levels) != 2:
            rule = f"a factor of a factorial has two levels, got {len(one.levels)}"
            reader.faults.append(reader.document.fault((*path, key), rule, on_key=True))
    found = {**components, **{key: one for key, one in lists.items() if len(one.levels) == 2}}
    _apart(found, reader)
    return tuple(found[key] for key in listed if key in found)


def _apart(found: Mapping[str, FactorSpec], reader: FactorReader) -> None:
    """Fault what a component sets and a plain factor sets too."""
    plain = [key for key, one in found.items() if one.parts is not None]
    for one in found.values():
        for level in one.levels if one.parts is None else ():
            for key in level.value:
                clash = next((p for p in plain if p == key or any(overlapping([p, key]))), None)
                if clash is not None:
                    rule = f"is also set by {clash}; keep one of them"
                    reader.faults.append(reader.document.fault((*level.path, key), rule, on_key=True))


def fraction_in(design: Mapping[str, Any]) -> Fraction:
    """The combinations of a factorial that was read without a fault, from its plain data."""
    names = tuple(design["factorial"])
    if design.get("resolution") is not None:
        fraction = smallest_fraction(names, design["resolution"])
        assert fraction is not None, "checked when the study was read"
        return fraction
    parts = {key: tuple(sorted(of, key=names.index)) for key, of in (design.get("generators") or {}).items()}
    return Fraction(names, tuple((name, parts[name]) for name in names if name in parts))
