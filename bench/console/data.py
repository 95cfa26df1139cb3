"""`bench data list|fetch|check`: what sets there are, how to get them, whether they are sound."""

from __future__ import annotations

import dataclasses
import sys
import time
from pathlib import Path

from bench.console.columns import print_columns
from bench.data import console as sets
from bench.errors import UsageError, nearest
from bench.study.specs import DataSpec

REPORT_EVERY_S = 1.0


def manage(action: str, name: str | None, data_dir: Path, *, as_json: bool) -> int:
    """Do one of the three; `name` is optional for `list` alone.

    Returns:
        1 when a check finds unreadable images or images in both splits, else 0.

    Raises:
        UsageError: A name is missing or unknown.
        EnvironmentFault: Data are missing or cannot be had.
    """
    if action == "list":
        return _list(data_dir, as_json=as_json)
    if name is None:
        raise UsageError(f"data {action}: name a set; `bench data list` shows them")
    if action == "fetch":
        return _fetch(name, data_dir)
    return _check(name, data_dir, as_json=as_json)


def _list(data_dir: Path, *, as_json: bool) -> int:
    rows = sets.list_sets(data_dir)
    if as_json:
        from bench.console.tables import print_json  # noqa: PLC0415 - rich is slow to load and not needed here

        print_json([dataclasses.asdict(row) for row in rows])
        return 0
    print_columns(
        ("name", "classes", "train", "test", "size", "here", "what"),
        [
            (
                row.name,
                str(row.n_classes),
                f"{row.n_train:,}",
                f"{row.n_test:,}",
                f"{row.image_size}×{row.image_size}×{row.channels}",
                "yes" if row.is_present else ("fetch" if row.can_be_fetched else "no"),
                row.title,
            )
            for row in rows
        ],
    )
    sys.stdout.write(
        f"\nlooked in {data_dir}; own sets: data: {{name: parquet, path: …}} or {{name: folder, path: …}}\n"
    )
    return 0


def _fetch(name: str, data_dir: Path) -> int:
    put = sets.fetch(name, data_dir, _Ticker())
    sys.stdout.write("\n".join(put or [f"{name} is complete already"]) + "\n")
    return 0


def _check(name: str, data_dir: Path, *, as_json: bool) -> int:
    report = sets.check(_spec(name, data_dir), data_dir, _Ticker())
    if as_json:
        from bench.console.tables import print_json  # noqa: PLC0415 - rich is slow to load and not needed here

        print_json(dataclasses.asdict(report))
    else:
        sys.stdout.write(report.to_text() + "\n")
    return 0 if report.is_clean else 1


def _spec(name: str, data_dir: Path) -> str | DataSpec:
    """A catalogued name, else a path to a set of the user's own: Parquet files or class folders."""
    from bench.data.catalogue import names  # noqa: PLC0415 - the catalogue is not needed to list

    if name in names():
        return name
    place = next((folder / name for folder in (data_dir, Path()) if (folder / name).exists()), None)
    if place is None:
        raise UsageError(
            f"data check {name}: neither a catalogued set nor a path in {data_dir} or here; "
            f"{nearest(name, names())}"
        )
    is_parquet = place.suffix == ".parquet" or any(place.glob("**/*.parquet"))
    root = place.parent if place.is_file() else place
    return DataSpec(name="parquet" if is_parquet else "folder", path=str(root.resolve()))


class _Ticker:
    """Progress on stderr, once a second."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._last >= REPORT_EVERY_S:
            self._last = now
            sys.stderr.write(f"{what}: {done:,}" + (f" of {total:,}" if total else "") + "\n")
