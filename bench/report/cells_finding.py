"""What a throughput study says in a sentence a kind of device, made from its numbers alone."""

from __future__ import annotations

from bench import units
from bench.analyse.cells import CellBlock, CellsSummary, CellSummary
from bench.analyse.twins import twin_checks, twins
from bench.report import words
from bench.report.cells_table import speed_text


def cells_finding(summary: CellsSummary) -> str | None:
    """The fastest and the slowest cell against the baseline, and the A/A check; None without results."""
    told = [(block.device_kind, _sentences(block)) for block in summary.blocks if block.done]
    if len(told) < 2:
        return told[0][1] if told else None
    return " ".join(f"{kind}: {text}" for kind, text in told)


def _sentences(block: CellBlock) -> str:
    said = [f"{_extremes(block)}{_stopped(block)}."]
    said += [f"{check.text}." for check in twin_checks(block)]
    noisy = sum(bool(arm.noise) for arm in block.done)
    if noisy:
        said.append(f"{units.plural(noisy, 'cell')} of {len(block.done)} with a result flagged as noisy.")
    return " ".join(said)


def _extremes(block: CellBlock) -> str:
    base = next((arm for arm in block.done if arm.is_baseline), None)
    same = {other.name for one, other in twins(block.done) if one is base}
    others = sorted((arm for arm in block.done if arm is not base and arm.name not in same), key=_speed)
    if base is None:
        ends = [f"{arm.label} {_told(arm)}" for arm in dict.fromkeys((*others[:1], *others[-1:]))]
        return f"Speed: {' to '.join(ends)}"
    start = f"Against {'' if base.label == 'baseline' else 'the baseline '}{base.label} ({_told(base)})"
    if not others:
        return f"{base.label}: {_told(base)}"
    parts = []
    if _speed(others[-1]) > _speed(base):
        parts.append(f"the fastest cell is {others[-1].label} ({_times(others[-1])})")
    if _speed(others[0]) < _speed(base):
        parts.append(f"the slowest is {others[0].label} ({_times(others[0])})")
    return f"{start}, {words.listed(parts) or 'no cell differs'}"


def _told(arm: CellSummary) -> str:
    return f"{speed_text(arm)} img/s"


def _times(arm: CellSummary) -> str:
    assert arm.relative is not None
    return f"{_told(arm)}, × {units.significant(arm.relative)}"


def _stopped(block: CellBlock) -> str:
    count = sum(1 for arm in block.arms if not arm.n_done)
    return f"; {units.plural(count, 'cell')} of {len(block.arms):,} without a result" if count else ""


def _speed(arm: CellSummary) -> float:
    assert arm.median_img_s is not None
    return arm.median_img_s
