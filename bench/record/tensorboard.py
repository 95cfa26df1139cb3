"""TensorBoard events of one run, in the run's own folder, that open as they are.

Written with TensorBoard's own writer, so that no second sub-folder appears (torch's `add_hparams` makes
one) and all seeds of an arm carry one group name. A resumed run rewrites its curve from the epochs in its
checkpoint, so no point stands twice.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from bench.record.schema import EpochRow, Metrics

SCALARS = {
    "loss/train": "train_loss",
    "loss/val": "val_loss",
    "top1_pct/train": "train_top1_pct",
    "top1_pct/val": "val_top1_pct",
    "lr": "lr",
    "time/epoch_s": "epoch_time_s",
}
"""Tag of each column of the curve."""

FINAL = ("test_top1_pct", "test_loss")
"""Metrics written once, after the last epoch."""


class Events:
    """The event file of one run."""

    def __init__(self, folder: Path, *, group: str, hparams: Mapping[str, Any]) -> None:
        """Start afresh.

        Args:
            folder: The run's `tb/`; what an interrupted attempt left in it is removed.
            group: The arm, so that the HParams page can average over its seeds.
            hparams: Level of each factor, and the seed.
        """
        if folder.exists():
            shutil.rmtree(folder)
        self._writer = EventFileWriter(str(folder))
        self._write_hparams(group, hparams)

    def __enter__(self) -> Events:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()

    def epoch(self, row: EpochRow) -> None:
        """Write one row of the curve, at its epoch."""
        for tag, column in SCALARS.items():
            self._scalar(tag, getattr(row, column), row.epoch)
        self._writer.flush()

    def end(self, metrics: Metrics, *, done: bool) -> None:
        """Write the final metrics and close the session."""
        for name in FINAL:
            self._scalar(f"final/{name}", getattr(metrics, name), int(metrics.epochs or 0))
        status = api_pb2.Status.Value("STATUS_SUCCESS" if done else "STATUS_FAILURE")
        ended = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=time.time())
        self._plugin(metadata.SESSION_END_INFO_TAG, plugin_data_pb2.HParamsPluginData(session_end_info=ended))

    def _scalar(self, tag: str, value: float | None, step: int) -> None:
        if value is not None:
            summary = Summary(value=[Summary.Value(tag=tag, simple_value=value)])
            self._add(summary, step)

    def _write_hparams(self, group: str, hparams: Mapping[str, Any]) -> None:
        names = [*SCALARS, *(f"final/{name}" for name in FINAL)]
        experiment = api_pb2.Experiment(
            hparam_infos=[api_pb2.HParamInfo(name=name) for name in hparams],
            metric_infos=[api_pb2.MetricInfo(name=api_pb2.MetricName(tag=name)) for name in names],
        )
        started = plugin_data_pb2.SessionStartInfo(group_name=group, start_time_secs=time.time())
        for name, value in hparams.items():
            _set(started.hparams[name], value)
        data = plugin_data_pb2.HParamsPluginData
        self._plugin(metadata.EXPERIMENT_TAG, data(experiment=experiment))
        self._plugin(metadata.SESSION_START_INFO_TAG, data(session_start_info=started))

    def _plugin(self, tag: str, content: plugin_data_pb2.HParamsPluginData) -> None:
        content.version = metadata.PLUGIN_DATA_VERSION
        plugin = SummaryMetadata.PluginData(
            plugin_name=metadata.PLUGIN_NAME, content=content.SerializeToString()
        )
        value = Summary.Value(tag=tag, metadata=SummaryMetadata(plugin_data=plugin))
        self._add(Summary(value=[value]), 0)

    def _add(self, summary: Summary, step: int) -> None:
        self._writer.add_event(Event(wall_time=time.time(), step=step, summary=summary))


def _set(slot: Any, value: Any) -> None:
    """Put a level into a protobuf value, by its type."""
    if isinstance(value, bool):
        slot.bool_value = value
    elif isinstance(value, int | float):
        slot.number_value = value
    else:
        slot.string_value = str(value)
