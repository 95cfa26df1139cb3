"""One repeat of a throughput cell: a process, and the statistics of its timed windows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.record.schema import CellRecord


@dataclass(frozen=True)
class Repeat:
    """One process: the statistics of its windows."""

    seed: int
    median_img_s: float
    q1_img_s: float
    q3_img_s: float
    p95_step_s: float
    """95th percentile of the windows' mean step."""
    n_windows: int
    noise: tuple[str, ...]

    @property
    def median_se(self) -> float:
        """Standard error of the windows' median relative to it, as of normal windows with such quartiles."""
        sd = (self.q3_img_s - self.q1_img_s) / 1.349 / self.median_img_s
        return float(np.sqrt(np.pi / 2 / self.n_windows)) * sd


def repeat_of(cell: CellRecord) -> Repeat | None:
    """The statistics of one process; None for one without a result."""
    metrics = cell.metrics
    if cell.status != "done" or not (metrics.windows_s and metrics.steps_per_window and metrics.batch_size):
        return None
    windows_s = np.asarray(metrics.windows_s)
    speeds = metrics.batch_size * metrics.steps_per_window / windows_s
    q1, centre, q3 = (float(value) for value in np.percentile(speeds, [25, 50, 75]))
    p95_s = float(np.percentile(windows_s, 95)) / metrics.steps_per_window
    return Repeat(cell.seed, centre, q1, q3, p95_s, len(speeds), metrics.noise)
