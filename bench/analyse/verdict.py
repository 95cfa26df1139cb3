"""What a comparison allows one to say: better, worse, equivalent, or undecided.

Never "no significant difference": a large p-value is no finding. A difference is claimed by the family's
adjusted p-value, equivalence by two one-sided tests against the declared margin, their p-values adjusted over
the family by Holm too; both can hold, and then the difference is real but negligible. Where the spread is
below one test image there is no p-value, and the interval that takes one image as sd decides, at the family's
simultaneous level.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bench.analyse.compare import Comparison, describe, p_text
from bench.analyse.equivalence import Equivalence, tost
from bench.analyse.multiplicity import Adjusted, Family, benjamini_hochberg, holm
from bench.analyse.student import REASONS

Kind = Literal["better", "worse", "better but negligible", "worse but negligible", "equivalent", "undecided"]


@dataclass(frozen=True)
class Verdict:
    """One comparison's verdict and what it rests on."""

    kind: Kind
    comparison: Comparison
    p_adjusted: float | None
    equivalence: Equivalence | None
    """None where the study declares no margin."""
    equivalence_p: float | None
    """Of equivalence, within the family; None where it has no p-value."""
    is_exploratory: bool
    by_interval: bool
    """Decided without a p-value, by the interval that takes one test image as sd."""
    reason: str
    """Why, in a phrase."""

    @property
    def is_tie(self) -> bool:
        """Whether a table marks arm and baseline alike: nothing that matters parts them, or nobody knows."""
        return self.kind not in ("better", "worse")

    @property
    def text(self) -> str:
        """One sentence without its full stop."""
        c = self.comparison
        words = f"{c.arm} against {c.baseline}: {self.kind}"
        interval = describe(c.delta, c.student.interval(), c.scale.unit, c.student.interval_name)
        words += f", {interval}; {self.reason}"
        return f"{words} (exploratory)" if self.is_exploratory else words


def verdicts(family: Family, *, margin: float | None) -> tuple[Verdict, ...]:
    """The verdict of every member of a family.

    Args:
        family: Adjusted comparisons.
        margin: Largest difference that does not matter, in the scores' unit; None: no claim of equivalence.
    """
    tests = [
        None if margin is None else tost(member.comparison.student, margin, alpha=family.alpha)
        for member in family.members
    ]
    adjust = benjamini_hochberg if family.is_exploratory else holm
    adjusted = adjust([None if test is None else test.p for test in tests])
    return tuple(
        _verdict(member, family, test, p)
        for member, test, p in zip(family.members, tests, adjusted, strict=True)
    )


def _verdict(member: Adjusted, family: Family, test: Equivalence | None, p: float | None) -> Verdict:
    c = member.comparison
    differs, by_interval = _differs(member, family.alpha)
    within = test is not None and _is_within(member, family, test, p)
    kind: Kind
    if differs:
        assert c.gain is not None  # a difference was found
        word: Literal["better", "worse"] = "better" if c.gain > 0 else "worse"
        negligible: dict[str, Kind] = {"better": "better but negligible", "worse": "worse but negligible"}
        kind = negligible[word] if within else word
    else:
        kind = "equivalent" if within else "undecided"
    return Verdict(
        kind,
        c,
        member.p_adjusted,
        test,
        p,
        family.is_exploratory,
        by_interval and kind != "undecided",
        _why(kind, member, family, test, p),
    )


def _is_within(member: Adjusted, family: Family, test: Equivalence, p: float | None) -> bool:
    """Whether the difference is smaller than the margin; without a p-value by Bonferroni's interval."""
    if p is not None:
        return p <= family.alpha
    alone = tost(member.comparison.student, test.margin, alpha=family.alpha / family.n_comparisons)
    return alone.is_equivalent


def _differs(member: Adjusted, alpha: float) -> tuple[bool, bool]:
    """Whether the arms differ, and whether that was decided by the interval alone."""
    if member.p_adjusted is not None:
        return member.p_adjusted <= alpha, False
    low, high = member.simultaneous_low, member.simultaneous_high
    if member.comparison.reason != "below_one_image" or low is None or high is None:
        return False, False
    return not low <= 0 <= high, True


def _why(
    kind: Kind, member: Adjusted, family: Family, test: Equivalence | None, equivalence_p: float | None
) -> str:
    c, unit = member.comparison, member.comparison.scale.unit
    margin = "" if test is None else f"±{test.margin:g}{f' {unit}' if unit else ''}"
    test_name = {"holm": "Holm", "dunnett": "Dunnett", "benjamini-hochberg": "Benjamini-Hochberg"}
    p = "" if member.p_adjusted is None else f"{test_name[family.method]} p {p_text(member.p_adjusted)}"
    floor = c.student.floor_sd
    image = (
        ""
        if floor is None
        else f"spread below one test image ({floor:.2g} {unit}), no p-value".replace(" )", ")")
    )
    tost_p = _tost_p(equivalence_p, family)
    if kind == "undecided":
        return _why_undecided(c, test, p or image, f"{margin}{f' ({tost_p})' if tost_p else ''}")
    if kind == "equivalent":
        return f"within {margin}, {tost_p or image}"
    beyond = f", within the margin of {margin}" if kind.endswith("negligible") else ""
    return f"{p or image}{beyond}"


def _why_undecided(c: Comparison, test: Equivalence | None, p: str, margin: str) -> str:
    if c.reason is not None and c.student.se is None:
        if c.reason == "equal_in_all_seeds" and c.delta == 0:
            return "the same score in every seed of both"
        return REASONS[c.reason]
    if test is None:
        return f"{p}; no margin declared for equivalence"
    return f"{p}; not shown to lie within {margin}"


def _tost_p(p: float | None, family: Family) -> str:
    """Equivalence's p-value with how it was adjusted."""
    if p is None:
        return ""
    how = "Benjamini-Hochberg" if family.is_exploratory else "Holm"
    return f"TOST {how} p {p_text(p)}" if family.n_comparisons > 1 else f"TOST p {p_text(p)}"
