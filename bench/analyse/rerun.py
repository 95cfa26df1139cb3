"""One recorded run trained again: the same bits where promised, else a value that the seeds explain."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final

from bench.analyse.estimate import standard_deviation, t_quantile
from bench.analyse.outline import section
from bench.analyse.quantity import one_image
from bench.analyse.reproduce import LEVEL, Verdict, reproduce
from bench.record.schema import RunRecord
from bench.units import QUANTITIES

_MACHINE: Final = ("machine", "cpu", "cpu_flags", "device", "torch", "cuda")
"""Of the environment: what has to be equal for equal bits, with the engine and the thread count."""


@dataclass(frozen=True)
class Rerun:
    """What training one run again came to."""

    study: str
    arm: str
    seed: int
    verdict: Verdict
    is_promised: bool
    """Whether the bits have to be equal: same machine type, torch, threads and engine."""
    note: str = ""

    @property
    def text(self) -> str:
        """One line."""
        words = "not reproduced" if self.verdict == "not" else self.verdict
        why = "same" if self.is_promised else "another"
        told = f"{self.study}: {self.arm} seed {self.seed}: {words} (on {why} machine type, torch and threads"
        return f"{told}; {self.note})" if self.note else f"{told})"


def judge(recorded: RunRecord, new: RunRecord, arm: Sequence[RunRecord], metric: str) -> Rerun:
    """Compare a run with its record.

    Args:
        recorded: The record.
        new: The same arm and seed, trained again.
        arm: All recorded runs of the arm, for the spread of its seeds.
        metric: The study's primary metric.

    Returns:
        `exactly` for equal bits; `not` where these were promised and differ. Else whether the new value lies
        in the 99.9 % prediction interval of the recorded seeds, whose sd is at least one test image.
    """
    promised = _is_promised(recorded, new)
    names = (recorded.study, recorded.arm, recorded.seed)
    if reproduce([(recorded, new)], metric)[0].verdict == "exactly":
        return Rerun(*names, "exactly", promised)
    if promised:
        return Rerun(*names, "not", promised, "its bits differ where they have to be equal")
    if recorded.status != new.status:
        return Rerun(*names, "not", promised, f"recorded {recorded.status}, now {new.status}")
    value = getattr(new.metrics, metric)
    seeds = [v for run in arm if (v := getattr(run.metrics, metric)) is not None]
    if value is None or len(seeds) < 2:
        return Rerun(*names, "undecided", promised, "one recorded seed has no spread to compare with")
    sd = max(standard_deviation(seeds), one_image(recorded, metric) or 0.0)
    half = t_quantile(len(seeds) - 1, LEVEL) * sd * math.sqrt(1 + 1 / len(seeds))
    low, high = fmean(seeds) - half, fmean(seeds) + half
    unit = QUANTITIES[metric].unit or ""
    note = f"{value:.2f} {unit} now, {100 * LEVEL:g} % of new seeds lie in {low:.2f} to {high:.2f}"
    return Rerun(*names, "within the seeds' spread" if low <= value <= high else "not", promised, note)


def _is_promised(recorded: RunRecord, new: RunRecord) -> bool:
    same = all(recorded.environment.get(key) == new.environment.get(key) for key in _MACHINE)
    threads = [section(run.config, "execution").get("threads") for run in (recorded, new)]
    return same and recorded.engine == new.engine and threads[0] == threads[1]
