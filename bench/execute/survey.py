"""What only torch can check of a study's networks, before the first of them trains."""

from __future__ import annotations

import torch

from bench.data.catalogue import facts as facts_of
from bench.errors import BenchError, EnvironmentFault
from bench.execute.job import Answer, SurveyJob
from bench.execute.network import builder, through_of
from bench.measure.network import gmacs, training_memory_bytes
from bench.train.freeze import count_trainable_at_start


def survey(job: SurveyJob) -> Answer:
    """GMACs and memory of every arm; what cannot be built is told, all of it, before the first run."""
    costs: dict[str, float] = {}
    memory_bytes: dict[str, int] = {}
    faults: list[str] = []
    for arm in job.arms:
        facts = facts_of(arm.config.data, job.data_dir)
        try:
            build = builder(arm.config, facts)
            costs[arm.name] = gmacs(build, facts.channels, facts.image_size)
            memory_bytes[arm.name] = training_memory_bytes(
                build, facts.channels, facts.image_size, arm.config.train.batch_size
            )
            with torch.device("meta"):
                count_trainable_at_start(build(), arm.config.train, through_of(arm.config))
        except ImportError as error:
            raise EnvironmentFault(f"arm {arm.name}: {error}") from error
        except BenchError as error:
            faults.extend(f"arm {arm.name}: {line}" for line in error.lines)
        except (TypeError, ValueError, RuntimeError) as error:
            faults.append(f"arm {arm.name}: the network cannot be built: {error}")
    if faults:
        return Answer("failed", reason="\n".join(faults))
    return Answer("done", gmacs=costs, memory_bytes=memory_bytes)
