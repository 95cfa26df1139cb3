"""Confusions, classes and images of arms: numbers worked by hand."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from bench.analyse.classes import class_changes
from bench.analyse.confusion import confusions, distance, farthest, mistakes
from bench.analyse.images import image_changes
from bench.analyse.pareto import front
from bench.analyse.summary import summarise
from bench.record.bits import Bits, pack

TOP1 = "test_top1_pct"
CLASSES = ("ant", "bee")


def run(fakes, name, seed, matrix, **changes):
    right = 100 * sum(matrix[i][i] for i in range(2)) / sum(map(sum, matrix))
    n_test = sum(map(sum, matrix))
    return fakes.run(
        {"arm": name},
        seed,
        right,
        confusion=matrix,
        class_names=CLASSES,
        metrics={"n_test": n_test},
        **changes,
    )


def study(fakes):
    """Ten images a class; `worse` takes bees for ants, `same` errs as the baseline does."""
    shift = ((9, 1), (1, 9)), ((10, 0), (2, 8)), ((9, 1), (0, 10))
    worse = ((9, 1), (6, 4)), ((10, 0), (7, 3)), ((9, 1), (5, 5))
    records = [run(fakes, "base", seed, matrix) for seed, matrix in enumerate(shift)]
    records += [run(fakes, "same", seed, matrix) for seed, matrix in enumerate(shift)]
    return records + [run(fakes, "worse", seed, matrix) for seed, matrix in enumerate(worse)]


def test_matrices_are_pooled_and_rows_are_shares(fakes):
    base = confusions(study(fakes), "cpu")["base"]
    assert base.counts == ((28, 2), (3, 27))
    assert base.shares[1] == (0.1, 0.9)
    assert base.images == (10, 10)


def test_the_farthest_arm_is_the_one_whose_rows_differ_most(fakes):
    """Bees under other predictions: (18 - 3) / 30 = 0.5; ants: none; so 0.25 on average."""
    found = confusions(study(fakes), "cpu")
    far = farthest(found["base"], list(found.values()))
    assert far is found["worse"]
    assert distance(found["base"], far) == pytest.approx(0.25)
    assert distance(found["base"], found["same"]) == 0


def test_the_commonest_mistake_of_either_arm_comes_first(fakes):
    found = confusions(study(fakes), "cpu")
    first, second = mistakes(found["base"], found["worse"], most=5)
    assert (first.true, first.predicted, first.share, first.arm_share) == ("bee", "ant", 0.1, 0.6)
    assert (second.true, second.predicted) == ("ant", "bee")


def test_classes_are_compared_with_correction_over_all_of_them(fakes):
    """Two arms by two classes are four comparisons: Holm. Bees of `worse`: −50 points in every seed."""
    records = study(fakes)
    made = class_changes(records, summarise(records, TOP1).blocks[0])
    assert (made.family.method, made.family.n_comparisons) == ("holm", 4)
    assert made.baseline_pct == (pytest.approx(280 / 3), pytest.approx(90.0))
    assert made.of("worse")[1].line.comparison.delta == pytest.approx(-50.0)
    assert made.of("worse")[0].line.comparison.delta == 0
    assert not made.of("same")[0].is_clear


def test_many_comparisons_are_exploratory(fakes):
    records = study(fakes)
    records += [
        record.model_copy(
            update={"arm": f"more{i}", "run_id": f"{i}/{record.seed}", "levels": {"arm": f"more{i}"}}
        )
        for i in range(9)
        for record in records[-3:]
    ]
    made = class_changes(records, summarise(records, TOP1).blocks[0])
    assert made.family.n_comparisons == 22
    assert made.family.is_exploratory


def test_an_arm_of_another_test_set_is_not_compared(fakes):
    records = study(fakes)
    config = fakes.config({})
    config["data"] = {**config["data"], "name": "mnist"}
    records[-3:] = [record.model_copy(update={"config": config}) for record in records[-3:]]
    assert class_changes(records, summarise(records, TOP1).blocks[0]).arms == ("same",)


def with_bits(record, correct):
    packed = pack(np.asarray(correct, dtype=bool))
    digests = record.digests.model_copy(update={"correct": hashlib.sha256(packed).hexdigest()})
    return record.model_copy(update={"digests": digests}), packed


def test_images_that_flip_in_all_seeds_are_named(fakes):
    """Image 1 is lost by every seed, image 3 gained by every seed, image 0 by some."""
    wanted = {
        "base": ((1, 1, 1, 0), (1, 1, 0, 0), (1, 1, 1, 0)),
        "new": ((0, 0, 1, 1), (1, 0, 1, 1), (1, 0, 1, 1)),
    }
    records, bits = [], {}
    for arm, runs in wanted.items():
        for seed, correct in enumerate(runs):
            made, packed = with_bits(
                fakes.run({"arm": arm}, seed, 25.0 * sum(correct), metrics={"n_test": 4}), correct
            )
            records.append(made)
            bits[made.run_id] = packed
    base, new = image_changes(records, Bits(bits), summarise(records, TOP1).blocks[0])
    assert (base.flips, base.levels) == (None, None)
    assert (new.flips.gained, new.flips.lost) == ((3,), (1,))
    assert new.levels.delta_pp == pytest.approx(0.0)
    forged = dict.fromkeys(bits, b"\xff")
    assert image_changes(records, Bits(forged), summarise(records, TOP1).blocks[0]) == ()


def test_the_front_holds_what_no_other_beats_in_both():
    points = {
        "cheap": (1.0, 80.0),
        "good": (3.0, 90.0),
        "beaten": (3.0, 85.0),
        "dear": (9.0, 91.0),
        "twin": (1.0, 80.0),
    }
    assert front(points) == ("cheap", "twin", "good", "dear")
