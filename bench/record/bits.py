"""Which test images each run got right: one bit an image, all runs of a study in one `correct.npz`.

The file is what paired tests over images stand on. Numpy is imported inside the functions, because
`plan` and `status` import this room and answer without it.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import EnvironmentFault
from bench.record.durable import write_if_changed
from bench.record.schema import RunRecord

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Bits:
    """Packed bits by run id."""

    by_run: dict[str, bytes]

    def matching(self, record: RunRecord) -> bytes | None:
        """The record's bits if they are the ones that it was sealed with."""
        packed = self.by_run.get(record.run_id)
        if packed is None or hashlib.sha256(packed).hexdigest() != record.digests.correct:
            return None
        return packed


def pack(correct: np.ndarray) -> bytes:
    """Pack booleans of shape (n_test,) into bytes, the first image in the highest bit."""
    import numpy as np  # noqa: PLC0415 - see the module's docstring

    return np.packbits(correct.astype(bool)).tobytes()


def bits_digest(correct: np.ndarray) -> str:
    """The digest that a record carries of its bits."""
    return hashlib.sha256(pack(correct)).hexdigest()


def bits_of_predictions(path: Path) -> bytes:
    """Packed bits of a run folder's predictions (`label` of shape (n,), `logits` of shape (n, classes))."""
    import numpy as np  # noqa: PLC0415 - see the module's docstring

    with np.load(path, allow_pickle=False) as arrays:
        return pack(arrays["logits"].argmax(axis=1) == arrays["label"])


def read_bits(path: Path) -> Bits:
    """All bits of a study; an absent file has none.

    Raises:
        EnvironmentFault: The file is damaged.
    """
    if not path.is_file():
        return Bits({})
    import numpy as np  # noqa: PLC0415 - see the module's docstring

    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
            return Bits({name: arrays[name].tobytes() for name in arrays.files})
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        raise EnvironmentFault(
            f"{path}: damaged ({error}); restore it, or delete it to rebuild it from the run folders"
        ) from error


def write_bits(path: Path, bits: dict[str, bytes]) -> None:
    """Write the bits of all runs; equal bits give equal bytes. Without any, no file is made."""
    if not bits and not path.exists():
        return
    import numpy as np  # noqa: PLC0415 - see the module's docstring

    buffer = io.BytesIO()
    arrays = {name: np.frombuffer(bits[name], dtype=np.uint8) for name in sorted(bits)}
    np.savez(buffer, **arrays)  # type: ignore[arg-type]  # numpy types its keywords as allow_pickle's bool
    write_if_changed(path, buffer.getvalue())
