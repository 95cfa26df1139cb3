"""The table that a design asks for: contributions, effects with their aliases, the steps of a path."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bench.analyse.contrast import Contrast
from bench.analyse.design_contributions import LEAVE_ONE_OUT, ONE_AT_A_TIME, Contributions, contributions
from bench.analyse.design_factorial import Effects, effects
from bench.analyse.design_walk import Step, walk
from bench.analyse.outline import level_text
from bench.analyse.summary import Block, StudySummary
from bench.record.schema import Record
from bench.report import words
from bench.report.table import Cell, Column, Footnotes, Row, RowGroup, Table
from bench.study.factorial_factors import fraction_in
from bench.study.model import Study
from bench.units import fixed

_KINDS = (LEAVE_ONE_OUT, ONE_AT_A_TIME, "factorial", "path")


def design_table(
    summary: StudySummary, records: Sequence[Record], study: Study | None, *, name: str
) -> Table | None:
    """One row a component, level, effect or step; None for designs without a table of their own.

    Args:
        summary: What is shown.
        records: Of the study; a path's validation accuracy is read from them.
        study: Whose design.
        name: Its name, for the caption.
    """
    if study is None or study.design not in _KINDS:
        return None
    notes = Footnotes()
    groups = []
    for block in summary.blocks:
        rows = tuple(_rows(block, summary, records, study, notes))
        if rows:
            groups.append(RowGroup(block.device_kind, words.block_label(block), rows))
    if not groups:
        return None
    caption = f"Study {name}: {_caption(summary, study)}; {words.selection_text(summary)}."
    return Table("design", caption, _columns(study), tuple(groups), notes.texts)


def _caption(summary: StudySummary, study: Study) -> str:
    quantity = words.quantity_of(summary)
    alone = "intervals and p-values stand alone, Holm's over the rows beside them"
    if study.design == "path":
        alone = "intervals and p-values stand alone"
    if study.design == LEAVE_ONE_OUT:
        told = "full recipe minus the recipe without it"
        return f"what each component brings in {quantity.label}, {told}; {alone}"
    if study.design == ONE_AT_A_TIME:
        return f"what each level changes in {quantity.label}, arm minus baseline; {alone}"
    if study.design == "path":
        told = "each step adds the component with the highest mean validation top-1 accuracy over the seeds"
        return (
            f"greedy path, {quantity.label} gained by each step; {told}; the test set chose nothing; {alone}"
        )
    levels = "; ".join(
        f"{factor.key} {' to '.join(level_text(level) for level in factor.levels)}"
        for factor in study.factors
    )
    told = "mean at the second level minus mean at the first, interactions half the difference of two such"
    design = fraction_in(study.document["design"]).text
    return f"{design}; effects on {quantity.label}, {told} ({levels}); {alone}"


def _columns(study: Study) -> tuple[Column, ...]:
    heads = {
        LEAVE_ONE_OUT: ("Component", "It brings"),
        ONE_AT_A_TIME: ("Level", "Difference"),
        "path": ("Adds", "Gain"),
        "factorial": ("Effect", "Estimate"),
    }
    head, value = heads[study.design or ""]
    path = (Column(("val_top1_pct",), "Validation top-1 (%)"), Column(("passed_over",), "Passed over", "l"))
    alias = (Column(("aliases",), "Aliased with", "l"),)
    return (
        Column(("what",), head, "l"),
        *(path if study.design == "path" else alias if study.design == "factorial" else ()),
        Column(("estimate",), value),
        Column(("unit",), "Unit", "l"),
        Column(("ci95_low", "ci95_high"), "95 % interval"),
        Column(("rule", "n_seeds"), "Seeds"),
        Column(("t", "p"), "p"),
        *(() if study.design == "path" else (Column(("p_holm",), "p (Holm)"),)),
        Column(("by_seed",)),
        Column(("reason",)),
    )


def _rows(
    block: Block, summary: StudySummary, records: Sequence[Record], study: Study, notes: Footnotes
) -> Iterable[Row]:
    found: Contributions | Effects | tuple[Step, ...] | str
    if study.design == "factorial":
        found = effects(block, study.factors, summary.metric)
    elif study.design == "path":
        found = walk(block, records, study, summary.metric)
    else:
        found = contributions(block, study.design or "", summary.metric)
    if isinstance(found, Contributions):
        for one in found.ranked:
            yield (
                _text(one.name),
                *_contrast(one.contrast, notes, one.p_holm, one_image=one.arm.one_image, has_holm=True),
            )
    elif isinstance(found, Effects):
        ruler = found.arms[0].one_image
        for effect in found.effects:
            aliases = effect.chain.text.removeprefix(effect.chain.name).removeprefix(" + ")
            head = (_text(effect.chain.name), _text(aliases))
            yield (*head, *_contrast(effect.contrast, notes, effect.p_holm, one_image=ruler, has_holm=True))
    elif not isinstance(found, str):
        for step in found[1:]:
            yield _of_step(step, notes)


def _of_step(step: Step, notes: Footnotes) -> Row:
    assert step.gain is not None, "every step but the first has one"
    passed = [
        f"{one.component} {_val(one.mean_val_top1_pct)}"
        for one in step.tried
        if one.component != step.component
    ]
    told = ", ".join(passed) if step.is_choice else "no other was left"
    value = step.mean_val_top1_pct
    return (
        _text(step.component or ""),
        Cell(_val(value), (value,)),
        _text(told),
        *_contrast(step.gain, notes, None, one_image=step.arm.one_image, has_holm=False),
    )


def _val(value: float | None) -> str:
    return "no result" if value is None else fixed(value, 2)


def _text(text: str) -> Cell:
    return Cell(text, (text,))


def _contrast(
    found: Contrast, notes: Footnotes, p_holm: float | None, *, one_image: float | None, has_holm: bool
) -> Row:
    bounds = words.of_contrast(found)
    marks = () if found.student.note is None else (notes.mark(found.student.note),)
    n = len(found.seeds)
    adjusted = (Cell(words.p_cell(p_holm), (p_holm,)),) if has_holm else ()
    return (
        Cell(words.difference_text(bounds, one_image), (found.estimate,)),
        Cell(found.unit, (found.unit,)),
        Cell(words.difference_interval_text(bounds, one_image), (found.ci95_low, found.ci95_high), marks),
        Cell(f"{n} {'paired' if found.rule == 'paired' else 'each'}", (found.rule, n)),
        Cell(words.p_cell(found.p), (found.student.t, found.p)),
        *adjusted,
        Cell("", (" ".join(repr(value) for value in found.by_seed),)),
        Cell("", (found.reason,)),
    )
