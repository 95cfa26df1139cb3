"""Looks through a whole set: classes, unreadable images, duplicates, mean and standard deviation.

Images are decoded at their own size, not at the size of any study, so that two files are called duplicates
only if their pixels are equal, and the statistics are those of the set.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.data.decoding import Progress, Raw, UnreadableImage, decode, decode_all
from bench.data.normalising import statistics_of_counts
from bench.data.readers import RawSplit, read

if TYPE_CHECKING:
    from bench.study.specs import DataSpec

_SHOWN = 10


@dataclass(frozen=True)
class CheckReport:
    """What was found in a set."""

    name: str
    class_names: tuple[str, ...]
    train_counts: tuple[int, ...]
    test_counts: tuple[int, ...]
    unreadable: tuple[str, ...]
    """Place and reason of each image that cannot be decoded."""
    duplicates_train: tuple[tuple[str, ...], ...]
    """Groups of places with equal pixels, all in the training split."""
    duplicates_test: tuple[tuple[str, ...], ...]
    duplicates_across: tuple[tuple[str, ...], ...]
    """Groups that have images in both splits: the test set leaks."""
    mislabelled: tuple[tuple[str, ...], ...]
    """Those of all groups whose images bear different labels."""
    mean: tuple[float, ...]
    """Of each channel over the training pixels, on 0…1."""
    std: tuple[float, ...]
    sizes: tuple[tuple[int, int, int], ...]
    """(height, width, images) of the commonest sizes, commonest first."""

    @property
    def is_clean(self) -> bool:
        """Whether every image can be read and none stands in both splits."""
        return not self.unreadable and not self.duplicates_across

    def to_text(self) -> str:
        """The report as plain lines."""
        lines = [f"{self.name}: {sum(self.train_counts)} training and {sum(self.test_counts)} test images"]
        wide = max(map(len, self.class_names))
        lines += [
            f"  {name:{wide}}  train {train:6d}  test {test:6d}"
            for name, train, test in zip(self.class_names, self.train_counts, self.test_counts, strict=True)
        ]
        lines.append("  sizes " + ", ".join(f"{w}×{h} ({n})" for h, w, n in self.sizes))
        lines.append("  mean " + ", ".join(f"{value:.4f}" for value in self.mean))
        lines.append("  std  " + ", ".join(f"{value:.4f}" for value in self.std))
        lines += _listed("unreadable images", self.unreadable)
        for title, groups in (
            ("groups of equal images across splits", self.duplicates_across),
            ("groups of equal images within train", self.duplicates_train),
            ("groups of equal images within test", self.duplicates_test),
            ("of these groups with different labels", self.mislabelled),
        ):
            lines += _listed(title, [" = ".join(group) for group in groups])
        return "\n".join(lines)


def inspect_set(spec: DataSpec, data_dir: Path, *, on_progress: Progress | None = None) -> CheckReport:
    """Decode every image of a set and report; `classes` and sizes of the section are not applied.

    Raises:
        DataMissing: The set is not there.
        EnvironmentFault: Its files are not what their checksums say.
        DataFault: A user's set is not as the section says.
    """
    raw = read(spec, data_dir)
    shown = spec.path or spec.name
    findings = _Findings(shown, len(raw.train.labels) + len(raw.test.labels), on_progress)
    findings.look_through("train", raw.train)
    findings.look_through("test", raw.test)
    groups = [group for group in findings.places.values() if len(group) > 1]
    mean, std = findings.statistics()
    return CheckReport(
        name=shown,
        class_names=raw.class_names,
        train_counts=_counts(raw.train, len(raw.class_names)),
        test_counts=_counts(raw.test, len(raw.class_names)),
        unreadable=tuple(findings.unreadable),
        duplicates_train=_named(group for group in groups if _splits(group) == {"train"}),
        duplicates_test=_named(group for group in groups if _splits(group) == {"test"}),
        duplicates_across=_named(group for group in groups if len(_splits(group)) > 1),
        mislabelled=_named(group for group in groups if len({found.label for found in group}) > 1),
        mean=mean,
        std=std,
        sizes=tuple((height, width, n) for (height, width), n in findings.sizes.most_common(3)),
    )


@dataclass(frozen=True)
class _Seen:
    """What is kept of one decoded image."""

    digest: bytes
    size: tuple[int, int]
    levels: NDArray[np.int64]
    """How often each value occurs in each channel, (C, 256)."""


@dataclass(frozen=True)
class _Found:
    split: str
    place: str
    label: int


class _Findings:
    """Gathers what both splits show."""

    def __init__(self, shown: str, total: int, on_progress: Progress | None) -> None:
        self.places: defaultdict[bytes, list[_Found]] = defaultdict(list)
        self.unreadable: list[str] = []
        self.sizes: Counter[tuple[int, int]] = Counter()
        self._levels = np.zeros((3, 256), dtype=np.int64)
        self._has_colour = False
        self._shown, self._total, self._done, self._on_progress = shown, total, 0, on_progress

    def look_through(self, name: str, split: RawSplit) -> None:
        """Decode one split and take note."""
        for index, (seen, label) in enumerate(
            zip(decode_all(split.items(), _look), split.labels.tolist(), strict=True)
        ):
            place = split.place(index)
            if isinstance(seen, UnreadableImage):
                self.unreadable.append(f"{place}: {seen}")
            else:
                self.sizes[seen.size] += 1
                self.places[seen.digest].append(_Found(name, place, label))
                if name == "train":
                    self._levels += seen.levels  # a grey image counts in every channel
                    self._has_colour |= len(seen.levels) == 3
            self._done += 1
            if self._on_progress is not None and (self._done % 256 == 0 or self._done == self._total):
                self._on_progress(f"checking {self._shown}", self._done, self._total)

    def statistics(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and standard deviation of the channels; empty if no training image can be read."""
        if not self._levels.any():
            return (), ()
        mean, std = statistics_of_counts(self._levels[: 3 if self._has_colour else 1])
        return tuple(mean.tolist()), tuple(std.tolist())


def _look(raw: Raw) -> _Seen | UnreadableImage:
    try:
        pixels = decode(raw)
    except UnreadableImage as reason:
        return reason
    digest = hashlib.sha256(f"{pixels.shape}".encode())
    digest.update(np.ascontiguousarray(pixels).data.cast("B"))
    levels = [np.bincount(pixels[..., channel].ravel(), minlength=256) for channel in range(pixels.shape[2])]
    return _Seen(digest.digest(), (pixels.shape[0], pixels.shape[1]), np.stack(levels).astype(np.int64))


def _counts(split: RawSplit, n: int) -> tuple[int, ...]:
    return tuple(np.bincount(split.labels, minlength=n).tolist())


def _splits(group: list[_Found]) -> set[str]:
    return {found.split for found in group}


def _named(groups: Iterable[list[_Found]]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(found.place for found in group) for group in groups)


def _listed(title: str, lines: Sequence[str]) -> list[str]:
    shown = [f"    {line}" for line in lines[:_SHOWN]]
    more = [f"    and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
    return [f"  {len(lines)} {title}", *shown, *more]
