"""Dunnett's comparison of several arms with one baseline, by quadrature.

The arms share the baseline's scores and the pooled sd, so their t-statistics correlate; Dunnett's
distribution of the largest |t| uses that and asks for less than Bonferroni. It is a double integral over the
baseline's mean and the pooled sd, taken here by Gauss' rules: good to nine digits and the same on every
run, where scipy draws random points.

Reference: Dunnett (1955), "A multiple comparison procedure for comparing several treatments with a control",
J. Am. Statist. Assoc. 50.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtr, roots_hermitenorm

from bench.analyse.estimate import mean, standard_deviation
from bench.analyse.quadrature import N_NODES, sd_rule
from bench.analyse.student import Reason, few


@dataclass(frozen=True)
class DunnettLine:
    """One arm against the baseline; `p` and the interval are those of the whole family."""

    delta: float | None
    t: float | None = None
    df: int | None = None
    p: float | None = None
    low: float | None = None
    high: float | None = None
    reason: Reason | None = None


def dunnett(
    samples: Sequence[Sequence[float]], control: Sequence[float], *, confidence: float = 0.95
) -> tuple[DunnettLine, ...]:
    """Each arm against one baseline, family-wise, under equal variances.

    Args:
        samples: Scores of each arm, independent of each other and of the baseline's.
        control: Scores of the baseline.
        confidence: Of the intervals together.

    Returns:
        One line an arm; without p-values where an arm has fewer than two seeds or nothing varies.
    """
    groups = [control, *samples]
    least = min(len(group) for group in groups)
    deltas = [mean(x) - mean(control) if len(x) and len(control) else None for x in samples]
    if least < 2:
        return tuple(DunnettLine(delta, reason=few(least)) for delta in deltas)
    df = sum(len(group) - 1 for group in groups)
    pooled = math.sqrt(math.fsum((len(x) - 1) * standard_deviation(x) ** 2 for x in groups) / df)
    if pooled == 0:
        return tuple(DunnettLine(delta, reason="equal_in_all_seeds") for delta in deltas)
    loads = tuple(math.sqrt(len(x) / (len(x) + len(control))) for x in samples)
    bound = dunnett_quantile(loads, df, confidence)
    lines = []
    for x, delta in zip(samples, deltas, strict=True):
        assert delta is not None  # every group has two scores
        se = pooled * math.sqrt(1 / len(x) + 1 / len(control))
        t = delta / se
        p = max(1 - dunnett_cdf(abs(t), loads, df), sys.float_info.epsilon)
        lines.append(DunnettLine(delta, t, df, p, delta - bound * se, delta + bound * se))
    return tuple(lines)


def dunnett_cdf(bound: float, loads: tuple[float, ...], df: int) -> float:
    """P(all |t_i| <= bound), where t_i and t_j correlate by loads[i]·loads[j].

    Args:
        bound: In units of t.
        loads: sqrt(n_i / (n_i + n_baseline)) of each arm.
        df: Degrees of freedom of the pooled sd.
    """
    shared, weights = _normal_rule()
    sds, sd_weights = sd_rule(df)
    inside: NDArray[np.float64] = np.ones((len(sds), len(shared)))
    for load in loads:
        own = math.sqrt(1 - load**2)
        upper = (bound * sds[:, None] - load * shared) / own
        lower = (-bound * sds[:, None] - load * shared) / own
        inside *= ndtr(upper) - ndtr(lower)
    return min(1.0, float(sd_weights @ inside @ weights))


@lru_cache(maxsize=256)
def dunnett_quantile(loads: tuple[float, ...], df: int, confidence: float) -> float:
    """The bound that all |t_i| keep together with the given probability."""

    def missing(bound: float) -> float:
        return dunnett_cdf(bound, loads, df) - confidence

    return float(brentq(missing, 0.01, 1000.0, xtol=1e-10))


@lru_cache(maxsize=1)
def _normal_rule() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    nodes, weights = roots_hermitenorm(N_NODES)
    return nodes, weights / weights.sum()
