"""Which arms are compared with the baseline seed by seed: those to which a seed gives the same."""

from __future__ import annotations

from bench.analyse.estimate import Rule
from bench.analyse.origin import starts_from_run
from bench.analyse.outline import section
from bench.record.schema import RunRecord


def pairing_rule(arm: RunRecord, baseline: RunRecord, *, is_source: bool = False) -> Rule:
    """How an arm is compared with the baseline, decided by what a seed gives to both.

    Paired by seed where both train the same network on the same images: a seed then gives both the same
    initial weights. Welch where the networks (or the images) differ, since nothing but the seed's number
    is shared then and pairing would only cost degrees of freedom. A run that starts from another run draws
    under a key of its own, so it shares a seed's draws with its like only, or starts from the baseline.

    Args:
        arm: A run of the arm.
        baseline: A run of the baseline.
        is_source: Seed s of the arm starts from seed s of the baseline.
    """
    if starts_from_run(arm) != starts_from_run(baseline) and not is_source:
        return "welch"
    images = ("name", "path", "image", "label", "classes", "channels", "image_size", "split_seed", "val")
    one, other = section(arm.config, "data"), section(baseline.config, "data")
    same_images = all(one.get(key) == other.get(key) for key in images)
    same_network = section(arm.config, "model") == section(baseline.config, "model")
    return "paired" if same_images and same_network else "welch"
