"""Validation accuracy at equal budgets as a table: the same arms at equal epochs, seconds and operations."""

from __future__ import annotations

from collections.abc import Sequence

from bench import units
from bench.analyse.equal_budget import AtBudget, EqualBudgets, equal_budgets
from bench.analyse.equal_clocks import CLOCKS, Clock, clocks_of
from bench.analyse.summary import Block, StudySummary
from bench.record.schema import Record
from bench.report import words
from bench.report.arms_table import Naming
from bench.report.clock_axis import flops_unit
from bench.report.reach_table import SECONDS, amount
from bench.report.table import Cell, Column, Footnotes, RowGroup, Table


def equal_table(records: Sequence[Record], summary: StudySummary, *, name: str) -> Table | None:
    """One row an arm that was validated; None below two of them.

    Args:
        records: Lines of the study.
        summary: Its arms.
        name: The study's name, for the caption.
    """
    found = [(block, made) for block in summary.blocks if (made := _budgets(records, block)) is not None]
    if not found:
        return None
    clocks = [clock for clock in CLOCKS if all(clock in made.common for _, made in found)]
    naming, notes = Naming.of(summary), Footnotes()
    groups = []
    for block, made in found:
        own = {clock: {one.arm: one for one in made.at_common[clock]} for clock in clocks}
        rows = tuple(
            (*naming.cells(arm), *(_cell(own[clock][arm.name], notes) for clock in clocks))
            for arm in block.arms
            if arm.name in own[clocks[0]]
        )
        groups.append(RowGroup(block.device_kind, words.block_label(block), rows))
    columns = tuple(
        Column(
            (f"{clock}_n", f"{clock}_val_top1_pct", f"{clock}_ci95_low", f"{clock}_ci95_high"),
            _header(clock, [made.common[clock] for _, made in found]),
        )
        for clock in clocks
    )
    return Table(
        "equal", _caption(name, found, clocks), (*naming.columns, *columns), tuple(groups), notes.texts
    )


def _budgets(records: Sequence[Record], block: Block) -> EqualBudgets | None:
    names = [arm.name for arm in block.arms]
    clocks = clocks_of(records, block.device_kind, names)
    return None if isinstance(clocks, str) or len(clocks.arms) < 2 else equal_budgets(clocks, names)


def _header(clock: Clock, budgets: Sequence[float]) -> str:
    if len(set(budgets)) > 1:
        return f"At equal {'operations' if clock == 'flops' else clock}"
    return f"At {budget_text(clock, budgets[0])}"


def budget_text(clock: Clock, budget: float) -> str:
    """A budget with its unit."""
    if clock == "flops":
        size, unit = flops_unit(budget)
        return f"{units.significant(budget / size)} {unit}"
    return f"{amount(budget)} {'epochs' if clock == 'epochs' else 's'}"


def _caption(name: str, found: Sequence[tuple[Block, EqualBudgets]], clocks: Sequence[Clock]) -> str:
    what = "mean over the finished runs with 95 % t-interval; the last evaluation within the budget counts"
    where = "at the largest budget that all arms were given, by each clock"
    parts = [f"Study {name}: validation top-1 (%) {where}, {what}."]
    if "seconds" in clocks:
        parts += [
            SECONDS[source] for source in dict.fromkeys(made.seconds_from for _, made in found) if source
        ]
    if "flops" in clocks:
        parts.append("Operations: three forward passes an image, nothing deducted for frozen layers.")
    changed = any(len({made.leaders(clock)[:1] for clock in clocks}) > 1 for _, made in found)
    parts.append(
        "Which arm has the highest mean depends on the clock."
        if changed
        else "The same arm has the highest mean by every clock."
    )
    return " ".join(parts)


def _cell(one: AtBudget, notes: Footnotes) -> Cell:
    estimate = one.estimate
    values = (estimate.n, estimate.mean, estimate.ci95_low, estimate.ci95_high)
    if estimate.mean is None:
        reason = "no evaluation within the budget" if one.n_before else estimate.note or "no finished run"
        return Cell(words.NONE, values, (notes.mark(reason),))
    half = estimate.half_width
    if not half or estimate.ci95_low is None or estimate.ci95_high is None:
        return Cell(
            units.fixed(estimate.mean, 1), values, (notes.mark(estimate.note),) if estimate.note else ()
        )
    decimals = units.decimals_for(half)
    low, high = max(estimate.ci95_low, 0.0), min(estimate.ci95_high, 100.0)
    ends = f"[{units.fixed(low, decimals)}, {units.fixed(high, decimals)}]"
    return Cell(f"{units.fixed(estimate.mean, decimals)} {ends}", values)
