"""Fetching published weights before the first run; beside `bench data fetch` the one use of a network."""

from __future__ import annotations

from bench.errors import EnvironmentFault
from bench.study.model import Study


def fetch_weights(study: Study) -> None:
    """Bring what `weights: timm` names into the cache.

    Raises:
        EnvironmentFault: There is no network, or timm is not installed; the lines say what else can be done.
    """
    names = {
        arm.config.model.name: None
        for arm in study.arms
        if arm.config.weights is not None and arm.config.weights.source == "timm"
    }
    if not names:
        return
    from architectures import hub  # noqa: PLC0415 - only where timm is named

    faults: list[str] = []
    for name in names:
        try:
            hub.fetch_timm_weights(name)
        except (OSError, ImportError, ValueError) as error:
            first = (str(error).strip().splitlines() or [type(error).__name__])[0]
            faults.append(
                f"weights: timm: the weights of {name} cannot be had: {first}; "
                "give a file instead, as weights: PATH.safetensors"
            )
    if faults:
        raise EnvironmentFault(*faults)
