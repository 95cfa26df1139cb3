"""Training again against the record: exactly, within the seeds' spread, not, or undecided."""

from __future__ import annotations

import pytest
from record_helpers import make_record

from bench.analyse.reproduce import pooled_interval, reproduce
from bench.record.schema import Digests, Metrics, RunRecord


def scores(values: list[float], weights: str, **changes) -> list[RunRecord]:  # type: ignore[no-untyped-def]
    return [
        make_record(
            seed=seed,
            metrics=Metrics(test_top1_pct=value, n_test=1000),
            digests=Digests(tested_weights=f"{weights}{seed}"),
            **changes,
        )
        for seed, value in enumerate(values)
    ]


def verdict(old: list[RunRecord], new: list[RunRecord]) -> str:
    (one,) = reproduce(zip(old, new, strict=True), "test_top1_pct")
    return one.verdict


def test_equal_weights_are_exact_even_with_one_seed() -> None:
    assert verdict(scores([97.0], "w"), scores([97.0], "w")) == "exactly"


def test_one_seed_decides_nothing() -> None:
    assert verdict(scores([97.0], "w"), scores([40.0], "v")) == "undecided"


def test_a_difference_inside_the_spread_is_within_it() -> None:
    assert (
        verdict(scores([97.0, 97.4, 97.8], "w"), scores([97.2, 97.3, 97.9], "v"))
        == "within the seeds' spread"
    )


def test_a_difference_far_outside_the_spread_is_not_reproduced() -> None:
    assert verdict(scores([97.0, 97.4, 97.8], "w"), scores([57.0, 57.4, 57.8], "v")) == "not"


def test_equal_scores_in_all_seeds_still_allow_for_one_test_image() -> None:
    """Without the floor the interval would have no width, and one image of a thousand would be a failure."""
    assert verdict(scores([97.0] * 3, "w"), scores([97.1] * 3, "v")) == "within the seeds' spread"


def test_another_status_is_not_reproduced_and_says_so() -> None:
    old, new = scores([97.0, 97.1], "w"), scores([97.0, 97.1], "v", status="diverged", reason="at step 3")
    (one,) = reproduce(zip(old, new, strict=True), "test_top1_pct")
    assert one.verdict == "not"
    assert "recorded done, now diverged" in one.text()


def test_the_interval_is_the_pooled_t_interval_at_999_per_mille() -> None:
    """By hand: means 2 and 4, pooled variance 1, df 4, t(.9995, 4) = 8.6103, sqrt(2/3): 2 ± 7.0303."""
    difference, half = pooled_interval([3, 4, 5], [1, 2, 3], floor=0.0)
    assert difference == pytest.approx(2)
    assert half == pytest.approx(8.610302 * (2 / 3) ** 0.5, rel=1e-6)
