"""What a comparison allows one to say: better, worse, equivalent, or undecided.

Never "no significant difference": a large p-value is no finding. A difference is claimed by the family's
adjusted p-value, equivalence by two one-sided tests against the declared margin; both can hold, and then
the difference is real but negligible. Where the spread is below one test image there is no p-value, and the
interval that takes one image as sd decides, at the family's simultaneous level.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bench.analyse.compare import Comparison, describe, p_text
from bench.analyse.equivalence import Equivalence, tost
from bench.analyse.multiplicity import Adjusted, Family
from bench.analyse.student import REASONS
from bench.units import fixed

Kind = Literal["better", "worse", "better but negligible", "worse but negligible", "equivalent", "undecided"]


@dataclass(frozen=True)
class Verdict:
    """One comparison's verdict and what it rests on."""

    kind: Kind
    comparison: Comparison
    p_adjusted: float | None
    equivalence: Equivalence | None
    """None where the study declares no margin."""
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
        words += f", {describe(c.delta, c.student.interval(), c.scale.unit)}; {self.reason}"
        return f"{words} (exploratory)" if self.is_exploratory else words


def verdicts(family: Family, *, margin: float | None) -> tuple[Verdict, ...]:
    """The verdict of every member of a family.

    Args:
        family: Adjusted comparisons.
        margin: Largest difference that does not matter, in the scores' unit; None: no claim of equivalence.
    """
    return tuple(_verdict(member, family, margin) for member in family.members)


def count_text(found: Sequence[Verdict]) -> str:
    """`2 better, 1 undecided of 3`: a family in one phrase."""
    kinds = dict.fromkeys(verdict.kind for verdict in found)
    counted = ", ".join(f"{sum(v.kind == kind for v in found)} {kind}" for kind in kinds)
    return f"{counted} of {len(found)}"


def _verdict(member: Adjusted, family: Family, margin: float | None) -> Verdict:
    c = member.comparison
    test = None if margin is None else tost(c.student, margin, alpha=family.alpha)
    differs, by_interval = _differs(member, family.alpha)
    within = test is not None and test.is_equivalent
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
        family.is_exploratory,
        by_interval and kind != "undecided",
        _why(kind, member, family, test),
    )


def _differs(member: Adjusted, alpha: float) -> tuple[bool, bool]:
    """Whether the arms differ, and whether that was decided by the interval alone."""
    if member.p_adjusted is not None:
        return member.p_adjusted <= alpha, False
    low, high = member.simultaneous_low, member.simultaneous_high
    if member.comparison.reason != "below_one_image" or low is None or high is None:
        return False, False
    return not low <= 0 <= high, True


def _why(kind: Kind, member: Adjusted, family: Family, test: Equivalence | None) -> str:
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
    if kind == "undecided":
        return _why_undecided(c, test, p or image, margin)
    if kind == "equivalent":
        assert test is not None  # equivalence was found
        return f"{_confidence(test)} % interval within {margin}, {_tost_p(test) or image}"
    beyond = f", within the margin of {margin}" if kind.endswith("negligible") else ""
    return f"{p or image}{beyond}"


def _why_undecided(c: Comparison, test: Equivalence | None, p: str, margin: str) -> str:
    if c.reason is not None and c.student.se is None:
        if c.reason == "equal_in_all_seeds" and c.delta == 0:
            return "the same score in every seed of both"
        return REASONS[c.reason]
    if test is None:
        return f"{p}; no margin declared for equivalence"
    return f"{p}; {_confidence(test)} % interval reaches beyond {margin}"


def _tost_p(test: Equivalence) -> str:
    return "" if test.p is None else f"TOST p {p_text(test.p)}"


def _confidence(test: Equivalence) -> str:
    return fixed(100 * (1 - 2 * test.alpha), 0)
