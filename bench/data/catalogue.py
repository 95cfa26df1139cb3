"""What a data section means, without the images: sizes, classes, counts and faults.

Torch-free and cheap, because planning asks for every arm. Catalogued sets answer from constants, so that
they can be planned before the data are there; a user's own sets answer from their headers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bench.data import own_files, own_sets
from bench.data.entries import ENTRIES, Entry
from bench.data.faults import DataFault, Fault
from bench.errors import DataMissing, nearest

if TYPE_CHECKING:
    from bench.study.specs import DataSpec

__all__ = ["OWN", "DataFacts", "Entry", "check", "entry", "facts", "names", "require", "split_sizes"]

OWN = ("parquet", "folder")
"""Names of the two kinds of a user's own set."""


@dataclass(frozen=True)
class DataFacts:
    """What the rest of the project knows of the images before they are decoded.

    `n_train` counts all training images of the chosen classes, before `val` and `train_size`.
    """

    num_classes: int
    class_names: tuple[str, ...]
    channels: int
    image_size: int
    n_train: int
    n_test: int


@dataclass(frozen=True)
class _Whole:
    """A set before the section's keys are applied."""

    class_names: tuple[str, ...]
    channels: Literal[1, 3]
    image_size: int | None
    train_counts: tuple[int, ...] | None
    test_counts: tuple[int, ...] | None
    n_train: int
    n_test: int


def names() -> tuple[str, ...]:
    """The catalogued sets."""
    return tuple(ENTRIES)


def entry(name: str) -> Entry:
    """One catalogued set.

    Raises:
        DataFault: No set has that name.
    """
    if name not in ENTRIES:
        raise DataFault(("name", name, f"is no dataset; {nearest(name, (*ENTRIES, *OWN))}"))
    return ENTRIES[name]


def facts(spec: DataSpec, data_dir: Path) -> DataFacts:
    """Classes, channels, size and counts after `classes`, `channels` and `image_size` are applied.

    Raises:
        DataMissing: A user's set is not there (catalogued sets need not be), in one line that says where
            it was looked for.
        DataFault: The section asks for what the set does not have; all such faults together.
    """
    whole = _whole(spec, data_dir)
    faults = _faults(spec, whole)
    if faults:
        raise DataFault(*faults)
    chosen = class_indices(spec, whole.class_names)
    size = spec.image_size or whole.image_size
    assert size is not None, "faults name an unknown size"
    return DataFacts(
        num_classes=len(chosen),
        class_names=tuple(whole.class_names[index] for index in chosen),
        channels=spec.channels or whole.channels,
        image_size=size,
        n_train=_count(whole.train_counts, whole.n_train, chosen),
        n_test=_count(whole.test_counts, whole.n_test, chosen),
    )


def check(spec: DataSpec, data_dir: Path) -> list[Fault]:
    """Every fault of a data section that can be known without decoding.

    A set of the user's that is absent is no fault of the study: what depends on it goes unchecked, and
    `facts` raises `DataMissing`.

    Returns:
        (key below `data`, value, rule) of each; empty when the section can be built.
    """
    try:
        return _faults(spec, _whole(spec, data_dir))
    except DataFault as fault:
        return list(fault.faults)
    except DataMissing:
        return []


def require(spec: DataSpec, data_dir: Path) -> None:
    """Make sure that the files of a set are there, by name.

    Raises:
        DataMissing: They are not; the line says which file was looked for and what to do.
    """
    if spec.name in OWN:
        own_files.files_of(spec, data_dir)
        return
    found = entry(spec.name)
    absent = missing(found, data_dir)
    if absent:
        todo = f"run: bench data fetch {found.name}" if found.remote else "it cannot be fetched"
        todo += "; where it lies elsewhere, say so by --data DIR or BENCH_DATA"
        raise DataMissing(f"data.name: {found.name} is not in {data_dir}: no {absent[0]}; {todo}")


def missing(found: Entry, data_dir: Path) -> list[str]:
    """Files of a catalogued set that are not in the data folder, as paths below it."""
    folder = found.folder
    match found.layout:
        case "embedded" | "synthetic":
            return []
        case "parquet":
            needed = [f"{folder}/{split}.parquet" for split in own_files.SPLITS]
        case "pets":
            base = pets_folder(data_dir).relative_to(data_dir)
            needed = [f"{base}/annotations/trainval.txt", f"{base}/annotations/test.txt", f"{base}/images"]
        case "cifar":
            needed = [f"{folder}/{member}" for member in found.members]
        case "idx":
            plain = [member for member in found.members if not member.endswith(".gz")]
            return [
                f"{folder}/{name}"
                for name in plain
                if not any((data_dir / folder / f"{name}{end}").is_file() for end in ("", ".gz"))
            ]
    return [path for path in needed if not (data_dir / path).exists()]


def pets_folder(data_dir: Path) -> Path:
    """Where `images/` and `annotations/` lie: in `oxford-pets/`, or below it as torchvision unpacks them."""
    base = data_dir / "oxford-pets"
    nested = base / "oxford-iiit-pet"
    return nested if nested.is_dir() and not (base / "annotations").is_dir() else base


def pets_rows(data_dir: Path, split: str) -> list[tuple[str, int, int]]:
    """Image name, breed and species (both from 0) of each image of one split.

    Raises:
        DataMissing: The annotations are not there.
    """
    path = pets_folder(data_dir) / "annotations" / f"{'trainval' if split == 'train' else 'test'}.txt"
    if not path.is_file():
        raise DataMissing(
            f"data.name: oxford-pets is not in {data_dir}: no {path.relative_to(data_dir)}; "
            "run: bench data fetch oxford-pets"
        )
    rows = [line.split() for line in path.read_text().splitlines() if line and line[0] != "#"]
    return [(row[0], int(row[1]) - 1, int(row[2]) - 1) for row in rows]


def class_indices(spec: DataSpec, class_names: Sequence[str]) -> list[int]:
    """The set's own index of each chosen class, in the order of the new labels."""
    if spec.classes is None:
        return list(range(len(class_names)))
    return [value if isinstance(value, int) else class_names.index(value) for value in spec.classes]


def split_sizes(spec: DataSpec, n_train: int) -> tuple[int, int]:
    """Images that train and that validate, of a set's training images.

    Args:
        spec: For `val` and `train_size`.
        n_train: `DataFacts.n_train`.

    Returns:
        Training and validation images. `val` is rounded to the nearest image, half up, and set aside first.
    """
    n_val = int(spec.val * n_train + 0.5)
    return (spec.train_size or n_train - n_val), n_val


def _whole(spec: DataSpec, data_dir: Path) -> _Whole:
    if spec.name in OWN:
        own = own_sets.describe(spec, data_dir)
        counts = (own.train_counts, own.test_counts)
        return _Whole(own.class_names, own.channels, own.image_size, *counts, sum(counts[0]), sum(counts[1]))
    found = entry(spec.name)
    train, test = found.train_counts, found.test_counts
    if train is None and spec.classes is not None:
        n = len(found.class_names)
        train, test = (_breed_counts(data_dir, split, n) for split in own_files.SPLITS)
    return _Whole(
        found.class_names, found.channels, found.image_size, train, test, found.n_train, found.n_test
    )


def _breed_counts(data_dir: Path, split: str, n: int) -> tuple[int, ...]:
    breeds = [breed for _, breed, _ in pets_rows(data_dir, split)]
    return tuple(breeds.count(index) for index in range(n))


def _count(counts: tuple[int, ...] | None, total: int, chosen: list[int]) -> int:
    return total if counts is None else sum(counts[index] for index in chosen)


def _faults(spec: DataSpec, whole: _Whole) -> list[Fault]:
    faults = _class_faults(spec, whole.class_names)
    faults += _size_faults(spec, whole.image_size)
    channels = spec.channels or whole.channels
    if not isinstance(spec.normalize, str):
        faults += [
            (f"normalize.{key}", list(values), f"has {len(values)} numbers for {channels} channels")
            for key, values in (("mean", spec.normalize.mean), ("std", spec.normalize.std))
            if len(values) != channels
        ]
    if not faults:
        chosen = class_indices(spec, whole.class_names)
        faults += _split_faults(spec, whole, chosen)
    return faults


def _class_faults(spec: DataSpec, class_names: tuple[str, ...]) -> list[Fault]:
    if spec.classes is None:
        few = ("name", spec.name, "has one class; a classifier needs two")
        return [few] if len(class_names) < 2 else []
    faults: list[Fault] = []
    for place, value in enumerate(spec.classes):
        if isinstance(value, int) and not 0 <= value < len(class_names):
            faults.append(
                (f"classes[{place}]", value, f"is no class; indices run from 0 to {len(class_names) - 1}")
            )
        elif isinstance(value, str) and value not in class_names:
            faults.append((f"classes[{place}]", value, f"is no class; {nearest(value, class_names)}"))
    if not faults:
        indices = class_indices(spec, class_names)
        faults += [
            (f"classes[{place}]", spec.classes[place], "stands twice")
            for place, index in enumerate(indices)
            if index in indices[:place]
        ]
    return faults


def _size_faults(spec: DataSpec, own_size: int | None) -> list[Fault]:
    size = spec.image_size or own_size
    if size is None:
        return [("image_size", "absent", "although the images differ in size; give the side in pixels")]
    if spec.resize is not None and spec.resize < size:
        return [("resize", spec.resize, f"is below image_size {size}; nearest {size}")]
    if spec.resize not in (None, size) and "crop" in spec.augment:
        rule = f"is not image_size {size}, which crop needs; leave it out, or use resized_crop"
        return [("resize", spec.resize, rule)]
    return []


def _split_faults(spec: DataSpec, whole: _Whole, chosen: list[int]) -> list[Fault]:
    n_train = _count(whole.train_counts, whole.n_train, chosen)
    n_used, n_val = split_sizes(spec, n_train)
    faults: list[Fault] = []
    if spec.val > 0 and n_val == 0:
        faults.append(
            ("val", spec.val, f"leaves no validation image of {n_train}; nearest {0.5 / n_train:.2g}")
        )
    if n_val >= n_train:
        faults.append(("val", spec.val, f"leaves no training image of {n_train}"))
    elif n_used > n_train - n_val:
        rule = f"exceeds the {n_train - n_val} images that val {spec.val} leaves; nearest {n_train - n_val}"
        faults.append(("train_size", spec.train_size, rule))
    counts = whole.train_counts
    faults += [
        ("name", spec.name, f"has no training images of class {whole.class_names[index]!r}")
        for index in chosen
        if counts is not None and counts[index] == 0
    ]
    return faults
