"""What `bench data check` finds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.data.console import check
from bench.study.specs import DataSpec

from .conftest import WriteParquet, encoded, picture

OWN = DataSpec(name="parquet", path="own")


def test_a_clean_set_has_its_counts_and_statistics(small_set: Path, data_dir: Path) -> None:
    report = check(OWN, data_dir)
    assert report.is_clean
    assert (report.train_counts, report.test_counts) == ((20, 20), (5, 5))
    pixels = np.stack([picture(i) for i in range(40)]) / 255
    np.testing.assert_allclose(report.mean, pixels.mean(axis=(0, 1, 2)))
    np.testing.assert_allclose(report.std, pixels.std(axis=(0, 1, 2)))
    assert report.sizes == ((10, 12, 50),)


def test_unreadable_images_and_duplicates_are_found(data_dir: Path, write_parquet: WriteParquet) -> None:
    """A duplicate is equal in pixels, in whatever file format it comes."""
    train = [(encoded(picture(i)), i % 2) for i in range(6)]
    train += [(encoded(picture(0), "BMP"), 0), (encoded(picture(3)), 0), (b"broken", 1)]
    test = [(encoded(picture(90)), 0), (encoded(picture(1)), 1), (encoded(picture(90)), 0)]
    write_parquet(train, test, names=["cat", "dog"])
    report = check(OWN, data_dir)
    assert not report.is_clean
    assert [line.split(":")[0] for line in report.unreadable] == ["train row 8"]
    assert report.duplicates_train == (("train row 0", "train row 6"), ("train row 3", "train row 7"))
    assert report.duplicates_test == (("test row 0", "test row 2"),)
    assert report.duplicates_across == (("train row 1", "test row 1"),)
    assert report.mislabelled == (("train row 3", "train row 7"),)
    text = report.to_text()
    assert "1 groups of equal images across splits" in text
    assert "train row 1 = test row 1" in text
    assert "train row 8: " in text


def test_grey_images_have_one_channel(data_dir: Path) -> None:
    report = check("digits", data_dir)
    assert len(report.mean) == 1
    assert sum(report.train_counts) == 1438
    assert report.is_clean


def test_sets_of_many_sizes_need_no_image_size_to_be_checked(
    data_dir: Path, write_parquet: WriteParquet
) -> None:
    rows = [(encoded(picture(i, (10 + i, 8))), i % 2) for i in range(4)]
    write_parquet(rows, [(encoded(picture(9)), 0)], names=["a", "b"])
    told: list[tuple[str, int, int]] = []
    assert check(OWN, data_dir, lambda *line: told.append(line)).is_clean
    assert told == [("checking own", 5, 5)]


@pytest.mark.parametrize("n", [25])
def test_long_lists_are_cut_in_the_text(n: int, data_dir: Path, write_parquet: WriteParquet) -> None:
    good = (encoded(picture(0)), 0)
    write_parquet([good, *[(b"broken", 1)] * n], [(encoded(picture(1)), 1)], names=["a", "b"])
    report = check(OWN, data_dir)
    assert len(report.unreadable) == n
    assert f"and {n - 10} more" in report.to_text()
