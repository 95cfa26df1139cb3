"""What every benchmark says beside its times, and the table at the end of `pytest --benchmark-only`.

pytest-benchmark's own tables hold seconds; ours holds what one asks of an engine: images (runs, records,
megabytes) a second, with the spread between rounds. Every benchmark carries device and versions, so that a
saved JSON file can be read later.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bench.record.environment import accelerator, machine, packages
from tests.benchmarks.speed_table import UNITS, Row, table_lines

ROWS = pytest.StashKey[list[Row]]()


@pytest.fixture(autouse=True)
def _in_the_table(request: pytest.FixtureRequest) -> Iterator[None]:
    """Give a benchmark its environment, and keep its result for the table."""
    if "benchmark" not in request.fixturenames:
        yield
        return
    benchmark = request.getfixturevalue("benchmark")
    on_gpu = request.node.get_closest_marker("gpu") is not None
    benchmark.extra_info.update(environment(on_gpu=on_gpu))
    yield
    if benchmark.stats is not None:
        request.config.stash.setdefault(ROWS, []).append(_row(benchmark))


def environment(*, on_gpu: bool) -> dict[str, Any]:
    """Device and versions, without a host's name."""
    import torch

    device = "cuda" if on_gpu and torch.cuda.is_available() else "cpu"
    facts, versions = accelerator(device), packages()
    return {
        "device": facts["device"],
        "cpu_cores": machine()["cpu_cores"],
        "torch": facts["torch"],
        "python": versions["python"],
        "numpy": versions["numpy"],
    }


@pytest.fixture
def timed(benchmark: Any) -> Callable[..., Any]:
    """Time a call and say how much it did a second: `timed(call, group=…, count=…, unit="img_s")`."""

    def time(
        call: Callable[..., Any],
        *,
        group: str,
        count: float,
        unit: str = "img_s",
        rounds: int = 5,
        setup: Callable[[], Any] | None = None,
        seconds: Callable[[Any], float] | None = None,
    ) -> Any:
        """Args: `count` units a call; `seconds` reads the time that counts from what the call returns."""
        assert unit in UNITS
        answers: list[Any] = []

        def kept() -> None:
            answers.append(call())

        benchmark.group = group
        benchmark.pedantic(kept, setup=setup, rounds=rounds, warmup_rounds=1)
        spent = [seconds(answer) for answer in answers[1:]] if seconds else benchmark.stats.stats.data
        benchmark.extra_info[unit] = round(count / statistics.median(spent), 1)
        return answers[-1]

    return time


def _row(benchmark: Any) -> Row:
    stats, extra = benchmark.stats.stats, benchmark.extra_info
    rate = next(((key, float(extra[key])) for key in UNITS if key in extra), None)
    return Row(
        group=benchmark.group or "ratios in one run",
        name=benchmark.name.removeprefix("test_"),
        median_s=stats.median,
        iqr_s=stats.iqr,
        n_rounds=stats.rounds,
        rate=rate,
        ratios={key: float(value) for key, value in extra.items() if "_over_" in key},
        device=str(extra["device"]),
    )


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the table, grouped by what is measured."""
    rows = config.stash.get(ROWS, [])
    if not rows:
        return
    terminalreporter.section("speed: median over rounds")
    for line in table_lines(rows):
        terminalreporter.write_line(line)
