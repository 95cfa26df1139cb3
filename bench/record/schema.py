"""What one run leaves behind, as one JSON line.

Records are the only source of every table, figure and number. Base units, units in the names, `null`
where a quantity does not exist (never 0). A line carries the digest of itself, so that a digit changed
by hand is found. Nothing in a record names a user, a host or an absolute path.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

RECORD_SCHEMA = 1
"""Raised when the meaning or name of a field changes."""

Status = Literal["done", "diverged", "oom", "failed"]
"""How a finished attempt ended; `interrupted`, `running`, `pending` and `recorded` are states of a folder."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class EpochRow(_Part):
    """One epoch of the curve; val columns are null without validation or between evaluations."""

    epoch: int
    """Counted from 1."""
    train_loss: float
    """Mean over the epoch's images, as trained on (augmented, smoothed)."""
    train_top1_pct: float
    """Counted on the way, before each step's update."""
    val_loss: float | None
    val_top1_pct: float | None
    lr: float
    """Learning rate of the epoch's last step."""
    epoch_time_s: float
    """Training steps only."""


class Metrics(_Part):
    """The numbers of one run. All optional: a failed run has few."""

    n_train: int | None = None
    n_val: int | None = None
    n_test: int | None = None
    n_params: int | None = None
    n_trainable_params: int | None = None
    gmacs: float | None = None
    epochs: float | None = None
    """Epochs trained; a budget in steps may end inside one."""
    steps: int | None = None
    best_epoch: int | None = None
    """With `select: best_val`: the epoch whose weights were tested."""
    train_top1_pct: float | None = None
    """Of the last epoch."""
    val_top1_pct: float | None = None
    """Of the weights that were tested."""
    test_top1_pct: float | None = None
    test_top5_pct: float | None = None
    """Null below six classes."""
    test_mean_class_pct: float | None = None
    test_loss: float | None = None
    train_time_s: float | None = None
    """Training steps of all attempts that the result stands on, without evaluation and compilation."""
    compile_time_s: float | None = None
    run_train_img_s: float | None = None
    """Images trained over `train_time_s`; the machine may have been shared (`n_concurrent`)."""
    n_concurrent: int | None = None
    """Runs that shared the machine."""
    peak_memory_bytes: int | None = None
    """Device memory; null on a CPU."""
    diverged_step: int | None = None
    """First step (from 0) whose loss was not finite."""


class Digests(_Part):
    """sha256 of what went in and came out."""

    data: str | None = None
    """Decoded arrays of training and test images with labels."""
    split: str | None = None
    """Indices of train, val and test."""
    initial_weights: str | None = None
    source_weights: str | None = None
    """The file that the initial weights were copied from."""
    final_weights: str | None = None
    """After the last step."""
    tested_weights: str | None = None
    """The weights that the test numbers belong to."""
    correct: str | None = None
    """Bits of this run in correct.npz."""


class Attempt(_Part):
    """One earlier try at the same run."""

    status: str
    reason: str | None
    started_utc: str
    ended_utc: str


class StudyRecord(_Part):
    """What a training run and a throughput cell have in common: whose they are, how they ended, on what."""

    schema_version: int = RECORD_SCHEMA
    engine: int
    run_id: str
    arm_id: str
    """Digest of the arm's configuration, data and kind of device: equal for all seeds and engines."""
    study: str
    declaration: str
    """Digest of what the study declared before the run: the primary metric and its comparisons."""
    n_seeds_declared: int | None = None
    """Seeds that the study had then; None where a rule adds them, and in the first records."""
    arm: str
    levels: dict[str, bool | int | float | str | None]
    seed: int
    """Of a cell: its repeat, counted from 0."""
    role: Literal["arm", "source"] = "arm"
    """A `source` was trained for its weights and stands in no table."""
    status: Status
    reason: str | None = None
    """Why the run is not done, in one line."""
    device_kind: Literal["cpu", "cuda"]
    config: dict[str, Any]
    """The resolved configuration, paths relative to the data folder."""
    environment: dict[str, Any] = {}
    started_utc: str
    ended_utc: str
    attempts: tuple[Attempt, ...] = ()
    line_sha256: str = ""


class RunRecord(StudyRecord):
    """One run, finished or failed."""

    kind: Literal["run"] = "run"
    initial_draw: Literal["by name", "torch"] = "by name"
    """How fresh weights were drawn: by parameter name, or by torch's generator (library and user models)."""
    source_run_id: str | None = None
    """The run whose weights this one started from."""
    metrics: Metrics = Metrics()
    epochs: tuple[EpochRow, ...] = ()
    confusion: tuple[tuple[int, ...], ...] | None = None
    """Test images by class: rows true, columns predicted."""
    class_names: tuple[str, ...] = ()
    digests: Digests = Digests()


class CellMetrics(_Part):
    """The numbers of one measured cell. Null where a quantity does not exist here, never 0."""

    work: Literal["train", "infer"] | None = None
    input: Literal["synthetic", "cached", "end_to_end"] | None = None
    batch_size: int | None = None
    image_size: int | None = None
    """Side in pixels."""
    n_params: int | None = None
    gmacs: float | None = None
    """Of one image's forward pass."""
    macts: float | None = None
    """Of one image's forward pass: millions of activations, as timm counts them."""
    windows_s: tuple[float, ...] = ()
    """Seconds of each timed window, as read."""
    steps_per_window: int | None = None
    warmup_steps: int | None = None
    warmup_settled: bool | None = None
    """Whether the windows of the warm-up came to agree before it was cut off."""
    img_s: float | None = None
    """Images a window over the median window."""
    compile_cold_s: float | None = None
    """Compiling with an empty cache on disk; null without compilation."""
    compile_warm_s: float | None = None
    """Compiling in a fresh process with the cache that a cold repeat filled; null in a cold repeat."""
    prepare_s: float | None = None
    """Making ready what the windows timed, compiling and capturing; null where there is nothing to do."""
    peak_allocated_bytes: int | None = None
    """Device memory in tensors at most; null on a CPU."""
    peak_reserved_bytes: int | None = None
    """Device memory held at most, pools of CUDA graphs included; null on a CPU."""
    flops_per_image: float | None = None
    """Of products and convolutions, a multiply-add counting two."""
    eager_bytes_per_image: float | None = None
    """Least traffic to memory with every operation a kernel of its own."""
    fused_bytes_per_image: float | None = None
    """Least traffic with what is pointwise fused into its neighbours."""
    peak_flops_s: float | None = None
    """What MFU is a share of: dense peak of the precision."""
    peak_flops_source: Literal["datasheet", "measured"] | None = None
    measured_peak_flops_s: float | None = None
    """Best large product (on a CPU: or convolution) of the precision on this machine."""
    measured_bandwidth_bytes_s: float | None = None
    """Best copy on this machine, bytes read and written."""
    joules_per_image: float | None = None
    """Of the device over the timed windows; null where nothing counts it."""
    sm_clock_mhz: float | None = None
    """Median over the timed windows; null on a CPU."""
    throttle_reasons: tuple[str, ...] = ()
    """Why the device held its clock down during the windows."""
    others_share_pct: float | None = None
    """Share of the device (on a CPU: of its cores) that other processes had during the windows."""
    noise: tuple[str, ...] = ()
    """Why the cell is flagged; empty: clean."""


class CellRecord(StudyRecord):
    """One cell of a throughput study, measured in one fresh process."""

    kind: Literal["cell"] = "cell"
    metrics: CellMetrics = CellMetrics()


class ProbeRecord(_Part):
    """Training speed of one distinct arm, measured while nothing else of the study ran."""

    kind: Literal["probe"] = "probe"
    schema_version: int = RECORD_SCHEMA
    engine: int
    arm_id: str
    arm: str
    device_kind: Literal["cpu", "cuda"]
    batch_size: int
    windows_img_s: tuple[float, ...]
    """Training images per second in each timed window."""
    probe_train_img_s: float
    """Median of the windows."""
    warmup_steps: int
    steps_per_window: int
    others_share_pct: float | None = None
    """Of the device's time that other processes took meanwhile; None where it is not known."""
    environment: dict[str, Any] = {}
    measured_utc: str
    line_sha256: str = ""


Finished = RunRecord | CellRecord
"""What the attempt at one run of a plan leaves behind."""

Record = RunRecord | CellRecord | ProbeRecord

RECORDS: dict[str, type[RunRecord] | type[CellRecord] | type[ProbeRecord]] = {
    "run": RunRecord,
    "cell": CellRecord,
    "probe": ProbeRecord,
}
"""The record of a line by its `kind`."""


def unseal(line: str) -> Record:
    """The record of one line, its digest checked.

    Raises:
        ValueError: Not JSON, not this schema, or changed since it was sealed.
    """
    fields = json.loads(line)
    if not isinstance(fields, dict) or fields.get("line_sha256") != line_digest(fields):
        raise ValueError(
            "the line is not what was sealed: its digest differs; take it back from where it came"
        )
    if fields.get("schema_version") != RECORD_SCHEMA:
        raise ValueError(f"schema version {fields.get('schema_version')}; this bench reads {RECORD_SCHEMA}")
    if fields.get("kind") not in RECORDS:
        raise ValueError(f"kind {fields.get('kind')!r}; this bench reads {', '.join(RECORDS)}")
    return RECORDS[fields["kind"]].model_validate(fields)


LATER_FIELDS = ("n_seeds_declared", "others_share_pct")
"""Fields that the first records lack: a line is not written anew for a null of theirs."""


def seal(record: Record) -> str:
    """The record as its one line of canonical JSON, with the digest of the rest of the line in it."""
    fields = record.model_dump(mode="json")
    for name in LATER_FIELDS:
        if fields.get(name, ...) is None:
            del fields[name]
    fields["line_sha256"] = line_digest(fields)
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def line_digest(fields: dict[str, Any]) -> str:
    """sha256 of a record's fields but for `line_sha256`."""
    rest = {key: value for key, value in fields.items() if key != "line_sha256"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
