"""`bench data list|fetch|check` as a user calls it: what is shown and returned, what a missing set needs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import bench
from PIL import Image


def write_image(path: Path, level: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((8, 8, 3), level, dtype=np.uint8)).save(path)


@pytest.fixture
def animals(tmp_path: Path) -> Path:
    """A folder of classes in `data/animals`: four images to train on, two to test."""
    for number, (split, name) in enumerate(
        [
            ("train", "cat"),
            ("train", "cat"),
            ("train", "dog"),
            ("train", "dog"),
            ("test", "cat"),
            ("test", "dog"),
        ]
    ):
        write_image(tmp_path / "data" / "animals" / split / name / f"{number}.png", 40 * number)
    return tmp_path


def test_the_catalogue_says_what_is_here_and_what_can_be_had(tmp_path: Path) -> None:
    answer = bench("data", "list", cwd=tmp_path)
    assert (answer.returncode, answer.stderr) == (0, "")
    rows = {line.split()[0]: line for line in answer.stdout.splitlines()[1:] if line}
    assert " yes " in rows["digits"]
    assert "8×8×1" in rows["digits"]
    assert " fetch " in rows["mnist"]
    assert "60,000" in rows["mnist"]
    assert " no " in rows["cifar10-jpeg"]
    assert "looked in data;" in answer.stdout


def test_the_catalogue_speaks_json(tmp_path: Path) -> None:
    rows = json.loads(bench("data", "list", "--json", cwd=tmp_path).stdout)
    (digits,) = [row for row in rows if row["name"] == "digits"]
    assert (digits["n_classes"], digits["n_train"], digits["n_test"], digits["is_present"]) == (
        10,
        1438,
        359,
        True,
    )


def test_a_sound_set_of_ones_own_passes_by_its_path(animals: Path) -> None:
    answer = bench("data", "check", "animals", cwd=animals)
    assert answer.returncode == 0
    assert "4 training and 2 test images" in answer.stdout
    assert "0 groups of equal images across splits" in answer.stdout
    told = json.loads(bench("data", "check", "animals", "--json", cwd=animals).stdout)
    assert told["train_counts"] == [2, 2]
    assert told["sizes"] == [[8, 8, 6]]


def test_an_image_in_both_splits_is_exit_code_1(animals: Path) -> None:
    write_image(animals / "data" / "animals" / "test" / "dog" / "again.png", 0)
    answer = bench("data", "check", "animals", cwd=animals)
    assert answer.returncode == 1
    assert "1 groups of equal images across splits" in answer.stdout
    assert "train/cat/0.png = test/dog/again.png" in answer.stdout


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        pytest.param(("check",), 2, "data check: name a set; `bench data list` shows them", id="no name"),
        pytest.param(("check", "mnits"), 2, "did you mean 'mnist'", id="typing error"),
        pytest.param(("fetch", "cifar12"), 2, "did you mean 'cifar10'", id="unknown"),
        pytest.param(("check", "mnist"), 3, "run: bench data fetch mnist", id="missing"),
        pytest.param(("check", "cifar10-jpeg"), 3, "say so by --data DIR or BENCH_DATA", id="elsewhere"),
    ],
)
def test_a_set_that_is_not_there_is_one_line_and_its_exit_code(
    tmp_path: Path, words: tuple[str, ...], code: int, told: str
) -> None:
    answer = bench("data", *words, cwd=tmp_path)
    assert (answer.returncode, answer.stdout) == (code, "")
    assert told in answer.stderr
    assert len(answer.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_fetched_says_which_files_go_where(tmp_path: Path) -> None:
    answer = bench("data", "fetch", "cifar10-jpeg", cwd=tmp_path)
    assert answer.returncode == 3
    assert answer.stderr.splitlines() == [
        "cifar10-jpeg: cannot be fetched; put these files in place:",
        "  data/cifar10-jpeg/train.parquet",
        "  data/cifar10-jpeg/test.parquet",
    ]
