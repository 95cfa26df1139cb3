"""A user's Parquet files in the Hugging Face layout: what schema, labels and first images say, and the bytes.

Torch-free; only images that are asked for are read, a few rows at a time.
"""

from __future__ import annotations

import functools
import io
import itertools
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bench.data.faults import DataFault
from bench.data.headers import PEEKED, peek
from bench.data.own_files import OwnFacts
from bench.errors import nearest


@functools.lru_cache(maxsize=16)
def describe_parquet(state: object, files: tuple[tuple[Path, ...], ...], image: str, label: str) -> OwnFacts:
    """Facts of a Parquet set from its footers, its label columns and the headers of its first images.

    Args:
        state: Changes when the files do, so that what was read before is read anew.
        files: Of the train and the test split.
        image: Column with the encoded images.
        label: Column with the classes.

    Raises:
        DataFault: The columns are not there, or hold something else.
    """
    del state
    schema = pq.read_schema(files[0][0])
    faults = [
        (key, column, f"is no column of {files[0][0].name}; {nearest(column, schema.names)}")
        for key, column in (("image", image), ("label", label))
        if column not in schema.names
    ]
    if faults:
        raise DataFault(*faults)
    kind = schema.field(image).type
    encoded = (
        kind.field("bytes").type if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0 else kind
    )
    if not (pa.types.is_binary(encoded) or pa.types.is_large_binary(encoded)):
        raise DataFault(
            ("image", image, f"is a column of {kind}; images are bytes or a struct of bytes and path")
        )
    labels = [Counter(label_values(paths, label)) for paths in files]
    names = class_values(schema, label, labels)
    counts = tuple(tuple(count[value] for value in names) for count in labels)
    encoded_images = itertools.islice(image_bytes(files[0], image, batch_size=PEEKED), PEEKED)
    size, channels = peek(io.BytesIO(data) for data in encoded_images if data is not None)
    return OwnFacts(tuple(names.values()), counts[0], counts[1], size, channels)


def class_values(schema: Any, label: str, counts: list[Counter[Any]]) -> dict[Any, str]:
    """The class names by label value, in the order of the new labels.

    Names come from the Hugging Face metadata; without them the sorted unique labels name themselves.

    Raises:
        DataFault: The column holds no classes, or values outside the named ones.
    """
    present = set(counts[0]) | set(counts[1])
    odd = [value for value in present if not isinstance(value, str | int)]
    if odd:
        raise DataFault(("label", label, f"holds {odd[0]!r}; classes are whole numbers or text"))
    names = huggingface_names(schema, label)
    if names is None:
        if len({type(value) for value in present}) > 1:
            raise DataFault(("label", label, "mixes text and numbers"))
        return {value: str(value) for value in sorted(present)}
    strangers = sorted(value for value in present if not (isinstance(value, int) and 0 <= value < len(names)))
    if strangers:
        raise DataFault(("label", label, f"holds {strangers[0]}, outside the {len(names)} named classes"))
    return dict(enumerate(names))


def huggingface_names(schema: Any, label: str) -> list[str] | None:
    """The class names in a Parquet schema's `huggingface` metadata, if it has them."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        names = features[label]["names"]
    except (KeyError, TypeError, ValueError):
        return None
    return [str(name) for name in names]


def label_values(files: tuple[Path, ...] | list[Path], column: str) -> list[Any]:
    """One column of a split's files, as Python values."""
    return [value for path in files for value in pq.read_table(path, columns=[column])[column].to_pylist()]


def image_bytes(
    files: tuple[Path, ...] | list[Path], column: str, *, batch_size: int
) -> Iterator[bytes | None]:
    """The encoded images of a split, a few rows in memory at a time."""
    for path in files:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=batch_size, columns=[column]):
                values = batch.column(0)
                if pa.types.is_struct(values.type):
                    values = values.field("bytes")
                yield from (value.as_py() for value in values)
