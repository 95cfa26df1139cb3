"""The figures that the engine is held to beside the rivals, and whether a measurement reaches them."""

from __future__ import annotations

from dataclasses import dataclass

from bench.record.rivals import Rivals


@dataclass(frozen=True)
class Goal:
    """A ratio and its floor."""

    what: str
    floor: float
    found: float

    @property
    def line(self) -> str:
        """As the command prints it."""
        verdict = "reached" if self.found >= self.floor else "MISSED"
        return f"{self.what}: {self.found:.2f} (at least {self.floor:g}): {verdict}"


def goals(rivals: Rivals) -> list[Goal]:
    """What is asked on this kind of device."""
    over = {ratio.over: ratio.median for ratio in rivals.ratios} | {rivals.best: 1.0}
    speed = {contender.key: contender.img_s for contender in rivals.contenders}
    wanted = [("fastest of ours over the bare loop", 0.98, over["bare"])]
    if rivals.device_kind == "cuda":
        wanted += [
            ("graphed over eager, both bf16", 3.0, speed["ours_graph"] / speed["ours_bf16"]),
            ("fastest of ours over the plain script", 8.0, over["plain"]),
            ("fastest of ours over Lightning", 8.0, over["lightning"]),
            ("fastest of ours over Lightning's bf16-mixed", 8.0, over["lightning_bf16"]),
        ]
    elif "amx_bf16" in rivals.environment.get("cpu_flags", ()):
        wanted += [
            ("fastest of ours over Lightning", 2.6, over["lightning"]),
            ("fastest of ours over Lightning's bf16-mixed", 1.8, over["lightning_bf16"]),
            ("fastest of ours over our eager fp32", 3.5, over["ours_eager"]),
        ]
    else:
        wanted.append(("fastest of ours over Lightning", 1.7, over["lightning"]))
    if rivals.workers is not None:
        wanted.append((f"{rivals.workers.workers} workers over as many threads", 1.5, rivals.workers.ratio))
    return [Goal(*goal) for goal in wanted]
