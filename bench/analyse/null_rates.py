"""Size of every test and coverage of every interval, over studies in which nothing is to be found.

A test at 5 % should find something in 5 % of such studies, no more; an interval of 95 % should hold the
truth in 95 %. With a handful of seeds some do not: Welch's test is cautious, exact tests cannot reach 5 % at
all, and skewed or outlying scores bend what rests on the normal. For normal errors each row is held to its
true value by the test suite; for other errors the deviation is reported (`simulations`). Seeds are fixed.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from bench.analyse import null_studies as null
from bench.analyse.anytime import e_value
from bench.analyse.dunnett import dunnett_quantile
from bench.analyse.exact import mann_whitney
from bench.analyse.levels import two_levels
from bench.analyse.logrank import log_rank
from bench.analyse.null_studies import Array, Errors
from bench.analyse.sequential import SequentialDesign
from bench.analyse.trend import linear_weights, positions, quadratic_weights

N_STUDIES: Final = 20_000
SEEDS: Final = (3, 5, 10)
ERRORS: Final[tuple[Errors, ...]] = ("normal", "lognormal", "outlier")
MARGIN: Final = 5.0
"""Of TOST, in sd of the errors: so wide that only one side matters, where the test is least cautious."""
DESIGNS: Final = {(5, 8, 10): 0.0541, (5, 10): 0.0518, (4, 6, 8, 10): 0.0553}
"""Looks, and the true size of the t-test at normal theory's nominal levels (4 million studies each)."""
WELCH_SIZE: Final = {3: 0.0352, 5: 0.0442, 10: 0.0485}
ANYTIME_SIZE: Final = 0.018
DEPTHS: Final = (20, 32, 44, 56, 110)

Flags = NDArray[np.bool_]
Claim = Literal["equal", "at most", "at least", "none"]


@dataclass(frozen=True)
class Rate:
    """How often something happened in studies in which nothing is to be found."""

    method: str
    measure: Literal["size", "coverage"]
    errors: Errors
    n: str
    """Seeds, or the looks of a sequential design."""
    n_studies: int
    found: float
    true: float | None
    """Under normal errors."""
    claim: Claim
    """How `found` relates to `true` under normal errors."""

    @property
    def standard_error(self) -> float:
        """Of the simulation, at the true value where there is one."""
        p = self.found if self.true is None else self.true
        return float(np.sqrt(p * (1 - p) / self.n_studies))

    @property
    def holds(self) -> bool:
        """Whether the rate stands within 4 standard errors of what is claimed of it."""
        if self.true is None or self.claim == "none":
            return True
        off, room = self.found - self.true, 4 * self.standard_error
        return {"equal": abs(off) <= room, "at most": off <= room, "at least": off >= -room}[self.claim]


Row = tuple[str, Literal["size", "coverage"], Flags, float | None, Claim]


def simulate(errors: Errors, n: int, n_studies: int = N_STUDIES) -> tuple[Rate, ...]:
    """Every fixed-n method at one number of seeds.

    Args:
        errors: Of the scores.
        n: Seeds.
        n_studies: Of the vectorised methods; those that are not take fewer and say so.
    """
    parts: tuple[Callable[[Errors, int, int], Iterator[Row]], ...] = (_two_arms, _families, _ordered, _slow)
    return tuple(_rate(row, errors, str(n)) for part in parts for row in part(errors, n, n_studies))


def simulate_looks(errors: Errors, n_studies: int = N_STUDIES) -> tuple[Rate, ...]:
    """The sequential designs and the e-process, on paired differences."""
    rates: list[Rate] = []
    for looks, true in DESIGNS.items():
        gaps = _gaps(errors, looks[-1], n_studies, f"looks {looks}")
        design = SequentialDesign(looks)
        different = np.zeros(n_studies, dtype=np.bool_)
        equivalent = np.zeros(n_studies, dtype=np.bool_)
        for n, level in zip(looks, design.nominal_alphas, strict=True):
            different |= null.t_test(gaps[:, :n])[0] <= level
            delta, se = null.mean_and_error(gaps[:, :n] + MARGIN)
            equivalent |= null.tost_p(delta, se, n - 1, MARGIN) <= level
        rows: tuple[Row, ...] = (
            ("sequential t", "size", different, true, "equal"),
            ("repeated interval at the stop", "coverage", ~different, 1 - true, "equal"),
            ("sequential TOST at the margin", "size", equivalent, None, "none"),
        )
        rates += [_rate(row, errors, ", ".join(map(str, looks))) for row in rows]
    gaps = _gaps(errors, 10, n_studies, "anytime")
    reached = np.zeros(n_studies, dtype=np.bool_)
    for n in range(3, 11):
        mean, se = null.mean_and_error(gaps[:, :n])
        bound = _e_bound(n)
        reached |= np.abs(mean / se) >= bound
    rates.append(_rate(("e-process", "size", reached, ANYTIME_SIZE, "equal"), errors, "every n to 10"))
    return tuple(rates)


def _rate(row: Row, errors: Errors, n: str) -> Rate:
    method, measure, flags, true, claim = row
    return Rate(method, measure, errors, n, len(flags), float(flags.mean()), true, claim)


def _two_arms(errors: Errors, n: int, n_studies: int) -> Iterator[Row]:
    rng = _rng("two arms", errors, n)
    arms = null.scores(errors, n_studies, 2, n, rng)
    p, half = null.t_test(arms[:, 0])
    yield "mean, t-interval", "coverage", np.abs(arms[:, 0].mean(axis=-1)) <= half, 0.95, "equal"
    gaps = arms[:, 0] - arms[:, 1]
    p, half = null.t_test(gaps)
    yield "paired t", "size", p <= 0.05, 0.05, "equal"
    yield "paired t-interval", "coverage", np.abs(gaps.mean(axis=-1)) <= half, 0.95, "equal"
    flip = null.sign_flip_p(gaps)
    reachable = 0.0 if n < 6 else 2 * int(0.05 * 2 ** (n - 1)) / 2**n
    yield "sign-flip", "size", flip <= 0.05, reachable, "equal"
    delta, se = null.mean_and_error(gaps + MARGIN)
    yield "paired TOST at the margin", "size", null.tost_p(delta, se, n - 1, MARGIN) <= 0.05, 0.05, "at most"
    first, second = null.draw(errors, (2, n_studies, n), rng)
    p, half = null.welch_test(first, second)
    covered = np.abs((first - second).mean(axis=-1)) <= half
    yield "Welch", "size", p <= 0.05, WELCH_SIZE[n], "equal"
    yield "Welch interval", "coverage", covered, 1 - WELCH_SIZE[n], "equal"
    p = null.mann_whitney_p(first, second)
    yield "Mann-Whitney", "size", p <= 0.05, _reachable_rank_sum(n), "equal"
    moved, se, df = null.welch_parts(first + MARGIN, second)
    yield "Welch TOST at the margin", "size", null.tost_p(moved, se, df, MARGIN) <= 0.05, 0.05, "at most"
    p, half = null.welch_test(first, 4 * second)
    yield "Welch, sd 1 and 4", "size", p <= 0.05, None, "none"


def _families(errors: Errors, n: int, n_studies: int) -> Iterator[Row]:
    rng = _rng("families", errors, n)
    arms = null.scores(errors, n_studies, 5, n, rng)
    gaps = arms[:, 1:] - arms[:, :1]
    ps, _ = null.t_test(gaps)
    mean, se = null.mean_and_error(gaps)
    yield "Holm, 4 paired comparisons", "size", null.holm_rejects(ps), 0.05, "at most"
    yield "Benjamini-Hochberg, the same", "size", null.bh_rejects(ps), 0.05, "at most"
    bound = stdtrit(n - 1, 1 - 0.025 / 4)
    yield "simultaneous intervals, 4", "coverage", (np.abs(mean) <= bound * se).all(axis=1), 0.95, "at least"
    arms = null.draw(errors, (n_studies, 5, n), rng)
    bound = dunnett_quantile((np.sqrt(0.5),) * 4, 5 * (n - 1), 0.95)
    largest = null.dunnett_t(arms[:, 1:], arms[:, 0])
    yield "Dunnett, 4 against one", "size", largest > bound, 0.05, "equal"


def _ordered(errors: Errors, n: int, n_studies: int) -> Iterator[Row]:
    rng = _rng("ordered", errors, n)
    arms = null.scores(errors, n_studies, len(DEPTHS), n, rng)
    slopes = np.einsum("kas,a->ks", arms, linear_weights(positions(DEPTHS, "log2")))
    p, half = null.t_test(slopes)
    yield "slope per doubling, 5 levels", "size", p <= 0.05, 0.05, "equal"
    yield "slope's interval", "coverage", np.abs(slopes.mean(axis=-1)) <= half, 0.95, "equal"
    p, _ = null.t_test(np.einsum("kas,a->ks", arms, quadratic_weights(positions(DEPTHS, "log2"))))
    yield "quadratic contrast", "size", p <= 0.05, 0.05, "equal"
    p, half = null.t_test(arms[:, 0] - arms[:, 1] - arms[:, 2] + arms[:, 3])
    yield "difference of differences", "size", p <= 0.05, 0.05, "equal"
    yield "Page", "size", null.page_p(arms) <= 0.05, 0.05, "at most"
    free = null.draw(errors, (n_studies, len(DEPTHS), n), rng)
    yield "Jonckheere-Terpstra", "size", null.jonckheere_p(free) <= 0.05, 0.05, "at most"


def _slow(errors: Errors, n: int, n_studies: int) -> Iterator[Row]:
    """Methods that are asked study by study, with fewer studies."""
    rng = _rng("times", errors, n)
    n_few = n_studies if n < 10 else n_studies // 10
    times = np.exp(0.5 * null.draw(errors, (n_few, 2, n), rng))
    tests = (log_rank(_cut(a), _cut(b)) for a, b in times)
    rejected = np.array([test is not None and test.p <= 0.05 for test in tests])
    yield "log-rank by permutation", "size", rejected, 0.05, "at most"
    cut = np.minimum(np.exp(0.5 * null.draw(errors, (n_studies, 2, n), rng)), 1.5)
    with np.errstate(invalid="ignore", divide="ignore"):
        p, _ = null.welch_test(cut[:, 0], cut[:, 1])
    yield "difference of RMST", "size", p <= 0.05, None, "none"
    covered = [_covers(errors, n, rng) for _ in range(n_studies // 10)]
    yield "two levels, crossed", "coverage", np.array(covered), None, "none"


def _cut(times: Array, horizon: float = 1.5) -> list[tuple[float, bool]]:
    return [(min(float(time), horizon), bool(time <= horizon)) for time in times]


def _covers(errors: Errors, n: int, rng: np.random.Generator, n_images: int = 400) -> bool:
    """Whether the crossed interval holds 0: equal arms, images that differ, seeds that shift all."""
    difficulty = rng.normal(1.0, 1.0, n_images)
    own = rng.normal(0.0, 0.5, (2, 1, n_images))
    luck = 0.1 * null.draw(errors, (2, n, 1), rng)
    correct = rng.standard_normal((2, n, n_images)) < difficulty + own + luck
    found = two_levels(correct[0], correct[1], "paired")
    return found is not None and found.low_pp <= 0 <= found.high_pp


def _gaps(errors: Errors, n: int, n_studies: int, what: str) -> Array:
    arms = null.scores(errors, n_studies, 2, n, _rng(what, errors, n))
    return arms[:, 0] - arms[:, 1]


def _e_bound(n: int) -> float:
    """The |t| at which the e-value of n differences reaches 20, by bisection; infinite where none does."""
    low, high = 0.0, 1e9
    if e_value(high, n) < 20:
        return float("inf")
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (low, middle) if e_value(middle, n) >= 20 else (middle, high)
    return high


def _reachable_rank_sum(n: int) -> float:
    """The largest exact p of untied Mann-Whitney at or below .05: its true size."""
    best = 0.0
    for u in range(n * n // 2 + 1):
        wins, rest = divmod(u, n)
        # n scores of one arm among 0, 1, …: `wins` of them above all of the other's, one above `rest`
        first = [-1.0 - k for k in range(n - wins - (rest > 0))] + [n + k + 0.5 for k in range(wins)]
        first += [rest - 0.5] if rest else []
        test = mann_whitney(first, [float(k) for k in range(n)])
        assert test is not None  # both arms have scores
        if test.p > 0.05:
            break
        best = test.p
    return best


def _rng(what: str, errors: Errors, n: int) -> np.random.Generator:
    return np.random.default_rng([zlib.crc32(what.encode()), zlib.crc32(errors.encode()), n])


def power_of_looks(effect: float, looks: tuple[int, ...], n_studies: int = N_STUDIES) -> tuple[float, float]:
    """Power and expected seeds of a sequential design at a true effect in sd of the differences."""
    gaps = _rng("power", "normal", looks[-1]).standard_normal((n_studies, looks[-1])) + effect
    design = SequentialDesign(looks)
    seeds = np.full(n_studies, looks[-1])
    done = np.zeros(n_studies, dtype=np.bool_)
    for n, level in zip(looks, design.nominal_alphas, strict=True):
        mean, se = null.mean_and_error(gaps[:, :n])
        found = 2 * stdtr(n - 1, -np.abs(mean / se)) <= level
        seeds[found & ~done] = n
        done |= found
    return float(done.mean()), float(seeds.mean())
