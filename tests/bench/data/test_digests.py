"""The digest that stands for the data in a run's identity."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from bench.data import digests
from bench.data.digests import data_digest, file_digest
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


def test_a_weights_file_is_known_by_its_bytes(data_dir: Path) -> None:
    file = data_dir / "net.pth"
    file.write_bytes(b"weights")
    wanted = hashlib.sha256(b"weights").hexdigest()
    assert file_digest("net.pth", data_dir) == file_digest(str(file.resolve()), data_dir) == wanted
    file.write_bytes(b"others!")
    assert file_digest("net.pth", data_dir) == hashlib.sha256(b"others!").hexdigest()


def test_a_weights_file_is_read_again_only_when_it_was_touched(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (data_dir / "net.pt").write_bytes(b"weights")
    digest = file_digest("net.pt", data_dir)
    monkeypatch.setattr(digests, "_content", lambda _: pytest.fail("the file was read again"))
    assert file_digest("net.pt", data_dir) == digest
    os.utime(data_dir / "net.pt", (1, 1))
    with pytest.raises(pytest.fail.Exception, match="read again"):
        file_digest("net.pt", data_dir)


def test_a_weights_file_and_data_are_remembered_side_by_side(small_set: Path, data_dir: Path) -> None:
    (data_dir / "net.pt").write_bytes(b"weights")
    before = data_digest(OWN, data_dir), file_digest("net.pt", data_dir)
    assert (data_digest(OWN, data_dir), file_digest("net.pt", data_dir)) == before


def test_an_absent_weights_file_is_told_with_where_it_was_looked_for(data_dir: Path) -> None:
    with pytest.raises(DataMissing) as missing:
        file_digest("a/net.pt", data_dir)
    assert missing.value.exit_code == 3
    remedy = "give --data, an absolute path or another source"
    assert missing.value.lines == (f"weights: a/net.pt is not there; looked in {data_dir}; {remedy}",)
    absolute = str(data_dir.resolve() / "net.pt")
    with pytest.raises(DataMissing) as missing:
        file_digest(absolute, data_dir)
    assert missing.value.lines == (f"weights: {absolute} is not there; {remedy}",)


def test_a_folder_is_no_weights_file(data_dir: Path) -> None:
    (data_dir / "net.pt").mkdir()
    with pytest.raises(DataMissing, match=r"weights: net\.pt is no file; looked in"):
        file_digest("net.pt", data_dir)
