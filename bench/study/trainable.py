"""How many parameters an arm trains, told before any network is built."""

from __future__ import annotations

import architectures
from bench.data.catalogue import DataFacts
from bench.study.freezing import frozen_stages
from bench.study.specs import BaseSpec


def trainable_parameters(config: BaseSpec, facts: DataFacts | None) -> int | None:
    """Parameters that the first step changes: those of the stages that are not frozen in the first epoch.

    Args:
        config: An arm's configuration, checked.
        facts: Of its images; None where they are not known yet.

    Returns:
        The number; None where only the built network or the data know.
    """
    if facts is None:
        return None
    counts = architectures.count_parameters(
        config.model.name,
        config.model.options,
        num_classes=facts.num_classes,
        in_chans=facts.channels,
        img_size=facts.image_size,
    )
    if counts is None:
        return None
    through = None if config.weights is None else config.weights.through
    frozen = frozen_stages(config.train, through, tuple(counts), epoch=1)
    return sum(count for stage, count in counts.items() if stage not in frozen)
