"""The command: measure, write, tell."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import tests.benchmarks.rivals as this
from bench.data import load
from bench.errors import BenchError
from bench.record.rivals import FOLDER, write_rivals
from bench.report.markdown import to_markdown
from bench.report.rivals_table import rivals_table
from bench.study.device import count_cuda_devices
from bench.study.specs import DataSpec
from tests.benchmarks.rivals.goals import goals
from tests.benchmarks.rivals.measure import Measurement, measure
from tests.benchmarks.rivals.rounds import ContenderFailed
from tests.benchmarks.rivals.turns import Task

ROOT = Path(__file__).resolve().parents[3]
IMAGES = {"cpu": 1024, "cuda": 25_600}
"""Images an epoch: seconds of the slowest contender, and many steps of the fastest."""


def main(argv: Sequence[str] | None = None) -> int:
    """Measure; returns the exit code: 0 measured, 1 a contender failed, 3 data missing."""
    wanted = _parse(argv)
    device = wanted.device or ("cuda" if count_cuda_devices() else "cpu")
    n_images = wanted.images or IMAGES[device]
    n_images -= n_images % wanted.batch_size
    data = {"name": wanted.data_name, "train_size": n_images, "val": 0, "image_size": 32, "channels": 3}
    with tempfile.TemporaryDirectory(prefix="bench-rivals-") as folder:
        scratch = Path(folder)
        # What is compiled here is compiled for the first time.
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(scratch / "inductor")
        os.environ["TRITON_CACHE_DIR"] = str(scratch / "triton")
        os.environ.pop("OMP_NUM_THREADS", None)
        task = Task(
            data=data,
            data_dir=linked(wanted.data, scratch / "data"),
            depth=wanted.depth,
            batch_size=wanted.batch_size,
            device=device,
            threads=wanted.threads,
            execution={},
            options={},
            scratch=scratch,
        )
        try:
            # Decoded before anything is timed, and missing data are told at once.
            load(DataSpec.model_validate(data), task.data_dir)
            found = measure(
                Measurement(
                    task,
                    n_images=n_images,
                    minutes=wanted.minutes,
                    most_rounds=wanted.rounds,
                    worker_pairs=wanted.worker_pairs,
                    worker_overrides=tuple(wanted.worker_override or ["seeds=2"]),
                )
            )
        except BenchError as error:
            sys.stderr.write("".join(f"{line}\n" for line in error.lines))
            return error.exit_code
        except ContenderFailed as error:
            sys.stderr.write(f"{error}\n")
            return 1
    path = write_rivals(wanted.out, found)
    sys.stdout.write(to_markdown(rivals_table([found])))
    sys.stdout.write("".join(f"{goal.line}\n" for goal in goals(found)))
    sys.stderr.write(f"written: {path.name} in {wanted.out.name}/; now: python -m bench.report.documents\n")
    return 0


def linked(data_dir: Path, folder: Path) -> Path:
    """The same data under another folder, so that the decoded images' cache goes with it."""
    folder.mkdir()
    for entry in sorted(data_dir.iterdir()) if data_dir.is_dir() else ():
        if not entry.name.startswith("."):
            (folder / entry.name).symlink_to(entry.resolve())
    return folder


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.rivals",
        description=this.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    shared = Path(os.environ.get("BENCH_SHARED_DATA", ROOT.parent / "shared" / "data"))
    add = parser.add_argument
    add("--device", choices=("cpu", "cuda"), help="default: a GPU if there is one")
    add("--data", type=Path, default=shared, help="data folder; default: $BENCH_SHARED_DATA")
    add("--data-name", default="cifar10-jpeg", help="a catalogued set")
    add("--images", type=int, help=f"an epoch's; default: {IMAGES['cpu']:,}, on a GPU {IMAGES['cuda']:,}")
    add("--batch-size", type=int, default=128)
    add("--depth", type=int, default=20, help="of the CIFAR ResNet")
    add("--threads", type=int, default=2, help="of the CPU, in every process")
    add("--minutes", type=float, default=8.75, help="after which no further round begins")
    add("--rounds", type=int, default=15, help="at most")
    add("--worker-pairs", type=int, default=1, help="comparisons of workers with threads; 0: none")
    add("--worker-override", action="append", help="of studies/depth.yaml in them; default: seeds=2")
    add("--out", type=Path, default=ROOT / FOLDER, help="folder of the file")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
