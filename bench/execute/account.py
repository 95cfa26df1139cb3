"""What a cell's network costs on paper, and what its device can do: the roofs that its speed stands under."""

from __future__ import annotations

from typing import Any

import torch

from bench.data.catalogue import DataFacts
from bench.execute.network import builder
from bench.measure.network import count_parameters, gmacs, mactivations
from bench.measure.peaks import peaks
from bench.measure.roofline import cost, element_bytes
from bench.record import environment
from bench.study.cells import CellSpec
from bench.train.freeze import Freezer


def account(config: CellSpec, facts: DataFacts, device: torch.device) -> dict[str, Any]:
    """Parameters, FLOPs and bytes an image, peaks: fields of `CellMetrics`.

    Args:
        config: The cell; its threads and fp32 precision are set by the caller.
        facts: Of its images.
        device: Where it was measured, with nothing else going on.
    """
    build = builder(config, facts)
    trains = config.measure.work == "train"

    def ready() -> torch.nn.Module:
        model = build()
        if not trains:
            return model.eval()
        Freezer(model, config.train, None).start_epoch(1)
        return model

    paper = cost(
        ready,
        in_chans=facts.channels,
        image_size=facts.image_size,
        num_classes=facts.num_classes,
        trains=trains,
    )
    with torch.device("meta"):
        n_params = count_parameters(build())
    roof = peaks(config.execution, device, environment.accelerator(str(device))["device"])
    n_bytes = element_bytes(config.execution.amp)
    return {
        "n_params": n_params,
        "gmacs": gmacs(build, facts.channels, facts.image_size),
        "macts": mactivations(build, facts.channels, facts.image_size),
        "flops_per_image": paper.flops,
        "eager_bytes_per_image": paper.eager_elements * n_bytes,
        "fused_bytes_per_image": paper.fused_elements * n_bytes,
        "peak_flops_s": roof.flops_s,
        "peak_flops_source": roof.source,
        "measured_peak_flops_s": roof.measured_flops_s,
        "measured_bandwidth_bytes_s": roof.measured_bandwidth_bytes_s,
    }
