"""Reads each kind of set from disk, verified, as labels and stored images; nothing is decoded here.

Catalogued files are hashed against their published checksums, since a run's identity claims them. Pickled
batches go through an unpickler that knows the names that CIFAR's files need and no other.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import pickle
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bench.data import own_files, own_parquet
from bench.data.catalogue import entry, pets_folder, pets_rows, require
from bench.data.decoding import Pixels, Raw
from bench.data.entries import Entry
from bench.data.faults import DataFault
from bench.data.splitting import random_words
from bench.errors import EnvironmentFault

if TYPE_CHECKING:
    from bench.study.specs import DataSpec

DIGITS_TEST_SEED = 0
"""Draws the test set of digits, which has none of its own."""


@dataclass(frozen=True)
class RawSplit:
    """One split as it is stored."""

    labels: NDArray[np.int64]
    items: Callable[[], Iterator[Raw]]
    """The stored images in order, read as they are asked for."""
    place: Callable[[int], str]
    """Where the image of that index is to be found by a person."""
    pixels: Pixels | None = None
    """All images of a set that is stored as pixels, (N, H, W, C)."""


@dataclass(frozen=True)
class RawSet:
    """Both splits of a set and its class names."""

    class_names: tuple[str, ...]
    train: RawSplit
    test: RawSplit


def read(spec: DataSpec, data_dir: Path) -> RawSet:
    """Open a set, whole, whatever the section's keys choose of it.

    Raises:
        DataMissing: Its files are not there.
        EnvironmentFault: They are not what their checksums say.
        DataFault: A user's set is not as the section says.
    """
    require(spec, data_dir)
    if spec.name == "parquet":
        return _parquet(
            own_files.parquet_files(own_files.root_of(spec, data_dir), spec), spec.image, spec.label
        )
    if spec.name == "folder":
        return _folder(spec, data_dir)
    found = entry(spec.name)
    match found.layout:
        case "synthetic":
            raise DataFault(("name", spec.name, "has no images to read; it is for throughput studies"))
        case "embedded":
            raw = _digits(found)
        case "idx":
            raw = _idx(found, data_dir / found.folder)
        case "cifar":
            raw = _cifar(found, data_dir / found.folder)
        case "pets":
            raw = _pets(found, data_dir)
        case "parquet":
            folder = data_dir / found.folder
            raw = _parquet(
                {split: [folder / f"{split}.parquet"] for split in own_files.SPLITS}, "img", "label"
            )
    _verify(found, raw)
    return raw


def data_sha256(raw: RawSet) -> str:
    """Digest of the stored images and labels of both splits, in order: what has no published checksum."""
    total = hashlib.sha256()
    for split in (raw.train, raw.test):
        total.update(len(split.labels).to_bytes(8, "little"))
        for label, item in zip(split.labels.tolist(), split.items(), strict=True):
            data = item.tobytes() if isinstance(item, np.ndarray) else item
            assert isinstance(data, bytes)
            total.update(label.to_bytes(8, "little") + hashlib.sha256(data).digest())
    return total.hexdigest()


def _verify(found: Entry, raw: RawSet) -> None:
    counts = (len(raw.train.labels), len(raw.test.labels))
    if counts != (found.n_train, found.n_test):
        raise EnvironmentFault(
            f"data.name: {found.name} has {counts[0]} training and {counts[1]} test images on disk, "
            f"not {found.n_train} and {found.n_test}; fetch it again"
        )
    if found.data_sha256 is not None and (digest := data_sha256(raw)) != found.data_sha256:
        raise EnvironmentFault(
            f"data.name: {found.name} on disk has sha256 {digest}, not {found.data_sha256}; "
            "these are other images: use `parquet` with a `path` for them"
        )


def _stored(pixels: Pixels, labels: NDArray[np.int64], split: str) -> RawSplit:
    return RawSplit(labels, lambda: iter(pixels), lambda index: f"{split} image {index}", pixels)


def digits_test_rows(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """The fixed test set of digits: a fifth of each class, rounded to the nearest image.

    The rule: PCG64 with the constant seed gives every image of the set, in scikit-learn's order, a raw
    64-bit word; of each class the images with the smallest words are the test set, kept in order.
    """
    words = random_words(DIGITS_TEST_SEED, len(labels))
    chosen = [
        rows[np.argsort(words[rows], kind="stable")][: int(len(rows) / 5 + 0.5)]
        for rows in (np.flatnonzero(labels == label) for label in range(10))
    ]
    return np.sort(np.concatenate(chosen))


def _digits(found: Entry) -> RawSet:
    from sklearn.datasets import load_digits  # noqa: PLC0415 - a second to import, and cached sets need none

    bunch = load_digits()
    # 0…16 in the source; full range, so that images / 255 lies in 0…1 as for every other set.
    pixels = np.round(bunch.images * (255 / 16)).astype(np.uint8)[..., None]
    labels = bunch.target.astype(np.int64)
    test = digits_test_rows(labels)
    train = np.setdiff1d(np.arange(len(labels)), test)
    return RawSet(
        found.class_names,
        _stored(pixels[train], labels[train], "train"),
        _stored(pixels[test], labels[test], "test"),
    )


def verified_bytes(path: Path, md5: str) -> bytes:
    """A catalogued file, read whole.

    Raises:
        EnvironmentFault: Its md5 is another.
    """
    data = path.read_bytes()
    digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
    if digest != md5:
        raise EnvironmentFault(f"{path}: md5 {digest} is not {md5}; delete it and fetch it again")
    return data


def _idx(found: Entry, folder: Path) -> RawSet:
    def array(name: str) -> Pixels:
        packed = folder / f"{name}.gz"
        if (folder / name).is_file():
            data = verified_bytes(folder / name, found.members[name])
        else:
            data = gzip.decompress(verified_bytes(packed, found.members[packed.name]))
        n_dims = data[3]
        shape = np.frombuffer(data, dtype=">u4", count=n_dims, offset=4).astype(np.int64)
        return np.frombuffer(data, dtype=np.uint8, offset=4 + 4 * n_dims).reshape(shape)

    splits = [
        _stored(
            array(f"{stem}-images-idx3-ubyte")[..., None],
            array(f"{stem}-labels-idx1-ubyte").astype(np.int64),
            split,
        )
        for stem, split in (("train", "train"), ("t10k", "test"))
    ]
    return RawSet(found.class_names, splits[0], splits[1])


class _CifarUnpickler(pickle.Unpickler):
    """Builds the arrays of CIFAR's batches; any other name in the file is refused."""

    _ALLOWED = frozenset(
        {
            ("numpy.core.multiarray", "_reconstruct"),
            ("numpy._core.multiarray", "_reconstruct"),
            ("numpy", "ndarray"),
            ("numpy", "dtype"),
            ("_codecs", "encode"),
        }
    )

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} has no place in a CIFAR batch")
        # The files name numpy's module of 2009; under that name numpy 2 warns.
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def unpickle_batch(data: bytes) -> tuple[Pixels, NDArray[np.int64]]:
    """Images (N, 32, 32, 3) and fine labels of one of CIFAR's pickled batches.

    Raises:
        pickle.UnpicklingError: The file asks for more than arrays.
    """
    batch = _CifarUnpickler(io.BytesIO(data), encoding="latin1").load()
    pixels = np.asarray(batch["data"], dtype=np.uint8).reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    labels = batch["labels"] if "labels" in batch else batch["fine_labels"]
    return np.ascontiguousarray(pixels), np.asarray(labels, dtype=np.int64)


def _cifar(found: Entry, folder: Path) -> RawSet:
    def joined(split: str) -> RawSplit:
        members = [name for name in found.members if ("test" in Path(name).name) == (split == "test")]
        parts = [unpickle_batch(verified_bytes(folder / name, found.members[name])) for name in members]
        return _stored(
            np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts]), split
        )

    return RawSet(found.class_names, joined("train"), joined("test"))


def _of_files(paths: list[Path], labels: Iterable[int], root: Path) -> RawSplit:
    return RawSplit(
        np.fromiter(labels, dtype=np.int64),
        lambda: iter(paths),
        lambda index: paths[index].relative_to(root).as_posix(),
    )


def _pets(found: Entry, data_dir: Path) -> RawSet:
    folder = pets_folder(data_dir)
    column = 1 if len(found.class_names) == 37 else 2
    splits = []
    for split in own_files.SPLITS:
        rows = pets_rows(data_dir, split)
        paths = [folder / "images" / f"{row[0]}.jpg" for row in rows]
        absent = [path for path in paths if not path.is_file()]
        if absent:
            raise EnvironmentFault(
                f"{folder / 'images'}: {len(absent)} of {len(paths)} {split} images are missing, "
                f"the first {absent[0].name}; fetch {found.name} again"
            )
        splits.append(_of_files(paths, (int(row[column]) for row in rows), folder))
    return RawSet(found.class_names, splits[0], splits[1])


def _folder(spec: DataSpec, data_dir: Path) -> RawSet:
    root = own_files.root_of(spec, data_dir)
    folders = own_files.class_folders(root, spec)
    names = tuple(folders["train"])
    splits = []
    for split in own_files.SPLITS:
        images = {name: own_files.images_in(path) for name, path in folders[split].items()}
        paths = [path for found in images.values() for path in found]
        labels = (names.index(name) for name, found in images.items() for _ in found)
        splits.append(_of_files(paths, labels, root))
    return RawSet(names, splits[0], splits[1])


def _parquet(files: dict[str, list[Path]], image: str, label: str) -> RawSet:
    values = {split: own_parquet.label_values(files[split], label) for split in own_files.SPLITS}
    named = own_parquet.class_values(
        pq.read_schema(files["train"][0]), label, [Counter(values[split]) for split in own_files.SPLITS]
    )
    index = {value: position for position, value in enumerate(named)}

    def split_of(split: Literal["train", "test"]) -> RawSplit:
        paths = files[split]
        return RawSplit(
            np.asarray([index[value] for value in values[split]], dtype=np.int64),
            lambda: own_parquet.image_bytes(paths, image, batch_size=512),
            lambda row: f"{split} row {row}",
        )

    return RawSet(tuple(named.values()), split_of("train"), split_of("test"))
