"""`bench status`: where every run stands. Reads only, never waits, works while a study runs."""

from __future__ import annotations

from collections import Counter

from bench.console.adaptive import standing
from bench.console.columns import print_columns
from bench.console.place import Place
from bench.launch.campaign import Campaign
from bench.record.schema import Finished
from bench.study.model import Run
from bench.units import plural


def show_status(place: Place, *, as_json: bool) -> int:
    """Print the state of every run.

    Returns:
        1 when a run stands failed or oom, else 0.
    """
    campaign = place.open()
    entries = [
        (run, campaign.state(run), _record(campaign, run))
        for run in (*campaign.plan.runs, *campaign.plan.sources)
    ]
    metric = campaign.plan.study.metric
    if as_json:
        from bench.console.tables import print_json  # noqa: PLC0415 - rich is slow to load and not needed here

        print_json(
            [
                {
                    "arm": run.arm.name,
                    "seed": run.seed,
                    "run_id": run.run_id,
                    "status": state,
                    metric: getattr(record.metrics, metric) if record else None,
                    "reason": record.reason if record else None,
                }
                for run, state, record in entries
            ]
        )
    else:
        rows = [_row(run, state, record, metric) for run, state, record in entries]
        replicate = campaign.plan.study.arms[0].replicate
        print_columns(("arm", replicate, "status", metric, "reason"), rows)
        for line in standing(campaign):
            print(line)  # noqa: T201 - a result, on stdout
        counts = Counter(state for _, state, _ in entries)
        total = ", ".join(f"{count} {state}" for state, count in counts.items())
        print(f"\n{plural(len(entries), 'run')}: {total}")  # noqa: T201 - a result, on stdout
    return 1 if any(state in ("failed", "oom") for _, state, _ in entries) else 0


def _record(campaign: Campaign, run: Run) -> Finished | None:
    own = campaign.store.find(run)
    return own or campaign.recorded.get((run.arm_id or "", run.seed))


def _row(run: Run, state: str, record: Finished | None, metric: str) -> tuple[str, ...]:
    value = getattr(record.metrics, metric) if record is not None else None
    number = f"{value:.2f}" if value is not None else ""
    reason = record.reason or "" if record is not None else run.no_id_reason or ""
    return run.arm.name, str(run.seed), state, number, reason
