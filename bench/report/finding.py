"""One sentence that says what the numbers say, made from them alone.

It names the baseline and the largest fall and rise against it, with their intervals; it claims nothing
about what an interval does not show, and gives no verdicts.
"""

from __future__ import annotations

from bench import units
from bench.analyse.summary import ArmSummary, Block, StudySummary
from bench.report import words


def finding(summary: StudySummary) -> str | None:
    """The largest differences to the baseline in a sentence per kind of device; None without results."""
    sentences = [_sentence(block, summary) for block in summary.blocks if block.runs_done]
    if len(sentences) < 2:
        return sentences[0] if sentences else None
    kinds = [block.device_kind for block in summary.blocks if block.runs_done]
    return " ".join(f"{kind}: {text}" for kind, text in zip(kinds, sentences, strict=True))


def _sentence(block: Block, summary: StudySummary) -> str:
    quantity = words.quantity_of(summary)
    unit = f" {quantity.unit}" if quantity.unit else ""
    base = next((arm for arm in block.arms if arm.is_baseline and arm.n_done), None)
    compared = [arm for arm in block.arms if arm.difference and arm.difference.delta is not None]
    if base is None or not compared:
        return f"{_start(quantity.label)}: {_extremes(block, unit)}{_stopped(block)}."
    lowest, highest = min(compared, key=_delta), max(compared, key=_delta)
    extremes = []
    if _delta(lowest) < 0:
        extremes.append(f"the largest fall is {_told(lowest, quantity)}")
    if _delta(highest) > 0:
        extremes.append(f"the largest rise is {_told(highest, quantity)}")
    said = words.listed(extremes) if extremes else "no arm differs in its mean"
    against = f"{base.label} ({words.mean_text(base)}{unit} {quantity.label}, n = {base.n_done})"
    lead = "" if base.label == "baseline" else "the baseline "
    return f"Against {lead}{against}, {said}{_stopped(block)}."


def _extremes(block: Block, unit: str) -> str:
    """Up to three arms by name; of more, the highest and the lowest mean."""
    arms = [arm for arm in block.arms if arm.estimate.mean is not None]
    if len(arms) <= 3:
        return ", ".join(f"{arm.label} {words.mean_text(arm)}{unit}" for arm in arms)
    ranked = sorted(arms, key=lambda arm: arm.estimate.mean or 0.0)
    low, high = ((f"{words.mean_text(arm)}{unit} at {arm.label}") for arm in (ranked[0], ranked[-1]))
    return f"from {low} to {high} over {len(arms):,} arms"


def _told(arm: ArmSummary, quantity: units.Quantity) -> str:
    gap = arm.difference
    assert gap is not None
    unit = f" {quantity.delta_unit}" if quantity.delta_unit else ""
    amount = f"{words.difference_text(gap, arm.one_image)}{unit}"
    if gap.ci95_low is None:
        interval = "no interval at this number of seeds"
    else:
        interval = f"95 % interval {words.difference_interval_text(gap, arm.one_image)}"
    return f"{amount} at {arm.label} ({interval})"


def _stopped(block: Block) -> str:
    count = sum(len(gap.seeds) for arm in block.arms for gap in arm.gaps)
    return (
        f"; {words.plural(count, 'run')} of {sum(arm.n_runs for arm in block.arms):,} without a result"
        if count
        else ""
    )


def _delta(arm: ArmSummary) -> float:
    gap = arm.difference
    assert gap is not None
    assert gap.delta is not None
    return gap.delta


def _start(text: str) -> str:
    return text[:1].upper() + text[1:]
