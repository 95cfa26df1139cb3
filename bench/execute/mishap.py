"""What an error says of its run, and of the process that met it."""

from __future__ import annotations

from collections.abc import Iterator

import torch

_OUT_OF_MEMORY = (torch.OutOfMemoryError, MemoryError)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, if only behind the error.

    The end of a capture raises an error of its own over what interrupted it, and on a CPU torch raises what
    it raises for everything else, in these words.
    """
    return any(
        isinstance(one, _OUT_OF_MEMORY)
        or (isinstance(one, RuntimeError) and "can't allocate memory" in str(one))
        for one in _chain(error)
    )


def loses_device(error: BaseException) -> bool:
    """Whether no later kernel of this process can succeed, as after an index out of range on a GPU."""
    return any(isinstance(one, torch.AcceleratorError) for one in _chain(error))


def _chain(error: BaseException) -> Iterator[BaseException]:
    one: BaseException | None = error
    while one is not None:
        yield one
        one = one.__cause__ or one.__context__
