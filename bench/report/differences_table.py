"""The second table: each arm against the baseline, with the rule of the comparison and what it rests on."""

from __future__ import annotations

from bench import units
from bench.analyse.estimate import Difference
from bench.analyse.summary import ArmSummary, StudySummary
from bench.report import words
from bench.report.arms_table import Naming
from bench.report.table import Cell, Column, Footnotes, Row, RowGroup, Table


def differences_table(summary: StudySummary, *, name: str) -> Table | None:
    """One row a comparison; None where nothing is compared.

    Args:
        summary: What is shown.
        name: The study's name, for the caption.
    """
    naming, notes = Naming.of(summary), Footnotes()
    groups = []
    for block in summary.blocks:
        pairs = [(arm, arm.difference) for arm in block.arms if arm.difference is not None]
        rows = tuple((*naming.cells(arm), *_cells(arm, gap, notes)) for arm, gap in pairs)
        if rows:
            groups.append(RowGroup(block.device_kind, words.block_label(block), rows))
    if not groups:
        return None
    quantity = words.quantity_of(summary)
    caption = (
        f"Study {name}: {quantity.label}, arm minus baseline ({_baseline_label(summary)}) with 95 % "
        f"interval; {words.selection_text(summary)}. {words.pairing_text(summary.origins)} "
        "r is the correlation over the common seeds: pairing pays where it is clearly above 0. "
        "Each interval stands alone, unadjusted for their number."
    )
    columns = (*naming.columns, *_columns(quantity))
    return Table("differences", caption, columns, tuple(groups), notes.texts)


def _columns(quantity: units.Quantity) -> tuple[Column, ...]:
    unit = f" ({quantity.delta_unit})" if quantity.delta_unit else ""
    return (
        Column(("delta",), f"Difference{unit}"),
        Column(("delta_ci95_low", "delta_ci95_high"), "95 % interval"),
        Column(("rule",), "Rule", "l"),
        Column(("n_arm", "n_baseline"), "n"),
        Column(("df",), "df"),
        Column(("correlation",), "r"),
        Column(("floor_sd", "note")),
    )


def _cells(arm: ArmSummary, gap: Difference, notes: Footnotes) -> Row:
    n = words.plural(gap.n_arm, "pair") if gap.rule == "paired" else f"{gap.n_arm}, {gap.n_baseline}"
    return (
        Cell(words.difference_text(gap, arm.one_image), (gap.delta,)),
        Cell(
            words.difference_interval_text(gap, arm.one_image),
            (gap.ci95_low, gap.ci95_high),
            (notes.mark(gap.note),) if gap.note else (),
        ),
        Cell("paired" if gap.rule == "paired" else "Welch", (gap.rule,)),
        Cell(n, (gap.n_arm, gap.n_baseline)),
        Cell(_df_text(gap.df), (gap.df,)),
        Cell(words.NONE if gap.correlation is None else units.signed(gap.correlation, 2), (gap.correlation,)),
        Cell("", (gap.floor_sd, gap.note)),
    )


def _df_text(df: float | None) -> str:
    if df is None:
        return words.NONE
    return f"{df:.0f}" if df == round(df) else f"{df:.1f}"


def _baseline_label(summary: StudySummary) -> str:
    return next((arm.label for arm in summary.arms if arm.is_baseline), "none")
