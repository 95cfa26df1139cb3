"""The main table: the baseline first, then one row an arm."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bench import units
from bench.analyse.outline import are_named, level_text, short_keys
from bench.analyse.summary import ArmSummary, Block, Speed, StudySummary
from bench.report import words
from bench.report.table import Cell, Column, Footnotes, Row, RowGroup, Table
from bench.study.model import Factor, Level

_MOST_FACTOR_COLUMNS = 3

MOST_OTHERS_PCT = 10.0
"""Of a device's time that other processes may take before a speed measured meanwhile says so."""


class Named(Protocol):
    """What names a row: an arm of a training study, or a cell of a throughput study."""

    @property
    def name(self) -> str:
        """Whole, as the plan has it."""

    @property
    def label(self) -> str:
        """Short, unique within the study."""

    @property
    def levels(self) -> Mapping[str, Level]:
        """By factor."""

    @property
    def is_baseline(self) -> bool:
        """Whether the others are compared with it."""


class Outlined(Protocol):
    """What names all rows: a study's factors and arms."""

    @property
    def factors(self) -> tuple[Factor, ...]:
        """In declared order."""

    @property
    def absent(self) -> frozenset[str]:
        """Keys of factors that only the baseline has no level of."""

    @property
    def arms(self) -> Sequence[Named]:
        """The rows."""


@dataclass(frozen=True)
class Naming:
    """How rows are named: a column for each varied factor, or one column of labels."""

    factors: tuple[Factor, ...]
    short: dict[str, str]
    absent: frozenset[str]
    """Keys of factors that the baseline has no level of: a dash stands there."""

    @classmethod
    def of(cls, summary: Outlined) -> Naming:
        """Factor columns for one to three varied factors; else labels."""
        varied = tuple(factor for factor in summary.factors if len(factor.levels) > 1)
        named = are_named({arm.name: arm.levels for arm in summary.arms})
        complete = all(
            factor.key in arm.levels or (arm.is_baseline and factor.key in summary.absent)
            for arm in summary.arms
            for factor in varied
        )
        if named or not complete or not 0 < len(varied) <= _MOST_FACTOR_COLUMNS:
            varied = ()
        return cls(varied, short_keys([factor.key for factor in summary.factors]), summary.absent)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The leading columns; CSV has the arm's whole name in any case."""
        if not self.factors:
            return (Column(("arm",), "Arm", "l"),)
        heads = [
            Column(
                (factor.key,),
                words.factor_column(factor.key, self.short[factor.key]),
                "r" if all(_is_number(level) for level in self._levels(factor)) else "l",
            )
            for factor in self.factors
        ]
        return (Column(("arm",)), *heads)

    def cells(self, arm: Named) -> Row:
        """The leading cells of an arm's row."""
        if not self.factors:
            return (Cell(arm.label, (arm.name,)),)
        return (Cell("", (arm.name,)), *(self._cell(arm, factor.key) for factor in self.factors))

    def _cell(self, arm: Named, key: str) -> Cell:
        is_absent = arm.is_baseline and key in self.absent
        level = arm.levels.get(key)
        return Cell(words.NONE if is_absent else level_text(level), (level,))

    def _levels(self, factor: Factor) -> list[Level]:
        return [level for level in factor.levels if level is not None or factor.key not in self.absent]


def arms_table(summary: StudySummary, *, name: str) -> Table:
    """One row an arm: runs, mean with interval, difference to the baseline, size, cost and speed.

    Args:
        summary: What is shown.
        name: The study's name, for the caption.
    """
    naming, notes = Naming.of(summary), Footnotes()
    groups = tuple(
        RowGroup(
            block.device_kind,
            words.block_label(block),
            tuple((*naming.cells(arm), *_cells(arm, block, summary, notes)) for arm in block.arms),
        )
        for block in summary.blocks
    )
    for block in summary.blocks:
        mixture = words.mixture_note(block)
        if mixture is not None:
            notes.mark(mixture)
    columns = (*naming.columns, *_columns(summary))
    return Table("arms", caption(summary, name), columns, groups, notes.texts)


def caption(summary: StudySummary, name: str) -> str:
    """What is shown, over which seeds, of which weights, and by which rules."""
    quantity = words.quantity_of(summary)
    seeds, selection = words.seeds_text(summary.seeds), words.selection_text(summary)
    has_interval = any(arm.estimate.ci95_low is not None for arm in summary.arms)
    interval = " with 95 % t-interval" if has_interval else ""
    if any(words.is_cut(arm, quantity) for arm in summary.arms):
        interval += ", cut at what a share can be"
    parts = [f"Study {name}: {quantity.label}, mean over {seeds}{interval}; {selection}."]
    rules = {arm.difference.rule for arm in summary.arms if arm.difference is not None}
    if rules:
        rule = words.rule_text(rules, summary.origins)
        parts.append(f"Differences are arm minus baseline, {rule}; {words.interval_sentence(summary)}.")
    verdicts = words.verdict_rules(summary)
    if verdicts is not None:
        parts.append(verdicts)
    if any(arm.is_best for arm in summary.arms):
        told = "found better than another arm and worse than none, or equivalent to such an arm"
        parts.append(f"Bold: {told}; never an arm of which a run diverged.")
    origins = words.origins_text(summary.origins)
    if origins is not None:
        parts.append(f"{words.capital(origins)}.")
    if any(arm.speed for arm in summary.arms):
        parts.append("Training speed: median of a probe that ran alone.")
    return " ".join(parts)


def _columns(summary: StudySummary) -> tuple[Column, ...]:
    quantity = words.quantity_of(summary)
    key = quantity.key
    unit = f" ({quantity.delta_unit})" if quantity.delta_unit else ""
    return (
        Column(("n_seeds", "n_runs"), "Runs", rank=1),
        Column((f"{key}_mean", f"{key}_sd"), words.capital(quantity.short_header)),
        Column(("ci95_low", "ci95_high"), "95 % interval", rank=2),
        Column(("delta",), f"Difference{unit}"),
        Column(("delta_ci95_low", "delta_ci95_high"), words.capital(words.interval_name(summary))),
        Column(("delta_rule", "delta_correlation")),
        *((Column(("verdict", "is_best"), "Verdict", "l"),) if has_verdicts(summary) else ()),
        Column(("n_params",), "Params (M)", rank=4),
        *((Column(("n_trainable_params",), "Trainable (M)", rank=4),) if freezes(summary.arms) else ()),
        Column(("gmacs",), "GMACs", rank=5),
        Column(
            ("probe_train_img_s", "probe_train_img_s_q1", "probe_train_img_s_q3"),
            "Training (img/s)",
            rank=3,
        ),
        Column(("gap", "note")),
    )


def _cells(arm: ArmSummary, block: Block, summary: StudySummary, notes: Footnotes) -> Row:
    estimate = arm.estimate
    return (
        _runs_cell(arm, notes),
        Cell(words.mean_text(arm), (estimate.mean, estimate.sd), is_bold=arm.is_best),
        Cell(
            words.interval_text(arm, words.quantity_of(summary)),
            (estimate.ci95_low, estimate.ci95_high),
            (notes.mark(estimate.note),) if estimate.note and arm.n_done else (),
        ),
        *_difference_cells(arm, block, summary, notes),
        *((_verdict_cell(arm, block, notes),) if has_verdicts(summary) else ()),
        _count_cell(arm.n_params),
        *((_count_cell(arm.n_trainable_params),) if freezes(summary.arms) else ()),
        Cell(words.NONE if arm.gmacs is None else units.significant(arm.gmacs), (arm.gmacs,)),
        _speed_cell(arm.speed, notes),
        Cell("", ("; ".join(gap.text for gap in arm.gaps) or None, estimate.note)),
    )


def has_verdicts(summary: StudySummary) -> bool:
    """Whether any arm is compared with the baseline as declared."""
    return any(c.against == summary.baseline for block in summary.blocks for c in block.comparisons)


def _verdict_cell(arm: ArmSummary, block: Block, notes: Footnotes) -> Cell:
    found = None if block.baseline is None else block.comparison(arm.name, block.baseline)
    if found is None:
        return Cell("" if arm.is_baseline else words.NONE, (None, arm.is_best))
    notes_told = (found.failures.text if found.failures is not None else None, words.verdict_note(found))
    marks = tuple(notes.mark(text) for text in notes_told if text is not None)
    told = found.verdict if found.is_made else words.NONE
    return Cell(told, (found.verdict, arm.is_best), marks)


def freezes(arms: Iterable[ArmSummary]) -> bool:
    """Whether any arm trains fewer parameters than it has."""
    return any(arm.n_trainable_params not in (None, arm.n_params) for arm in arms)


def _count_cell(count: int | None) -> Cell:
    return Cell(words.NONE if count is None else units.millions(count), (count,))


def _runs_cell(arm: ArmSummary, notes: Footnotes) -> Cell:
    counts = (arm.n_done, arm.n_runs)
    if not arm.gaps:
        return Cell(str(arm.n_done), counts)
    told = "; ".join(gap.text for gap in arm.gaps)
    stopped = any(gap.status != "not run" for gap in arm.gaps)
    if arm.n_done and stopped:
        told += f". Its numbers are conditional on the {arm.n_done} of {arm.n_runs} runs that finished"
    if arm.failures is not None:
        both, at_chance = arm.failures, arm.failures.with_chance.mean
        told += f". {words.capital(both.rate.text)}"
        if at_chance is not None:
            mean = units.fixed(at_chance, words.decimals_of(both.with_chance, arm.one_image))
            told += f"; mean with {both.labels[1]}: {mean}"
    return Cell(f"{arm.n_done}/{arm.n_runs}", counts, (notes.mark(f"{arm.label}: {told}"),))


def _speed_cell(speed: Speed | None, notes: Footnotes) -> Cell:
    if speed is None:
        return Cell(words.NONE, (None, None, None), (notes.mark("speed not measured: no probe"),))
    marks: tuple[int, ...] = ()
    if speed.others_share_pct is not None and speed.others_share_pct > MOST_OTHERS_PCT:
        marks = (notes.mark(f"other processes took {speed.others_share_pct:.0f} % of the device meanwhile"),)
    values = (speed.median_img_s, speed.q1_img_s, speed.q3_img_s)
    return Cell(words.speed_text(speed), values, marks)


def _difference_cells(arm: ArmSummary, block: Block, summary: StudySummary, notes: Footnotes) -> Row:
    gap = arm.difference
    if arm.is_baseline:
        return (Cell("baseline", (None,)), Cell("", (None, None)), Cell("", (None, None)))
    if gap is None or gap.delta is None:
        marks: tuple[int, ...] = ()
        if block.baseline is None and summary.baseline is not None:
            marks = (notes.mark(f"the baseline has no result on {block.device_kind}"),)
        elif gap is not None and gap.student.note and arm.n_done:
            marks = (notes.mark(gap.student.note),)
        return (Cell(words.NONE, (None,), marks), Cell(words.NONE, (None, None)), Cell("", (None, None)))
    n_base = next(other.n_done for other in block.arms if other.is_baseline)
    note = words.difference_note(gap, (arm.n_done, n_base))
    return (
        Cell(words.difference_text(gap, arm.one_image), (gap.delta,)),
        Cell(
            words.difference_interval_text(gap, arm.one_image),
            (gap.ci95_low, gap.ci95_high),
            (notes.mark(note),) if note else (),
        ),
        Cell("", (gap.rule, gap.correlation)),
    )


def _is_number(level: object) -> bool:
    return isinstance(level, int | float) and not isinstance(level, bool)
