"""The files of a user's own set: Parquet in the Hugging Face layout, or folders of images by class."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bench.data.faults import DataFault
from bench.errors import DataMissing, nearest

if TYPE_CHECKING:
    from bench.study.specs import DataSpec

SPLITS: tuple[Literal["train", "test"], ...] = ("train", "test")
"""What every set has; validation images are taken from `train` by the study."""

IMAGE_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
)
"""Files of an image folder that are images; others are passed over."""


@dataclass(frozen=True)
class OwnFacts:
    """What the headers of a user's set say."""

    class_names: tuple[str, ...]
    train_counts: tuple[int, ...]
    test_counts: tuple[int, ...]
    image_size: int | None
    """The short side that the first images share, else None."""
    channels: Literal[1, 3]


def root_of(spec: DataSpec, data_dir: Path) -> Path:
    """Where the set lies: `path`, taken from the data folder unless absolute.

    Raises:
        DataMissing: Nothing is there.
    """
    assert spec.path is not None, "specs demand a path for own sets"
    root = data_dir / spec.path
    if not root.is_dir():
        rule = "is no folder" if root.exists() else "is not there"
        raise DataMissing(
            f"data.path: {spec.path} {rule}; looked in {data_dir}; give --data or an absolute path"
        )
    return root


def files_of(spec: DataSpec, data_dir: Path) -> list[Path]:
    """Every file that the set consists of, in a fixed order."""
    root = root_of(spec, data_dir)
    if spec.name == "parquet":
        return [path for paths in parquet_files(root, spec).values() for path in paths]
    folders = class_folders(root, spec)
    return [path for split in SPLITS for folder in folders[split].values() for path in images_in(folder)]


def parquet_files(root: Path, spec: DataSpec) -> dict[str, list[Path]]:
    """The files of each split: `train*.parquet` and `test*.parquet`, at the top or under `data/`.

    Raises:
        DataMissing: A split has no file.
    """
    found: dict[str, list[Path]] = {}
    for split in SPLITS:
        name = re.compile(rf"{split}([-_.].*)?\.parquet")
        for folder in (root, root / "data"):
            paths = sorted(path for path in folder.glob("*.parquet") if name.fullmatch(path.name))
            if paths:
                found[split] = paths
                break
        else:
            raise DataMissing(
                f"data.path: {spec.path} has no {split}*.parquet at its top or under data/; "
                "a set needs a train and a test split"
            )
    return found


def class_folders(root: Path, spec: DataSpec) -> dict[str, dict[str, Path]]:
    """Folder of every class by split: `train/<class>/`, `test/<class>/`; classes in sorted order.

    Raises:
        DataMissing: A split has no folder with classes in it.
        DataFault: The test images have a class that the training images lack.
    """
    found: dict[str, dict[str, Path]] = {}
    for split in SPLITS:
        top = root / split
        names = (
            sorted(entry.name for entry in os.scandir(top) if entry.is_dir() and entry.name[0] != ".")
            if top.is_dir()
            else []
        )
        if not names:
            raise DataMissing(
                f"data.path: {spec.path} has no {split}/<class>/ folders; a set needs train/ and test/"
            )
        found[split] = {name: top / name for name in names}
    strangers = sorted(set(found["test"]) - set(found["train"]))
    if strangers:
        rule = f"has test images of class {strangers[0]!r} and no training images"
        raise DataFault(("path", spec.path, f"{rule}; {nearest(strangers[0], found['train'])}"))
    return found


def images_in(folder: Path) -> list[Path]:
    """The image files of one class, sorted by name."""
    with os.scandir(folder) as entries:
        return sorted(
            Path(entry.path)
            for entry in entries
            if Path(entry.name).suffix.lower() in IMAGE_SUFFIXES and entry.name[0] != "." and entry.is_file()
        )
