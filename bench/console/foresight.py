"""What `plan` says of a design beside its runs: the fraction and its aliases, the power, the decisions."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from bench.console.adaptive import declared_study, standing
from bench.launch.campaign import Campaign
from bench.record.store import read_records
from bench.study.factorial import chains, signs_of
from bench.study.factorial_factors import fraction_in
from bench.study.model import Study

if TYPE_CHECKING:
    from bench.analyse.foresight import Foresight

MOST_CHAINS = 20
"""Chains of aliases that are listed."""


def design_lines(campaign: Campaign) -> list[str]:
    """Everything to be said of the design, a line each."""
    return [*_of_factorial(declared_study(campaign)), *_power_lines(campaign), *standing(campaign)]


def power_of(campaign: Campaign) -> list[dict[str, Any]]:
    """What the seeds can detect, as data."""
    return [{**asdict(one), "delta": one.delta} for one in _foresee(campaign)]


def _power_lines(campaign: Campaign) -> list[str]:
    return [one.text for one in _foresee(campaign)]


def _foresee(campaign: Campaign) -> tuple[Foresight, ...]:
    study = declared_study(campaign)
    if study.is_throughput or len(study.arms) < 2:
        return ()
    from bench.analyse.foresight import foresee  # noqa: PLC0415 - scipy only where something is compared

    return foresee(study, read_records(campaign.store.records_path), campaign.device.kind)


def _of_factorial(study: Study) -> list[str]:
    if study.design != "factorial":
        return []
    fraction = fraction_in(study.document["design"])
    rows = [signs for arm in study.arms if (signs := signs_of(arm.levels, study.factors)) is not None]
    aliased = [chain for chain in chains(fraction.factors, rows) if chain.aliases]
    lines = [fraction.text]
    if aliased:
        lines.append("aliased, so that only their sum is estimated:")
        lines += [f"  {chain.text}" for chain in aliased[:MOST_CHAINS]]
        more = len(aliased) - MOST_CHAINS
        lines += [f"  and {more} more"] if more > 0 else []
    elif fraction.generators:
        lines.append("no main effect or interaction of two factors is aliased with another one")
    return lines
