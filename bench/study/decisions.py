"""`decisions.jsonl`: what a study decided on its way, one sealed line each, committed beside the records.

A path chose its next component, a comparison got more seeds or no more. A decision follows from the records
alone and carries no time, so that taking it again gives the same line: a call that was killed before it could
write a decision, or another machine, takes the same one. A decision belongs to the design under which it was
taken (`design_digest`); a study that is changed takes its decisions anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from bench.errors import EnvironmentFault
from bench.study.identity import canonical
from bench.study.model import Growth, Study

DECISIONS_FILE = "decisions.jsonl"

DECISIONS_SCHEMA = 1
"""Raised when the meaning or name of a field changes."""


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Candidate(_Line):
    """A component that a path might have added."""

    component: str
    arm: str
    """The arm that has it, beside those taken before."""
    mean_val_top1_pct: float | None
    """Over the decision's seeds; None where it was passed over."""
    passed_over: str | None = None
    """Why it could not be chosen."""


class PathDecision(_Line):
    """One step of a path."""

    kind: Literal["path"] = "path"
    schema_version: int = DECISIONS_SCHEMA
    design: str
    device_kind: Literal["cpu", "cuda"]
    step: int
    """Counted from 1."""
    taken: tuple[str, ...]
    """Components that were chosen before."""
    seeds: tuple[int, ...]
    candidates: tuple[Candidate, ...]
    chosen: str | None
    """The component with the highest mean, of equal ones the first declared; None: the path ends here."""
    line_sha256: str = ""

    @property
    def text(self) -> str:
        """One line."""
        told = [
            f"{one.component} {one.mean_val_top1_pct:.2f}"
            if one.mean_val_top1_pct is not None
            else f"{one.component} passed over ({one.passed_over})"
            for one in self.candidates
        ]
        found = f"adds {self.chosen}" if self.chosen is not None else "ends: no candidate has a result"
        seeds = f"{len(self.seeds)} seed{'s' if len(self.seeds) != 1 else ''}"
        return f"step {self.step} {found}; mean val_top1_pct over {seeds}: {', '.join(told)}"


class SeedsDecision(_Line):
    """One look at one comparison: decided, or more seeds."""

    kind: Literal["seeds"] = "seeds"
    schema_version: int = DECISIONS_SCHEMA
    design: str
    device_kind: Literal["cpu", "cuda"]
    metric: str
    arm: str
    baseline: str
    rule: Literal["paired", "welch"]
    looks: tuple[int, ...]
    alpha: float
    n_comparisons: int
    margin: float | None
    look: int
    """Counted from 1."""
    n_seeds: int
    """Planned at this look."""
    seeds: tuple[int, ...]
    """That finished and were looked at."""
    delta: float | None
    p: float | None
    nominal_alpha: float
    low: float | None
    """Repeated interval, at 1 − nominal alpha."""
    high: float | None
    tost_p: float | None
    outcome: Literal["different", "equivalent", "different and equivalent", "more seeds", "undecided"]
    higher_is_better: bool
    unit: str
    line_sha256: str = ""

    @property
    def next_n_seeds(self) -> int:
        """Seeds that the comparison has from here on."""
        return self.looks[self.look] if self.outcome == "more seeds" else self.n_seeds

    @property
    def text(self) -> str:
        """One line."""
        found = (
            "no interval" if self.low is None else f"repeated interval {self.low:+.3g} to {self.high:+.3g}"
        )
        look = f"look {self.look} of {len(self.looks)} at {self.n_seeds} seeds"
        return f"{self.arm} against {self.baseline}, {look}: {self.outcome}; {found} {self.unit}".rstrip()


Decision = PathDecision | SeedsDecision

_KINDS: dict[str, type[PathDecision] | type[SeedsDecision]] = {"path": PathDecision, "seeds": SeedsDecision}


def seal_decision(decision: Decision) -> str:
    """The decision as its one line of canonical JSON, with the digest of the rest of the line in it."""
    fields = decision.model_dump(mode="json")
    fields["line_sha256"] = _line_digest(fields)
    return _canonical_json(fields)


def read_decisions(folder: Path) -> tuple[Decision, ...]:
    """The decisions of a study's results folder; an absent file has none.

    Raises:
        EnvironmentFault: Lines that were changed, cut or are of another schema, one line each.
    """
    path = folder / DECISIONS_FILE
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return ()
    decisions: list[Decision] = []
    faults: list[str] = []
    for number, line in enumerate(lines, start=1):
        try:
            decisions.append(_unseal(line))
        except ValueError as error:
            faults.append(f"{path}:{number}: {error}")
    if faults:
        raise EnvironmentFault(*faults)
    return tuple(decisions)


def _unseal(line: str) -> Decision:
    fields = json.loads(line)
    if not isinstance(fields, dict) or fields.get("line_sha256") != _line_digest(fields):
        raise ValueError("the decision is not what was sealed: its digest differs")
    if fields.get("schema_version") != DECISIONS_SCHEMA or fields.get("kind") not in _KINDS:
        raise ValueError(f"a decision of kind {fields.get('kind')!r} is not known to this bench")
    return _KINDS[fields["kind"]].model_validate(fields)


def is_adaptive(study: Study) -> bool:
    """Whether runs of the study depend on what earlier ones scored."""
    return study.design == "path" or study.seeds_rule is not None


def design_digest(study: Study, device_kind: str) -> str:
    """What a study's decisions depend on beside the records: its arms before any decision, and the rule.

    Args:
        study: As loaded, with or without what it grew by.
        device_kind: Decisions of each are apart.
    """
    known = {arm.name for arm in study.arms if arm.name not in study.grown_arms}
    fields: dict[str, Any] = {
        "design": study.design,
        "arms": {arm.name: canonical(arm.config, device_kind) for arm in study.arms if arm.name in known},
    }
    if study.seeds_rule is not None:
        fields["seeds"] = study.seeds_rule.model_dump()
        fields["metric"] = study.metric
        fields["comparisons"] = study.comparisons.model_dump()
    return hashlib.sha256(_canonical_json(fields).encode()).hexdigest()[:16]


def holding(study: Study, decisions: Iterable[Decision], device_kind: str | None = None) -> list[Decision]:
    """The decisions that were taken under the study as it is now.

    Args:
        study: As loaded.
        decisions: Of its results folder.
        device_kind: Those of one kind of device; None: of both.
    """
    kinds = [device_kind] if device_kind is not None else ["cpu", "cuda"]
    digests = {kind: design_digest(study, kind) for kind in kinds}
    return [one for one in decisions if digests.get(one.device_kind) == one.design]


def growth_beside(study: Study) -> Growth:
    """What the decisions beside a study's file say of it, of every kind of device."""
    return growth_of(holding(study, read_decisions(study.path.parent)))


def growth_of(decisions: Sequence[Decision]) -> Growth:
    """How far decisions take a study: which steps of its path, and how many seeds of which arm."""
    chosen: dict[str, list[str]] = {}
    n_seeds: dict[str, int] = {}
    for one in decisions:
        if isinstance(one, PathDecision):
            steps = chosen.setdefault(one.device_kind, [])
            if one.chosen is not None and one.taken == tuple(steps):
                steps.append(one.chosen)
        else:
            for arm in (one.arm, one.baseline):
                n_seeds[arm] = max(n_seeds.get(arm, 0), one.next_n_seeds)
    return Growth({kind: tuple(steps) for kind, steps in chosen.items()}, n_seeds)


def _line_digest(fields: Mapping[str, Any]) -> str:
    rest = {key: value for key, value in fields.items() if key != "line_sha256"}
    return hashlib.sha256(_canonical_json(rest).encode()).hexdigest()


def _canonical_json(fields: Mapping[str, Any]) -> str:
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
