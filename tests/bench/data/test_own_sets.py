"""A user's own Parquet files and image folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from bench.data import load
from bench.data.catalogue import check, facts
from bench.data.faults import DataFault
from bench.errors import DataMissing, EnvironmentFault
from bench.study.specs import DataSpec

from .conftest import WriteParquet, encoded, picture

OWN = DataSpec(name="parquet", path="own", val=0.0)


def test_parquet_facts_come_from_schema_and_headers(small_set: Path, data_dir: Path) -> None:
    found = facts(OWN, data_dir)
    assert found.class_names == ("cat", "dog")
    assert (found.channels, found.image_size, found.n_train, found.n_test) == (3, 10, 40, 10)


def test_parquet_without_names_sorts_its_unique_labels(data_dir: Path, write_parquet: WriteParquet) -> None:
    rows = [(encoded(picture(i)), label) for i, label in enumerate(("dog", "ant", "dog"))]
    write_parquet(rows, rows)
    assert facts(OWN, data_dir).class_names == ("ant", "dog")
    np.testing.assert_array_equal(load(OWN, data_dir).train_labels, [1, 0, 1])


def test_parquet_numbers_that_are_no_indices_become_classes_in_order(
    data_dir: Path, write_parquet: WriteParquet
) -> None:
    rows = [(encoded(picture(i)), label) for i, label in enumerate((30, 4, 30))]
    write_parquet(rows, rows)
    assert facts(OWN, data_dir).class_names == ("4", "30")
    np.testing.assert_array_equal(load(OWN, data_dir).test_labels, [1, 0, 1])


def test_parquet_files_may_lie_under_data_and_hold_plain_bytes(
    data_dir: Path, write_parquet: WriteParquet
) -> None:
    pixels = [picture(i, (10, 10)) for i in range(4)]
    rows = [(encoded(p), i % 2) for i, p in enumerate(pixels)]
    write_parquet(rows, rows, names=["a", "b"], below="data", is_struct=False)
    np.testing.assert_array_equal(load(OWN, data_dir).train_images, np.stack(pixels))


def test_an_absolute_path_needs_no_data_folder(small_set: Path, tmp_path: Path) -> None:
    spec = DataSpec(name="parquet", path=str(small_set))
    assert facts(spec, tmp_path / "nowhere").n_train == 40


def test_grey_images_make_a_grey_set(data_dir: Path, write_parquet: WriteParquet) -> None:
    rows = [(encoded(picture(i, mode="L")), i % 2) for i in range(4)]
    write_parquet(rows, rows, names=["a", "b"])
    assert facts(OWN, data_dir).channels == 1
    assert load(OWN, data_dir).train_images.shape == (4, 10, 10, 1)


def test_images_of_many_sizes_ask_for_an_image_size(data_dir: Path, write_parquet: WriteParquet) -> None:
    rows = [(encoded(picture(i, (20 + i, 14 + i))), i % 2) for i in range(4)]
    write_parquet(rows, rows, names=["a", "b"])
    assert check(OWN, data_dir) == [
        ("image_size", "absent", "although the images differ in size; give the side in pixels")
    ]
    assert facts(OWN.model_copy(update={"image_size": 8}), data_dir).image_size == 8


@pytest.mark.parametrize(
    ("change", "key", "rule"),
    [
        ({"image": "imgae"}, "image", "did you mean 'image'"),
        ({"label": "lable"}, "label", "did you mean 'label'"),
        ({"image": "label"}, "image", "images are bytes"),
    ],
)
def test_a_wrong_column_is_a_fault_of_its_key(
    change: dict[str, str], key: str, rule: str, small_set: Path, data_dir: Path
) -> None:
    faults = check(OWN.model_copy(update=change), data_dir)
    assert [(fault[0], rule in fault[2]) for fault in faults] == [(key, True)]


@pytest.mark.parametrize(
    ("labels", "names", "kind", "rule"),
    [
        ([0.5, 1.0], None, None, "whole numbers or text"),
        ([0, None], None, None, "holds None"),
        ([0, 5], ["a", "b"], None, "holds 5, outside the 2 named classes"),
        ([0, -1], ["a", "b"], pa.int64(), "holds -1, outside"),
    ],
    ids=["floats", "null", "too high", "unlabelled"],
)
def test_labels_that_are_no_classes_are_a_fault(
    labels: list[Any],
    names: list[str] | None,
    kind: Any,
    rule: str,
    data_dir: Path,
    write_parquet: WriteParquet,
) -> None:
    rows = [(encoded(picture(i)), label) for i, label in enumerate(labels)]
    write_parquet(rows, rows, names=names, label_type=kind)
    with pytest.raises(DataFault, match=rule):
        facts(OWN, data_dir)


def test_an_absent_path_is_missing_data_and_no_fault(data_dir: Path) -> None:
    assert check(OWN, data_dir) == []
    with pytest.raises(DataMissing, match=r"data\.path: own is not there; looked in"):
        facts(OWN, data_dir)


def test_a_set_without_test_split_is_missing_data(small_set: Path, data_dir: Path) -> None:
    next(small_set.glob("test*")).unlink()
    with pytest.raises(DataMissing, match=r"has no test\*\.parquet"):
        facts(OWN, data_dir)


def test_unreadable_images_are_named_when_decoding(data_dir: Path, write_parquet: WriteParquet) -> None:
    good = encoded(picture(0))
    write_parquet([(good, 0), (b"no image", 1), (good[:40], 0), (None, 1)], [(good, 0)], names=["a", "b"])
    with pytest.raises(EnvironmentFault, match="3 of 5 images of own cannot be decoded") as raised:
        load(OWN, data_dir)
    assert [line.split(":")[0].strip() for line in raised.value.lines[1:]] == [
        "train row 1",
        "train row 2",
        "train row 3",
    ]


@pytest.fixture
def image_folder(data_dir: Path) -> Path:
    root = data_dir / "pets"
    for split, n in (("train", 3), ("test", 2)):
        for label, name in enumerate(("cat", "dog")):
            (root / split / name).mkdir(parents=True)
            for i in range(n):
                Image.fromarray(picture(10 * label + i)).save(root / split / name / f"{i}.PNG")
    (root / "train" / "cat" / "notes.txt").write_text("not an image")
    (root / "train" / ".hidden").mkdir()
    return root


FOLDER = DataSpec(name="folder", path="pets")


def test_folder_names_are_classes(image_folder: Path, data_dir: Path) -> None:
    found = facts(FOLDER, data_dir)
    assert (found.class_names, found.n_train, found.n_test) == (("cat", "dog"), 6, 4)
    arrays = load(FOLDER, data_dir)
    np.testing.assert_array_equal(arrays.train_labels, [0, 0, 0, 1, 1, 1])
    np.testing.assert_array_equal(arrays.train_images[4], picture(11)[:, 1:11])


def test_a_class_in_test_alone_is_a_fault(image_folder: Path, data_dir: Path) -> None:
    (image_folder / "test" / "dgo").mkdir()
    assert "did you mean 'dog'" in check(FOLDER, data_dir)[0][2]


def test_a_folder_without_test_is_missing_data(image_folder: Path, data_dir: Path) -> None:
    (image_folder / "test").rename(image_folder / "val")
    with pytest.raises(DataMissing, match="has no test/<class>/ folders"):
        facts(FOLDER, data_dir)


def test_facts_follow_the_folder_when_it_changes(image_folder: Path, data_dir: Path) -> None:
    assert facts(FOLDER, data_dir).n_train == 6
    Image.fromarray(picture(99)).save(image_folder / "train" / "cat" / "new.jpg")
    assert facts(FOLDER, data_dir).n_train == 7
