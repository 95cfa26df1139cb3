"""The digest that stands for the data in a run's identity."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.data import digests
from bench.data.digests import data_digest
from bench.errors import DataMissing
from bench.study.specs import DataSpec

OWN = DataSpec(name="parquet", path="own")


def test_a_catalogued_digest_needs_no_data(data_dir: Path) -> None:
    assert data_digest(DataSpec(name="cifar10"), data_dir) == data_digest(
        DataSpec(name="cifar10"), data_dir / "x"
    )
    assert data_digest(DataSpec(name="oxford-pets"), data_dir) != data_digest(
        DataSpec(name="oxford-pets-binary"), data_dir
    )


def test_catalogue_digests_stay_as_they_are(data_dir: Path) -> None:
    """They are in the run ids of committed results."""
    names = ("digits", "mnist", "fashion-mnist", "cifar10", "cifar100", "cifar10-jpeg", "oxford-pets")
    assert {name: data_digest(DataSpec(name=name), data_dir)[:16] for name in names} == GOLDEN


GOLDEN = {
    "digits": "9bdab710a9214139",
    "mnist": "019d7fece6ff0712",
    "fashion-mnist": "ff0bd55d4f6c76e8",
    "cifar10": "81c038d92a93eeee",
    "cifar100": "f197f274dad84abb",
    "cifar10-jpeg": "774fae04472aef44",
    "oxford-pets": "2f12e33dcd82a081",
}


def test_a_changed_byte_changes_the_digest_even_if_size_and_name_stay(
    small_set: Path, data_dir: Path
) -> None:
    before = data_digest(OWN, data_dir)
    file = next(small_set.glob("test*"))
    content = bytearray(file.read_bytes())
    content[100] ^= 1
    file.write_bytes(content)
    after = data_digest(OWN, data_dir)
    assert before != after == data_digest(OWN, data_dir, cache=False)


def test_a_renamed_class_folder_changes_the_digest(data_dir: Path) -> None:
    for split in ("train", "test"):
        for name in ("a", "b"):
            (data_dir / "set" / split / name).mkdir(parents=True)
            (data_dir / "set" / split / name / "0.png").write_bytes(b"x")
    spec = DataSpec(name="folder", path="set")
    before = data_digest(spec, data_dir)
    for split in ("train", "test"):
        (data_dir / "set" / split / "b").rename(data_dir / "set" / split / "c")
    assert data_digest(spec, data_dir) != before


def test_files_of_equal_size_and_time_are_not_read_again(
    small_set: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = data_digest(OWN, data_dir)
    monkeypatch.setattr(digests, "_digest", lambda *_: pytest.fail("files were read again"))
    assert data_digest(OWN, data_dir) == digest
    assert (data_dir / ".bench-cache" / "digests.json").is_file()
    os.utime(next(small_set.glob("train*")), (1, 1))
    with pytest.raises(pytest.fail.Exception, match="read again"):
        data_digest(OWN, data_dir)


def test_a_damaged_memory_only_costs_time(small_set: Path, data_dir: Path) -> None:
    digest = data_digest(OWN, data_dir)
    (data_dir / ".bench-cache" / "digests.json").write_text("{ not json")
    assert data_digest(OWN, data_dir) == digest


def test_the_users_cache_is_used_where_the_data_folder_cannot_be(
    small_set: Path, data_dir: Path, user_cache: Path
) -> None:
    (data_dir / ".bench-cache").write_text("a file where the folder should be")
    data_digest(OWN, data_dir)
    assert (user_cache / "digests.json").is_file()


def test_absent_data_have_no_digest(data_dir: Path) -> None:
    with pytest.raises(DataMissing):
        data_digest(OWN, data_dir)
