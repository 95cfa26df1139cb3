"""Two levels of inference: this test set, and the distribution that it was drawn from.

Seeds say how far another training would differ on the same images; another test set of the same size would
differ as well. Both are told from which image each run got right: a table of seeds by images, whose rows
vary by seed, whose columns vary by image, and whose rest is the interaction of both.

Reference: Owen (2007), "The pigeonhole bootstrap", Ann. Appl. Statist. 1; Jordan (2024), "On the variance of
neural network training with respect to test sets and distributions", ICLR, arXiv 2304.01910; Satterthwaite
(1946), Biometrics Bulletin 2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bench.analyse.compare import ACCURACY_PCT, Comparison, compare
from bench.analyse.estimate import LEAST_SEEDS, Rule, Scores, t_quantile
from bench.analyse.multiplicity import Family, family

Correct = NDArray[np.bool_]
"""Whether each run got each test image right, of shape (seeds, images)."""

_CHUNK = 200
"""Resamples taken at a time, so that ten thousand images stay within some megabytes."""


@dataclass(frozen=True)
class TwoLevels:
    """A difference in accuracy with its standard error on this test set and on the distribution."""

    rule: Rule
    n_seeds: int
    """Of each arm; of the smaller one under Welch's rule."""
    n_images: int
    delta_pp: float
    se_seeds_pp: float
    """se_S: other seeds, the same images."""
    se_images_pp: float
    """se_I: other images, the same trained networks."""
    se_both_pp: float
    """Crossed: other seeds and other images, each component of variance at least 0."""
    df_both: float
    low_pp: float
    """95 % interval for the distribution."""
    high_pp: float
    is_floored: bool = False
    """Both levels vary by less than one test image, which stands for them in the interval."""

    @property
    def text(self) -> str:
        """One sentence without its full stop."""
        return (
            f"on new images too: {self.delta_pp:+.2f} pp (95 % interval {self.low_pp:+.2f} to "
            f"{self.high_pp:+.2f}; standard error {self.se_seeds_pp:.2g} by seeds, "
            f"{self.se_images_pp:.2g} by images, {self.se_both_pp:.2g} by both)"
        )


@dataclass(frozen=True)
class SeedSpread:
    """How far seeds differ on this test set, and how far on the distribution."""

    n_seeds: int
    sd_test_set_pp: float
    sd_distribution_pp: float
    """Jordan's unbiased variance, clipped at 0, as an sd."""
    is_clipped: bool

    @property
    def text(self) -> str:
        """One phrase."""
        beyond = "0, clipped" if self.is_clipped else f"{self.sd_distribution_pp:.2g} pp"
        return f"sd over seeds {self.sd_test_set_pp:.2g} pp on this test set, {beyond} on the distribution"


@dataclass(frozen=True)
class Flips:
    """Images that the arms part on in every seed."""

    gained: tuple[int, ...]
    """Wrong in every seed of the baseline, right in every seed of the arm."""
    lost: tuple[int, ...]
    """The reverse."""
    n_images: int

    @property
    def text(self) -> str:
        """One phrase."""
        return f"{len(self.gained)} images gained and {len(self.lost)} lost in every seed, of {self.n_images}"


@dataclass(frozen=True)
class _Parts:
    """Mean squares of a two-way table over the number of its cells: variances of the grand mean."""

    seeds: float
    images: float
    rest: float
    n: int
    m: int


def two_levels(arm: Correct, baseline: Correct, rule: Rule) -> TwoLevels | None:
    """Difference in accuracy with the standard errors of both levels.

    Args:
        arm: Of shape (seeds, images), all finished runs.
        baseline: Of the same images; the same seeds row by row when paired.
        rule: `paired` or `welch`, as the comparison of the scores.

    Returns:
        None below three seeds of either arm or two images.

    Raises:
        ValueError: Images differ in number, or seeds under the paired rule.
    """
    tables = _tables(arm, baseline, rule)
    n, m = min(len(table) for table in tables), arm.shape[1]
    if n < LEAST_SEEDS or m < 2:
        return None
    parts = [_parts(table) for table in tables]
    means = [table.mean(axis=0) for table in tables]
    by_image = means[0] if rule == "paired" else means[0] - means[1]
    of_seeds = math.fsum(part.seeds for part in parts)
    of_rest = math.fsum(part.rest for part in parts)
    of_images = float(by_image.var(ddof=1)) / m
    variance = max(of_seeds - of_rest, 0.0) + max(of_images - of_rest, 0.0) + of_rest
    squares = of_images**2 / (m - 1)
    squares += math.fsum(p.seeds**2 / (p.n - 1) + p.rest**2 / ((p.n - 1) * (p.m - 1)) for p in parts)
    df = variance**2 / squares if squares > 0 else float(n - 1)
    delta, se = 100 * float(by_image.mean()), 100 * math.sqrt(variance)
    least = 100 / m * math.sqrt(math.fsum(1 / len(table) for table in tables))
    is_floored = se < least
    if is_floored:
        se, df = least, float(n - 1)
    half = t_quantile(df) * se
    se_seeds, se_images = 100 * math.sqrt(of_seeds), 100 * math.sqrt(of_images)
    return TwoLevels(rule, n, m, delta, se_seeds, se_images, se, df, delta - half, delta + half, is_floored)


def pigeonhole(
    arm: Correct, baseline: Correct, rule: Rule, rng: np.random.Generator, *, n_resamples: int = 2000
) -> tuple[float, float]:
    """95 % percentile interval of the difference in points, seeds and images resampled; a little wide.

    Args:
        arm: As in `two_levels`.
        baseline: As in `two_levels`.
        rule: `paired` draws the same seeds for both arms; images are always the same for both.
        rng: Source of every draw; nothing else is drawn from.
        n_resamples: Draws.
    """
    tables = _tables(arm, baseline, rule)
    m = arm.shape[1]
    found: list[NDArray[np.float64]] = []
    for start in range(0, n_resamples, _CHUNK):
        draws = min(_CHUNK, n_resamples - start)
        images = rng.multinomial(m, np.full(m, 1 / m), size=draws)
        total = np.zeros(draws)
        for table, sign in zip(tables, (1, -1), strict=False):
            n = len(table)
            seeds = rng.multinomial(n, np.full(n, 1 / n), size=draws)
            total += sign * np.einsum("dm,dm->d", seeds @ table, images) / (n * m)
        found.append(total)
    low, high = np.quantile(np.concatenate(found), [0.025, 0.975])
    return 100 * float(low), 100 * float(high)


def seed_spread(correct: Correct) -> SeedSpread | None:
    """Sd over seeds on this test set and, by Jordan's estimator, on the distribution.

    σ̂² = m/(m−1) · (Var(accuracy) − (1/m²) Σ_i Var(image i right)): what is left of the seeds' variance when
    the luck of single images is taken off.

    Args:
        correct: Of shape (seeds, images).

    Returns:
        None below two seeds or two images.
    """
    n, m = correct.shape
    if n < 2 or m < 2:
        return None
    accuracy = float(correct.mean(axis=1).var(ddof=1))
    luck = float(correct.var(axis=0, ddof=1).sum()) / m**2
    variance = m / (m - 1) * (accuracy - luck)
    return SeedSpread(n, 100 * math.sqrt(accuracy), 100 * math.sqrt(max(variance, 0.0)), variance < 0)


def class_differences(
    arm: Correct,
    baseline: Correct,
    labels: NDArray[np.int64],
    class_names: Sequence[str],
    rule: Rule,
    *,
    seeds: tuple[Sequence[int], Sequence[int]] | None = None,
    alpha: float = 0.05,
    method: Literal["holm", "benjamini-hochberg"] = "holm",
) -> Family:
    """The difference in each class, corrected for looking at all of them.

    Args:
        arm: As in `two_levels`.
        baseline: As in `two_levels`.
        labels: True class of each image.
        class_names: Of all classes; those without an image are left out.
        rule: As in the comparison of the scores.
        seeds: Of the rows of each arm; absent: the rows of both are the same seeds, counted from 0.
        alpha: Of all classes together.
        method: Holm, or Benjamini-Hochberg for an exploratory table of many classes.
    """
    rows = seeds or (range(len(arm)), range(len(baseline)))
    found: list[Comparison] = []
    for index, name in enumerate(class_names):
        own = labels == index
        if not own.any():
            continue
        one, other = (
            Scores(
                dict(zip(row, (100 * table[:, own].mean(axis=1)).tolist(), strict=True)),
                100 / int(own.sum()),
            )
            for row, table in zip(rows, (arm, baseline), strict=True)
        )
        found.append(compare(one, other, rule, scale=ACCURACY_PCT, names=(name, name)))
    return family(found, method=method, alpha=alpha, name="classes")


def flips(arm: Correct, baseline: Correct) -> Flips:
    """Images that flip in all seeds: right in all of one arm, wrong in all of the other."""
    gained = np.flatnonzero(arm.all(axis=0) & ~baseline.any(axis=0))
    lost = np.flatnonzero(~arm.any(axis=0) & baseline.all(axis=0))
    return Flips(tuple(gained.tolist()), tuple(lost.tolist()), arm.shape[1])


def _tables(arm: Correct, baseline: Correct, rule: Rule) -> list[NDArray[np.float64]]:
    if arm.shape[1] != baseline.shape[1]:
        raise ValueError(f"{arm.shape[1]} images against {baseline.shape[1]}")
    if rule == "welch":
        return [arm.astype(np.float64), baseline.astype(np.float64)]
    if len(arm) != len(baseline):
        raise ValueError(f"{len(arm)} seeds against {len(baseline)} do not pair")
    return [arm.astype(np.float64) - baseline.astype(np.float64)]


def _parts(table: NDArray[np.float64]) -> _Parts:
    n, m = table.shape
    rows, columns = table.mean(axis=1), table.mean(axis=0)
    of_seeds = float(rows.var(ddof=1)) / n
    of_images = float(columns.var(ddof=1)) / m
    rest = table - rows[:, None] - columns + table.mean()
    of_rest = float((rest**2).sum()) / ((n - 1) * (m - 1) * n * m)
    return _Parts(of_seeds, of_images, of_rest, n, m)
