"""What a training study and a throughput study tell alike: runs without a result, and where runs ran."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass

from bench.record.schema import StudyRecord

_STATUS_WORDS = {"oom": "out of memory"}


@dataclass(frozen=True)
class Gap:
    """Runs of an arm that have no value, and why."""

    status: str
    """A record's status, `no value` for a finished run without this metric, or `not run`."""
    seeds: tuple[int, ...]
    reason: str | None
    noun: str = "seed"
    """What a replicate is called."""

    @property
    def words(self) -> str:
        """The status as people say it."""
        return _STATUS_WORDS.get(self.status, self.status)

    @property
    def text(self) -> str:
        """For a footnote: `seeds 0, 2 diverged: loss not finite at step 120`."""
        many, words = "s" if len(self.seeds) > 1 else "", self.words
        told = f"{self.noun}{many} {', '.join(map(str, self.seeds))}"
        if self.reason and words in self.reason.lower():
            return f"{told}: {self.reason}"
        return f"{told} {words}: {self.reason}" if self.reason else f"{told} {words}"


@dataclass(frozen=True)
class Place:
    """Where the runs of one block ran; a block never holds two kinds of device."""

    device_kind: str
    devices: tuple[str, ...]
    torch_versions: tuple[str, ...]
    engines: tuple[int, ...]

    @classmethod
    def of(cls, kind: str, runs: Iterable[StudyRecord]) -> Place:
        """The places of runs of one kind of device, each told once."""
        own = list(runs)
        return Place(
            kind, _told(own, "device"), _told(own, "torch"), tuple(sorted({run.engine for run in own}))
        )


def gaps_of(
    runs: Iterable[StudyRecord], valued: Container[int], planned: Iterable[int], *, noun: str = "seed"
) -> tuple[Gap, ...]:
    """Runs without a value, gathered by what stopped them.

    Args:
        runs: Of one arm on one kind of device.
        valued: Seeds (repeats) that have a value.
        planned: Seeds (repeats) that the study asks for.
        noun: What a replicate is called.
    """
    seeds: dict[tuple[str, str | None], list[int]] = {}
    seen = set()
    for run in runs:
        seen.add(run.seed)
        if run.seed not in valued:
            status = "no value" if run.status == "done" else run.status
            seeds.setdefault((status, run.reason), []).append(run.seed)
    absent = [seed for seed in planned if seed not in seen]
    if absent:
        seeds["not run", None] = absent
    return tuple(
        Gap(status, tuple(sorted(missing)), reason, noun) for (status, reason), missing in seeds.items()
    )


def _told(runs: Iterable[StudyRecord], key: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(run.environment[key]) for run in runs if run.environment.get(key)))
