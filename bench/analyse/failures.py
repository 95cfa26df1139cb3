"""Runs that diverged are results: counted exactly, compared exactly, and never dropped in silence.

The mean over the survivors answers "how good is it when it works", the mean with the diverged runs at chance
level "how good is it to try"; both stand side by side, each labelled as what it is.

Reference: Clopper & Pearson (1934), Biometrika 26; Fisher (1935), J. R. Statist. Soc. 98; Wilson (1927),
J. Am. Statist. Assoc. 22; McNemar (1947), Psychometrika 12.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

from scipy.special import bdtr, betaincinv, ndtri
from scipy.stats import fisher_exact

from bench.analyse.estimate import Estimate, Scores, mean_interval


@dataclass(frozen=True)
class FailureRate:
    """How many runs of an arm failed, with the exact 95 % interval of the rate."""

    n_failed: int
    n: int
    ci95_low: float | None
    """A share, not percent; None without a run."""
    ci95_high: float | None

    @property
    def text(self) -> str:
        """`2 of 5 diverged (95 % interval 5 % to 85 %)`."""
        words = f"{self.n_failed} of {self.n} diverged"
        if self.ci95_low is None or self.ci95_high is None:
            return words
        return f"{words} (95 % interval {100 * self.ci95_low:.0f} % to {100 * self.ci95_high:.0f} %)"


@dataclass(frozen=True)
class FailureComparison:
    """Two arms' failures."""

    arm: FailureRate
    baseline: FailureRate
    p: float
    """Fisher's exact test, two-sided."""

    @property
    def text(self) -> str:
        """One line."""
        return f"{self.arm.text} against {self.baseline.text}; Fisher's exact p = {self.p:.2g}"


@dataclass(frozen=True)
class WithFailures:
    """One arm's metric both ways."""

    rate: FailureRate
    given_converged: Estimate
    """Over the runs that finished."""
    with_chance: Estimate
    """Over all runs, those that diverged at chance level."""
    chance: float

    @property
    def labels(self) -> tuple[str, str]:
        """Of `given_converged` and `with_chance`, for a header."""
        return "given that it converged", f"diverged runs at chance level ({self.chance:g})"


def failure_rate(n_failed: int, n: int) -> FailureRate:
    """Failures with Clopper and Pearson's exact interval."""
    return FailureRate(n_failed, n, *(clopper_pearson(n_failed, n) if n else (None, None)))


def compare_failures(arm: tuple[int, int], baseline: tuple[int, int]) -> FailureComparison | None:
    """Fisher's exact test of two arms.

    Args:
        arm: Failed runs and all runs.
        baseline: The same.

    Returns:
        None where an arm has no run.
    """
    if 0 in (arm[1], baseline[1]):
        return None
    table = [[k, n - k] for k, n in (arm, baseline)]
    p = min(1.0, float(fisher_exact(table).pvalue))
    return FailureComparison(failure_rate(*arm), failure_rate(*baseline), p)


def with_failures(scores: Scores, diverged_seeds: Collection[int], chance: float) -> WithFailures:
    """The metric over the runs that finished, and with the diverged ones at chance level.

    Args:
        scores: Of the finished runs.
        diverged_seeds: Of the others.
        chance: Score of a guess: 100 / classes, of an accuracy in percent.
    """
    both = {**dict.fromkeys(diverged_seeds, chance), **scores.by_seed}
    return WithFailures(
        failure_rate(len(both) - len(scores.by_seed), len(both)),
        mean_interval(scores),
        mean_interval(Scores(both, scores.one_image)),
        chance,
    )


def clopper_pearson(k: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Exact interval of a share: k of n."""
    tail = (1 - confidence) / 2
    low = 0.0 if k == 0 else float(betaincinv(k, n - k + 1, tail))
    high = 1.0 if k == n else float(betaincinv(k + 1, n - k, 1 - tail))
    return low, high


def wilson(k: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's interval of a share: one model right on 9300 of 10000 images gives .92483 to .93484."""
    z2 = float(ndtri(0.5 + confidence / 2)) ** 2
    share = k / n
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = math.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n**2))) / (1 + z2 / n)
    return centre - half, centre + half


def mcnemar(only_first: int, only_second: int) -> float:
    """McNemar's exact p of two single models on one test set; it says nothing of other seeds.

    Args:
        only_first: Images that only the first gets right.
        only_second: Images that only the second gets right.
    """
    n = only_first + only_second
    return min(1.0, 2 * float(bdtr(min(only_first, only_second), n, 0.5))) if n else 1.0
