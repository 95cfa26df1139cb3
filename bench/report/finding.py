"""One sentence that says what the numbers say, made from them alone; beside it the verdicts in another.

Where a study crosses two factors and the effect of one depends on the other, that is the finding. Else it is
what the declared comparisons decided. Nothing is claimed that no interval or verdict shows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench import units
from bench.analyse.compare import p_text
from bench.analyse.declared import ArmComparison
from bench.analyse.grid import FactorInteraction
from bench.analyse.outline import is_bundle, level_text, short_keys
from bench.analyse.summary import Block, StudySummary
from bench.report import words
from bench.study.model import Level

_MOST_NAMED = 3
"""Comparisons that a sentence tells one by one; of more it tells the largest."""


def finding(summary: StudySummary) -> str | None:
    """What the study found, in a sentence per kind of device; None without results."""
    return _by_block(summary, lambda block: _interaction(block, summary) or _verdicts(block, summary))


def verdicts_sentence(summary: StudySummary) -> str | None:
    """What the declared comparisons decided, where the finding tells of something else; else None."""
    if not any(_interaction(block, summary) for block in summary.blocks):
        return None
    return _by_block(summary, lambda block: _verdicts(block, summary))


def _by_block(summary: StudySummary, told: Callable[[Block], str]) -> str | None:
    blocks = [block for block in summary.blocks if block.runs_done]
    if len(blocks) < 2:
        return told(blocks[0]) if blocks else None
    return " ".join(f"{block.device_kind}: {told(block)}" for block in blocks)


def _interaction(block: Block, summary: StudySummary) -> str | None:
    """The interaction of two factors, where there is one to tell and its interval leaves 0 out."""
    if len(block.interactions) != 1:
        return None
    (both,) = block.interactions
    found = both.differences.contrast
    if found.sign == 0:
        return None
    quantity = words.quantity_of(summary)
    unit = f" {quantity.delta_unit}" if quantity.delta_unit else ""
    short = short_keys([factor.key for factor in summary.factors])
    levels = [_level(both.by, short, level) for level in (both.one, both.other)]
    sides = [
        f"by {_amount(words.of_contrast(side), unit)} with {level}"
        for side, level in zip((both.differences.of_one, both.differences.of_other), levels, strict=True)
    ]
    start, end = (_level(both.factor, short, level) for level in both.ends)
    p = "" if found.p is None else f", p {p_text(found.p)}"
    return (
        f"From {start} to {end}, {quantity.label} changes {sides[0]} and {sides[1]}: the effect of "
        f"{_name(both, short)}, difference of differences "
        f"{_amount(words.of_contrast(found), unit)}{p}, {units.plural(len(found.seeds), 'seed')}"
        f"{_stopped(block)}."
    )


def _name(both: FactorInteraction, short: dict[str, str]) -> str:
    factor, by = (units.factor_label(short[key]) for key in (both.factor, both.by))
    return f"{factor} depends on {by}"


def _level(key: str, short: dict[str, str], level: Level) -> str:
    return level_text(level) if is_bundle(key) else f"{short[key]}={level_text(level)}"


def _verdicts(block: Block, summary: StudySummary) -> str:
    quantity = words.quantity_of(summary)
    if not any(c.is_made for c in block.comparisons):
        unit = f" {quantity.unit}" if quantity.unit else ""
        return f"{words.capital(quantity.label)}: {_extremes(block, unit)}{_stopped(block)}."
    kinds: dict[str, list[ArmComparison]] = {}
    for kind in ("better", "worse", "better but negligible", "worse but negligible", "equivalent"):
        decided = [c for c in block.comparisons if c.verdict == kind]
        if decided:
            kinds[kind] = decided
    against = _against(block, summary)
    spell = _Speller(block, summary, named=not against)
    told = [_kind(kind, decided, spell) for kind, decided in kinds.items()]
    made = [c for c in block.comparisons if c.is_made]
    n_open = sum(c.verdict == "undecided" for c in made)
    total = len(block.comparisons)
    if n_open == total == 1:
        told.append(f"undecided, {spell.after(block.comparisons[0])}")
    elif n_open:
        told.append(f"undecided in {n_open} of {total} comparisons")
    if total > 1 and n_open == len(made):
        most = max(made, key=lambda c: abs(c.result.delta or 0.0))
        told[-1] += f", the {'largest ' if n_open > 1 else ''}difference {spell.after(most)}"
    if len(made) < total:
        told.append(f"not made in {total - len(made)} of {total}, an arm of which has no result")
    late = words.declared_late(summary)
    held = f"; {block.family.text}" if block.family is not None else ""
    return f"{against or 'Comparisons: '}{'; '.join(told)}{held}{late}{_stopped(block)}."


def _against(block: Block, summary: StudySummary) -> str:
    """The lead of a sentence about one baseline; empty where the comparisons have several."""
    if {c.against for c in block.comparisons} != {summary.baseline}:
        return ""
    base = next(arm for arm in block.arms if arm.is_baseline)
    quantity = words.quantity_of(summary)
    unit = f" {quantity.unit}" if quantity.unit else ""
    lead = "" if base.label in ("baseline", "base") else "baseline "
    mean = f"{words.mean_text(base)}{unit} {quantity.label}, n = {base.n_done}"
    return f"Against the {lead}{base.label} ({mean}): "


class _Speller:
    """Spells comparisons of one block: the arm alone where all are with the baseline, else both arms."""

    def __init__(self, block: Block, summary: StudySummary, *, named: bool) -> None:
        unit = words.quantity_of(summary).delta_unit
        self.unit = f" {unit}" if unit else ""
        self.named = named
        self.one_image = {arm.name: arm.one_image for arm in block.arms}
        self.lost = {arm.name: (arm.n_diverged, arm.n_runs) for arm in block.arms}

    def pair(self, c: ArmComparison) -> str:
        """What is compared."""
        return f"{c.result.arm} against {c.result.baseline}" if self.named else c.result.arm

    def amount(self, c: ArmComparison) -> str:
        """The difference with its interval, and of how many runs where others ended without a score."""
        amount = _amount(c.result, self.unit, self.one_image[c.arm], c.result.student.interval_name)
        return f"{amount}{self._survivors(c)}"

    def _survivors(self, c: ArmComparison) -> str:
        """What was won by the runs that survived is told with those that did not."""
        sides = ((c.arm, c.result.arm), (c.against, c.result.baseline))
        lost = [(label, *self.lost[name]) for name, label in sides if self.lost[name][0]]
        told = (f"{diverged} of {total} runs of {label} diverged" for label, diverged, total in lost)
        return f", of survivors: {words.listed(told)}" if lost else ""

    def before(self, c: ArmComparison) -> str:
        """`A, −3 pp (95 % interval −5 to −1)`."""
        return f"{self.pair(c)}, {self.amount(c)}"

    def after(self, c: ArmComparison) -> str:
        """`−3 pp (95 % interval −5 to −1) at A`."""
        return f"{self.amount(c)} at {self.pair(c)}"


def _kind(kind: str, decided: Sequence[ArmComparison], spell: _Speller) -> str:
    """`worse at A, −3 pp (95 % interval −5 to −1) and B, …`; of many their number and the largest."""
    ranked = sorted(decided, key=lambda c: -abs(c.result.delta or 0.0))
    if len(ranked) <= _MOST_NAMED:
        return f"{kind} at {words.listed(spell.before(c) for c in ranked)}"
    many = f"{kind} at {len(ranked):,} {'pairs' if spell.named else 'arms'}"
    return many if kind == "equivalent" else f"{many}, most of all at {spell.before(ranked[0])}"


def _amount(
    found: words.Bounded, unit: str, one_image: float | None = None, interval: str = "95 % interval"
) -> str:
    amount = f"{words.difference_text(found, one_image)}{unit}"
    if found.ci95_low is None:
        return f"{amount} (no interval at this number of seeds)"
    ends = words.difference_interval_text(found, one_image).strip("[]").replace(", ", " to ")
    return f"{amount} ({interval} {ends})"


def _extremes(block: Block, unit: str) -> str:
    """Up to three arms by name; of more, the highest and the lowest mean."""
    arms = [arm for arm in block.arms if arm.estimate.mean is not None]
    if len(arms) <= _MOST_NAMED:
        return ", ".join(f"{arm.label} {words.mean_text(arm)}{unit}" for arm in arms)
    ranked = sorted(arms, key=lambda arm: arm.estimate.mean or 0.0)
    low, high = ((f"{words.mean_text(arm)}{unit} at {arm.label}") for arm in (ranked[0], ranked[-1]))
    return f"from {low} to {high} over {len(arms):,} arms"


def _stopped(block: Block) -> str:
    count = sum(len(gap.seeds) for arm in block.arms for gap in arm.gaps)
    return (
        f"; {units.plural(count, 'run')} of {sum(arm.n_runs for arm in block.arms):,} without a result"
        if count
        else ""
    )
