"""Throughput cells: windows within repeats, repeats as the replicates.

A window is one reading of a running process; a repeat is that process, with its own memory addresses,
autotuning and clocks. Windows of one repeat resemble each other more than repeats do, so they are never
pooled: each repeat gives one median, and a cell is the median of its repeats with their range. The quartiles
and the 95th percentile are taken within each repeat, and their medians over the repeats are shown: they tell
how steady a process runs, not how well the cell is known.

What bounds a cell stands beside it: its share of the device's peak arithmetic (MFU) and of the memory roof,
the images a second that the measured bandwidth allows if each image moves no byte more than a fused network
must.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any, Final

from bench.analyse.break_even import BreakEven, break_even
from bench.analyse.cell_traits import CellTraits, rest_key, traits_of
from bench.analyse.outcome import Gap, Place, gaps_of
from bench.analyse.outline import (
    Outline,
    absent_factors,
    arm_labels,
    outline_from_records,
    outline_of,
    section,
)
from bench.analyse.repeat import Repeat, repeat_of
from bench.record.schema import CellMetrics, CellRecord, Record
from bench.study.model import Factor, Level, Study


@dataclass(frozen=True)
class CellSummary:
    """One cell: a row of the table, a row or a mark in a figure."""

    name: str
    label: str
    levels: Mapping[str, Level]
    is_baseline: bool
    traits: CellTraits | None
    """None for a cell that never ran and is not known to the study."""
    config: Mapping[str, Any]
    """As recorded; empty where it never ran."""
    repeats: tuple[Repeat, ...]
    n_runs: int
    """Repeats that were planned, as far as it is known."""
    gaps: tuple[Gap, ...]
    metrics: CellMetrics
    """What all repeats share, and the median over repeats of what each measures."""
    relative: float | None = None
    """Speed as a multiple of the baseline's."""
    break_even: BreakEven | None = None

    @property
    def n_done(self) -> int:
        """Repeats with windows."""
        return len(self.repeats)

    @property
    def median_img_s(self) -> float | None:
        """Median of the repeats' medians."""
        return _median(repeat.median_img_s for repeat in self.repeats)

    @property
    def low_img_s(self) -> float | None:
        """The slowest repeat's median."""
        return min((repeat.median_img_s for repeat in self.repeats), default=None)

    @property
    def high_img_s(self) -> float | None:
        """The fastest repeat's median."""
        return max((repeat.median_img_s for repeat in self.repeats), default=None)

    @property
    def q1_img_s(self) -> float | None:
        """Median over repeats of the windows' lower quartile."""
        return _median(repeat.q1_img_s for repeat in self.repeats)

    @property
    def q3_img_s(self) -> float | None:
        """Median over repeats of the windows' upper quartile."""
        return _median(repeat.q3_img_s for repeat in self.repeats)

    @property
    def iqr_pct(self) -> float | None:
        """Median over repeats of the interquartile range, as a share of the repeat's median."""
        return _median(100 * (r.q3_img_s - r.q1_img_s) / r.median_img_s for r in self.repeats)

    @property
    def p95_step_s(self) -> float | None:
        """Median over repeats of the 95th percentile of the windows' mean step."""
        return _median(repeat.p95_step_s for repeat in self.repeats)

    @property
    def n_windows(self) -> int | None:
        """Windows of a repeat."""
        return min((repeat.n_windows for repeat in self.repeats), default=None)

    @property
    def achieved_flops_s(self) -> float | None:
        """Arithmetic of the network carried out in a second."""
        return _product(self.median_img_s, self.metrics.flops_per_image)

    @property
    def mfu_pct(self) -> float | None:
        """Model FLOP utilisation: the share of the device's dense peak for the precision."""
        return _share(self.achieved_flops_s, self.metrics.peak_flops_s)

    @property
    def memory_roof_pct(self) -> float | None:
        """Share of the memory roof for fused traffic; above 100 where caches spare traffic to memory."""
        return _share(
            _product(self.median_img_s, self.metrics.fused_bytes_per_image),
            self.metrics.measured_bandwidth_bytes_s,
        )

    @property
    def noise(self) -> tuple[str, ...]:
        """Why repeats are flagged, each reason with its repeats."""
        told: dict[str, list[int]] = {}
        for repeat in self.repeats:
            for reason in repeat.noise:
                told.setdefault(reason, []).append(repeat.seed)
        return tuple(
            f"repeat{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}: {reason}"
            for reason, seeds in told.items()
        )


@dataclass(frozen=True)
class CellBlock(Place):
    """The cells on one kind of device."""

    arms: tuple[CellSummary, ...]

    @property
    def done(self) -> tuple[CellSummary, ...]:
        """The cells with a result."""
        return tuple(arm for arm in self.arms if arm.n_done)


@dataclass(frozen=True)
class CellsSummary:
    """A throughput study, block by block."""

    blocks: tuple[CellBlock, ...]
    seeds: tuple[int, ...]
    factors: tuple[Factor, ...]
    baseline: str | None
    absent: frozenset[str]

    @property
    def arms(self) -> tuple[CellSummary, ...]:
        """The cells of all blocks."""
        return tuple(arm for block in self.blocks for arm in block.arms)


def cell_records(records: Iterable[Record]) -> list[CellRecord]:
    """The cells among the records, in order."""
    return [record for record in records if isinstance(record, CellRecord)]


def summarise_cells(records: Sequence[Record], *, study: Study | None = None) -> CellsSummary:
    """Medians, spreads, shares of the roofs and break-even points of every cell.

    Args:
        records: Lines of one study's `records.jsonl`, in order.
        study: The plan; with it, repeats and cells that never ran are counted. Without, the first cell is
            taken as the baseline and the repeats that any cell has as the planned ones.

    Returns:
        One block a kind of device, the baseline first in each.
    """
    outline = outline_from_records(records) if study is None else outline_of(study)
    cells = [cell for cell in cell_records(records) if cell.arm in outline.arms]
    kinds = dict.fromkeys(cell.device_kind for cell in cells)
    blocks = tuple(
        _block(kind, [cell for cell in cells if cell.device_kind == kind], outline) for kind in kinds
    )
    return CellsSummary(blocks, outline.seeds, outline.factors, outline.baseline, absent_factors(outline))


def _block(kind: str, cells: Sequence[CellRecord], outline: Outline) -> CellBlock:
    by_arm: dict[str, list[CellRecord]] = {name: [] for name in outline.arms}
    for cell in cells:
        by_arm[cell.arm].append(cell)
    labels = arm_labels(outline)
    arms = [_cell(name, labels[name], own, outline) for name, own in by_arm.items()]
    base = next((arm.median_img_s for arm in arms if arm.is_baseline), None)
    eager = {
        rest_key(arm.config, _COMPILE): arm for arm in reversed(arms) if arm.n_done and not _compiles(arm)
    }
    told = [
        replace(
            arm,
            relative=_ratio(arm.median_img_s, base),
            break_even=_break_even(arm, eager.get(rest_key(arm.config, _COMPILE)))
            if _compiles(arm)
            else None,
        )
        for arm in arms
    ]
    return CellBlock(
        **vars(Place.of(kind, cells)), arms=tuple(sorted(told, key=lambda arm: not arm.is_baseline))
    )


def _cell(name: str, label: str, cells: Sequence[CellRecord], outline: Outline) -> CellSummary:
    found = [repeat for cell in cells if (repeat := repeat_of(cell)) is not None]
    repeats = tuple(sorted(found, key=lambda repeat: repeat.seed))
    gaps = gaps_of(cells, {repeat.seed for repeat in repeats}, outline.seeds, noun="repeat")
    done = [cell for cell in cells if cell.status == "done"] or list(cells)
    return CellSummary(
        name=name,
        label=TWIN if label == _TWIN_LABEL else label,
        levels=outline.arms[name],
        is_baseline=name == outline.baseline,
        traits=traits_of(done[0]) if done else None,
        config=done[0].config if done else {},
        repeats=repeats,
        n_runs=len(repeats) + sum(len(gap.seeds) for gap in gaps),
        gaps=gaps,
        metrics=_over_repeats([cell.metrics for cell in done]),
    )


TWIN: Final = "A/A twin"
_TWIN_LABEL: Final = "aa=true"
"""How the factor `measure.aa` names the twin of a baseline."""

_COMPILE: Final = ("execution.compile",)
_MEASURED: Final = (
    "compile_cold_s",
    "compile_warm_s",
    "joules_per_image",
    "sm_clock_mhz",
    "others_share_pct",
    "measured_peak_flops_s",
    "measured_bandwidth_bytes_s",
    "peak_flops_s",
)
_LARGEST: Final = ("peak_allocated_bytes", "peak_reserved_bytes")


def _over_repeats(all_metrics: Sequence[CellMetrics]) -> CellMetrics:
    """What the repeats share, with medians of what is measured and the largest of the peaks of memory."""
    if not all_metrics:
        return CellMetrics()
    first = all_metrics[0]
    changes: dict[str, float | int | None] = {}
    for key in _MEASURED:
        changes[key] = _median(getattr(metrics, key) for metrics in all_metrics)
    for key in _LARGEST:
        changes[key] = max((v for m in all_metrics if (v := getattr(m, key)) is not None), default=None)
    return first.model_copy(update=changes)


def _compiles(arm: CellSummary) -> bool:
    return bool(section(arm.config, "execution").get("compile", "none") != "none")


def _break_even(arm: CellSummary, eager: CellSummary | None) -> BreakEven | None:
    """Against the equal cell without compilation; None where there is none."""
    if eager is None or not arm.repeats or not eager.repeats:
        return None
    one, other = ([repeat.median_img_s for repeat in cell.repeats] for cell in (arm, eager))
    times = (arm.metrics.compile_cold_s, arm.metrics.compile_warm_s)
    return break_even(eager.name, compiled_img_s=one, eager_img_s=other, cold_s=times[0], warm_s=times[1])


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def _ratio(value: float | None, base: float | None) -> float | None:
    return None if value is None or not base else value / base


def _product(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one * other


def _share(value: float | None, whole: float | None) -> float | None:
    ratio = _ratio(value, whole)
    return None if ratio is None else 100 * ratio
