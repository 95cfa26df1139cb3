"""A run trained again: equal bits where they are promised, else a value that the recorded seeds explain."""

from __future__ import annotations

import pytest
from record_helpers import make_record

from bench.analyse.rerun import judge
from bench.record.schema import Digests, Metrics

HERE = {"machine": "x86_64", "cpu": "A", "torch": "2.15"}
ELSEWHERE = {**HERE, "cpu": "B"}
SEEDS = (90.0, 91.0, 92.0)
"""Mean 91, sd 1: 99.9 % of new seeds lie within 31.599 · sqrt(4/3) = 36.49 of it (t of 2 df)."""


def run(seed: int, value: float, *, weights: str = "", environment=HERE, **changes):
    fields = {
        "metrics": Metrics(test_top1_pct=value, n_test=1000),
        "digests": Digests(tested_weights=weights or f"w{seed}"),
        "environment": environment,
    }
    return make_record(seed=seed, **{**fields, **changes})


RECORDED = [run(seed, value) for seed, value in enumerate(SEEDS)]


def judged(new):
    return judge(RECORDED[0], new, RECORDED, "test_top1_pct")


def test_equal_bits_are_exact_wherever_they_come_from() -> None:
    assert judged(run(0, 90.0)).verdict == "exactly"
    assert judged(run(0, 90.0, environment=ELSEWHERE)).verdict == "exactly"


def test_other_bits_on_the_same_machine_type_are_not_reproduced_however_close() -> None:
    one = judged(run(0, 90.0, weights="other"))
    assert (one.verdict, one.is_promised) == ("not", True)


@pytest.mark.parametrize("changes", [{"environment": ELSEWHERE}, {"engine": 2}], ids=["machine", "engine"])
def test_elsewhere_the_spread_of_the_seeds_decides(changes) -> None:
    for value, verdict in [
        (91.0, "within the seeds' spread"),
        (55.0, "within the seeds' spread"),
        (54.0, "not"),
    ]:
        one = judged(run(0, value, weights="other", **changes))
        assert (one.verdict, one.is_promised) == (verdict, False)
    assert "54.51 to 127.49" in one.text


def test_another_ending_is_not_reproduced_and_one_seed_decides_nothing() -> None:
    assert judged(run(0, 90.0, weights="other", environment=ELSEWHERE, status="diverged")).verdict == "not"
    alone = judge(
        RECORDED[0], run(0, 80.0, weights="x", environment=ELSEWHERE), RECORDED[:1], "test_top1_pct"
    )
    assert alone.verdict == "undecided"
