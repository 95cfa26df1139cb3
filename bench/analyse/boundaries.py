"""Bounds of a test that is looked at several times, by numerical integration.

Looking every time at 5 % finds something in a sixth of the studies in which there is nothing. An
error-spending rule gives each look a share of the 5 %; the bound at a look is the one at which the paths that
crossed no earlier bound cross this one with just that share. Under no difference the score √t·Z moves by
independent normal steps, so its density among the survivors is carried from look to look by quadrature.

Reference: Armitage, McPherson & Rowe (1969), "Repeated significance tests on accumulating data", J. R.
Statist. Soc. A 132; Lan & DeMets (1983), "Discrete sequential boundaries for clinical trials", Biometrika 70.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri, roots_legendre

_NODES = 160
"""Points of the Gauss rule between two bounds; 80 and 320 agree to ten digits."""


def obrien_fleming_spent(information: float, alpha: float) -> float:
    """Error spent by a share of the information: 2 − 2Φ(z_{α/2} / √t), of the total on |Z|.

    (`ldbounds` and gsDesign's sfLDOF spend α/2 a side and have other bounds.)
    """
    if information <= 0:
        return 0.0
    return 2 * float(ndtr(ndtri(alpha / 2) / math.sqrt(min(information, 1.0))))


@lru_cache(maxsize=256)
def spending_bounds(information: tuple[float, ...], alpha: float) -> tuple[float, ...]:
    """Bounds on |Z| at each look that spend `alpha` as O'Brien and Fleming would.

    Args:
        information: Share of the planned seeds at each look, ascending to at most 1.
        alpha: Two-sided level of all looks together.
    """
    bounds: list[float] = []
    spent = 0.0
    for look, share in enumerate(information):
        due = obrien_fleming_spent(share, alpha)
        target = due - spent
        shares = information[: look + 1]

        def excess(bound: float, shares: tuple[float, ...] = shares, target: float = target) -> float:
            return crossing_probabilities((*bounds, bound), shares)[-1] - target

        lowest, highest = 0.0, 8.0
        while excess(highest) > 0:
            highest += 4.0
        bounds.append(float(brentq(excess, lowest, highest, xtol=1e-12)))
        spent = due
    return tuple(bounds)


def crossing_probabilities(bounds: Sequence[float], information: Sequence[float]) -> tuple[float, ...]:
    """P(|Z| crosses its bound first at this look), look by look, under no difference.

    Args:
        bounds: On |Z|.
        information: Share of the planned seeds at each look, ascending.
    """
    nodes, weights = roots_legendre(_NODES)
    crossed: list[float] = []
    points: NDArray[np.float64] = np.zeros(1)
    mass: NDArray[np.float64] = np.ones(1)
    before = 0.0
    for bound, share in zip(bounds, information, strict=True):
        edge, step = bound * math.sqrt(share), math.sqrt(share - before)
        outside = ndtr((-edge - points) / step) + ndtr((points - edge) / step)
        crossed.append(float(mass @ outside))
        inner = edge * nodes
        kernel = np.exp(-(((inner[:, None] - points) / step) ** 2) / 2) / (step * math.sqrt(2 * math.pi))
        mass = (kernel @ mass) * weights * edge
        points, before = inner, share
    return tuple(crossed)
