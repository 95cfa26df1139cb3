"""Facts of a user's own set, read from headers only: Parquet in the Hugging Face layout, or image folders.

Torch-free and without decoding, because planning asks here: schemas and row counts from the Parquet
footers, label columns only where a study needs them, and image headers of the first few images.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bench.data.own_files import SPLITS, OwnFacts, class_folders, parquet_files, root_of

if TYPE_CHECKING:
    from bench.study.specs import DataSpec


def describe(spec: DataSpec, data_dir: Path) -> OwnFacts:
    """Facts of a `parquet` or `folder` set.

    Raises:
        DataMissing: The set is not there.
        DataFault: It is there, but not as the section says.
    """
    root = root_of(spec, data_dir)
    if spec.name == "parquet":
        files = parquet_files(root, spec)
        state = tuple((path, path.stat().st_mtime_ns) for split in SPLITS for path in files[split])
        from bench.data.own_parquet import describe_parquet  # noqa: PLC0415 - pyarrow, for such sets only

        return describe_parquet(state, tuple(map(tuple, files.values())), spec.image, spec.label)
    from bench.data.own_folder import describe_folder  # noqa: PLC0415 - Pillow, for such sets only

    listing = class_folders(root, spec)
    folders = tuple((split, name, path) for split in SPLITS for name, path in listing[split].items())
    return describe_folder(tuple(path.stat().st_mtime_ns for *_, path in folders), folders, spec.path or "")
