"""Our engine beside other trainers: the table of ratios that the README shows."""

from __future__ import annotations

from collections.abc import Sequence

from bench import units
from bench.record.rivals import Contender, Rivals
from bench.report.table import Cell, Column, Footnotes, Row, RowGroup, Table

_COLUMNS = (
    Column(("trained_by",), "trained by", align="l"),
    Column(("settings",), "settings", align="l"),
    Column(("img_s",), "img/s"),
    Column(("ratio", "ratio_low", "ratio_high", "rounds"), "bench is faster by"),
)


def rivals_table(measured: Sequence[Rivals]) -> Table:
    """One group a device, our fastest mode first, then everyone by throughput.

    Args:
        measured: At least one measurement.
    """
    notes = Footnotes()
    groups = tuple(RowGroup(rivals.device_kind, rivals.device, _rows(rivals, notes)) for rivals in measured)
    return Table("rivals", _caption(measured), _COLUMNS, groups, notes.texts)


def workers_sentence(measured: Sequence[Rivals]) -> str | None:
    """What workers of one thread gain over threads, for each CPU where it was measured."""
    told = []
    for rivals in measured:
        workers = rivals.workers
        if workers is not None:
            told.append(
                f"{workers.workers} one-thread workers carry out studies/{workers.study}.yaml "
                f"{units.fixed(workers.ratio, 2)} times as fast as one process with {workers.workers} "
                f"threads ({units.plural(workers.n_runs, 'run')}, {rivals.device})"
            )
    return f"{'; '.join(told)}." if told else None


def _caption(measured: Sequence[Rivals]) -> str:
    jobs = [rivals.job for rivals in measured]
    first = jobs[0]
    images = " or ".join(dict.fromkeys(units.fixed(job.n_images, 0) for job in jobs))
    threads = " or ".join(dict.fromkeys(units.plural(job.threads, "CPU thread") for job in jobs))
    return (
        f"{first.network} on {images} images of {first.data} an epoch, batch {first.batch_size}; "
        f"{first.recipe}. "
        f"Every contender in a process of its own with {threads}; all train an epoch in turn. Medians over "
        "the epochs, and the median ratio over the rounds with its quartiles; compilation and the first "
        "epoch are left out."
    )


def _rows(rivals: Rivals, notes: Footnotes) -> tuple[Row, ...]:
    ratios = {ratio.over: ratio for ratio in rivals.ratios}
    ordered = sorted(rivals.contenders, key=lambda one: (one.key != rivals.best, -one.img_s))
    rows = []
    for contender in ordered:
        found = ratios.get(contender.key)
        text = "" if found is None else f"{_times(found.median)} [{_times(found.low)}, {_times(found.high)}]"
        values = (None,) * 4 if found is None else (found.median, found.low, found.high, found.n)
        rows.append(
            (
                Cell(contender.trained_by, (contender.trained_by,)),
                Cell(contender.settings, (contender.settings,), _marks(contender, notes)),
                Cell(units.significant(contender.img_s), (contender.img_s,)),
                Cell(text, values),
            )
        )
    return tuple(rows)


def _marks(contender: Contender, notes: Footnotes) -> tuple[int, ...]:
    if contender.compile_s is None or not contender.ours:
        return ()
    return (notes.mark(f"made ready (compiled, captured) in {units.duration(contender.compile_s)}"),)


def _times(ratio: float) -> str:
    return f"{units.fixed(ratio, 2)}×"
