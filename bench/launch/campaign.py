"""A study under way: which runs are to do, in which order, on how many workers, and what came of them."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal, cast

from bench.data.digests import data_digest
from bench.errors import DataMissing, UsageError
from bench.execute.job import Answer, Job, ProbeJob, RunJob, SurveyJob
from bench.launch.pool import Listener, Pool
from bench.record.environment import available_cores
from bench.record.schema import ProbeRecord, Record, RunRecord
from bench.record.store import State, Store
from bench.study.device import Device
from bench.study.identity import arm_id, callable_sources, declaration
from bench.study.model import Arm, Plan, Run
from bench.study.specs import DataSpec

MAX_SURVEYED = 200
"""More distinct arms than this run in plan order: building each once would take longer than it saves."""


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
    answers: list[tuple[RunJob, Answer]] = field(default_factory=list)
    """How the runs of this call ended."""

    @cached_property
    def recorded(self) -> dict[tuple[str, int], RunRecord]:
        """Committed lines as they were when the call began."""
        return self.store.recorded()

    @property
    def has_failed(self) -> bool:
        """Whether a run of this call failed or ran out of memory."""
        return any(answer.outcome in ("failed", "oom") for _, answer in self.answers)

    def state(self, run: Run) -> State:
        """Where a run stands now."""
        return self.store.state(run, self.recorded, self.ids.get(run.arm.name))

    def runs(self, only: str | None) -> tuple[Run, ...]:
        """The plan's runs whose arm matches a glob.

        Raises:
            UsageError: None does.
        """
        if only is None:
            return self.plan.runs
        chosen = tuple(run for run in self.plan.runs if fnmatch.fnmatchcase(run.arm.name, only))
        if not chosen:
            raise UsageError(
                f"--only {only}: matches none of {len(self.plan.study.arms)} arms; `plan` lists them"
            )
        return chosen

    def to_do(self, runs: Iterable[Run], retry: frozenset[str]) -> list[RunJob]:
        """The runs that have to be trained, as jobs, each with the reason to retry it or none."""
        jobs: list[RunJob] = []
        for run in runs:
            state = self.state(run)
            if state in ("pending", "interrupted", "running", "recorded") or state in retry:
                jobs.append(self._job(run, retry=state in retry))
        return jobs

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
        if answers[0].gmacs is None:
            raise UsageError(*(answers[0].reason or "the survey of the networks failed").splitlines())
        self.costs.update(answers[0].gmacs)
        return sorted(jobs, key=lambda job: -self.cost(job))

    def cost(self, job: RunJob) -> float:
        """How long the job takes relative to others: MACs of all its steps; 1 where nothing is known."""
        train = job.run.arm.config.train
        gmacs = self.costs.get(job.run.arm.name)
        if gmacs is None:
            return 1.0
        return gmacs * train.batch_size * (train.steps or train.epochs or 0)

    def train(self, pool: Pool, jobs: Sequence[RunJob], listener: Listener, *, fail_fast: bool) -> None:
        """Execute the runs; their answers are kept.

        Raises:
            Stop: The user's signal.
        """

        def ended(job: Job, answer: Answer) -> None:
            self.answers.append((cast("RunJob", job), answer))
            listener.ended(job, answer)

        pool.run(
            jobs, Listener(listener.started, listener.progress, ended, listener.idle), fail_fast=fail_fast
        )

    def probes(self, arms: Iterable[Arm], records: Iterable[Record]) -> list[ProbeJob]:
        """Speed measurements that are missing for arms of which a run is done."""
        records = list(records)
        have = {record.arm_id for record in records if isinstance(record, ProbeRecord)}
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
        runs = [(run, self.ids[run.arm.name]) for run in self.plan.runs if run.run_id is not None]
        return self.store.collect(runs, update=update)

    def reproductions(self, runs: Iterable[Run]) -> list[tuple[RunRecord, RunRecord]]:
        """Lines recorded elsewhere, each with the record of the same arm and seed trained here."""
        pairs: list[tuple[RunRecord, RunRecord]] = []
        for run in runs:
            line = self.recorded.get((self.ids.get(run.arm.name, ""), run.seed))
            found = self.store.find(run)
            if line is not None and found is not None and self.store.is_foreign(line, found):
                pairs.append((line, found))
        return pairs

    @property
    def _kind(self) -> Literal["cpu", "cuda"]:
        return "cuda" if self.device.kind == "cuda" else "cpu"

    def _job(self, run: Run, *, retry: bool) -> RunJob:
        return RunJob(
            run=run,
            arm_id=self.ids[run.arm.name],
            study=self.plan.study.name,
            declaration=declaration(self.plan.study.metric),
            folder=self.store.run_folder(run),
            data_dir=self.data_dir,
            device_kind=self._kind,
            n_concurrent=1,
            retry=retry,
        )


def open_campaign(plan: Plan, *, results: Path, data_dir: Path, device: Device) -> Campaign:
    """A campaign over a plan, with its store.

    The store also knows the arms by their ids on the other kind of device, so that lines recorded there
    stay, each in its block.
    """
    here = _arm_ids(plan, plan.device_kind, data_dir)
    there = _arm_ids(plan, "cuda" if plan.device_kind == "cpu" else "cpu", data_dir)
    by_name = {arm.name: arm for arm in plan.study.arms}
    known = {identity: by_name[name] for ids in (here, there) for name, identity in ids.items()}
    return Campaign(plan, Store(results, plan.study.results_name, known), here, data_dir, device)


def _arm_ids(plan: Plan, device_kind: str, data_dir: Path) -> dict[str, str]:
    """Arm id by arm name; arms whose data are absent have none."""
    digests: dict[DataSpec, str | None] = {}
    ids: dict[str, str] = {}
    for arm in plan.study.arms:
        data = arm.config.data
        if data not in digests:
            try:
                digests[data] = data_digest(data, data_dir)
            except DataMissing:
                digests[data] = None
        digest = digests[data]
        if digest is not None:
            sources = callable_sources(arm.config)
            ids[arm.name] = arm_id(arm.config, device_kind=device_kind, data_digest=digest, sources=sources)
    return ids
