"""A study under way: which runs are to do, in which order, on how many workers, and what came of them."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal, cast

from bench.errors import EnvironmentFault, UsageError
from bench.execute.job import Answer, CellJob, Job, ProbeJob, RunJob, SurveyJob
from bench.launch.packing import APART, Packing
from bench.launch.pool import Gate, Listener, Pool
from bench.record.environment import available_cores
from bench.record.schema import Finished, ProbeRecord, Record, RunRecord
from bench.record.store import State, Store
from bench.study.device import Device
from bench.study.execution import is_open
from bench.study.identity import declaration
from bench.study.load import grown_by_decisions
from bench.study.lock import read_lock
from bench.study.model import Arm, Plan, Run
from bench.study.plan import plan as make_plan

MAX_SURVEYED = 200
"""More distinct arms than this run in plan order: building each once would take longer than it saves."""

SOURCE_FAILED = "source "
"""How the reason of a run begins that could not start because its source has no weights to give."""


@dataclass
class Campaign:
    """One call of `run` on one study."""

    plan: Plan
    store: Store
    ids: dict[str, str]
    """Arm id by arm name, for this kind of device."""
    data_dir: Path
    device: Device
    costs: dict[str, float] = field(default_factory=dict)
    """GMACs an image by arm, from the survey."""
    memory_bytes: dict[str, int] = field(default_factory=dict)
    """Device memory that training takes at most, roughly, by arm, from the survey."""
    answers: list[tuple[RunJob, Answer]] = field(default_factory=list)
    """How the runs of this call ended."""

    @cached_property
    def recorded(self) -> dict[tuple[str, int], Finished]:
        """Committed lines as they were when the call began."""
        return self.store.recorded()

    @property
    def has_failed(self) -> bool:
        """Whether a run of this call failed or ran out of memory."""
        return any(answer.outcome in ("failed", "oom") for _, answer in self.answers)

    def state(self, run: Run) -> State:
        """Where a run stands now."""
        return self.store.state(run, self.recorded, run.arm_id)

    def runs(self, only: str | None) -> tuple[Run, ...]:
        """The plan's runs whose arm matches a glob.

        Raises:
            UsageError: None does.
        """
        if only is None:
            return self.plan.runs
        chosen = tuple(run for run in self.plan.runs if fnmatch.fnmatchcase(run.arm.name, only))
        if not chosen:
            n_arms = len(self.plan.study.arms)
            raise UsageError(f"--only {only}: matches none of {n_arms} arms; `plan` lists them")
        return chosen

    def to_do(self, runs: Iterable[Run], retry: frozenset[str]) -> list[RunJob]:
        """The runs that have to be trained, as jobs, the sources that they need first."""
        jobs: dict[str, RunJob] = {}
        for run in runs:
            self._add(run, retry, jobs)
        return sorted(jobs.values(), key=lambda job: job.run.n_behind)

    def _add(self, run: Run, retry: frozenset[str], jobs: dict[str, RunJob]) -> None:
        assert run.run_id is not None, "data and weights are there by now"
        state = self.state(run)
        again = state in retry or self._is_freed(run, state, retry)
        if run.run_id in jobs or not (state in TO_TRAIN or again):
            return
        if run.source is not None and run.source_study is None:
            self._add(run.source, retry, jobs)
        jobs[run.run_id] = self._job(run, retry=again)

    def _is_freed(self, run: Run, state: State, retry: frozenset[str]) -> bool:
        """Whether a run that failed for want of its source can go now, or will when the source is retried."""
        if state != "failed" or run.source is None:
            return False
        found = self.store.find(run)
        if found is None or not (found.reason or "").startswith(SOURCE_FAILED):
            return False
        source = self.state(run.source)
        return source == "done" or source in TO_TRAIN or source in retry

    def forgets(self) -> str | None:
        """What `records.jsonl` would lose for good, in a line; None where nothing."""
        leaving = self.store.leaving()
        if not leaving:
            return None
        arms = list(dict.fromkeys(record.arm for record in leaving))
        more = f" and {len(arms) - 2} more" if len(arms) > 2 else ""
        count = f"{len(leaving)} recorded run{'s have' if len(leaving) > 1 else ' has'}"
        return (
            f"{self.store.records_path}: {count} no place in the study as it is now, and no folder here to "
            f"come back from ({', '.join(arms[:2])}{more})"
        )

    def gate(self, waiting: Iterable[RunJob]) -> Gate:
        """Decides when a run may start: its source has to be done, and cannot be while it is in `waiting`."""
        outstanding = {job.run.run_id for job in waiting}

        def ask(job: Job) -> str | None:
            if not isinstance(job, RunJob) or job.run.source is None:
                return ""
            source = job.run.source
            if source.run_id in outstanding:
                return None
            state = self.state(source)
            return "" if state == "done" else f"{SOURCE_FAILED}{source.label}: {state}"

        def ended(job: Job) -> None:
            if isinstance(job, RunJob):
                outstanding.discard(job.run.run_id)

        return Gate(ask, ended)

    def workers(self, jobs: str, n_todo: int) -> tuple[str, ...]:
        """Torch's device name of each worker.

        Args:
            jobs: `auto` or a number: cores divided by threads on a CPU, one a GPU.
            n_todo: No more workers than runs.
        """
        names = self.device.names
        if jobs != "auto":
            n_workers = int(jobs)
        elif self.device.kind == "cpu":
            threads = max(arm.config.execution.threads for arm in self.plan.study.arms)
            n_workers = max(1, available_cores() // threads)
        else:
            n_workers = len(names)
        return tuple(names[i % len(names)] for i in range(max(1, min(n_workers, n_todo))))

    def survey(self, pool: Pool, jobs: Sequence[RunJob]) -> list[RunJob]:
        """Check what only torch can check, and put the longest runs first, so that workers end together.

        Raises:
            UsageError: A network cannot be built.
        """
        arms = {job.run.arm.name: job.run.arm for job in jobs}
        if len(arms) > MAX_SURVEYED:
            return list(jobs)
        answers: list[Answer] = []
        listener = Listener(lambda _: None, lambda *_: None, lambda _, answer: answers.append(answer))
        pool.run([SurveyJob(tuple(arms.values()), self.data_dir)], listener)
        if answers[0].fault:
            raise EnvironmentFault(answers[0].reason or "the survey of the networks failed")
        if answers[0].gmacs is None:
            raise UsageError(*(answers[0].reason or "the survey of the networks failed").splitlines())
        self.costs.update(answers[0].gmacs)
        self.memory_bytes.update(answers[0].memory_bytes or {})
        return sorted(jobs, key=lambda job: -self.cost(job))

    def cost(self, job: RunJob) -> float:
        """How long the job takes relative to others: MACs of all its steps; 1 where nothing is known."""
        train = job.run.arm.config.train
        gmacs = self.costs.get(job.run.arm.name)
        if gmacs is None:
            return 1.0
        return gmacs * train.batch_size * (train.steps or train.epochs or 0)

    def train(
        self,
        pool: Pool,
        jobs: Sequence[RunJob],
        listener: Listener,
        *,
        packing: Packing = APART,
        fail_fast: bool,
    ) -> None:
        """Execute the runs; their answers are kept.

        Raises:
            Stop: The user's signal.
        """

        def ended(job: Job, answer: Answer) -> None:
            self.answers.append((cast("RunJob", job), answer))
            listener.ended(job, answer)

        told = Listener(listener.started, listener.progress, ended, listener.idle)
        pool.run(jobs, told, gate=self.gate(jobs), packing=packing, fail_fast=fail_fast)

    def probes(self, arms: Iterable[Arm], records: Iterable[Record], *, update: bool) -> list[ProbeJob]:
        """Speed measurements that are missing for arms of which a run is done; with `update`, own ones."""
        records = list(records)
        have = {record.arm_id for record in records if isinstance(record, ProbeRecord)}
        if update:
            have = {arm_id for arm_id in have if self.store.has_probe(arm_id)}
        done = {r.arm_id for r in records if isinstance(r, RunRecord) and r.status == "done"}
        jobs: list[ProbeJob] = []
        for arm in arms:
            arm_id = self.ids[arm.name]
            if arm_id in done - have and (arm.config.train.steps or arm.config.train.epochs):
                folder = self.store.probe_folder(arm, arm_id)
                jobs.append(ProbeJob(arm, arm_id, folder, self.data_dir, self._kind))
        return jobs

    def collect(self, *, update: bool = False) -> list[Record]:
        """Rewrite the study's records from the folders."""
        runs = [(run, run.arm_id) for run in (*self.plan.runs, *self.plan.sources) if run.arm_id is not None]
        return self.store.collect(runs, update=update)

    def reproductions(self, runs: Iterable[Run]) -> list[tuple[RunRecord, RunRecord]]:
        """Training runs recorded elsewhere, each with the record of the same arm and seed trained here."""
        return [
            (line, found)
            for line, found in self.recorded_pairs(runs)
            if isinstance(line, RunRecord) and isinstance(found, RunRecord)
        ]

    def recorded_pairs(self, runs: Iterable[Run]) -> list[tuple[Finished, Finished]]:
        """Lines recorded elsewhere, each with the record of the same arm and replicate made here."""
        pairs: list[tuple[Finished, Finished]] = []
        for run in runs:
            line = self.recorded.get((run.arm_id or "", run.seed))
            found = self.store.find(run)
            if line is not None and found is not None and self.store.is_foreign(line, found):
                pairs.append((line, found))
        return pairs

    @property
    def _kind(self) -> Literal["cpu", "cuda"]:
        return "cuda" if self.device.kind == "cuda" else "cpu"

    def _job(self, run: Run, *, retry: bool) -> RunJob:
        assert run.arm_id is not None, "a run with an id has an arm with an id"
        kind = CellJob if self.plan.study.is_throughput else RunJob
        return kind(
            run=run,
            arm_id=run.arm_id,
            study=self.plan.study.name,
            declaration=declaration(self.plan.study),
            n_seeds=None if self.plan.study.seeds_rule is not None else len(self.plan.study.seeds),
            folder=self.store.run_folder(run),
            data_dir=self.data_dir,
            device_kind=self._kind,
            n_concurrent=1,
            retry=retry,
            source_folder=self._source_folder(run),
            role=self.store.role(run.arm_id),
        )

    def _source_folder(self, run: Run) -> Path | None:
        if run.source is None:
            return None
        study = run.source_study or self.store.name
        return self.store.where(run.source) or self.store.root / study / "runs" / run.source.folder_name


TO_TRAIN: tuple[State, ...] = ("pending", "interrupted", "running", "recorded")
"""States of a run that has no result of its own here yet."""


def open_campaign(plan: Plan, *, results: Path, data_dir: Path, device: Device) -> Campaign:
    """A campaign over a plan, with its store.

    The store also knows the arms by their ids on the other kind of device, so that lines recorded there
    stay, each in its block; and where calibration has a say, by those that it gave on other devices.
    """
    elsewhere = _elsewhere(plan, results, data_dir)
    known: dict[str, Arm] = {}
    sources: dict[str, Arm] = {}
    for one in (plan, *elsewhere):
        known |= {run.arm_id: run.arm for run in one.runs if run.arm_id is not None}
        sources |= {run.arm_id: run.arm for run in one.sources if run.arm_id is not None}
    alike = [one for one in elsewhere if one.device_kind == plan.device_kind]
    rivals = frozenset(_arm_ids(alike)) - frozenset(_arm_ids([plan]))
    seeds = None if plan.study.seeds_rule is not None else frozenset(plan.study.seeds)
    store = Store(results, plan.study.results_name, known | sources, frozenset(sources), rivals, seeds)
    ids = {run.arm.name: run.arm_id for run in plan.runs if run.arm_id is not None}
    return Campaign(plan, store, ids, data_dir, device)


def _elsewhere(plan: Plan, results: Path, data_dir: Path) -> list[Plan]:
    """The study's plans on other devices: one for the other kind, or one a device that was calibrated."""
    study = plan.declared or plan.study
    devices: list[tuple[str, str | None]] = [("cuda" if plan.device_kind == "cpu" else "cpu", None)]
    if any(is_open(arm.config.execution) for arm in study.arms):
        entries = read_lock(results / study.results_name).devices
        devices = [(entry.device_kind, entry.device) for entry in entries]
    folder = results / study.results_name
    return [
        make_plan(
            grown_by_decisions(study, folder, kind),
            device_kind=kind,
            data_dir=data_dir,
            results=results,
            device_model=model,
        )
        for kind, model in devices
        if (kind, model) != (plan.device_kind, plan.device_model)
    ]


def _arm_ids(plans: Iterable[Plan]) -> set[str]:
    return {run.arm_id for plan in plans for run in (*plan.runs, *plan.sources) if run.arm_id is not None}
