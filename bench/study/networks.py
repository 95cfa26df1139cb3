"""Whether a network can be built for its images, in the words of a study."""

from __future__ import annotations

from collections.abc import Iterator

import architectures
from bench.study.attribute import Finding
from bench.study.faults import KeyPath, describe, show
from bench.study.plain import remedy
from bench.study.shapes import Shape
from bench.study.specs import ModelSpec

WRONG_TYPE = {
    "is not an integer": "a whole number",
    "is not a number": "a number",
    "is not true or false": "true or false",
    "is not text": "text",
    "is not a list of integers": "a list of whole numbers",
}
"""How `architectures` refuses a type, and how a study is told."""


def network_findings(n: int, at: KeyPath, model: ModelSpec, shape: Shape | None) -> Iterator[Finding]:
    """Faults of the network at `at` + `model` and, where images do not fit, of `at` + `data`.

    Args:
        n: Number of the arm.
        at: The section that holds `data` and `model`.
        model: The network.
        shape: Of the images; None where they are not known yet.
    """
    built_for = shape or Shape()
    for fault in architectures.check(
        model.name,
        model.options,
        num_classes=built_for.num_classes,
        in_chans=built_for.channels,
        img_size=built_for.image_size,
    ):
        key, rule = fault.key, fault.rule
        path = (*at, "model", key or "name")
        if key is None and fault.value != model.name:
            if shape is not None:
                yield Finding(n, (*at, "data"), rule, show(fault.value), on_key=True, is_certain=False)
        elif key is None:
            yield Finding(n, path, rule, show(model.name))
        elif key not in model.options:
            yield Finding(n, path, rule, on_key=True, is_certain=False)
        elif rule in WRONG_TYPE:
            given, wanted = model.options[key], WRONG_TYPE[rule]
            got = show(given) if isinstance(given, list) else describe(given)
            yield Finding(n, path, f"expected {wanted}, got {got}{remedy(wanted, given)}")
        elif fault.value is None:
            yield Finding(n, path, rule, on_key=True)
        else:
            yield Finding(n, path, rule, show(model.options[key]))
