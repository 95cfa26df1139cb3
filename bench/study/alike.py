"""What calibration chooses it chooses for all arms, so that they differ in nothing but their levels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.study.attribute import Finding
from bench.study.execution import SPEED_KEYS, open_keys
from bench.study.faults import KeyPath
from bench.study.specs import BaseSpec, ExecutionSpec

EXECUTION: KeyPath = ("base", "execution")

FOR_ALL = "stands in some arms only, and calibration chooses for all alike; write it in base"


def unlike_findings(configs: Sequence[BaseSpec | None]) -> Iterator[Finding]:
    """Arms that leave other keys to calibration than the rest; wrong configurations are passed over."""
    arms = [(n, config.execution) for n, config in enumerate(configs) if config is not None]
    if len({open_keys(execution) for _, execution in arms}) < 2:
        return
    n_auto = sum(execution.auto for _, execution in arms)
    if 0 < n_auto < len(arms):
        yield from (Finding(n, (*EXECUTION, "auto"), FOR_ALL, "true") for n, one in arms if one.auto)
        return
    n_amp = sum(execution.amp == "auto" for _, execution in arms)
    if 0 < n_amp < len(arms):
        yield from (Finding(n, (*EXECUTION, "amp"), FOR_ALL, "auto") for n, one in arms if one.amp == "auto")
        return
    yield from _written_in_some(arms)


def _written_in_some(arms: Sequence[tuple[int, ExecutionSpec]]) -> Iterator[Finding]:
    for key in SPEED_KEYS:
        writing = [n for n, execution in arms if key in execution.model_fields_set]
        if 0 < len(writing) < len(arms):
            rule = "stands in some arms and is left to auto in others; write it in base or in every arm"
            yield from (Finding(n, (*EXECUTION, key), rule, on_key=True) for n in writing)
