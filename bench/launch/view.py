"""What a person sees while a study runs: a live table on a terminal, plain lines in a pipe.

Both go to stderr. The table has one row an arm: how many seeds are done, the mean of the primary metric
so far, what runs now; above it the workers and the time left, from the share of the work that is done.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from bench.execute.job import Answer, Job, Progress, RunJob
from bench.record.schema import CellMetrics, Metrics
from bench.study.levels import level_text
from bench.study.model import Arm, Factor, Study
from bench.units import duration, plural

REFRESH_S = 0.25
MIN_ROWS = 4

NOW_WIDTH = 31
"""Columns of `seed 3 · epoch 3/8 · loss 0.123`."""


@dataclass
class ArmRow:
    """State of one arm in the view."""

    levels: tuple[str, ...]
    n_planned: int
    values: list[float] = field(default_factory=list)
    n_finished: int = 0
    troubles: list[str] = field(default_factory=list)
    running: dict[str, str] = field(default_factory=dict)
    last_change: float = 0.0


class View:
    """Listens to a pool and shows what happens."""

    def __init__(
        self,
        study: Study,
        console: Console,
        *,
        workers: str,
        sources: Sequence[Arm] = (),
        cost: Callable[[RunJob], float],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare the rows.

        Args:
            study: What runs; its metric is what the means are of.
            console: On stderr; decides between the table and lines.
            sources: Arms that are trained for their weights only; they stand below the others.
            workers: How the header names the workers, as "2 workers on cpu".
            cost: Relative duration of a run.
            clock: Seconds; injected by tests.
        """
        self.study = study
        self.console = console
        n_factors = max(1, len(study.factors))
        self.rows = {
            arm.name: ArmRow(_levels(arm, n_factors), len(study.seeds_of(arm.name)))
            for arm in (*study.arms, *sources)
        }
        self._workers = workers
        self._cost = cost
        self._clock = clock
        self._began = clock()
        self._share: dict[str, float] = {}
        self._jobs: dict[str, float] = {}
        self._ended = 0
        self._live: Live | None = None
        self._drawn = 0.0

    def __enter__(self) -> View:
        if self.console.is_terminal:
            self._live = Live(
                console=self.console, auto_refresh=False, transient=True, vertical_overflow="crop"
            )
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def plan(self, jobs: Sequence[RunJob]) -> None:
        """Say what is to do; the time left starts from here."""
        self._jobs = {job.label: self._cost(job) for job in jobs}
        self._began = self._clock()
        self._say(f"{self.study.name}: {plural(len(jobs), 'run')} to train, {self._workers}")

    def known(self, arm: str, metrics: Metrics | CellMetrics | None, status: str) -> None:
        """Take a run into account that was finished before this call."""
        self._count(self.rows[arm], metrics, status)

    def started(self, job: Job) -> None:
        """A worker got the job."""
        if isinstance(job, RunJob):
            self._row(job).running[job.label] = f"seed {job.run.seed}"
        self.idle()

    def progress(self, job: Job, progress: Progress) -> None:
        """A worker got on with it."""
        if progress.warning:
            self.console.print(escape(f"{job.label}: {progress.warning}"), highlight=False, soft_wrap=True)
        if not isinstance(job, RunJob) or not (progress.text or progress.row):
            return
        text = progress.text
        if progress.row is not None:
            row = progress.row
            self._share[job.label] = min(1.0, row.epoch / max(progress.n_epochs, 1e-9))
            text = f"epoch {row.epoch}/{progress.n_epochs:g} · loss {row.train_loss:.3f}"
        self._row(job).running[job.label] = f"seed {job.run.seed} · {text}"
        self.idle()

    def ended(self, job: Job, answer: Answer) -> None:
        """A job came to its end."""
        if not isinstance(job, RunJob):
            return
        row = self._row(job)
        row.running.pop(job.label, None)
        self._share[job.label] = 1.0
        self._ended += 1
        self._count(row, answer.metrics, answer.outcome)
        self._say(f"[{self._ended:>{len(str(len(self._jobs)))}}/{len(self._jobs)}] {self._line(job, answer)}")
        self.idle()

    def idle(self) -> None:
        """Draw again if it is time."""
        now = self._clock()
        if self._live is not None and now - self._drawn >= REFRESH_S:
            self._drawn = now
            self._live.update(self._table(), refresh=True)

    def left_s(self) -> float | None:
        """Seconds until all jobs are done at the rate so far; None before there is a rate."""
        total = sum(self._jobs.values())
        done = sum(self._jobs.get(label, 0.0) * share for label, share in self._share.items())
        elapsed = self._clock() - self._began
        if done <= 0 or elapsed <= 0:
            return None
        return max(0.0, (total - done) * elapsed / done)

    def _row(self, job: RunJob) -> ArmRow:
        row = self.rows[job.run.arm.name]
        row.last_change = self._clock()
        return row

    def _count(self, row: ArmRow, metrics: Metrics | CellMetrics | None, status: str) -> None:
        if status == "interrupted":
            return
        row.n_finished += 1
        value = getattr(metrics, self.study.metric) if metrics is not None else None
        if status == "done" and value is not None:
            row.values.append(value)
        else:
            row.troubles.append(status)

    def _line(self, job: RunJob, answer: Answer) -> str:
        if answer.outcome == "done" and answer.metrics is not None:
            value = getattr(answer.metrics, self.study.metric)
            seconds = getattr(answer.metrics, "train_time_s", None)
            spent = f", {seconds:.1f} s of training" if seconds is not None else ""
            where = " (trained by another call)" if answer.found else ""
            return f"{job.label}: {self.study.metric} {value:.2f}{spent}{where}"
        return f"{job.label}: {answer.outcome}" + (f", {answer.reason}" if answer.reason else "")

    def _say(self, line: str) -> None:
        """Print a line where there is no live table; in a pipe it is all there is."""
        if self._live is None:
            self.console.print(escape(line), highlight=False, soft_wrap=True)

    def _table(self) -> Table:
        left = self.left_s()
        spent = _seconds(self._clock() - self._began)
        head = f"{self.study.name} · {self._ended}/{len(self._jobs)} runs · {self._workers} · {spent}"
        title = head + (f" · left ~{_seconds(left)}" if left is not None else "")
        table = Table(
            title=escape(title), title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False
        )
        for factor in self.study.factors or (Factor("arm", ()),):
            table.add_column(escape(factor.key.rpartition(".")[2]), overflow="fold")
        table.add_column("done", justify="right", no_wrap=True)
        table.add_column(f"mean {self.study.metric}", justify="right", overflow="fold")
        table.add_column("now", overflow="ellipsis", no_wrap=True, min_width=NOW_WIDTH)
        shown = self._shown_rows()
        for row in shown:
            mean = f"{fmean(row.values):.2f}" if row.values else "–"
            now = "\n".join(row.running.values()) or ", ".join(sorted(set(row.troubles)))
            style = "bold" if row.running else ("red" if row.troubles else "")
            done = f"{row.n_finished}/{row.n_planned}"
            table.add_row(*map(escape, row.levels), done, mean, escape(now), style=style)
        if len(shown) < len(self.rows):
            table.caption = f"{len(self.rows) - len(shown)} more arms not shown"
        return table

    def _shown_rows(self) -> list[ArmRow]:
        """All arms if they fit; else those that changed last, in plan order."""
        rows = list(self.rows.values())
        room = max(MIN_ROWS, self.console.size.height - 6)
        if len(rows) <= room:
            return rows
        recent = sorted(rows, key=lambda row: (bool(row.running), row.last_change), reverse=True)[:room]
        return [row for row in rows if row in recent]


def _levels(arm: Arm, n_factors: int) -> tuple[str, ...]:
    """The arm's level of each factor, the baseline marked; its name where it has no levels."""
    texts = [level_text(level) for level in arm.levels.values()] or [arm.name]
    if arm.is_baseline:
        texts[-1] += " (baseline)"
    return (*texts, *[""] * (n_factors - len(texts)))


def _seconds(span_s: float) -> str:
    """A span for a clock that ticks: whole seconds below a hundred."""
    return f"{span_s:.0f} s" if span_s < 99.5 else duration(span_s)
