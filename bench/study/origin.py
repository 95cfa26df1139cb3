"""Where an arm's initial weights come from: a file, or a source arm that is trained first.

Torch-free: files are known by their digest, sources by their own configuration.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from bench.errors import DataMissing, UsageError, nearest
from bench.study.model import Arm, Study
from bench.study.specs import BaseSpec, PretrainSpec

PRETRAIN = "pretrain"
STUDY_FILE = "study.yaml"


@dataclass(frozen=True)
class Origin:
    """One arm's source of weights; all None for weights drawn by the seed."""

    arm: Arm | None = None
    """The source arm, trained with the same seeds."""
    study: str | None = None
    """Results folder of the study that the source arm belongs to; None for a `pretrain` section."""
    file: Path | None = None
    digest: str | None = None
    """Of the file."""


@dataclass
class Origins:
    """Finds origins and remembers them, so that arms share one source."""

    data_dir: Path
    results: Path
    device_kind: str = "cpu"
    device_model: str | None = None
    """What decides which settings an earlier study took that left them to calibration."""
    _sources: dict[str, Arm] = field(default_factory=dict)
    _studies: dict[str, Study] = field(default_factory=dict)

    def of(self, arm: Arm) -> Origin:
        """The origin of an arm's weights.

        Raises:
            DataMissing: A weights file is not there.
            UsageError: An earlier study has no such arm.
        """
        weights = arm.config.weights
        if weights is None or weights.source == "random":
            return Origin()
        if weights.run is not None:
            return self._earlier_run(weights.run)
        if weights.source == PRETRAIN:
            assert arm.config.pretrain is not None, "checked by bench.study.transfer"
            return Origin(arm=self._pretrain(arm.config, arm.config.pretrain))
        from bench.data.digests import file_digest  # noqa: PLC0415

        path = self._timm(arm.config.model.name) if weights.source == "timm" else str(weights.source)
        return Origin(file=self.data_dir / path, digest=file_digest(path, self.data_dir))

    def _pretrain(self, config: BaseSpec, pretrain: PretrainSpec) -> Arm:
        source = source_config(config, pretrain)
        key = source.model_dump_json()
        if key not in self._sources:
            name = f"{PRETRAIN}-{len(self._sources) + 1}"
            self._sources[key] = Arm(name, name, {}, source)
        return self._sources[key]

    def _earlier_run(self, run: str) -> Origin:
        study_name, _, arm_name = run.partition("/")
        study = self._study(study_name)
        names = {arm.name: arm for arm in study.arms}
        if not arm_name:
            arm = study.baseline or (study.arms[0] if len(study.arms) == 1 else None)
            if arm is None:
                raise UsageError(
                    f"weights.run: {run}: {study_name} has no baseline; name an arm as {run}/ARM"
                )
            return Origin(arm=arm, study=study_name)
        if arm_name not in names:
            raise UsageError(f"weights.run: {run}: no such arm; {nearest(arm_name, names)}")
        return Origin(arm=names[arm_name], study=study_name)

    def _study(self, name: str) -> Study:
        from bench.study.load import load_study  # noqa: PLC0415 - only where an earlier study is named
        from bench.study.lock import settle  # noqa: PLC0415 - likewise

        if name not in self._studies:
            path = self.results / name / STUDY_FILE
            if not path.is_file():
                known = sorted(found.parent.name for found in self.results.glob(f"*/{STUDY_FILE}"))
                raise UsageError(f"weights.run: {name}: no study in {self.results}; {nearest(name, known)}")
            settled = settle(
                load_study(path),
                path.parent,
                device_kind=self.device_kind,
                device_model=self.device_model,
            )
            if settled.is_uncalibrated:
                raise DataMissing(settled.misfit or f"weights.run: {name}: not calibrated here; run it first")
            self._studies[name] = settled.study
        return self._studies[name]

    def _timm(self, model: str) -> str:
        from architectures.hub import cached_timm_weights  # noqa: PLC0415 - only where timm is named

        path = cached_timm_weights(model)
        if path is None:
            raise DataMissing(
                f"weights: timm: the weights of {model} are neither in the cache nor fetched; with a network "
                "`bench run` fetches them, without one give a file: weights: PATH.safetensors"
            )
        return str(path)


def source_config(config: BaseSpec, pretrain: PretrainSpec) -> BaseSpec:
    """The whole configuration of an arm's source: sections of its own, else the arm's, nothing frozen."""
    own_data = config.data
    if own_data.normalize == "weights":  # the source has no source: its own training images decide
        own_data = own_data.model_copy(update={"normalize": "train"})
    own_train = config.train.model_copy(update={"freeze": None, "stage_lr": None})
    return BaseSpec(
        data=pretrain.data or own_data,
        model=pretrain.model or config.model,
        train=pretrain.train or own_train,
        execution=config.execution,
    )
