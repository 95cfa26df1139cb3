"""Which of the possible modes a study takes: a tournament, decided by measurements that are made elsewhere.

The plainest candidate starts as champion and each other one is measured beside it, interleaved, so that a
drift of the machine meets both. A challenger has to be faster by more than the noise, and what it costs to
compile or capture has to come back well inside the run. Compiling takes seconds to minutes, so it is tried
only where the run is long enough that it could. Torch-free.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.study.execution import Hardware, Settings, modes, why_not_bf16, why_not_compile
from bench.study.lock import Trial

MARGIN = 0.02
"""Share by which a challenger has to be faster: less is noise, and the plainer mode stays."""

MAX_BREAK_EVEN = 0.5
"""Share of the images after which compiling has to have paid for itself."""

ASSUMED_GAIN = 2.0
"""How many times faster compiling might make the step, before it is measured."""

ASSUMED_COMPILE_S = {
    ("cpu", "default"): 30.0,
    ("cuda", "default"): 40.0,
    ("cuda", "max-autotune-no-cudagraphs"): 180.0,
    ("cuda", "reduce-overhead"): 45.0,
}
"""Seconds that compiling is assumed to take, before it is measured; modes that are not here are not tried:
on a CPU autotuning chooses among matrix products, of which these networks have one, and `max-autotune` is
its kernels in graphs, which `graph` records for the whole step."""


class Unmeasurable(Exception):
    """A candidate that does not run here, with the reason."""


@dataclass(frozen=True)
class Speed:
    """What was measured of one candidate."""

    img_s: float
    """Images a second, the median over windows."""
    prepare_s: float = 0.0
    """Seconds to compile or capture."""


@dataclass(frozen=True)
class Horizon:
    """How long the study will train the measured arm."""

    images_a_run: int
    """By which capturing, done anew for every run, has to repay itself."""
    images_a_worker: int
    """By which compiling, done once for all runs that a worker trains, has to."""


Compare = Callable[[Settings | None, Settings], tuple[Speed | None, Speed]]
"""Measures a challenger beside the champion; alone where there is none yet. Raises Unmeasurable."""

Excluded = Callable[[Settings], str]
"""Why some arm cannot take these settings; empty where all can."""


@dataclass
class _Candidate:
    settings: Settings
    speed: Speed | None = None
    rejected: str | None = None


@dataclass
class Tournament:
    """One calibration."""

    open_keys: Sequence[str]
    hardware: Hardware
    horizon: Horizon
    excluded: Excluded
    compare: Compare
    compile_written: str = "none"
    """What the study itself says of `compile`, where it is not open."""
    entrants: list[_Candidate] = field(default_factory=list)
    champion: _Candidate | None = None

    def run(self) -> tuple[Settings, tuple[Trial, ...]]:
        """Measure and decide.

        Returns:
            The choice, and every candidate with what became of it.

        Raises:
            Unmeasurable: No candidate runs here.
        """
        for settings in self._uncompiled():
            self._enter(settings)
        if self.champion is None:
            reasons = [one.rejected or "" for one in self.entrants if one.rejected]
            raise Unmeasurable(reasons[0] if reasons else "no mode is possible")
        if "fused" in self.open_keys and not self._chosen("graph"):
            self._enter(self._like_champion(fused=False))
        if "compile" in self.open_keys:
            for mode in self._compile_modes():
                self._enter(self._like_champion(compile=mode))
        return self.champion.settings, tuple(_trial(one) for one in self.entrants)

    def _uncompiled(self) -> Iterator[Settings]:
        """Every combination of precision, graph and layout, the plainest first; without compiling."""
        plain: dict[str, Any] = {
            "amp": "none",
            "graph": False,
            "channels_last": False,
            "fused": True,
            "compile": "none",
        }
        values = {key: [plain[key]] for key in plain if key in self.open_keys}
        for key, other in (("amp", "bf16"), ("graph", True), ("channels_last", True)):
            if key in values:
                reason = self._why_not(key) or self.excluded(self._settings({**plain, key: other}))
                if reason:
                    self._reject(Settings.model_validate({key: other}), reason)
                else:
                    values[key].append(other)
        for chosen in itertools.product(*values.values()):
            yield Settings.model_validate(dict(zip(values, chosen, strict=True)))

    def _why_not(self, key: str) -> str:
        if key == "amp":
            return "" if self.hardware.has_fast_bf16 else why_not_bf16(self.hardware)
        return next((mode.reason for mode in modes(self.hardware) if mode.name == key), "")

    def _compile_modes(self) -> Iterator[str]:
        assert self.champion is not None
        for (kind, mode), assumed_s in ASSUMED_COMPILE_S.items():
            if kind != self.hardware.kind or (mode == "reduce-overhead" and self._chosen("graph")):
                continue
            reason = why_not_compile(self.hardware) or self._cannot_repay(assumed_s)
            if reason:
                self._reject(self._like_champion(compile=mode), reason)
            else:
                yield mode

    def _cannot_repay(self, assumed_s: float) -> str:
        """Why compiling is not even tried."""
        assert self.champion is not None
        assert self.champion.speed is not None
        train_s = self.horizon.images_a_worker / self.champion.speed.img_s
        if assumed_s <= MAX_BREAK_EVEN * train_s * (1 - 1 / ASSUMED_GAIN):
            return ""
        return f"not tried: compiling takes about {assumed_s:.0f} s, a worker's runs {_seconds(train_s)}"

    def _enter(self, settings: Settings) -> None:
        """Measure a candidate, and let the better of it and the champion go on."""
        entrant = _Candidate(settings)
        self.entrants.append(entrant)
        reason = self.excluded(settings)
        if reason:
            entrant.rejected = reason
            return
        champion = self.champion
        try:
            theirs, entrant.speed = self.compare(champion.settings if champion else None, settings)
        except Unmeasurable as error:
            entrant.rejected = str(error)
            return
        if champion is None or theirs is None:
            self.champion = entrant
            return
        entrant.rejected = self._verdict(champion, theirs, entrant.speed, settings)
        if entrant.rejected is None:
            gain = entrant.speed.img_s / theirs.img_s
            champion.rejected = (
                f"{100 * (1 - 1 / gain):.0f} % slower than {settings.unlike(champion.settings)}"
            )
            self.champion = entrant

    def _verdict(self, champion: _Candidate, theirs: Speed, ours: Speed, settings: Settings) -> str | None:
        """Why the challenger is not taken; None if it is."""
        gain = ours.img_s / theirs.img_s
        than = champion.settings.unlike(settings)
        if gain < 1:
            return f"{100 * (1 - gain):.0f} % slower than {than}"
        if gain < 1 + MARGIN:
            return f"gains less than {100 * MARGIN:.0f} % over {than}"
        extra_s = ours.prepare_s - (champion.speed.prepare_s if champion.speed else 0.0)
        compiled = (settings.compile or self.compile_written) != "none"
        images = self.horizon.images_a_worker if compiled else self.horizon.images_a_run
        break_even_images = extra_s / (1 / theirs.img_s - 1 / ours.img_s)
        if break_even_images > MAX_BREAK_EVEN * images:
            return (
                f"{_seconds(extra_s)} to prepare come back after {break_even_images:,.0f} images, "
                f"more than half of {images:,}"
            )
        return None

    def _reject(self, settings: Settings, reason: str) -> None:
        self.entrants.append(_Candidate(settings, rejected=reason))

    def _settings(self, values: dict[str, Any]) -> Settings:
        return Settings.model_validate({key: values[key] for key in self.open_keys})

    def _like_champion(self, **changes: Any) -> Settings:
        assert self.champion is not None
        return self.champion.settings.model_copy(update=changes)

    def _chosen(self, key: str) -> Any:
        return None if self.champion is None else getattr(self.champion.settings, key)


def _trial(one: _Candidate) -> Trial:
    speed = one.speed
    return Trial(
        settings=one.settings,
        img_s=None if speed is None else float(f"{speed.img_s:.4g}"),
        compile_s=None if speed is None or not speed.prepare_s else round(speed.prepare_s, 2),
        rejected=one.rejected,
    )


def _seconds(time_s: float) -> str:
    return f"{time_s:.0f} s" if time_s >= 10 else f"{time_s:.1f} s"
