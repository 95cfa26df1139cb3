"""What a data section means before any image is decoded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.data import catalogue
from bench.data.entries import ENTRIES
from bench.data.faults import DataFault
from bench.errors import DataMissing
from bench.study.specs import DataSpec, NormalizeSpec


def test_catalogue_answers_without_numpy_pyarrow_pillow_or_torch() -> None:
    heavy = ("numpy", "pyarrow", "PIL", "torch", "sklearn", "pandas")
    code = (
        "import sys, pathlib, bench.data.catalogue as c, bench.data.digests, bench.data.console\n"
        "from types import SimpleNamespace as S\n"
        "spec = S(name='mnist', path=None, classes=None, image_size=None, resize=None, channels=None, "
        "train_size=None, normalize='train', augment=(), val=0.1)\n"
        "c.facts(spec, pathlib.Path('.')); bench.data.console.list_sets(pathlib.Path('.'))\n"
        f"print([m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", catalogue.names())
def test_every_catalogued_set_has_facts_without_being_there(name: str, data_dir: Path) -> None:
    found = catalogue.facts(DataSpec(name=name), data_dir)
    entry = ENTRIES[name]
    assert found.num_classes == len(entry.class_names) == len(set(entry.class_names))
    assert (found.n_train, found.n_test) == (entry.n_train, entry.n_test)
    assert len(entry.digest) == 64


def test_catalogue_digests_and_counts_agree_with_themselves() -> None:
    assert len({entry.digest for entry in ENTRIES.values()}) == len(ENTRIES)
    for entry in ENTRIES.values():
        for counts, n in ((entry.train_counts, entry.n_train), (entry.test_counts, entry.n_test)):
            assert counts is None or (len(counts) == len(entry.class_names) and sum(counts) == n)


def test_class_names_equal_torchvisions_where_it_has_them() -> None:
    datasets = pytest.importorskip("torchvision.datasets", reason="torchvision is an extra")
    assert list(ENTRIES["fashion-mnist"].class_names) == datasets.FashionMNIST.classes
    for name, theirs in (("cifar10", datasets.CIFAR10), ("cifar100", datasets.CIFAR100)):
        published = dict(theirs.train_list + theirs.test_list)
        assert {Path(path).name: md5 for path, md5 in ENTRIES[name].members.items()} == published
        assert ENTRIES[name].remote[0].md5 == theirs.tgz_md5
    for name, theirs in (("mnist", datasets.MNIST), ("fashion-mnist", datasets.FashionMNIST)):
        assert [(file.name, file.md5) for file in ENTRIES[name].remote] == theirs.resources
    pets = datasets.OxfordIIITPet._RESOURCES
    assert [(file.url, file.md5) for file in ENTRIES["oxford-pets"].remote] == list(pets)


def test_classes_are_chosen_by_name_or_index_and_counted(data_dir: Path) -> None:
    found = catalogue.facts(DataSpec(name="mnist", classes=("7", 1)), data_dir)
    assert found.class_names == ("7", "1")
    assert (found.n_train, found.n_test) == (6265 + 6742, 1028 + 1135)


def test_a_subset_of_the_breeds_needs_the_annotations(data_dir: Path) -> None:
    with pytest.raises(DataMissing, match=r"trainval\.txt; run: bench data fetch oxford-pets"):
        catalogue.facts(DataSpec(name="oxford-pets", classes=("Pug", "Beagle")), data_dir)
    found = catalogue.facts(DataSpec(name="oxford-pets-binary", classes=("dog", "cat")), data_dir)
    assert found.n_train == 3680


def test_channels_and_image_size_of_the_section_come_first(data_dir: Path) -> None:
    found = catalogue.facts(DataSpec(name="mnist", channels=3, image_size=32), data_dir)
    assert (found.channels, found.image_size) == (3, 32)


WRONG: list[tuple[str, dict[str, Any], str, str]] = [
    ("unknown name", {"name": "cifra10"}, "name", "did you mean 'cifar10'"),
    ("unknown class", {"name": "cifar10", "classes": ("cat", "dgo")}, "classes[1]", "did you mean 'dog'"),
    ("class index", {"name": "cifar10", "classes": (0, 10)}, "classes[1]", "from 0 to 9"),
    ("class twice", {"name": "cifar10", "classes": ("cat", 3)}, "classes[1]", "stands twice"),
    ("small resize", {"name": "cifar10", "resize": 24}, "resize", "below image_size 32"),
    ("crop of larger", {"name": "cifar10", "resize": 40, "augment": "crop"}, "resize", "which crop needs"),
    (
        "means",
        {"name": "cifar10", "normalize": NormalizeSpec(mean=(0.5,), std=(1.0, 1.0, 1.0))},
        "normalize.mean",
        "1 numbers for 3 channels",
    ),
    ("no val image", {"name": "digits", "val": 1e-4}, "val", "no validation image of 1438"),
    ("all val", {"name": "digits", "val": 0.9999}, "val", "no training image"),
    ("train_size", {"name": "digits", "train_size": 1400}, "train_size", "nearest 1294"),
]


@pytest.mark.parametrize(("section", "key", "rule"), [w[1:] for w in WRONG], ids=[w[0] for w in WRONG])
def test_a_wrong_section_is_a_fault_with_its_place(
    section: dict[str, Any], key: str, rule: str, data_dir: Path
) -> None:
    spec = DataSpec(**section)
    faults = catalogue.check(spec, data_dir)
    assert [(fault[0], rule in fault[2]) for fault in faults] == [(key, True)], faults
    with pytest.raises(DataFault) as raised:
        catalogue.facts(spec, data_dir)
    assert raised.value.exit_code == 2
    assert raised.value.lines[0].startswith(f"data.{key}: ")


@pytest.mark.parametrize(
    "section",
    [
        {"name": "cifar10", "augment": ("crop", "flip")},
        {"name": "cifar10", "resize": 32, "augment": "crop"},
        {"name": "cifar10", "resize": 40, "augment": "resized_crop"},
        {"name": "digits", "train_size": 1294},
        {"name": "digits", "val": 0.0, "train_size": 1438},
    ],
    ids=str,
)
def test_a_right_section_has_no_faults(section: dict[str, Any], data_dir: Path) -> None:
    assert catalogue.check(DataSpec(**section), data_dir) == []


def test_all_faults_of_a_section_come_together(data_dir: Path) -> None:
    spec = DataSpec(name="cifar10", classes=("x", "cat"), resize=8)
    assert {fault[0] for fault in catalogue.check(spec, data_dir)} == {"classes[0]", "resize"}


@pytest.mark.parametrize(
    ("val", "train_size", "expected"),
    [(0.1, None, (90, 10)), (0.0, None, (100, 0)), (0.1, 50, (50, 10)), (0.125, None, (87, 13))],
)
def test_split_sizes_round_half_up_and_set_val_aside_first(
    val: float, train_size: int | None, expected: tuple[int, int]
) -> None:
    assert catalogue.split_sizes(DataSpec(name="digits", val=val, train_size=train_size), 100) == expected


@pytest.mark.parametrize("name", ["mnist", "cifar10", "oxford-pets"])
def test_absent_data_say_where_they_were_looked_for_and_what_to_do(name: str, data_dir: Path) -> None:
    with pytest.raises(DataMissing, match=f"run: bench data fetch {name}") as raised:
        catalogue.require(DataSpec(name=name), data_dir)
    assert raised.value.exit_code == 3
    assert len(raised.value.lines) == 1
    assert str(data_dir) in raised.value.lines[0]


def test_absent_data_that_nobody_serves_say_so(data_dir: Path) -> None:
    with pytest.raises(DataMissing, match=r"no cifar10-jpeg/train\.parquet; it cannot be fetched"):
        catalogue.require(DataSpec(name="cifar10-jpeg"), data_dir)


def test_digits_are_always_there(data_dir: Path) -> None:
    catalogue.require(DataSpec(name="digits"), data_dir)
