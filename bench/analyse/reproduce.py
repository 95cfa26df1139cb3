"""Did training again give what was recorded? Exactly, within the seeds' spread, or not."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from bench.record.schema import RunRecord

LEVEL = 0.999
"""Of the interval: a study compares many arms, and a false alarm costs a search for nothing."""

Verdict = Literal["exactly", "within the seeds' spread", "not", "undecided"]


@dataclass(frozen=True)
class Reproduction:
    """One arm, new against recorded."""

    arm: str
    verdict: Verdict
    n_exact: int
    """Seeds whose tested weights are equal bit for bit."""
    n_seeds: int
    difference: float | None = None
    """Mean of new − recorded, in the metric's unit."""
    ci_low: float | None = None
    ci_high: float | None = None
    note: str = ""

    def text(self) -> str:
        """One line for the terminal."""
        words = f"{self.arm}: {'not reproduced' if self.verdict == 'not' else self.verdict}"
        words += f" ({self.n_exact} of {self.n_seeds} seeds bit for bit"
        if self.difference is not None and self.ci_low is not None and self.ci_high is not None:
            words += f"; new − recorded {self.difference:+.2f}, {100 * LEVEL:g} % interval"
            words += f" {self.ci_low:+.2f} to {self.ci_high:+.2f}"
        return words + (f"; {self.note})" if self.note else ")")


def reproduce(pairs: Iterable[tuple[RunRecord, RunRecord]], metric: str) -> list[Reproduction]:
    """Compare by arm and seed.

    Args:
        pairs: Recorded and new record of the same arm and seed.
        metric: The study's primary metric.
    """
    by_arm: dict[str, list[tuple[RunRecord, RunRecord]]] = defaultdict(list)
    for recorded, new in pairs:
        by_arm[new.arm].append((recorded, new))
    return [_arm(arm, both, metric) for arm, both in by_arm.items()]


def _arm(arm: str, pairs: Sequence[tuple[RunRecord, RunRecord]], metric: str) -> Reproduction:
    n_exact = sum(_is_exact(recorded, new) for recorded, new in pairs)
    if n_exact == len(pairs):
        return Reproduction(arm, "exactly", n_exact, len(pairs))
    changed = [(old.status, new.status) for old, new in pairs if old.status != new.status]
    if changed:
        note = f"recorded {changed[0][0]}, now {changed[0][1]}"
        return Reproduction(arm, "not", n_exact, len(pairs), note=note)
    old = [value for one, _ in pairs if (value := getattr(one.metrics, metric)) is not None]
    new = [value for _, one in pairs if (value := getattr(one.metrics, metric)) is not None]
    if len(new) < 2:
        return Reproduction(arm, "undecided", n_exact, len(pairs), note="one seed decides nothing")
    n_test = pairs[0][1].metrics.n_test or 1
    floor = 100 / n_test if metric.endswith("_pct") else 0.0
    difference, half = pooled_interval(new, old, floor=floor)
    verdict: Verdict = "within the seeds' spread" if abs(difference) <= half else "not"
    return Reproduction(arm, verdict, n_exact, len(pairs), difference, difference - half, difference + half)


def pooled_interval(new: Sequence[float], old: Sequence[float], *, floor: float) -> tuple[float, float]:
    """Difference of means and half the width of its pooled two-sample t-interval at `LEVEL`.

    Args:
        new: At least two values.
        old: As many.
        floor: Least pooled sd, in the values' unit: one test image.
    """
    from scipy.stats import t  # noqa: PLC0415 - scipy only where an interval is asked for

    degrees = len(new) + len(old) - 2
    squares = sum((x - fmean(new)) ** 2 for x in new) + sum((x - fmean(old)) ** 2 for x in old)
    sd = max(math.sqrt(squares / degrees), floor)
    half = float(t.ppf((1 + LEVEL) / 2, degrees)) * sd * math.sqrt(1 / len(new) + 1 / len(old))
    return fmean(new) - fmean(old), half


def _is_exact(recorded: RunRecord, new: RunRecord) -> bool:
    if recorded.status != new.status:
        return False
    if recorded.status == "done":
        return recorded.digests.tested_weights == new.digests.tested_weights
    return recorded.metrics.diverged_step == new.metrics.diverged_step
