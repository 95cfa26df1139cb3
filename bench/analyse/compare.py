"""One declared comparison of two arms: difference, interval, test, effect sizes and a robustness line.

The rule (paired by seed, or Welch) is declared before the data are seen. Everything that a table, a forest
plot or a sentence may want of the comparison stands in one frozen object; the verdict is taken elsewhere,
since it needs the whole family of comparisons (`multiplicity`) and the margin (`equivalence`).

Reference: Student (1908), Biometrika 6; Welch (1947), "The generalization of 'Student's' problem when
several different population variances are involved", Biometrika 34; Bouthillier et al. (2021), "Accounting
for variance in machine learning benchmarks", arXiv 2103.03098 (P(A>B)).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from bench.analyse.effect import ErrorReduction, StandardisedEffect, error_reduction, standardised
from bench.analyse.estimate import Rule, Scores, correlation
from bench.analyse.exact import ExactTest, mann_whitney, prob_above, sign_flip
from bench.analyse.student import REASONS, Reason, Student
from bench.units import MINUS, decimals_for, fixed, signed


@dataclass(frozen=True)
class Scale:
    """What a score is: its direction, its unit, and the score that leaves no error."""

    higher_is_better: bool = True
    unit: str = "pp"
    """Of a difference: `pp`, or empty for a loss."""
    perfect: float | None = 100.0
    """An accuracy's error is `perfect` − score; None where scores are errors or losses themselves."""

    def error(self, score: float) -> float | None:
        """What is left to improve; None where that is not defined (a speed)."""
        if self.perfect is not None and self.higher_is_better:
            return self.perfect - score
        return None if self.higher_is_better else score


ACCURACY_PCT = Scale()
ERROR_PCT = Scale(higher_is_better=False, perfect=None)
LOSS = Scale(higher_is_better=False, unit="", perfect=None)


@dataclass(frozen=True)
class Comparison:
    """Arm against baseline; `student` holds difference, interval and test."""

    arm: str
    baseline: str
    rule: Rule
    scale: Scale
    n_arm: int
    n_baseline: int
    seeds: tuple[int, ...]
    """Of the pairs; of Welch's rule those that both arms have."""
    student: Student
    correlation: float | None
    """Pearson's r over the common seeds: whether pairing paid, or would have."""
    sd_differences: float | None
    """Of the common seeds (ddof=1), under either rule."""
    effect: StandardisedEffect | None
    """None also where the spread is below one test image."""
    error_reduction: ErrorReduction | None
    prob_arm_above: float | None
    """P(A > B) of a random seed of each, ties half: of the scores, whichever direction is better."""
    exact: ExactTest | None
    """Robustness line; None where there is no p-value either."""
    smallest_exact_p: float | None
    """That the exact test can reach with these seeds."""

    @property
    def delta(self) -> float | None:
        """Arm minus baseline in the scale's unit."""
        return self.student.estimate

    @property
    def gain(self) -> float | None:
        """The difference with its sign turned so that above 0 is better."""
        return None if self.delta is None else self.delta if self.scale.higher_is_better else -self.delta

    @property
    def ci95_low(self) -> float | None:
        """Lower end of the difference's 95 % interval."""
        return self.student.ci95_low

    @property
    def ci95_high(self) -> float | None:
        """Upper end of the difference's 95 % interval."""
        return self.student.ci95_high

    @property
    def t(self) -> float | None:
        """The statistic; None where there is no p-value."""
        return self.student.t

    @property
    def df(self) -> float | None:
        """Degrees of freedom of t and of the interval."""
        return self.student.df

    @property
    def p(self) -> float | None:
        """Two-sided, of this comparison alone; None where `reason` says why."""
        return self.student.p

    @property
    def reason(self) -> Reason | None:
        """Why there is no p-value."""
        return self.student.reason

    @property
    def prob_arm_better(self) -> float | None:
        """P(a random seed of the arm beats one of the baseline)."""
        if self.prob_arm_above is None or self.scale.higher_is_better:
            return self.prob_arm_above
        return 1 - self.prob_arm_above

    @property
    def text(self) -> str:
        """One line: difference, interval, test or the reason why there is none."""
        words = describe(self.delta, self.student.interval(), self.scale.unit, self.student.interval_name)
        if self.p is not None and self.t is not None and self.df is not None:
            t = fixed(self.t, 2)
            return f"{words}, t({self.df:.3g}) = {t}, p {p_text(self.p)}"
        return words if self.reason is None else f"{words}; {REASONS[self.reason]}"


def compare(
    arm: Scores,
    baseline: Scores,
    rule: Rule,
    *,
    scale: Scale = ACCURACY_PCT,
    names: tuple[str, str] = ("arm", "baseline"),
) -> Comparison:
    """Compare two arms' scores by seed.

    Args:
        arm: Scores of the finished runs, and what one test image weighs in them.
        baseline: The same of what it is compared with.
        rule: `paired` takes the differences of the seeds that both have; `welch` treats the arms as
            independent with variances of their own.
        scale: Direction and unit of the scores.
        names: Of the arm and of the baseline.

    Returns:
        The comparison; what few or equal seeds cannot tell is None, with the reason.
    """
    seeds = tuple(sorted(arm.by_seed.keys() & baseline.by_seed.keys()))
    pairs = [(arm.by_seed[seed], baseline.by_seed[seed]) for seed in seeds]
    if rule == "paired":
        first, second = tuple(a for a, _ in pairs), tuple(b for _, b in pairs)
    else:
        first, second = arm.values, baseline.values
    finite = all(math.isfinite(value) for value in (*first, *second))
    of_pairs = _of_pairs(pairs, arm.one_image, baseline.one_image)
    student = of_pairs if rule == "paired" else _welch(arm, baseline)
    exact = (_exact(first, second, rule)) if finite else None
    has_test = student.reason is None
    floors = (arm.one_image, baseline.one_image)
    return Comparison(
        arm=names[0],
        baseline=names[1],
        rule=rule,
        scale=scale,
        n_arm=len(first),
        n_baseline=len(second),
        seeds=seeds,
        student=student,
        correlation=correlation(arm, baseline) if finite else None,
        sd_differences=of_pairs.sd,
        effect=standardised(first, second, rule) if has_test else None,
        error_reduction=_reduction(first, second, rule, scale, floors) if finite else None,
        prob_arm_above=prob_above(first, second) if finite else None,
        exact=exact if has_test else None,
        smallest_exact_p=None if exact is None else exact.smallest_p,
    )


def describe(
    value: float | None, ends: tuple[float, float] | None, unit: str, interval: str = "95 % interval"
) -> str:
    """A difference with its interval, in the digits that the interval supports."""
    if value is None:
        return "no difference known"
    suffix = f" {unit}" if unit else ""
    if ends is None or ends[1] <= ends[0]:
        return f"{value:+.3g}{suffix}".replace("-", MINUS)
    places = difference_places(*ends)
    low, high = (signed(end, places) for end in ends)
    return f"{signed(value, places)}{suffix} ({interval} {low} to {high})"


def difference_places(low: float, high: float) -> int:
    """Decimals of a difference: by its interval, more where a bound would round onto 0."""
    places = decimals_for((high - low) / 2)
    bounds = [bound for bound in (low, high) if bound]
    for more in range(3):
        if all(round(bound, places + more) != 0 for bound in bounds):
            return places + more
    return places


def p_text(p: float) -> str:
    """`= .013`, or `< .0001`: never 0."""
    return "< .0001" if p < 1e-4 else f"= {p:.2g}".replace("0.", ".", 1)


def _of_pairs(pairs: list[tuple[float, float]], *images: float | None) -> Student:
    if not pairs:
        return Student(0, reason="no_pairs")
    known = [image for image in images if image is not None]
    floor = max(known) if len(known) == len(images) else None
    scale = max(abs(value) for pair in pairs for value in pair)
    return Student.of_values([a - b for a, b in pairs], floor=floor, scale=scale)


def _welch(arm: Scores, baseline: Scores) -> Student:
    return Student.of_arms(
        (arm.values, baseline.values), (1.0, -1.0), floors=(arm.one_image, baseline.one_image)
    )


def _exact(first: tuple[float, ...], second: tuple[float, ...], rule: Rule) -> ExactTest | None:
    if rule == "welch":
        return mann_whitney(first, second)
    return sign_flip([a - b for a, b in zip(first, second, strict=True)])


def _reduction(
    first: tuple[float, ...],
    second: tuple[float, ...],
    rule: Rule,
    scale: Scale,
    floors: tuple[float | None, float | None],
) -> ErrorReduction | None:
    errors = [[scale.error(value) for value in values] for values in (first, second)]
    known = [[value for value in values if value is not None] for values in errors]
    if len(known[0]) < len(first) or len(known[1]) < len(second):
        return None
    return error_reduction(known[0], known[1], rule, floors)
