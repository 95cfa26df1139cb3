"""Facts of a user's image folder: `train/<class>/*.jpg` and `test/<class>/*.jpg`."""

from __future__ import annotations

import functools
import itertools
from pathlib import Path

from bench.data.faults import DataFault
from bench.data.headers import peek
from bench.data.own_files import OwnFacts, images_in


@functools.lru_cache(maxsize=16)
def describe_folder(state: object, folders: tuple[tuple[str, str, Path], ...], shown: str) -> OwnFacts:
    """Facts of an image folder from its listing and the headers of its first images.

    Args:
        state: Changes when the folders do, so that what was read before is read anew.
        folders: Split, class and path of each class folder, training classes in order.
        shown: The path as the user wrote it.

    Raises:
        DataFault: A split has no images.
    """
    del state
    images = {(split, name): images_in(path) for split, name, path in folders}
    names = tuple(name for split, name, _ in folders if split == "train")
    train, test = (tuple(len(images.get((split, name), ())) for name in names) for split in ("train", "test"))
    if not sum(train) or not sum(test):
        raise DataFault(("path", shown, "has no images in train/<class>/ or in test/<class>/"))
    # A few of every class rather than the first of one: a class may come from one camera.
    in_turn = itertools.chain.from_iterable(itertools.zip_longest(*(images["train", name] for name in names)))
    size, channels = peek(path for path in in_turn if path is not None)
    return OwnFacts(names, train, test, size, channels)
