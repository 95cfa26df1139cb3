"""Opened once per process, with everything a record wants to know."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bench.data import load, open_splits, opening, split
from bench.errors import DataMissing
from bench.study.specs import DataSpec

DIGITS = DataSpec(name="digits")


def test_splits_have_the_sizes_and_digests_of_their_parts(data_dir: Path) -> None:
    found = open_splits(DIGITS, data_dir, "cpu")
    arrays = load(DIGITS, data_dir)
    assert found.val is not None
    assert (len(found.train), len(found.val), len(found.test)) == (1294, 144, 359)
    assert found.digest == arrays.digest
    assert found.split_digest == split(DIGITS, arrays.train_labels).digest
    assert found.location == found.train.location == "device"


def test_without_val_there_is_no_validation_set(data_dir: Path) -> None:
    found = open_splits(DataSpec(name="digits", val=0.0), data_dir, "cpu")
    assert found.val is None
    assert len(found.train) == 1438


def test_a_process_opens_a_section_once_whatever_the_augmentation(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = open_splits(DIGITS, data_dir, "cpu")
    monkeypatch.setattr(opening, "load", lambda *_, **__: pytest.fail("loaded again"))
    assert open_splits(DataSpec(name="digits", augment=("flip",)), data_dir, "cpu") is first
    with pytest.raises(pytest.fail.Exception, match="loaded again"):
        open_splits(DataSpec(name="digits", split_seed=1), data_dir, "cpu")


def test_changed_files_are_opened_anew(small_set: Path, data_dir: Path, write_parquet: object) -> None:
    spec = DataSpec(name="parquet", path="own")
    first = open_splits(spec, data_dir, "cpu")
    file = next(small_set.glob("test*"))
    other = next(small_set.glob("train*")).read_bytes()
    file.write_bytes(other)
    again = open_splits(spec, data_dir, "cpu")
    assert len(first.test) == 10
    assert len(again.test) == 40


def test_only_the_last_sections_are_kept_open(data_dir: Path) -> None:
    for seed in range(4):
        open_splits(DataSpec(name="digits", split_seed=seed), data_dir, "cpu")
    assert len(opening._OPEN) == 2


def test_val_and_test_are_normalised_by_the_training_split(data_dir: Path) -> None:
    found = open_splits(DIGITS, data_dir, "cpu")
    assert found.val is not None
    assert found.val.floats is not None
    assert found.train.floats is not None
    assert abs(float(found.train.floats.mean())) < 1e-5
    assert 1e-4 < abs(float(found.val.floats.mean())) < 0.2


@pytest.mark.parametrize(("n_bytes", "expected"), [(50, "device"), (51, "host")])
def test_images_that_exceed_half_of_the_free_device_memory_stay_on_the_host(
    n_bytes: int, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (100, 1000))
    assert opening._location(n_bytes, torch.device("cuda", 0)) == expected
    assert opening._location(10**15, torch.device("cpu")) == "device"


def test_absent_data_are_missing(data_dir: Path) -> None:
    with pytest.raises(DataMissing, match="run: bench data fetch cifar10"):
        open_splits(DataSpec(name="cifar10"), data_dir, "cpu")
