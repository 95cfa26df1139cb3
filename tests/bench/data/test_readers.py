"""Each layout on disk, in miniature."""

from __future__ import annotations

import collections
import gzip
import hashlib
import os
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bench.data.entries import ENTRIES
from bench.data.readers import data_sha256, digits_test_rows, read, unpickle_batch
from bench.errors import DataMissing, EnvironmentFault
from bench.study.specs import DataSpec

from .conftest import picture


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def idx(array: np.ndarray[Any, Any]) -> bytes:
    head = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return head + array.astype(np.uint8).tobytes()


@pytest.fixture
def mnist(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Six training and three test images under MNIST's names, two files gzipped."""
    entry = ENTRIES["mnist"]
    folder = data_dir / entry.folder
    folder.mkdir(parents=True)
    files = {
        "train-images-idx3-ubyte": idx(np.stack([picture(i, (28, 28), "L") for i in range(6)])),
        "train-labels-idx1-ubyte": idx(np.arange(6)),
        "t10k-images-idx3-ubyte": idx(np.stack([picture(i, (28, 28), "L") for i in range(6, 9)])),
        "t10k-labels-idx1-ubyte": idx(np.arange(6, 9)),
    }
    members = {}
    for name, content in files.items():
        packed = gzip.compress(content)
        members |= {name: md5(content), f"{name}.gz": md5(packed)}
        if "images" in name:
            (folder / f"{name}.gz").write_bytes(packed)
        else:
            (folder / name).write_bytes(content)
    monkeypatch.setitem(ENTRIES, "mnist", replace(entry, members=members, n_train=6, n_test=3))
    return folder


def test_idx_files_are_read_plain_or_gzipped(mnist: Path, data_dir: Path) -> None:
    raw = read(DataSpec(name="mnist"), data_dir)
    assert raw.train.pixels is not None
    np.testing.assert_array_equal(raw.train.pixels[2, :, :, 0], picture(2, (28, 28), "L"))
    np.testing.assert_array_equal(raw.test.labels, [6, 7, 8])


def test_a_changed_byte_in_a_catalogued_file_is_found(mnist: Path, data_dir: Path) -> None:
    path = mnist / "train-labels-idx1-ubyte"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(
        EnvironmentFault, match=r"train-labels-idx1-ubyte: md5 .* delete it and fetch it again"
    ):
        read(DataSpec(name="mnist"), data_dir)


def test_a_set_of_another_size_is_refused(
    mnist: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ENTRIES, "mnist", replace(ENTRIES["mnist"], n_train=60_000))
    with pytest.raises(EnvironmentFault, match="6 training and 3 test images on disk, not 60000 and 3"):
        read(DataSpec(name="mnist"), data_dir)


def cifar_batch(values: list[int], key: str) -> bytes:
    images = np.stack([picture(value, (32, 32)) for value in values])
    rows = images.transpose(0, 3, 1, 2).reshape(len(values), -1)
    return pickle.dumps({"data": rows, key: [value % 10 for value in values]}, protocol=2)


@pytest.mark.parametrize(("name", "key"), [("cifar10", "labels"), ("cifar100", "fine_labels")])
def test_cifar_batches_are_read_in_order(
    name: str, key: str, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = ENTRIES[name]
    members, values = {}, {}
    for index, member in enumerate(entry.members):
        content = cifar_batch([2 * index, 2 * index + 1], key)
        path = data_dir / entry.folder / member
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        members[member], values[member] = md5(content), 2 * index
    n_test = 2
    n_train = 2 * len(members) - n_test
    monkeypatch.setitem(ENTRIES, name, replace(entry, members=members, n_train=n_train, n_test=n_test))
    raw = read(DataSpec(name=name), data_dir)
    np.testing.assert_array_equal(raw.train.labels, np.arange(n_train) % 10)
    assert raw.test.pixels is not None
    np.testing.assert_array_equal(raw.test.pixels[1], picture(n_train + 1, (32, 32)))


def test_the_numpy_of_2009_that_cifar_was_pickled_with_is_understood() -> None:
    content = cifar_batch([1, 2], "labels").replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")
    assert b"numpy.core.multiarray" in content
    np.testing.assert_array_equal(unpickle_batch(content)[0][1], picture(2, (32, 32)))


class Malicious:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("exit 1",)


@pytest.mark.parametrize("what", [Malicious(), collections.OrderedDict()], ids=["system", "harmless class"])
def test_a_pickle_that_asks_for_more_than_arrays_is_refused(what: object) -> None:
    with pytest.raises(pickle.UnpicklingError, match="has no place in a CIFAR batch"):
        unpickle_batch(pickle.dumps({"data": what, "labels": []}))


@pytest.fixture
def pets(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three training and two test pets, annotated as the set is."""
    root = data_dir / "oxford-pets"
    (root / "images").mkdir(parents=True)
    (root / "annotations").mkdir()
    rows = {
        "trainval": ["Abyssinian_1 1 1 1", "pug_1 26 2 16", "beagle_7 5 2 3"],
        "test": ["pug_2 26 2 16", "Sphynx_1 34 1 12"],
    }
    for name, lines in rows.items():
        (root / "annotations" / f"{name}.txt").write_text(
            "# Image CLASS-ID SPECIES\n" + "\n".join(lines) + "\n"
        )
        for line in lines:
            Image.fromarray(picture(len(line))).save(root / "images" / f"{line.split()[0]}.jpg")
    for name in ("oxford-pets", "oxford-pets-binary"):
        monkeypatch.setitem(ENTRIES, name, replace(ENTRIES[name], n_train=3, n_test=2))
    return root


def test_pets_are_breeds_or_cats_and_dogs(pets: Path, data_dir: Path) -> None:
    breeds = read(DataSpec(name="oxford-pets"), data_dir)
    assert [breeds.class_names[i] for i in breeds.train.labels] == ["Abyssinian", "Pug", "Beagle"]
    species = read(DataSpec(name="oxford-pets-binary"), data_dir)
    assert [species.class_names[i] for i in species.test.labels] == ["dog", "cat"]


def test_pets_are_found_where_torchvision_unpacks_them(pets: Path, data_dir: Path) -> None:
    nested = data_dir / "oxford-pets" / "oxford-iiit-pet"
    nested.mkdir()
    for part in ("images", "annotations"):
        (pets / part).rename(nested / part)
    assert len(read(DataSpec(name="oxford-pets"), data_dir).train.labels) == 3


def test_half_unpacked_pets_are_not_accepted(pets: Path, data_dir: Path) -> None:
    (pets / "images" / "pug_1.jpg").unlink()
    with pytest.raises(EnvironmentFault, match=r"1 of 3 train images are missing, the first pug_1\.jpg"):
        read(DataSpec(name="oxford-pets"), data_dir)


def test_absent_sets_are_missing(data_dir: Path) -> None:
    with pytest.raises(DataMissing):
        read(DataSpec(name="cifar100"), data_dir)


def test_the_test_set_of_digits_is_a_fixed_fifth_of_each_class(data_dir: Path) -> None:
    raw = read(DataSpec(name="digits"), data_dir)
    entry = ENTRIES["digits"]
    assert tuple(np.bincount(raw.train.labels)) == entry.train_counts
    assert tuple(np.bincount(raw.test.labels)) == entry.test_counts


def test_the_rule_of_the_digits_test_set_is_as_written() -> None:
    labels = np.arange(100) % 10
    words = np.random.PCG64(0).random_raw(100)
    expected = sorted(
        row for label in range(10) for row in sorted(range(label, 100, 10), key=words.__getitem__)[:2]
    )
    np.testing.assert_array_equal(digits_test_rows(labels), expected)


def test_the_digest_of_digits_is_that_of_the_data(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = read(DataSpec(name="digits"), data_dir)
    assert data_sha256(raw) == ENTRIES["digits"].data_sha256
    assert raw.train.pixels is not None
    pixels = raw.train.pixels.copy()
    pixels[0, 0, 0, 0] ^= 1
    changed = replace(raw, train=replace(raw.train, pixels=pixels, items=lambda: iter(pixels)))
    assert data_sha256(changed) != ENTRIES["digits"].data_sha256
    monkeypatch.setitem(ENTRIES, "digits", replace(ENTRIES["digits"], data_sha256="0" * 64))
    with pytest.raises(EnvironmentFault, match="these are other images"):
        read(DataSpec(name="digits"), data_dir)
