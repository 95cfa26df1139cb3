"""Tiny sets on disk, and the real ones beside the checkout, each with a cache of their own."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from bench.data.opening import close_splits

Pixels = np.ndarray[Any, np.dtype[np.uint8]]


@pytest.fixture(autouse=True)
def user_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterable[Path]:
    """The user's cache folder, moved away from the real one; nothing stays open between tests."""
    folder = tmp_path / "users-cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    close_splits()
    yield folder / "bench"
    close_splits()


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """An empty data folder."""
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture(scope="session")
def linked_data(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real sets by links, so that no cache is written beside them."""
    folder = tmp_path_factory.mktemp("linked")
    for name in ("mnist", "cifar10-jpeg", "cats-dogs"):
        (folder / name).symlink_to(shared_data / name, target_is_directory=True)
    return folder


def picture(value: int, size: tuple[int, int] = (12, 10), mode: str = "RGB") -> Pixels:
    """Distinct pixels for each value, (H, W, C) or (H, W)."""
    rng = np.random.default_rng(value)
    shape = (size[1], size[0], 3) if mode == "RGB" else (size[1], size[0])
    return rng.integers(0, 256, shape, dtype=np.uint8)


def encoded(pixels: Pixels, form: str = "PNG") -> bytes:
    """An image file's bytes."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, form)
    return out.getvalue()


WriteParquet = Callable[..., Path]


@pytest.fixture
def write_parquet(data_dir: Path) -> WriteParquet:
    """Writes a set in the Hugging Face layout below the data folder."""

    def write(
        train: list[tuple[bytes | None, Any]],
        test: list[tuple[bytes | None, Any]],
        *,
        names: list[str] | None = None,
        folder: str = "own",
        below: str = "",
        is_struct: bool = True,
        label_type: Any = None,
    ) -> Path:
        root = data_dir / folder
        (root / below).mkdir(parents=True, exist_ok=True)
        for file, rows in (("train-00000-of-00001.parquet", train), ("test-00000-of-00001.parquet", test)):
            images: Any = [row[0] for row in rows]
            if is_struct:
                kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
                column = pa.array([{"bytes": image, "path": None} for image in images], kind)
            else:
                column = pa.array(images, pa.binary())
            table = pa.table({"image": column, "label": pa.array([row[1] for row in rows], label_type)})
            if names is not None:
                features = {"image": {"_type": "Image"}, "label": {"names": names, "_type": "ClassLabel"}}
                meta = json.dumps({"info": {"features": features}})
                table = table.replace_schema_metadata({"huggingface": meta})
            pq.write_table(table, root / below / file)
        return root

    return write


@pytest.fixture
def small_set(write_parquet: WriteParquet) -> Path:
    """40 training and 10 test images of two classes, 12×10 pixels in colour, under `own`."""
    train = [(encoded(picture(i)), i % 2) for i in range(40)]
    test = [(encoded(picture(100 + i)), i % 2) for i in range(10)]
    return write_parquet(train, test, names=["cat", "dog"])
