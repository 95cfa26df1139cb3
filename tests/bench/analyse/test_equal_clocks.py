"""Runs by epochs, seconds and operations: numbers worked by hand from records that were never trained."""

from __future__ import annotations

import pytest

from bench.analyse.equal_budget import equal_budgets
from bench.analyse.equal_clocks import clocks_of
from bench.analyse.equal_target import reach
from bench.record.schema import EpochRow

FAST, SLOW = {"model.depth": 8}, {"model.depth": 20}


def rows(*values: float | None, time_s: float = 2.0) -> tuple[EpochRow, ...]:
    return tuple(
        EpochRow(
            epoch=index,
            train_loss=1.0,
            train_top1_pct=50.0,
            val_loss=None if value is None else 1.0,
            val_top1_pct=value,
            lr=0.1,
            epoch_time_s=time_s,
        )
        for index, value in enumerate(values, start=1)
    )


def study(fakes, **changes):
    """Two arms of four epochs, ten steps of 100 images each; the slow one costs twice as much."""
    metrics = {"n_train": 1000, "epochs": 4.0, "steps": 40, "n_concurrent": 1}
    curves = {0: (50.0, 90.0, 96.0, 97.0), 1: (40.0, 95.0, 94.0, 96.0), 2: (30.0, 60.0, 80.0, 90.0)}
    records = []
    for levels, gmacs in ((FAST, 0.001), (SLOW, 0.002)):
        for seed, values in curves.items():
            run = fakes.run(
                levels,
                seed,
                90.0,
                epochs=rows(*values),
                metrics={**metrics, "gmacs": gmacs, **changes},
                class_names=tuple("abcd"),
                config=fakes.config(levels),
            )
            train = {**run.config["train"], "epochs": 4, "batch_size": 100}
            records.append(run.model_copy(update={"config": {**run.config, "train": train}}))
    return records


def names(fakes):
    return [fakes.arm_name(FAST), fakes.arm_name(SLOW)]


def test_seconds_are_those_of_the_probe_where_every_arm_has_one(fakes):
    """1000 images an epoch at 500 and 250 images a second: 2 and 4 seconds, whatever the runs took."""
    records = [*study(fakes, n_concurrent=3), fakes.probe(FAST, [500.0] * 3), fakes.probe(SLOW, [250.0] * 3)]
    clocks = clocks_of(records, "cpu", names(fakes))
    assert clocks.seconds_from == "probe"
    assert clocks.runs[0].spent["seconds"] == (2.0, 4.0, 6.0, 8.0)
    assert list(clocks.budgets["seconds"].values()) == [8.0, 16.0]
    assert clocks.common("seconds") == 8.0


def test_seconds_of_runs_that_shared_the_machine_are_no_seconds(fakes):
    clocks = clocks_of(study(fakes, n_concurrent=2), "cpu", names(fakes))
    assert clocks.absent == {"seconds": "no probe of some arm, and runs shared the machine"}
    alone = clocks_of(study(fakes), "cpu", names(fakes))
    assert alone.seconds_from == "runs"
    assert alone.runs[0].spent["seconds"] == (2.0, 4.0, 6.0, 8.0)


def test_operations_are_six_a_multiply_add(fakes):
    """6 × 0.001 × 10⁹ × 1000 images = 6 · 10⁹ an epoch."""
    clocks = clocks_of(study(fakes), "cpu", names(fakes))
    assert clocks.runs[0].spent["flops"] == pytest.approx((6e9, 12e9, 18e9, 24e9))
    assert clocks.common("flops") == pytest.approx(24e9)


def test_without_validation_there_is_a_reason(fakes):
    records = [run.model_copy(update={"epochs": rows(None, None)}) for run in study(fakes)]
    assert str(clocks_of(records, "cpu", names(fakes))).startswith("no run was validated on the way")


def test_the_way_to_a_target_counts_those_that_never_arrive_as_the_budget(fakes):
    """At 95 %: seeds arrive at epochs 3, 2 and never (4): mean 3, median 3; of chance 25 % the area."""
    clocks = clocks_of(study(fakes), "cpu", names(fakes))
    fast, slow = reach(clocks, 95.0, names(fakes)).arms
    assert (fast.n_reached, fast.own["epochs"].n, fast.own["epochs"].median) == (2, 3, 3)
    assert fast.common["epochs"].rmst.estimate == pytest.approx(3.0)
    areas = [
        (25 / 2 + a + b + c + d / 2) / 4
        for a, b, c, d in ((50, 90, 96, 97), (40, 95, 94, 96), (30, 60, 80, 90))
    ]
    assert fast.area.estimate == pytest.approx(sum(areas) / 3)
    assert slow.n_reached == 2


def test_means_are_restricted_to_the_budget_that_all_arms_have(fakes):
    """The slow arm arrives after 12 and 8 of its 16 seconds; within the common 8 one run does, at its end."""
    records = [*study(fakes), fakes.probe(FAST, [500.0] * 3), fakes.probe(SLOW, [250.0] * 3)]
    target = reach(clocks_of(records, "cpu", names(fakes)), 95.0, names(fakes))
    slow = target.arms[1]
    assert target.horizons["seconds"] == 8.0
    assert (slow.own["seconds"].n_reached, slow.own["seconds"].horizon) == (2, 16.0)
    assert (slow.common["seconds"].n_reached, slow.common["seconds"].rmst.estimate) == (1, 8.0)


def test_arms_are_compared_within_the_budget_that_both_have(fakes):
    """Of 8 seconds the fast arm takes 6, 4 and all, the slow one all three times: 2 s later in the mean."""
    records = [*study(fakes), fakes.probe(FAST, [500.0] * 3), fakes.probe(SLOW, [250.0] * 3)]
    fast, slow = reach(clocks_of(records, "cpu", names(fakes)), 95.0, names(fakes)).arms
    for rule, df in (("welch", 2), ("paired", 2)):
        found = slow.against(fast, "seconds", rule)
        assert (found.rmst_difference.estimate, found.rmst_difference.df) == pytest.approx((2.0, df))
        assert found.horizon == 8.0
    assert slow.against(fast, "epochs", "paired").rmst_difference.estimate == 0


def test_a_run_that_diverged_never_arrives_and_falls_to_chance(fakes):
    records = study(fakes)
    records[2] = records[2].model_copy(update={"status": "diverged", "epochs": rows(60.0)})
    fast = reach(clocks_of(records, "cpu", names(fakes)), 95.0, names(fakes)).arms[0]
    assert (fast.own["epochs"].n, fast.n_reached) == (3, 2)
    others = [(25 / 2 + a + b + c + d / 2) / 4 for a, b, c, d in ((50, 90, 96, 97), (40, 95, 94, 96))]
    by_hand = [*others, ((25 + 60) / 2 + 3 * 25) / 4]
    assert fast.area.estimate == pytest.approx(sum(by_hand) / 3)


def test_at_equal_seconds_only_evaluations_within_the_budget_count(fakes):
    """In 8 seconds the slow arm has two epochs behind it: 90, 95 and 60 %."""
    records = [*study(fakes), fakes.probe(FAST, [500.0] * 3), fakes.probe(SLOW, [250.0] * 3)]
    made = equal_budgets(clocks_of(records, "cpu", names(fakes)), names(fakes))
    fast, slow = made.at_common["seconds"]
    assert fast.by_seed == {0: 97.0, 1: 96.0, 2: 90.0}
    assert slow.by_seed == {0: 90.0, 1: 95.0, 2: 60.0}
    assert made.leaders("seconds")[0] == names(fakes)[0]
    assert made.at_common["epochs"][0].estimate.mean == made.at_common["epochs"][1].estimate.mean


def test_an_arm_without_an_evaluation_within_the_budget_has_no_accuracy(fakes):
    records = [*study(fakes), fakes.probe(FAST, [500.0] * 3), fakes.probe(SLOW, [50.0] * 3)]
    slow = equal_budgets(clocks_of(records, "cpu", names(fakes)), names(fakes)).at_common["seconds"][1]
    assert (slow.estimate.mean, slow.n_before) == (None, 3)


def in_steps(fakes, recorded):
    """Two arms of 35 steps, ten an epoch: three and a half epochs, whose last row took half the time."""
    records = []
    for run in study(fakes):
        short = [
            row.model_copy(update={"epoch_time_s": 1.0}) if row.epoch == 4 else row for row in run.epochs
        ]
        train = {k: v for k, v in run.config["train"].items() if k != "epochs"} | {"steps": 35}
        metrics = run.metrics.model_copy(update={"epochs": recorded, "steps": 35})
        update = {"config": {**run.config, "train": train}, "epochs": tuple(short), "metrics": metrics}
        records.append(run.model_copy(update=update))
    return records


@pytest.mark.parametrize("recorded", [3.5, None], ids=["recorded", "planned"])
@pytest.mark.parametrize("source", ["probe", "runs"])
def test_a_budget_that_ends_inside_an_epoch_keeps_its_last_evaluation(fakes, source, recorded):
    """The last row counted as a whole epoch, so that the budget seemed to end before it did.

    Three epochs of 2 s and half a one are 7 s, by the rows and by a probe of 500 images a second. The
    evaluation at their end, where seed 0 has 97 %, was left out, and no run seemed to arrive there.
    """
    records = in_steps(fakes, recorded)
    if source == "probe":
        records += [fakes.probe(FAST, [500.0] * 3), fakes.probe(SLOW, [500.0] * 3)]
    clocks = clocks_of(records, "cpu", names(fakes))
    assert clocks.seconds_from == source
    assert clocks.runs[0].spent["seconds"] == (2.0, 4.0, 6.0, 7.0)
    assert clocks.runs[0].spent["epochs"] == (1.0, 2.0, 3.0, 3.5)
    assert (clocks.common("seconds"), clocks.common("epochs")) == (7.0, 3.5)
    for arm in equal_budgets(clocks, names(fakes)).at_common["seconds"]:
        assert arm.by_seed == {0: 97.0, 1: 96.0, 2: 90.0}
    fast = reach(clocks, 97.0, names(fakes)).arms[0]
    assert [fast.common[clock].n_reached for clock in ("epochs", "seconds")] == [1, 1]


def test_a_seed_that_ran_slowly_keeps_its_last_evaluation(fakes):
    """A clock for each run put the end of those slower than their arm's mean behind the arm's budget."""
    slowed = [
        run.model_copy(update={"epochs": rows(*(row.val_top1_pct for row in run.epochs), time_s=seconds)})
        for run, seconds in zip(study(fakes), (1.98, 2.0, 2.02) * 2, strict=True)
    ]
    clocks = clocks_of(slowed, "cpu", names(fakes))
    assert [run.spent["seconds"][-1] for run in clocks.runs] == pytest.approx([8.0] * 6)
    for arm in equal_budgets(clocks, names(fakes)).at_common["seconds"]:
        assert arm.by_seed == {0: 97.0, 1: 96.0, 2: 90.0}


def test_epochs_that_grow_slower_keep_their_own_length(fakes):
    """Layers that thaw: 1, 1, 3 and 3 seconds, although one run diverged before it saw them."""
    paced = []
    for run in study(fakes):
        own = [row.model_copy(update={"epoch_time_s": 1.0 if row.epoch < 3 else 3.0}) for row in run.epochs]
        paced.append(run.model_copy(update={"epochs": tuple(own)}))
    paced[2] = paced[2].model_copy(update={"status": "diverged", "epochs": paced[2].epochs[:2]})
    clocks = clocks_of(paced, "cpu", names(fakes))
    assert clocks.of(names(fakes)[0])[0].spent["seconds"] == (1.0, 2.0, 5.0, 8.0)
    assert clocks.common("seconds") == 8.0


def test_arms_whose_equal_budgets_differ_by_rounding_end_together(fakes):
    """0.1 + 0.2 seconds an epoch exceed 0.3 by a rounding; neither arm may lose its end by it."""
    speeds = (1000 / (0.1 + 0.2), 1000 / 0.3)
    assert speeds[0] != speeds[1]
    records = [*study(fakes), fakes.probe(FAST, [speeds[0]] * 3), fakes.probe(SLOW, [speeds[1]] * 3)]
    for arm in equal_budgets(clocks_of(records, "cpu", names(fakes)), names(fakes)).at_common["seconds"]:
        assert arm.by_seed == {0: 97.0, 1: 96.0, 2: 90.0}
    for arm in reach(clocks_of(records, "cpu", names(fakes)), 97.0, names(fakes)).arms:
        assert arm.common["seconds"].n_reached == 1
