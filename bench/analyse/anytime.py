"""Seeds added whenever one likes: an e-process and a confidence sequence that hold at every n together.

The price of needing no plan is width: at three seeds the interval is the whole line, and at ten it is nearly
twice the fixed one. An option, therefore, and not the default (`sequential`).

Reference: Wang & Ramdas (2024), "Anytime-valid t-tests and confidence sequences for Gaussian means with
unknown variance", arXiv 2310.03722; Grünwald, de Heide & Koolen (2024), "Safe testing", JRSS B.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bench.analyse.student import Reason, Student

PRIOR_VARIANCE: Final = 4.0
"""g of δ ~ N(0, g), δ in standard deviations: effects of about two are expected."""


@dataclass(frozen=True)
class Anytime:
    """The state of an e-process after n differences."""

    n: int
    estimate: float | None
    e_value: float | None
    """Evidence against no difference; reject once it reaches 1 / alpha."""
    alpha: float
    low: float | None
    """Confidence sequence; None while it is the whole line."""
    high: float | None
    reason: Reason | None = None

    @property
    def is_different(self) -> bool:
        """Whether no difference is rejected, however often one has looked before."""
        return self.e_value is not None and self.e_value >= 1 / self.alpha

    @property
    def text(self) -> str:
        """One line."""
        if self.e_value is None:
            return f"{self.n} seeds: no e-value yet"
        ends = "the whole line" if self.low is None else f"{self.low:+.3g} to {self.high:+.3g}"
        return f"{self.n} seeds: e = {self.e_value:.3g} (decided at {1 / self.alpha:g}), sequence {ends}"


def anytime(
    differences: Sequence[float], *, alpha: float = 0.05, g: float = PRIOR_VARIANCE, scale: float = 0.0
) -> Anytime:
    """E-value and confidence sequence of the mean difference, valid at any stopping.

    Args:
        differences: One a seed so far.
        alpha: Two-sided, over all n together.
        g: Prior variance of the standardised difference; fixed beforehand.
        scale: Magnitude of the scores behind the differences.
    """
    line = Student.of_values(differences, scale=scale)
    if line.se is None or line.t is None or line.estimate is None:
        return Anytime(line.n, line.estimate, None, alpha, None, None, line.reason)
    n = line.n
    width = multiplier(n, alpha=alpha, g=g)
    ends = (
        (None, None) if width is None else (line.estimate - width * line.se, line.estimate + width * line.se)
    )
    return Anytime(n, line.estimate, e_value(line.t, n, g=g), alpha, *ends)


def e_value(t: float, n: int, *, g: float = PRIOR_VARIANCE) -> float:
    """E_n = κ^(−1/2) ((1 + t²/ν) / (1 + t²/(κν)))^(n/2), κ = 1 + ng, ν = n − 1."""
    kappa, nu = 1 + n * g, n - 1
    return math.sqrt(((1 + t**2 / nu) / (1 + t**2 / (kappa * nu))) ** n / kappa)


def multiplier(n: int, *, alpha: float = 0.05, g: float = PRIOR_VARIANCE) -> float | None:
    """Half width of the confidence sequence in standard errors; None: the whole line."""
    kappa, nu = 1 + n * g, n - 1
    c = (kappa / alpha**2) ** (1 / n)
    return math.sqrt(nu * (c - 1) / (1 - c / kappa)) if c < kappa else None
