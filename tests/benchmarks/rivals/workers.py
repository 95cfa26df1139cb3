"""A study by one-thread workers side by side, against one process with as many threads.

Both are `bench run`; timed is what the records say, from the first run's start to the last one's end, so
that the start of workers, probes and the report stay out.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from datetime import datetime
from pathlib import Path

from bench.analyse.frame import run_records
from bench.record.rivals import Workers
from bench.record.store import read_records
from tests.benchmarks.rivals.rounds import ContenderFailed

ROOT = Path(__file__).resolve().parents[3]


def compare(
    scratch: Path, *, n_workers: int, n_pairs: int, overrides: list[str], study: str = "depth"
) -> Workers:
    """Run the study both ways, in turn.

    Args:
        scratch: Gets a results folder a run.
        n_workers: Workers of one thread, or threads of one worker.
        n_pairs: How often both are run; who goes first alternates.
        overrides: Of the study, for both.
        study: Name of a shipped study.
    """
    arms = {
        "workers": (n_workers, overrides),
        "threads": (1, [*overrides, f"base.execution.threads={n_workers}"]),
    }
    seconds: dict[str, list[float]] = {"workers": [], "threads": []}
    n_runs = 0
    for pair in range(n_pairs):
        for name in ("workers", "threads") if pair % 2 == 0 else ("threads", "workers"):
            jobs, words = arms[name]
            spent, n_runs = _run(study, scratch / f"{name}{pair}", jobs, words)
            seconds[name].append(spent)
    pairs = zip(seconds["threads"], seconds["workers"], strict=True)
    return Workers(
        study=study,
        n_runs=n_runs,
        workers=n_workers,
        workers_s=tuple(seconds["workers"]),
        threads_s=tuple(seconds["threads"]),
        ratio=statistics.median(threads / workers for threads, workers in pairs),
    )


def _run(study: str, results: Path, jobs: int, overrides: list[str]) -> tuple[float, int]:
    """Seconds from the first run's start to the last one's end, and how many runs there were."""
    words = [f"studies/{study}.yaml", *overrides, "--device", "cpu", "--jobs", str(jobs)]
    command = [sys.executable, "-m", "bench", "run", *words, "--results", str(results)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if answer.returncode != 0:
        raise ContenderFailed(f"bench run ended with {answer.returncode}:\n{answer.stderr}")
    (folder,) = results.glob("*/records.jsonl")
    runs = run_records(read_records(folder))
    began = min(datetime.fromisoformat(run.started_utc) for run in runs)
    ended = max(datetime.fromisoformat(run.ended_utc) for run in runs)
    return (ended - began).total_seconds(), len(runs)
