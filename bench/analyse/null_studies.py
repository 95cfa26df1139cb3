"""Studies in which nothing is to be found, drawn by the thousand, and the tests on all of them at once.

Each function repeats one test of this room over an axis of studies; a test of the suite holds it to the
function that the report uses, study by study, so that what the simulations say holds for that function too.
Errors have mean 0 and standard deviation 1: normal, skewed (a lognormal), or with outliers (one run in
twenty falls five standard deviations, as one that nearly diverged).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from bench.analyse.exact import mann_whitney
from bench.analyse.ordered import jonckheere, page

Errors = Literal["normal", "lognormal", "outlier"]
Array = NDArray[np.float64]

OUTLIER_SHARE: Final = 0.05
OUTLIER_SHIFT: Final = -5.0
CORRELATION: Final = 0.5
"""Of two arms over seeds, in studies that pair."""


def draw(errors: Errors, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Independent errors of mean 0 and standard deviation 1."""
    normal = rng.standard_normal(shape)
    if errors == "normal":
        return normal
    if errors == "lognormal":
        scale = np.sqrt((np.e - 1) * np.e)
        skewed: Array = (np.exp(normal) - np.sqrt(np.e)) / scale
        return skewed
    falls = rng.random(shape) < OUTLIER_SHARE
    variance = 1 + OUTLIER_SHARE * (1 - OUTLIER_SHARE) * OUTLIER_SHIFT**2
    shifted: Array = (normal + OUTLIER_SHIFT * (falls - OUTLIER_SHARE)) / np.sqrt(variance)
    return shifted


def scores(errors: Errors, n_studies: int, n_arms: int, n: int, rng: np.random.Generator) -> Array:
    """Equal arms that share a part of their seeds' luck, of shape (studies, arms, seeds)."""
    shared = draw(errors, (n_studies, 1, n), rng)
    own = draw(errors, (n_studies, n_arms, n), rng)
    both: Array = np.sqrt(CORRELATION) * shared + np.sqrt(1 - CORRELATION) * own
    return both


def mean_and_error(values: Array) -> tuple[Array, Array]:
    """Mean over the last axis and its standard error."""
    n = values.shape[-1]
    return values.mean(axis=-1), values.std(axis=-1, ddof=1) / np.sqrt(n)


def t_test(values: Array) -> tuple[Array, Array]:
    """Two-sided p and half width of the 95 % interval, of the mean over the last axis."""
    centre, se = mean_and_error(values)
    df = values.shape[-1] - 1
    return two_sided(centre / se, df), stdtrit(df, 0.975) * se


def welch_test(first: Array, second: Array) -> tuple[Array, Array]:
    """Two-sided p and half width of the 95 % interval, of the difference of two independent means."""
    delta, se, df = welch_parts(first, second)
    return two_sided(delta / se, df), stdtrit(df, 0.975) * se


def welch_parts(first: Array, second: Array) -> tuple[Array, Array, Array]:
    """Difference, standard error and degrees of freedom after Welch."""
    (one, se_one), (other, se_other) = mean_and_error(first), mean_and_error(second)
    variance = se_one**2 + se_other**2
    dfs = first.shape[-1] - 1, second.shape[-1] - 1
    df = variance**2 / (se_one**4 / dfs[0] + se_other**4 / dfs[1])
    return one - other, np.sqrt(variance), df


def tost_p(delta: Array, se: Array, df: Array | int, margin: float) -> Array:
    """The larger of the two one-sided p-values."""
    larger: Array = np.maximum(stdtr(df, -(delta + margin) / se), stdtr(df, (delta - margin) / se))
    return larger


def holm_rejects(ps: Array, alpha: float = 0.05) -> NDArray[np.bool_]:
    """Whether Holm rejects anything, of p-values of shape (studies, comparisons)."""
    rejected: NDArray[np.bool_] = ps.min(axis=1) <= alpha / ps.shape[1]
    return rejected


def bh_rejects(ps: Array, alpha: float = 0.05) -> NDArray[np.bool_]:
    """Whether Benjamini-Hochberg rejects anything."""
    m = ps.shape[1]
    rejected: NDArray[np.bool_] = (np.sort(ps, axis=1) <= alpha * np.arange(1, m + 1) / m).any(axis=1)
    return rejected


def dunnett_t(arms: Array, control: Array) -> Array:
    """Largest |t| of equal arms (studies, arms, seeds) against one baseline (studies, seeds)."""
    n = control.shape[-1]
    squares = arms.var(axis=-1, ddof=1).sum(axis=1) + control.var(axis=-1, ddof=1)
    se = np.sqrt(squares / (arms.shape[1] + 1) * 2 / n)
    largest: Array = np.abs(arms.mean(axis=-1) - control.mean(axis=-1)[:, None]).max(axis=1) / se
    return largest


def sign_flip_p(gaps: Array) -> Array:
    """Exact p of all sign patterns, of gaps of shape (studies, seeds)."""
    n = gaps.shape[1]
    patterns = 1 - 2 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
    share: Array = np.empty(len(gaps))
    for start in range(0, len(gaps), 2000):
        part = gaps[start : start + 2000]
        sums = np.abs(part @ patterns.T)
        far = np.abs(part.sum(axis=1)) - 1e-9 * np.abs(part).sum(axis=1)
        share[start : start + 2000] = (sums >= far[:, None]).mean(axis=1)
    return share


def mann_whitney_p(first: Array, second: Array) -> Array:
    """Exact p; one study of each value of U is tested for all that share it."""
    u = (first[:, :, None] > second[:, None, :]).sum(axis=(1, 2))
    return _by_value(u, lambda k: _p(mann_whitney(first[k].tolist(), second[k].tolist())))


def page_p(rows: Array) -> Array:
    """Exact one-sided p of Page's L (rising), of shape (studies, levels, seeds)."""
    ranks = rows.argsort(axis=1).argsort(axis=1) + 1
    statistic = (ranks * np.arange(1, rows.shape[1] + 1)[:, None]).sum(axis=(1, 2))
    return _by_value(statistic, lambda k: _p(page(rows[k].T.tolist(), "rising")))


def jonckheere_p(groups: Array) -> Array:
    """Exact one-sided p of Jonckheere and Terpstra's J (rising), of shape (studies, levels, seeds)."""
    levels = groups.shape[1]
    statistic = np.zeros(len(groups), dtype=np.int64)
    for i in range(levels):
        for j in range(i + 1, levels):
            statistic += (groups[:, j, :, None] > groups[:, i, None, :]).sum(axis=(1, 2))
    return _by_value(statistic, lambda k: _p(jonckheere(groups[k].tolist(), "rising")))


def _by_value(statistic: NDArray[np.int64], p_of: Callable[[int], float]) -> Array:
    """The p of each study, asked once for each value of its statistic."""
    _, first, which = np.unique(statistic, return_index=True, return_inverse=True)
    found: Array = np.array([p_of(int(index)) for index in first])[which]
    return found


def _p(test: Any) -> float:
    return float(test.p)


def two_sided(t: Array, df: Array | int) -> Array:
    """P(|T| >= |t|)."""
    p: Array = 2 * stdtr(df, -np.abs(t))
    return p
