"""The command line as a user calls it, on a small study.

`bench` calls it in this process, where all but the workers is loaded already; `bench_process` and `start`
make a process of their own, for tests in which the process is the point.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from unittest import mock

from bench.cli import main

ROOT = Path(__file__).resolve().parents[1]

TINY = """\
name: tiny
question: Does the harness hold?
seeds: 2
base:
  data: {name: digits, train_size: 256}
  model: {name: cifar_resnet, depth: 8}
  train:
    epochs: 2
    batch_size: 64
    optimizer: {name: sgd, lr: 0.05, momentum: 0.9}
design:
  grid:
    model.residual: [true, false]
baseline: {model.residual: true}
"""
"""Four runs of a tenth of a second."""


def write_study(folder: Path, text: str = TINY, name: str = "tiny.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def environment(**extra: str) -> dict[str, str]:
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": paths, "NO_COLOR": "1", "BENCH_PROBE_WINDOW_S": "0.01", **extra}


def bench(
    *words: str | Path, cwd: Path, draws: bool = False, **extra: str
) -> subprocess.CompletedProcess[str]:
    """Call the command in this process, from `cwd`; workers that it starts are processes as always.

    Args:
        words: What follows `python -m bench`.
        cwd: Where it is called.
        draws: Whether a report has figures; they cost more time than the rest of a small study.
        extra: Variables of the environment.
    """
    out, err = io.StringIO(), io.StringIO()
    path = [str(cwd), *filter(None, sys.path)]  # as `python -m` has it; workers get it from here
    loaded = set(sys.modules)
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.chdir(cwd))
        stack.enter_context(mock.patch.dict(os.environ, environment(**extra)))
        stack.enter_context(mock.patch.object(sys, "path", path))
        if not draws and words[0] in {"run", "report", "paper", "verify"}:
            for place in ("bench.report.figures.draw_all", "bench.report.cells_figures.draw_cells"):
                stack.enter_context(mock.patch(place, return_value=()))
        stack.enter_context(contextlib.redirect_stdout(out))
        stack.enter_context(contextlib.redirect_stderr(err))
        importlib.invalidate_caches()
        try:
            code = main([str(word) for word in words])
        except SystemExit as end:  # argparse
            code = end.code if isinstance(end.code, int) else 0
    _forget_own_modules(set(sys.modules) - loaded, cwd)
    return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())


def _forget_own_modules(names: set[str], cwd: Path) -> None:
    """Another test's study may name another module so."""
    for name in names:
        file = getattr(sys.modules[name], "__file__", None)
        if file is not None and Path(file).is_relative_to(cwd) and not Path(file).is_relative_to(ROOT):
            del sys.modules[name]


def bench_process(
    *words: str | Path, cwd: Path, timeout_s: float = 120, **extra: str
) -> subprocess.CompletedProcess[str]:
    """Call `python -m bench` and wait."""
    return subprocess.run(
        [sys.executable, "-m", "bench", *map(str, words)],
        cwd=cwd,
        env=environment(**extra),
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def start(*words: str | Path, cwd: Path, **extra: str) -> subprocess.Popen[str]:
    """Call `python -m bench` in a session of its own and go on."""
    return subprocess.Popen(
        [sys.executable, "-m", "bench", *map(str, words)],
        cwd=cwd,
        env=environment(**extra),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def run_records(folder: Path) -> list[dict[str, Any]]:
    """Run lines of a study's `records.jsonl`."""
    lines = [json.loads(line) for line in (folder / "records.jsonl").read_text().splitlines()]
    return [line for line in lines if line["kind"] == "run"]


def weights(folder: Path) -> dict[tuple[str, int], str]:
    """Digest of the tested weights by arm and seed."""
    return {(r["arm"], r["seed"]): r["digests"]["tested_weights"] for r in run_records(folder)}


def children(pid: int) -> list[int]:
    """Worker processes of a running command."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
            words = (stat.parent / "cmdline").read_bytes()
        except OSError:
            continue  # it ended while we looked
        if int(fields[1]) == pid and b"spawn_main" in words:
            found.append(int(stat.parent.name))
    return found


def wait_for(condition: Any, *, timeout_s: float = 60, what: str = "the condition") -> Any:
    """Poll until `condition()` is true and return it."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"{what} did not come true in {timeout_s} s")


def finish(process: subprocess.Popen[str], timeout_s: float = 120) -> tuple[int, str, str]:
    """Wait for a started command: exit code, stdout, stderr."""
    out, err = process.communicate(timeout=timeout_s)
    return process.returncode, out, err


def kill_group(process: subprocess.Popen[str]) -> None:
    """Leave nothing behind, whatever the test came to."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
