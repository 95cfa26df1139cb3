"""The comparisons that a study declares, judged together on one kind of device.

Every declared pair has its place in the family, whether or not its arms have results: a pair that was left
out after looking would make the others easier.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bench import units
from bench.analyse.compare import Comparison, Scale, compare
from bench.analyse.equivalence import Equivalence
from bench.analyse.estimate import LEAST_SEEDS, Rule, Scores, standard_deviation
from bench.analyse.failures import FailureComparison, compare_failures
from bench.analyse.multiplicity import Adjusted, Family, family
from bench.analyse.pairing import pairing_rule
from bench.analyse.verdict import Kind, Verdict, verdicts
from bench.record.schema import RunRecord
from bench.study.comparisons import ComparisonsSpec

MOST_UNEQUAL: Final = 3.0
"""How many times the smallest sd the largest may be before a pooled sd is told of as doubtful."""


@dataclass(frozen=True)
class ArmRuns:
    """One arm on one kind of device, as its comparisons need it."""

    label: str
    runs: Sequence[RunRecord]
    scores: Scores

    @property
    def counts(self) -> tuple[int, int]:
        """Runs that diverged, and all that trained to an end or to a loss that was not finite."""
        diverged = sum(run.status == "diverged" for run in self.runs)
        return diverged, diverged + len(self.scores.by_seed)


@dataclass(frozen=True)
class ArmComparison:
    """One declared comparison with its place in the family and what it allows one to say."""

    arm: str
    """Whole name of the arm."""
    against: str
    """Whole name of what it is compared with."""
    claim: Verdict
    adjusted: Adjusted
    failures: FailureComparison | None
    """Exact comparison of how many runs diverged; None where none did."""

    @property
    def result(self) -> Comparison:
        """Difference, interval, test, effect sizes; its arms by their labels."""
        return self.claim.comparison

    @property
    def verdict(self) -> Kind:
        """In a word."""
        return self.claim.kind

    @property
    def is_made(self) -> bool:
        """Whether there is anything to compare: both arms have a result."""
        return self.result.delta is not None

    @property
    def p_adjusted(self) -> float | None:
        """Within the family; None where there is no p-value."""
        return self.claim.p_adjusted

    @property
    def equivalence(self) -> Equivalence | None:
        """Against the declared margin; None where there is none."""
        return self.claim.equivalence

    @property
    def equivalence_p(self) -> float | None:
        """Of equivalence, within the family; None where it has no p-value."""
        return self.claim.equivalence_p

    @property
    def text(self) -> str:
        """One sentence without its full stop."""
        told = self.claim.text
        return told if self.failures is None else f"{told}; {self.failures.text}"


@dataclass(frozen=True)
class Declared:
    """The family of one kind of device."""

    family: Family
    comparisons: tuple[ArmComparison, ...]
    note: str | None = None
    """What speaks against the declared correction, or stands in its place."""

    @property
    def results(self) -> dict[tuple[str, str | None], Comparison]:
        """By the names of the arm and of what it is compared with."""
        return {(c.arm, c.against): c.result for c in self.comparisons}


def declared(
    pairs: Sequence[tuple[str, str]], arms: Mapping[str, ArmRuns], spec: ComparisonsSpec, metric: str
) -> Declared | None:
    """Compare the declared pairs and judge them as one family; None without a pair.

    Args:
        pairs: Names of the arm and of what it is compared with.
        arms: By name.
        spec: What was declared.
        metric: A key of `bench.units.QUANTITIES`.
    """
    if not pairs:
        return None
    scale = scale_of(metric)
    held, note = _family(pairs, arms, spec, scale)
    return Declared(
        held,
        tuple(
            ArmComparison(arm, against, claim, adjusted, _failures(arms[arm], arms[against]))
            for (arm, against), claim, adjusted in zip(
                pairs, verdicts(held, margin=_margin(spec, scale)), held.members, strict=True
            )
        ),
        note,
    )


def compare_arms(arm: ArmRuns, against: ArmRuns, scale: Scale, rule: Rule | None = None) -> Comparison:
    """Two arms by the rule that their runs ask for, unless one is given."""
    rule = rule or rule_of(arm.runs, against.runs)
    return compare(arm.scores, against.scores, rule, scale=scale, names=(arm.label, against.label))


def rule_of(arm: Sequence[RunRecord], against: Sequence[RunRecord]) -> Rule:
    """Paired or Welch's; without a run of either nothing is known to be shared."""
    if not arm or not against:
        return "welch"
    starts = _starts_from(arm, against) or _starts_from(against, arm)
    return pairing_rule(arm[0], against[0], is_source=starts)


def scale_of(metric: str) -> Scale:
    """Direction and unit of a quantity."""
    quantity = units.QUANTITIES[metric]
    perfect = 100.0 if quantity.unit == "%" and quantity.higher_is_better else None
    return Scale(quantity.higher_is_better, quantity.delta_unit or "", perfect)


def best_arms(comparisons: Sequence[ArmComparison]) -> frozenset[str]:
    """Arms that verdicts put first: what a table sets in bold.

    A verdict finds such an arm better than another and none finds it worse; with it stand the arms that are
    equivalent to it. The one arm that all others are compared with does not lead by their being worse. What
    is undecided is not bold: a high mean alone wins nothing.
    """
    better = {(c.arm, c.against) for c in comparisons if c.verdict == "better"}
    better |= {(c.against, c.arm) for c in comparisons if c.verdict == "worse"}
    beaten = {worse for _, worse in better}
    references = {c.against for c in comparisons}
    leaders = {best for best, _ in better} - beaten - (references if len(references) == 1 else set())
    ties = [{c.arm, c.against} for c in comparisons if c.claim.is_tie and c.verdict != "undecided"]
    return frozenset(leaders | ({arm for tie in ties if tie & leaders for arm in tie} - beaten))


def _starts_from(arm: Sequence[RunRecord], source: Sequence[RunRecord]) -> bool:
    ids = {run.run_id for run in source}
    return any(run.source_run_id in ids for run in arm)


def _margin(spec: ComparisonsSpec, scale: Scale) -> float | None:
    """The declared margin, for quantities in its unit."""
    return spec.margin_pp if scale.unit == "pp" else None


def _family(
    pairs: Sequence[tuple[str, str]], arms: Mapping[str, ArmRuns], spec: ComparisonsSpec, scale: Scale
) -> tuple[Family, str | None]:
    """The family as declared; Holm in Dunnett's place where an arm has too few seeds for a pooled sd."""
    samples = [arms[arm].scores.values for arm, _ in pairs]
    control = arms[pairs[0][1]].scores.values
    few = min(map(len, [control, *samples])) < LEAST_SEEDS
    if spec.correction == "dunnett" and not few:
        # Its pooled sd knows no pairs: differences, intervals and p-values all take the arms for independent.
        found = [compare_arms(arms[arm], arms[against], scale, "welch") for arm, against in pairs]
        held = family(found, method="dunnett", alpha=spec.alpha, samples=samples, control=control)
        return held, _doubts([control, *samples], pairs, arms)
    found = [compare_arms(arms[arm], arms[against], scale) for arm, against in pairs]
    note = f"Holm in Dunnett's place: an arm has fewer than {LEAST_SEEDS} seeds"
    return family(found, alpha=spec.alpha), note if spec.correction == "dunnett" else None


def _doubts(
    samples: Sequence[Sequence[float]], pairs: Sequence[tuple[str, str]], arms: Mapping[str, ArmRuns]
) -> str | None:
    """Where arms are not what Dunnett takes them for: independent, with equal variances."""
    told = []
    if any(rule_of(arms[arm].runs, arms[against].runs) == "paired" for arm, against in pairs):
        told.append("it takes arms for independent, so pairs by seed go unused; Holm would use them")
    sds = [standard_deviation(sample) for sample in samples]
    if max(sds) > MOST_UNEQUAL * min(sds):
        told.append(f"it takes variances for equal, while sds range from {min(sds):.2g} to {max(sds):.2g}")
    return "; ".join(told) or None


def _failures(arm: ArmRuns, against: ArmRuns) -> FailureComparison | None:
    counts = arm.counts, against.counts
    return compare_failures(*counts) if counts[0][0] or counts[1][0] else None
