"""Names of arms and factors, short and unique."""

from __future__ import annotations

from bench.analyse.outline import arm_labels, is_bundle, level_text, outline_from_records, short_keys


def test_keys_are_shortened_as_far_as_they_stay_distinct():
    keys = ["model.depth", "train.optimizer.lr", "train.schedule.name", "train.optimizer.name"]
    assert list(short_keys(keys).values()) == ["depth", "lr", "schedule", "optimizer"]
    assert list(short_keys(["a.width", "b.width"]).values()) == ["a.width", "b.width"]
    assert list(short_keys(["train.optimizer", "train.optimizer.name"]).values()) == ["optimizer", "name"]


def test_a_key_that_ends_another_keeps_its_whole_name():
    assert short_keys(["lr", "train.lr"]) == {"lr": "lr", "train.lr": "train.lr"}


def test_levels_read_as_yaml_writes_them():
    assert [level_text(level) for level in (True, False, None, 20, 0.1, "none")] == [
        "true",
        "false",
        "null",
        "20",
        "0.1",
        "none",
    ]


def test_true_and_one_are_two_levels(fakes):
    """`True == 1` in Python, so levels are told apart by their text."""
    records = [fakes.run({"model.stem": level}, 0, 98.0) for level in (True, 1, False)]
    (factor,) = outline_from_records(records).factors
    assert [level_text(level) for level in factor.levels] == ["true", "1", "false"]


def test_arms_of_many_factors_are_named_by_what_differs(fakes):
    base = {"train.lr": 0.1, "train.momentum": 0.9, "data.augment": "none", "model.residual": True}
    arms = [base, {**base, "train.lr": 0.2}, {**base, "model.residual": False, "data.augment": "flip"}]
    arms.append({**base, "train.momentum": 0.0})
    labels = arm_labels(outline_from_records([fakes.run(levels, 0, 98.0) for levels in arms]))
    assert list(labels.values()) == ["baseline", "lr=0.2", "augment=flip, residual=false", "momentum=0.0"]


def test_named_arms_keep_their_names(fakes):
    records = [fakes.run({"arm": name}, 0, 98.0) for name in ("plain", "full recipe")]
    assert list(arm_labels(outline_from_records(records)).values()) == ["plain", "full recipe"]


def test_levels_of_a_factor_with_a_name_of_its_own_stand_for_themselves(fakes):
    labels = arm_labels(outline_from_records(fakes.transfer_study(1)))
    assert list(labels.values())[:2] == ["base", "AnB, through=stem"]


def test_a_section_is_no_factor_with_a_name_of_its_own():
    assert [is_bundle(key) for key in ("treatment", "weights", "model.depth")] == [True, False, False]
