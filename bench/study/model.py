"""The nouns between a study file and a run: study, factor, arm, run.

Plain frozen data, made by `bench.study.load` and `bench.study.plan`; everything downstream receives these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from bench.study.cells import THROUGHPUT, CellSpec
from bench.study.comparisons import UNDECLARED, ComparisonsSpec
from bench.study.execution import Settings
from bench.study.seeds import SeedsRule
from bench.study.specs import BaseSpec, Metric

Level = bool | int | float | str | None
"""How a level reads in names, tables and axes: the scalar itself, or the label of a mapping or list."""


@dataclass(frozen=True)
class Factor:
    """What a study varies: a dotted key (without `base.`) and its levels in declared order.

    A study with `arms` (a name each) has the one factor `arm`, whose levels are the arms' names.
    """

    key: str
    levels: tuple[Level, ...]


@dataclass(frozen=True)
class Arm:
    """One combination of levels with its resolved configuration."""

    name: str
    slug: str
    """Folder-safe name of at most 80 characters, unique within the study."""
    levels: Mapping[str, Level]
    """Level of every factor, in the factors' order."""
    config: BaseSpec
    is_baseline: bool = False

    @property
    def replicate(self) -> str:
        """What its runs are told apart by: a seed, or of a cell a repeat."""
        return "repeat" if isinstance(self.config, CellSpec) else "seed"


@dataclass(frozen=True)
class Growth:
    """How far the decisions of an adaptive study take it beyond what is known before its first run."""

    chosen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Components that its path added, in order, by kind of device."""
    n_seeds: Mapping[str, int] = field(default_factory=dict)
    """Seeds of an arm, where they are more than the least."""


NO_GROWTH = Growth()


@dataclass(frozen=True)
class Study:
    """A study file, checked and expanded. `arms` has the baseline first, then the declared order."""

    name: str
    question: str
    metric: Metric | Literal["img_s"]
    seeds: tuple[int, ...]
    """Of a throughput study: its repeats, counted from 0. Of an adaptive one: those of the arm with most."""
    factors: tuple[Factor, ...]
    arms: tuple[Arm, ...]
    design: str | None
    """A kind of `bench.study.design.KINDS`; None for the single arm of a study without a design."""
    document: Mapping[str, Any]
    """The resolved study as plain data (overrides applied): what `results/<study>/study.yaml` holds."""
    path: Path
    results_name: str
    """Folder under `--results`: the name, plus `+hash6` when overrides other than `seeds` are in force."""
    overrides: tuple[str, ...] = ()
    kind: Literal["training", "throughput"] = "training"
    comparisons: ComparisonsSpec = UNDECLARED
    """What is compared; pairs written out have their arms by name."""
    seeds_rule: SeedsRule | None = None
    """When seeds are added, where their number is not given."""
    growth: Growth = NO_GROWTH
    """What decisions added."""
    grown_arms: frozenset[str] = frozenset()
    """Names of the arms that are there by decisions."""
    target_val_top1_pct: float | None = None
    """Validation accuracy that training is to reach, where the study declares one."""

    @property
    def is_throughput(self) -> bool:
        """Whether arms are cells, to be timed and not trained."""
        return self.kind == THROUGHPUT

    def seeds_of(self, arm: str) -> tuple[int, ...]:
        """The seeds with which an arm is to run, as far as it is decided."""
        if self.seeds_rule is None:
            return self.seeds
        return tuple(range(max(self.seeds_rule.min, self.growth.n_seeds.get(arm, 0))))

    @property
    def baseline(self) -> Arm | None:
        """The arm that the others are compared with, if one was declared."""
        return next((arm for arm in self.arms if arm.is_baseline), None)


@dataclass(frozen=True)
class Run:
    """One arm with one seed: the unit that is trained, recorded and resumed."""

    arm: Arm
    seed: int
    run_id: str | None
    """16 hex digits, or None while data, weights or a calibration that decide it are absent."""
    no_id_reason: str | None = None
    """`data missing`, `weights missing` or `after calibration` where `run_id` is None."""
    arm_id: str | None = None
    """Digest of the arm's configuration on this kind of device; None with `run_id`."""
    source: Run | None = None
    """The run whose weights this one starts from, of the same seed."""
    source_study: str | None = None
    """Results folder of the source where it belongs to an earlier study; None for the study's own."""
    weights_file: Path | None = None
    """The file whose weights this run starts from."""

    @property
    def folder_name(self) -> str:
        """`<slug>-s<seed>-<hash8>` under the study's `runs/`."""
        if self.run_id is None:
            raise ValueError(f"{self.arm.name} seed {self.seed} has no id: {self.no_id_reason}")
        return f"{self.arm.slug}-s{self.seed}-{self.run_id[:8]}"

    @property
    def label(self) -> str:
        """How progress and errors name the run."""
        return f"{self.arm.name} {self.arm.replicate} {self.seed}"

    @property
    def n_behind(self) -> int:
        """Runs that were trained before this one and whose weights it inherits."""
        return 0 if self.source is None else 1 + self.source.n_behind


@dataclass(frozen=True)
class Plan:
    """Every run of a study on one kind of device, in plan order (arms outer, seeds inner)."""

    study: Study
    device_kind: str
    runs: tuple[Run, ...]
    notes: tuple[str, ...] = field(default=())
    sources: tuple[Run, ...] = ()
    """Runs of `pretrain` sections that are no arm of the study themselves."""
    declared: Study | None = None
    """The study as it was loaded: `study` has the arms that this kind of device can carry out, and in them
    what calibration chose."""
    device_model: str | None = None
    """As the lock names devices."""
    left_out: tuple[str, ...] = ()
    """One line an arm that this kind of device cannot carry out."""
    settings: Settings | None = None
    """What calibration chose for this device, where the study asks for it."""
    is_uncalibrated: bool = False
    """Calibration has to choose before the runs have ids."""
    misfit: str | None = None
    """Why an earlier calibration of this device cannot be used."""
