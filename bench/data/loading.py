"""Decoded images on the host: decoded once, kept on disk, checked each time they are read.

A cache file holds a JSON header and the raw arrays, which are mapped into memory, so that the workers of
one machine share the pages. The header carries the digest of the arrays; it is verified on every load, and
a file that does not match is decoded anew. The same digest stands in every record.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import PIL
from numpy.typing import NDArray

from bench.data import cachedir
from bench.data.catalogue import OWN, class_indices, facts
from bench.data.decoding import Pixels, Progress, Raw, UnreadableImage, decode, decode_all
from bench.data.digests import data_digest
from bench.data.readers import RawSplit, read
from bench.errors import EnvironmentFault

if TYPE_CHECKING:
    from bench.study.specs import DataSpec

_FORMAT = "bench-images-1"
_ALIGN = 64
_FIELDS = ("train_images", "train_labels", "test_images", "test_labels")
_NAMED_UNREADABLE = 5


@dataclass(frozen=True, eq=False)
class ImageArrays:
    """A set decoded: images (N, H, W, C) uint8 of one stored size, labels (N,) int64."""

    train_images: Pixels
    train_labels: NDArray[np.int64]
    test_images: Pixels
    test_labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    digest: str
    """sha256 of the four arrays."""


class _DamagedCache(Exception):
    """A cache file that does not hold what its header says."""


def load(spec: DataSpec, data_dir: Path, *, on_progress: Progress | None = None) -> ImageArrays:
    """The decoded images of a set, from the cache or decoded now.

    Args:
        spec: `resize`, `channels` and `classes` are applied; `val`, `train_size` and the rest are not.
        data_dir: The data folder.
        on_progress: Told of decoding as it goes on.

    Raises:
        DataMissing: The set is not there.
        DataFault: The section does not fit the set.
        EnvironmentFault: Files are damaged, or images cannot be decoded.
    """
    known = facts(spec, data_dir)
    size, channels = spec.resize or known.image_size, known.channels
    name = _cache_name(spec, data_digest(spec, data_dir), size, channels)
    whole = _from_cache(data_dir, name)
    if whole is None:
        whole = _decode_set(spec, data_dir, size, channels, on_progress)
        try:
            written = cachedir.keep(data_dir, name, functools.partial(_write, whole))
        except OSError as error:
            warnings.warn(f"decoded images are not cached: {error}; set XDG_CACHE_HOME", stacklevel=2)
        else:
            whole = _read(written)  # mapped, so that the decoded copy leaves memory
    return _choose_classes(whole, spec)


def arrays_digest(arrays: Sequence[NDArray[Any]]) -> str:
    """sha256 of the shapes, types and values of arrays, in order."""
    total = hashlib.sha256()
    for array in arrays:
        total.update(f"{array.dtype.str} {array.shape} ".encode())
        if array.size:
            total.update(np.ascontiguousarray(array).data.cast("B"))
    return total.hexdigest()


def _cache_name(spec: DataSpec, digest: str, size: int, channels: int) -> str:
    """A name that changes with everything that the arrays depend on; the decoder's version too."""
    columns = [spec.image, spec.label] if spec.name == "parquet" else []
    keys = json.dumps([_FORMAT, spec.name, digest, columns, size, channels, PIL.__version__])
    return f"{spec.name}-{size}x{channels}-{hashlib.sha256(keys.encode()).hexdigest()[:24]}.images"


def _choose_classes(whole: ImageArrays, spec: DataSpec) -> ImageArrays:
    if spec.classes is None:
        return whole
    chosen = class_indices(spec, whole.class_names)
    renumbered = np.full(len(whole.class_names), -1, dtype=np.int64)
    renumbered[chosen] = np.arange(len(chosen))
    train, test = (renumbered[labels] for labels in (whole.train_labels, whole.test_labels))
    arrays = (
        whole.train_images[train >= 0],
        train[train >= 0],
        whole.test_images[test >= 0],
        test[test >= 0],
    )
    names = tuple(whole.class_names[index] for index in chosen)
    return ImageArrays(*arrays, class_names=names, digest=arrays_digest(arrays))


def _decode_set(
    spec: DataSpec, data_dir: Path, size: int, channels: int, on_progress: Progress | None
) -> ImageArrays:
    raw = read(spec, data_dir)
    shown = spec.path if spec.name in OWN and spec.path else spec.name
    total, done = len(raw.train.labels) + len(raw.test.labels), 0
    broken: list[str] = []
    decoded = []
    for split in (raw.train, raw.test):
        images = _ready_made(split, size, channels)
        if images is None:
            images = np.empty((len(split.labels), size, size, channels), dtype=np.uint8)
            one = functools.partial(_decode_or_say, size=size, channels=channels)
            for index, pixels in enumerate(decode_all(split.items(), one)):
                if isinstance(pixels, UnreadableImage):
                    broken.append(f"{split.place(index)}: {pixels}")
                else:
                    images[index] = pixels
                if on_progress is not None and index % 256 == 255:
                    on_progress(f"decoding {shown}", done + index + 1, total)
        done += len(split.labels)
        if on_progress is not None:
            on_progress(f"decoding {shown}", done, total)
        decoded.append(images)
    if broken:
        raise EnvironmentFault(
            f"data: {len(broken)} of {total} images of {shown} cannot be decoded; remove or mend them:",
            *(f"  {line}" for line in broken[:_NAMED_UNREADABLE]),
            *([f"  and {len(broken) - _NAMED_UNREADABLE} more"] if len(broken) > _NAMED_UNREADABLE else []),
        )
    arrays = (decoded[0], raw.train.labels, decoded[1], raw.test.labels)
    return ImageArrays(*arrays, class_names=raw.class_names, digest=arrays_digest(arrays))


def _ready_made(split: RawSplit, size: int, channels: int) -> Pixels | None:
    """Stored pixels that need no decoder; grey becomes colour by repetition, as Pillow does it."""
    if split.pixels is None or split.pixels.shape[1:3] != (size, size):
        return None
    if split.pixels.shape[3] == channels:
        return split.pixels
    return np.repeat(split.pixels, 3, axis=3) if channels == 3 else None


def _decode_or_say(raw: Raw, size: int, channels: int) -> Pixels | UnreadableImage:
    try:
        return decode(raw, size=size, channels=channels)
    except UnreadableImage as reason:
        return reason


def _from_cache(data_dir: Path, name: str) -> ImageArrays | None:
    for path in cachedir.find(data_dir, name):
        try:
            return _read(path)
        except (_DamagedCache, OSError):
            continue  # decoded anew, and replaced
    return None


def _write(images: ImageArrays, file: BinaryIO) -> None:
    arrays = {name: np.ascontiguousarray(getattr(images, name)) for name in _FIELDS}
    header = {
        "format": _FORMAT,
        "digest": images.digest,
        "class_names": images.class_names,
        "arrays": {name: [array.dtype.str, array.shape] for name, array in arrays.items()},
    }
    text = json.dumps(header).encode()
    file.write(len(text).to_bytes(8, "little") + text)
    for array in arrays.values():
        file.write(b"\0" * (-file.tell() % _ALIGN))
        if array.size:
            file.write(array.data.cast("B"))


def _read(path: Path) -> ImageArrays:
    """Map a cache file.

    Raises:
        _DamagedCache: It is cut short, changed, or of another form.
    """
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > 1 << 26:
                raise _DamagedCache(path)
            header = json.loads(file.read(length))
        offset, arrays = 8 + length, {}
        for name in _FIELDS:
            dtype, shape = header["arrays"][name]
            offset += -offset % _ALIGN
            arrays[name] = _map(path, np.dtype(dtype), tuple(shape), offset)
            offset += arrays[name].nbytes
        images = ImageArrays(**arrays, class_names=tuple(header["class_names"]), digest=str(header["digest"]))
    except (ValueError, KeyError, TypeError) as error:
        raise _DamagedCache(path) from error
    if header["format"] != _FORMAT or arrays_digest(list(arrays.values())) != images.digest:
        raise _DamagedCache(path)
    return images


def _map(path: Path, dtype: np.dtype[Any], shape: tuple[int, ...], offset: int) -> NDArray[Any]:
    if math.prod(shape) == 0:
        return np.empty(shape, dtype)
    # Copy-on-write: torch wants memory that may be written, and nobody writes the file.
    return np.memmap(path, dtype=dtype, mode="c", offset=offset, shape=shape).view(np.ndarray)
