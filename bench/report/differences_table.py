"""The second table: the declared comparisons, each with what its verdict rests on."""

from __future__ import annotations

from bench import units
from bench.analyse.compare import Comparison
from bench.analyse.declared import ArmComparison
from bench.analyse.summary import Block, StudySummary
from bench.report import words
from bench.report.arms_table import Naming
from bench.report.table import Cell, Column, Footnotes, Row, RowGroup, Table


def differences_table(summary: StudySummary, *, name: str) -> Table | None:
    """One row a declared comparison; None where nothing is compared.

    Args:
        summary: What is shown.
        name: The study's name, for the caption.
    """
    naming, notes = _Pairs(summary), Footnotes()
    groups = tuple(
        RowGroup(
            block.device_kind,
            words.block_label(block),
            tuple(
                (*naming.cells(found, block), *_cells(found, block, notes, paired=naming.has_pairs))
                for found in block.comparisons
            ),
        )
        for block in summary.blocks
        if block.comparisons
    )
    if not groups:
        return None
    columns = (*naming.columns, *_columns(summary, paired=naming.has_pairs))
    return Table("differences", _caption(summary, naming, name), columns, groups, notes.texts)


class _Pairs:
    """How comparisons are named: the arm alone where all are with the baseline, else both arms."""

    def __init__(self, summary: StudySummary) -> None:
        found = [c for block in summary.blocks for c in block.comparisons]
        self.with_baseline = all(c.against == summary.baseline for c in found)
        self.has_pairs = any(c.result.rule == "paired" for c in found)
        self.naming = Naming.of(summary)
        self.baseline = next((arm.label for arm in summary.arms if arm.is_baseline), "none")

    @property
    def columns(self) -> tuple[Column, ...]:
        """The leading columns."""
        if self.with_baseline:
            return self.naming.columns
        return (Column(("arm",), "Arm", "l"), Column(("against",), "Against", "l"))

    def cells(self, found: ArmComparison, block: Block) -> Row:
        """The leading cells of a comparison's row."""
        if self.with_baseline:
            return self.naming.cells(next(arm for arm in block.arms if arm.name == found.arm))
        return (
            Cell(found.result.arm, (found.arm,)),
            Cell(found.result.baseline, (found.against,)),
        )


def _caption(summary: StudySummary, naming: _Pairs, name: str) -> str:
    quantity, interval = words.quantity_of(summary), words.interval_name(summary)
    baseline = f"baseline ({naming.baseline})"
    against = f"arm minus {baseline if naming.with_baseline else 'what it is against'}"
    parts = [
        f"Study {name}: {quantity.label}, {against} with {interval}; {words.selection_text(summary)}.",
        words.verdict_rules(summary) or "",
        words.pairing_text(summary.origins),
        f"{words.capital(interval)}: {words.interval_rule(summary)}.",
        "Hedges g: of pairs in sds of their differences, else in the arms' pooled sd."
        if naming.has_pairs
        else "",
        "P(A>B): chance that a random seed of the arm does better, ties half.",
        (
            "Exact p: sign-flip of pairs, Mann-Whitney of independent arms, with the smallest that these "
            "seeds can reach; a check of robustness, not the decision."
        ),
    ]
    if naming.has_pairs:
        parts.append("r: correlation over the common seeds; pairing pays where it is clearly above 0.")
    return " ".join(part for part in parts if part)


def _columns(summary: StudySummary, *, paired: bool) -> tuple[Column, ...]:
    quantity = words.quantity_of(summary)
    unit = f" ({quantity.delta_unit})" if quantity.delta_unit else ""
    return (
        Column(("delta",), f"Difference{unit}"),
        Column(("delta_ci95_low", "delta_ci95_high"), words.capital(words.interval_name(summary))),
        Column(
            ("error_reduction_pct", "error_reduction_ci95_low_pct", "error_reduction_ci95_high_pct"),
            "Fewer errors (%)",
        ),
        Column(("hedges_g",), "Hedges g"),
        Column(("prob_arm_better",), "P(A>B)"),
        Column(("rule", "n_arm", "n_baseline"), "Rule, n", "l"),
        *((Column(("correlation",), "r"),) if paired else (Column(("correlation",)),)),
        Column(("t", "df", "p"), "p"),
        Column(("p_adjusted",), "Adjusted p"),
        Column(("exact_p", "smallest_exact_p"), "Exact p (least)"),
        Column(("verdict",), "Verdict", "l"),
        Column(
            (
                "simultaneous_low",
                "simultaneous_high",
                "margin",
                "tost_p",
                "tost_p_adjusted",
                "floor_sd",
                "reason",
            )
        ),
    )


def _cells(found: ArmComparison, block: Block, notes: Footnotes, *, paired: bool) -> Row:
    gap, test = found.result, found.equivalence
    own = {arm.name: arm for arm in block.arms}
    arm, against = own[found.arm], own[found.against]
    note = words.difference_note(gap, (arm.n_done, against.n_done))
    r = words.NONE if gap.correlation is None else units.signed(gap.correlation, 2)
    told = [found.failures.text if found.failures is not None else None, words.verdict_note(found)]
    marks = tuple(notes.mark(text) for text in told if text is not None)
    return (
        Cell(words.difference_text(gap, arm.one_image), (gap.delta,)),
        Cell(
            words.difference_interval_text(gap, arm.one_image),
            (gap.ci95_low, gap.ci95_high),
            (notes.mark(note),) if note else (),
        ),
        _reduction_cell(gap),
        Cell(
            words.NONE if gap.effect is None else units.signed(gap.effect.hedges_g, 2),
            (None if gap.effect is None else gap.effect.hedges_g,),
        ),
        Cell(
            words.NONE if gap.prob_arm_better is None else units.fixed(gap.prob_arm_better, 2),
            (gap.prob_arm_better,),
        ),
        Cell(_rule_text(gap), (gap.rule, gap.n_arm, gap.n_baseline)),
        Cell(r if paired else "", (gap.correlation,)),
        Cell(words.p_cell(gap.p), (gap.t, gap.df, gap.p)),
        Cell(words.p_cell(found.p_adjusted), (found.p_adjusted,)),
        _exact_cell(gap),
        Cell(found.verdict if found.is_made else words.NONE, (found.verdict,), marks),
        Cell(
            "",
            (
                found.adjusted.simultaneous_low,
                found.adjusted.simultaneous_high,
                None if test is None else test.margin,
                None if test is None else test.p,
                found.equivalence_p,
                gap.student.floor_sd,
                gap.reason,
            ),
        ),
    )


def _reduction_cell(gap: Comparison) -> Cell:
    """Relative error reduction: above 0 where the arm errs less."""
    found = gap.error_reduction
    if found is None:
        return Cell(words.NONE, (None, None, None))
    low, high = found.ci95_low_pct, found.ci95_high_pct
    half = None if low is None or high is None else (high - low) / 2
    decimals = min(units.decimals_for(half), 1) if half else 0
    return Cell(units.signed(found.reduction_pct, decimals), (found.reduction_pct, low, high))


def _exact_cell(gap: Comparison) -> Cell:
    if gap.smallest_exact_p is None:
        return Cell(words.NONE, (None, None))
    least = words.p_cell(gap.smallest_exact_p)
    if gap.exact is None:
        return Cell(f"{words.NONE} ({least})", (None, gap.smallest_exact_p))
    return Cell(f"{words.p_cell(gap.exact.p)} ({least})", (gap.exact.p, gap.smallest_exact_p))


def _rule_text(gap: Comparison) -> str:
    return f"paired, {gap.n_arm}" if gap.rule == "paired" else f"Welch, {gap.n_arm}+{gap.n_baseline}"
