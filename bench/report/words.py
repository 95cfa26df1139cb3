"""Numbers of a summary as text: where each is rounded, and how an absence reads."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from bench import units
from bench.analyse.compare import Comparison, difference_places
from bench.analyse.contrast import Contrast
from bench.analyse.declared import ArmComparison
from bench.analyse.estimate import Estimate, Rule
from bench.analyse.origin import Origins
from bench.analyse.outcome import Place
from bench.analyse.outline import is_through
from bench.analyse.summary import ArmSummary, Block, Speed, StudySummary

NONE: Final = "\N{EN DASH}"
"""A cell without a number; a footnote says why."""

_UNKNOWN_SPREAD_DIGITS: Final = 4

_LEAST_P: Final = 1e-4
"""Smaller p-values are told as smaller than this."""

_DONE_THROUGH: Final = {"weights": "copied", "train.freeze": "frozen"}
"""What is done up to a stage, by the section whose `through` names it."""


def capital(text: str) -> str:
    """With a capital first letter."""
    return text[:1].upper() + text[1:]


def listed(items: Iterable[object]) -> str:
    """`0, 1 and 2`."""
    texts = [str(item) for item in items]
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}" if texts else ""


def seeds_text(seeds: Sequence[int]) -> str:
    """`seeds 0, 1 and 2`; a longer unbroken row reads `seeds 0 to 9`."""
    if len(seeds) > 4 and list(seeds) == list(range(seeds[0], seeds[0] + len(seeds))):
        return f"seeds {seeds[0]} to {seeds[-1]}"
    return f"seed{'' if len(seeds) == 1 else 's'} {listed(seeds)}"


def quantity_of(summary: StudySummary) -> units.Quantity:
    """How the summary's metric is called and in what unit."""
    return units.QUANTITIES[summary.metric]


def decimals_of(estimate: Estimate, one_image: float | None) -> int:
    """Decimals of an arm's numbers: by its interval, else its sd, else one test image."""
    for uncertainty in (estimate.half_width, estimate.sd):
        if uncertainty:
            return units.decimals_for(uncertainty)
    return _ruler_decimals(one_image)


def _ruler_decimals(one_image: float | None) -> int:
    """Where no spread is known: the first digit that one test image changes."""
    return -math.floor(math.log10(one_image)) if one_image else _UNKNOWN_SPREAD_DIGITS


def mean_text(arm: ArmSummary) -> str:
    """The arm's mean, or in a word why it has none."""
    if arm.estimate.mean is not None:
        return units.fixed(arm.estimate.mean, decimals_of(arm.estimate, arm.one_image))
    statuses = {gap.words for gap in arm.gaps}
    return statuses.pop() if len(statuses) == 1 else "no result"


def interval_text(arm: ArmSummary, quantity: units.Quantity) -> str:
    """The arm's interval, cut where the quantity ends; at two seeds the two values themselves."""
    estimate, decimals = arm.estimate, decimals_of(arm.estimate, arm.one_image)
    if estimate.ci95_low is not None and estimate.ci95_high is not None:
        bounds = (estimate.ci95_low, estimate.ci95_high)
        if quantity.unit == "%":
            bounds = (max(bounds[0], 0.0), min(bounds[1], 100.0))
        return "[" + ", ".join(units.fixed(bound, decimals) for bound in bounds) + "]"
    if arm.n_done == 2:
        return "; ".join(units.fixed(point.value, decimals) for point in arm.points)
    return NONE


def is_cut(arm: ArmSummary, quantity: units.Quantity) -> bool:
    """Whether the arm's interval reaches beyond what a share can be."""
    low, high = arm.estimate.ci95_low, arm.estimate.ci95_high
    return quantity.unit == "%" and ((low is not None and low < 0) or (high is not None and high > 100))


class Bounded(Protocol):
    """A difference with the ends of its interval."""

    @property
    def delta(self) -> float | None:
        """The difference."""

    @property
    def ci95_low(self) -> float | None:
        """Lower end."""

    @property
    def ci95_high(self) -> float | None:
        """Upper end."""


def difference_decimals(difference: Bounded, one_image: float | None) -> int:
    """Decimals of a difference: by its interval, else one image; more where a bound would round onto 0."""
    low, high = difference.ci95_low, difference.ci95_high
    if low is None or high is None or high <= low:
        return _ruler_decimals(one_image)
    return difference_places(low, high)


def difference_text(difference: Bounded, one_image: float | None) -> str:
    """Arm minus baseline, with its sign."""
    if difference.delta is None:
        return NONE
    return units.signed(difference.delta, difference_decimals(difference, one_image))


def difference_interval_text(difference: Bounded, one_image: float | None) -> str:
    """The difference's interval."""
    if difference.ci95_low is None or difference.ci95_high is None:
        return NONE
    decimals = difference_decimals(difference, one_image)
    low, high = (units.signed(bound, decimals) for bound in (difference.ci95_low, difference.ci95_high))
    return f"[{low}, {high}]"


@dataclass(frozen=True)
class Bounds:
    """A difference and the ends of its interval."""

    delta: float | None
    ci95_low: float | None
    ci95_high: float | None


def of_contrast(found: Contrast) -> Bounds:
    """A contrast's sum over the seeds, to be spelled as a difference is."""
    return Bounds(found.estimate, found.ci95_low, found.ci95_high)


def difference_note(difference: Comparison, n_done: Iterable[int]) -> str | None:
    """What a reader has to know of a difference: too few seeds, a coarse ruler, seeds that are left out.

    Args:
        difference: The comparison.
        n_done: Finished runs of both arms.
    """
    notes = []
    if difference.rule == "paired" and 0 < difference.n_arm < max(n_done):
        notes.append(f"over the {units.plural(difference.n_arm, 'seed')} that finished in both arms")
    if difference.student.note is not None:
        notes.append(difference.student.note)
    return "; ".join(notes) or None


def verdict_note(found: ArmComparison) -> str | None:
    """Why a difference whose own interval leaves 0 out is undecided all the same."""
    low, high = found.result.ci95_low, found.result.ci95_high
    if found.verdict != "undecided" or low is None or high is None or low <= 0 <= high:
        return None
    return "alone its interval leaves 0 out; held over the family it decides nothing"


def p_cell(p: float | None) -> str:
    """A p-value of a table: two decimals, or two digits where that shows more; `< .0001`, never 0."""
    if p is None:
        return NONE
    if p < _LEAST_P:
        return f"< {f'{_LEAST_P:f}'.strip('0')}"
    decimals = max(2, 1 - math.floor(math.log10(p)))
    return f"{p:.{decimals}f}".removeprefix("0")


def family_text(block: Block) -> str | None:
    """How the error of the block's comparisons is held, and within what margin arms are equivalent."""
    if block.family is None:
        return None
    told = block.family.text if block.family_note is None else f"{block.family.text}; {block.family_note}"
    test = next((c.equivalence for c in block.comparisons if c.equivalence is not None), None)
    unit = next((f" {c.result.scale.unit}" for c in block.comparisons if c.result.scale.unit), "")
    if test is None:
        return f"{told}, no margin declared"
    how = "" if len(block.comparisons) == 1 or block.family.by_looks else " (two one-sided tests, Holm)"
    return f"{told}, equivalent within ±{test.margin:g}{unit}{how}"


def interval_name(summary: StudySummary) -> str:
    """What stands beside the differences of declared comparisons."""
    looked = any(block.family is not None and block.family.by_looks for block in summary.blocks)
    return "repeated interval" if looked else "95 % interval"


def interval_sentence(summary: StudySummary) -> str:
    """For a caption, without its full stop."""
    name = interval_name(summary)
    return "each interval stands alone" if name == "95 % interval" else f"{name} {interval_rule(summary)}"


def interval_rule(summary: StudySummary) -> str:
    """What the intervals beside differences hold for."""
    if interval_name(summary) == "95 % interval":
        return "each alone"
    return "over the seeds of the deciding look; it holds over all looks, at the comparison's share of alpha"


def verdict_rules(summary: StudySummary) -> str | None:
    """One sentence for a caption: by what verdicts are taken; None where nothing is compared."""
    told = dict.fromkeys(text for block in summary.blocks if (text := family_text(block)) is not None)
    if not told:
        return None
    return f"Verdicts: {'; '.join(told)}{declared_late(summary)}."


def declared_late(summary: StudySummary) -> str:
    """` (declared after 40 runs)` where runs were recorded under another declaration; else nothing."""
    told = []
    if summary.declared_after is not None:
        told.append(f"declared after {units.plural(summary.declared_after, 'run')}")
    changed = summary.seeds_changed
    if changed is not None:
        how = "raised" if changed.now > changed.before else "cut"
        told.append(
            f"seeds {how} from {changed.before} to {changed.now} after {units.plural(changed.n_runs, 'run')}"
        )
    return f" ({'; '.join(told)})" if told else ""


def speed_text(speed: Speed) -> str:
    """Median speed, rounded where the quartiles of its windows begin to differ, to four digits at most."""
    half_iqr = (speed.q3_img_s - speed.q1_img_s) / 2
    if half_iqr > 0:
        most = 3 - math.floor(math.log10(speed.median_img_s))
        return units.fixed(speed.median_img_s, min(units.decimals_for(half_iqr), most))
    return units.significant(speed.median_img_s)


def factor_header(key: str, short_key: str) -> str:
    """A factor as an axis is called, with the unit of its levels."""
    if is_through(key):
        done = _DONE_THROUGH.get(key.rpartition(".")[0])
        return f"layers {done}, up to and including" if done else "up to and including"
    return units.factor_header(key, short_key)


def factor_label(key: str, short_key: str) -> str:
    """A factor as a legend or a panel's title calls it before its level."""
    done = _DONE_THROUGH.get(key.rpartition(".")[0]) if is_through(key) else None
    return f"{done} through" if done else units.factor_label(short_key)


def factor_column(key: str, short_key: str) -> str:
    """A factor as the head of a column."""
    return capital(factor_label(key, short_key) if is_through(key) else units.factor_header(key, short_key))


def origins_text(origins: Origins) -> str | None:
    """What arms start from, so that a reader knows what their intervals stand for; None for nothing."""
    parts = []
    if origins.files:
        one = len(origins.files) == 1
        told = f"arms that start from {listed(origins.files)} share {'it' if one else 'them'} in all seeds"
        parts.append(f"{told}: their intervals hold for {'this source' if one else 'these sources'} alone")
    if origins.from_runs:
        parts.append("seed s of an arm with a source starts from seed s of its source")
    if origins.n_source_runs:
        were = "was" if origins.n_source_runs == 1 else "were"
        count = units.plural(origins.n_source_runs, "source run")
        parts.append(f"{count} trained for the weights alone {were} left out")
    return "; ".join(parts) or None


_RULES: Final[dict[str, str]] = {
    "paired": "paired by seed (same network and images, so the same initial weights)",
    "welch": "with Welch's interval (networks or images differ)",
}
_BOTH_RULES: Final = (
    "paired by seed where both train the same network on the same images, with Welch's interval elsewhere"
)
_FILE_RULES: Final[dict[str, str]] = {
    "paired": "paired by seed (same network and images, so the same draws)",
    "welch": "with Welch's interval (networks or images differ)",
}
_SOURCE_RULES: Final[dict[str, str]] = {
    "paired": "paired by seed (same network and images, with the same draws or the baseline as source)",
    "welch": "with Welch's interval (networks, images or draws of a seed differ)",
}
_BOTH_SOURCE_RULES: Final = (
    "paired by seed where both train the same network on the same images with the same draws, or the "
    "baseline is the arm's source, with Welch's interval elsewhere"
)


def pairing_text(origins: Origins) -> str:
    """Which arms are paired with the baseline, in a sentence."""
    alike = "Paired by seed where both train the same network on the same images, so that a seed gives both"
    if not (origins.from_runs or origins.files):
        return f"{alike} the same initial weights; Welch otherwise."
    if not origins.from_runs:
        return f"{alike} the same draws; Welch otherwise."
    return f"{alike} the same draws, or the one its start from the other; Welch otherwise."


def rule_text(rules: Collection[Rule], origins: Origins) -> str:
    """How arms are compared with the baseline, and why so."""
    one = _SOURCE_RULES if origins.from_runs else _FILE_RULES if origins.files else _RULES
    both = _BOTH_SOURCE_RULES if origins.from_runs else _BOTH_RULES
    return one[next(iter(rules))] if len(rules) == 1 else both


def selection_text(summary: StudySummary) -> str:
    """Which epoch's weights the numbers belong to."""
    words = {"last": "weights of the last epoch", "best_val": "weights of the best epoch on validation"}
    if len(summary.selections) == 1:
        return words.get(summary.selections[0], summary.selections[0])
    return "weights of the last or of the best validation epoch, as the arm says"


def block_label(block: Place) -> str:
    """The kind of device with what it was."""
    return f"{block.device_kind}: {listed(block.devices)}" if block.devices else block.device_kind


def mixture_note(block: Place) -> str | None:
    """A warning where the runs of one block were not made alike."""
    mixed = []
    if len(block.devices) > 1:
        mixed.append(f"devices {listed(block.devices)}")
    if len(block.torch_versions) > 1:
        mixed.append(f"torch {listed(block.torch_versions)}")
    if len(block.engines) > 1:
        mixed.append(f"engines {listed(block.engines)}")
    return f"{block.device_kind}: runs of several environments ({'; '.join(mixed)})" if mixed else None
