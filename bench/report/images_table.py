"""Test images: which an arm gains or loses in every seed, and what new images would add to the spread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bench import units
from bench.analyse.images import ImageChanges, image_changes
from bench.analyse.summary import StudySummary
from bench.record.bits import Bits
from bench.record.schema import Record
from bench.report import words
from bench.report.arms_table import Naming
from bench.report.table import Cell, Column, Footnotes, Row, RowGroup, Table

_MOST_TOLD: Final = 6
"""Images that a cell names; CSV has all."""

_COLUMNS: Final = (
    Column(("n_runs",), "Runs"),
    Column(("sd_test_set_pp",), "Sd, these images (pp)"),
    Column(("sd_distribution_pp",), "Sd, new images (pp)"),
    Column(
        ("delta_pp", "ci95_low", "ci95_high", "se_seeds_pp", "se_images_pp", "se_both_pp"),
        "Difference, new images too (pp)",
    ),
    Column(("n_gained", "gained"), "Gained in all seeds", "l"),
    Column(("n_lost", "lost"), "Lost in all seeds", "l"),
)


def images_table(records: Sequence[Record], bits: Bits, summary: StudySummary, *, name: str) -> Table | None:
    """One row an arm whose bits are there; None without a baseline or below two arms.

    Args:
        records: Lines of the study.
        bits: Which test images each run got right.
        summary: Its arms.
        name: The study's name, for the caption.
    """
    naming, notes, groups = Naming.of(summary), Footnotes(), []
    n_images: set[int] = set()
    for block in summary.blocks:
        arms = {arm.name: arm for arm in block.arms}
        found = image_changes(records, bits, block)
        n_images |= {one.flips.n_images for one in found if one.flips}
        rows = tuple((*naming.cells(arms[one.arm]), *_cells(one, notes)) for one in found)
        if rows:
            groups.append(RowGroup(block.device_kind, words.block_label(block), rows))
    if not groups:
        return None
    count = words.listed(f"{count:,}" for count in sorted(n_images))
    caption = (
        f"Study {name}: the {count} test images one by one. Sd over seeds on these images and, by the "
        "unbiased estimate of Jordan (2024), on new ones; difference to the baseline with the 95 % interval "
        "that holds for new seeds and new images; images (counted from 0) that every run of one arm gets "
        "right and every run of the other gets wrong."
    )
    return Table("images", caption, (*naming.columns, *_COLUMNS), tuple(groups), notes.texts)


def _cells(one: ImageChanges, notes: Footnotes) -> Row:
    spread, flips = one.spread, one.flips
    here = None if spread is None else spread.sd_test_set_pp
    beyond = None if spread is None else spread.sd_distribution_pp
    marks: tuple[int, ...] = ()
    if spread is not None and spread.is_clipped:
        marks = (notes.mark("the estimate of the variance is below 0, as it may be by chance"),)
    gained, lost = (None, None) if flips is None else (flips.gained, flips.lost)
    return (
        Cell(str(one.n_runs), (one.n_runs,)),
        Cell(words.NONE if here is None else units.fixed(here, 2), (here,)),
        Cell(words.NONE if beyond is None else units.fixed(beyond, 2), (beyond,), marks),
        _difference(one, notes),
        _images(gained),
        _images(lost),
    )


def _difference(one: ImageChanges, notes: Footnotes) -> Cell:
    levels = one.levels
    if levels is None:
        return Cell("" if one.flips is None else words.NONE, (None,) * 6)
    bounds = words.Bounds(levels.delta_pp, levels.low_pp, levels.high_pp)
    text = f"{words.difference_text(bounds, None)} {words.difference_interval_text(bounds, None)}"
    ses = (levels.se_seeds_pp, levels.se_images_pp, levels.se_both_pp)
    told = "seeds and images vary by less than one test image, which stands for them"
    marks = (notes.mark(told),) if levels.is_floored else ()
    return Cell(text, (levels.delta_pp, levels.low_pp, levels.high_pp, *ses), marks)


def _images(indices: Sequence[int] | None) -> Cell:
    """How many, and the first of them."""
    if indices is None:
        return Cell("", (None, None))
    every = " ".join(map(str, indices))
    if not indices:
        return Cell("0", (0, every))
    told = ", ".join(map(str, indices[:_MOST_TOLD]))
    more = ", …" if len(indices) > _MOST_TOLD else ""
    return Cell(f"{len(indices)}: {told}{more}", (len(indices), every))
