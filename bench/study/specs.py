"""What a study may say: every field with its type, default, meaning and check, in one place.

A study file is turned into these frozen models and no dict travels further. Checks that need more
than one section (does the network accept this image size?) live in `bench.study.check`; what decides
identity lives in `bench.study.identity`. A default never changes without a new `SCHEMA`, because
fields at their default are left out of a run's identity.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

from bench.errors import nearest

SCHEMA = 1
"""Version of the study file; part of every run's identity."""

CALLABLE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
"""A user's own function or class, as `package.module:callable`."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""A study's name is a folder's name."""


class Spec(BaseModel):
    """Frozen, strict, closed: unknown keys and guessed types are faults."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)


def is_callable_name(name: str) -> bool:
    """Whether `name` has the form `package.module:callable`."""
    return CALLABLE.fullmatch(name) is not None


AUGMENTATIONS = ("trivial_augment", "crop", "resized_crop", "flip", "erasing")
"""Built-in augmentations in the order in which they are applied; the first before normalisation."""


class NormalizeSpec(Spec):
    """Normalisation with given numbers, on images scaled to 0…1."""

    mean: Annotated[tuple[float, ...], Field(strict=False, min_length=1)]
    """One mean a channel."""
    std: Annotated[tuple[PositiveFloat, ...], Field(strict=False, min_length=1)]
    """One standard deviation a channel."""


class ErasingSpec(Spec):
    """Random erasing: a box of the normalised image is painted over (Zhong et al. 2020; as in timm)."""

    probability: Annotated[float, Field(ge=0, le=1)] = 0.25
    """Share of the images that lose a box."""
    area: Annotated[tuple[float, float], Field(strict=False)] = (0.02, 1 / 3)
    """Smallest and largest box as a share of the image, drawn evenly."""
    ratio: Annotated[tuple[float, float], Field(strict=False)] = (0.3, 1 / 0.3)
    """Smallest and largest height : width of the box, drawn evenly in the logarithm."""
    mode: Literal["pixel", "const"] = "pixel"
    """`pixel`: normal noise in every pixel and channel; `const`: 0, the mean of normalised images."""

    @model_validator(mode="after")
    def _ranges_ascend(self) -> Self:
        faults = []
        if not 0 < self.area[0] <= self.area[1] <= 1:
            faults.append(f"area {list(self.area)} is no range of shares above 0 and at most 1")
        if not 0 < self.ratio[0] <= self.ratio[1]:
            faults.append(f"ratio {list(self.ratio)} is no range of ratios above 0")
        if faults:
            raise ValueError("; ".join(faults))
        return self


class TrivialAugmentSpec(Spec):
    """TrivialAugment, wide: one of 14 operations at one of 31 strengths an image (Müller & Hutter 2021)."""

    probability: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Share of the images that are handed to it (it leaves one in 14 as it is); 1 in the paper."""


Augment = str | ErasingSpec | TrivialAugmentSpec
"""An augmentation: its name, or its options where it has some."""


class DataSpec(Spec):
    """A dataset and how its images reach the network."""

    name: str
    """A catalogued set (`bench data list`), or `parquet` or `folder` for your own."""
    path: str | None = None
    """Own sets only: file or folder, relative to `--data` or absolute."""
    image: str = "image"
    """Parquet only: the column with the encoded image."""
    label: str = "label"
    """Parquet only: the column with the class."""
    image_size: PositiveInt | None = None
    """Side in pixels of what the network sees; absent: the set's own size."""
    resize: PositiveInt | None = None
    """Side in pixels of the stored images (short side, then centre square); absent: `image_size`."""
    channels: Literal[1, 3] | None = None
    """Grey or colour; absent: the set's own."""
    classes: Annotated[tuple[str | int, ...], Field(strict=False, min_length=2)] | None = None
    """A subset of the classes, by name or index; labels are renumbered in this order."""
    train_size: PositiveInt | None = None
    """Train on this many images, stratified, drawn by `split_seed` (after `val` is set aside)."""
    normalize: Literal["train", "per_pixel", "none", "weights"] | NormalizeSpec = "train"
    """By channel over the training split, less its mean image, as the weights' source, not, or by numbers."""
    augment: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """`none`, or some of `trivial_augment`, `crop` (zero-pad by an eighth, He et al.), `resized_crop`,
    `flip`, `erasing`, own callables; applied in this order, all after normalisation but the first."""
    erasing: ErasingSpec = ErasingSpec()
    """Options of `erasing`, where `augment` names it."""
    trivial_augment: TrivialAugmentSpec = TrivialAugmentSpec()
    """Options of `trivial_augment`, where `augment` names it."""
    val: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Share of the training images held out for validation, stratified; 0 needs `select: last`."""
    split_seed: NonNegativeInt = 0
    """Draws the split; never the run's seed, so all seeds share one split."""

    @field_validator("augment", mode="before")
    @classmethod
    def _augment_is_a_list(cls, value: Any) -> Any:
        if value is None or value == "none":
            return ()
        return (value,) if isinstance(value, str) else value

    @field_validator("augment")
    @classmethod
    def _augment_in_order(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if name not in AUGMENTATIONS and not is_callable_name(name):
                raise ValueError(f"{name!r} is no augmentation; {nearest(name, (*AUGMENTATIONS, 'none'))}")
        if "crop" in value and "resized_crop" in value:
            raise ValueError("crop and resized_crop exclude each other")
        if len(set(value)) < len(value):
            raise ValueError("an augmentation stands twice")
        own = tuple(name for name in value if is_callable_name(name))
        return tuple(name for name in AUGMENTATIONS if name in value) + own

    @model_validator(mode="after")
    def _options_belong_to_an_augmentation(self) -> Self:
        for name, options in (("erasing", self.erasing), ("trivial_augment", self.trivial_augment)):
            if name not in self.augment and options != type(options)():
                raise ValueError(
                    f"{name} has options but augment does not name it; where an arm goes without, "
                    f"keep the name and set {name}.probability: 0"
                )
        return self

    @property
    def augmentations(self) -> tuple[Augment, ...]:
        """Those of `augment`, with their options."""
        options: dict[str, Augment] = {"erasing": self.erasing, "trivial_augment": self.trivial_augment}
        return tuple(options.get(name, name) for name in self.augment)

    @model_validator(mode="after")
    def _own_sets_have_a_path(self) -> Self:
        own = self.name in ("parquet", "folder")
        if own and self.path is None:
            raise ValueError(f"{self.name} needs `path`")
        if not own and self.path is not None:
            raise ValueError("`path` is for parquet and folder sets")
        return self


class ModelSpec(BaseModel):
    """A network by name; every other key is an option of its family (`architectures.specs`)."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True, use_attribute_docstrings=True)

    name: str
    """A family or builder of `architectures`."""

    @property
    def options(self) -> dict[str, Any]:
        """The family's options as written in the study."""
        return dict(self.model_extra or {})


OPTIMIZER_KEYS: dict[str, frozenset[str]] = {
    "sgd": frozenset({"momentum", "nesterov"}),
    "adam": frozenset({"betas", "eps"}),
    "adamw": frozenset({"betas", "eps"}),
}
"""Keys that only some optimisers have."""


class OptimizerSpec(Spec):
    """An optimiser; options that the named one does not have are refused."""

    name: str = "sgd"
    """`sgd`, `adam`, `adamw`, or `package.module:callable` (takes parameter groups, `lr`, `options`)."""
    lr: PositiveFloat
    """Peak learning rate."""
    momentum: Annotated[float, Field(ge=0, lt=1)] | None = None
    """SGD only; absent: 0."""
    nesterov: bool | None = None
    """SGD only; absent: false. Needs momentum."""
    betas: Annotated[tuple[float, float], Field(strict=False)] | None = None
    """Adam and AdamW; absent: (0.9, 0.999)."""
    eps: PositiveFloat | None = None
    """Adam and AdamW; absent: 1e-8."""
    weight_decay: NonNegativeFloat = 0.0
    """L2 in the gradient for SGD and Adam, decoupled for AdamW."""
    decay: Literal["all", "weights"] = "all"
    """Which parameters decay: `all`, or `weights` (those of two dimensions or more: no norms, no biases)."""
    options: dict[str, Any] | None = None
    """Keyword arguments for your own callable."""

    @field_validator("name")
    @classmethod
    def _name_is_known(cls, value: str) -> str:
        if value not in OPTIMIZER_KEYS and not is_callable_name(value):
            choices = (*OPTIMIZER_KEYS, "package.module:callable")
            raise ValueError(f"{value!r} is no optimizer; {nearest(value, choices)}")
        return value

    @model_validator(mode="after")
    def _options_belong_to_the_optimizer(self) -> Self:
        mine = OPTIMIZER_KEYS.get(self.name, frozenset({"options"}))
        for key in ("momentum", "nesterov", "betas", "eps", "options"):
            if getattr(self, key) is not None and key not in mine:
                raise ValueError(f"{key} is no option of {self.name}; it takes {', '.join(sorted(mine))}")
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov needs momentum above 0")
        if self.betas is not None and not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError("betas lie in [0, 1)")
        return self


SCHEDULE_KEYS: dict[str, frozenset[str]] = {
    "constant": frozenset(),
    "step": frozenset({"every", "gamma"}),
    "multistep": frozenset({"milestones", "gamma"}),
    "cosine": frozenset({"min_lr"}),
    "onecycle": frozenset({"pct_start", "div_factor", "final_div_factor", "cycle_momentum"}),
    "plateau": frozenset({"gamma", "patience_epochs", "min_lr"}),
}


class ScheduleSpec(Spec):
    """The learning rate over time; `every` and `milestones` count in the budget's unit (epochs or steps)."""

    name: Literal["constant", "step", "multistep", "cosine", "onecycle", "plateau"] = "constant"
    """Shape of the schedule."""
    warmup_steps: PositiveInt | None = None
    """Steps of warm-up, laid over the start of the schedule (milestones still count from step 0)."""
    warmup_epochs: PositiveInt | None = None
    """The same in epochs."""
    warmup_shape: Literal["linear", "constant"] = "linear"
    """`linear` rises from `warmup_lr` to the schedule's rate; `constant` stays at `warmup_lr`."""
    warmup_lr: NonNegativeFloat = 0.0
    """Learning rate at the start of the warm-up."""
    every: PositiveInt | None = None
    """step: multiply by `gamma` each time this many epochs or steps have passed."""
    milestones: Annotated[tuple[PositiveInt, ...], Field(strict=False, min_length=1)] | None = None
    """multistep: multiply by `gamma` when these epochs or steps have passed, ascending."""
    gamma: Annotated[float, Field(gt=0, lt=1)] | None = None
    """step, multistep, plateau: the factor; absent: 0.1."""
    min_lr: NonNegativeFloat | None = None
    """cosine, plateau: the floor; absent: 0."""
    pct_start: Annotated[float, Field(gt=0, lt=1)] | None = None
    """onecycle: share of the steps that rise; absent: 0.3 (Smith & Topin 2019, as torch)."""
    div_factor: PositiveFloat | None = None
    """onecycle: first rate is lr / div_factor; absent: 25."""
    final_div_factor: PositiveFloat | None = None
    """onecycle: last rate is first / final_div_factor; absent: 1e4."""
    cycle_momentum: bool | None = None
    """onecycle: momentum moves against the rate, 0.95 down to 0.85 and back; absent: false."""
    patience_epochs: NonNegativeInt | None = None
    """plateau: epochs without a better validation loss before the rate falls; absent: 10."""

    @model_validator(mode="after")
    def _keys_belong_to_the_schedule(self) -> Self:
        mine = SCHEDULE_KEYS[self.name]
        every_key = frozenset().union(*SCHEDULE_KEYS.values())
        for key in sorted(every_key - mine):
            if getattr(self, key) is not None:
                takes = ", ".join(sorted(mine)) or "no options but warm-up"
                raise ValueError(f"{key} is no option of {self.name}; it takes {takes}")
        if self.name == "step" and self.every is None:
            raise ValueError("step needs `every`")
        if self.name == "multistep":
            if self.milestones is None:
                raise ValueError("multistep needs `milestones`")
            if list(self.milestones) != sorted(set(self.milestones)):
                raise ValueError(f"milestones {list(self.milestones)} do not ascend")
        if self.warmup_steps is not None and self.warmup_epochs is not None:
            raise ValueError("warmup_steps and warmup_epochs exclude each other")
        warms = self.warmup_steps is not None or self.warmup_epochs is not None
        if self.name == "onecycle" and warms:
            raise ValueError("onecycle warms up by itself; use pct_start and div_factor")
        if not warms and (self.warmup_lr or self.warmup_shape != "linear"):
            raise ValueError("warmup_lr and warmup_shape need warmup_steps or warmup_epochs")
        return self


class EarlyStoppingSpec(Spec):
    """Stop when validation no longer improves."""

    patience_epochs: PositiveInt
    """Evaluations in a row without a better value before the run ends."""
    metric: Literal["val_loss", "val_top1_pct"] = "val_loss"
    """What has to improve."""
    min_delta: NonNegativeFloat = 0.0
    """Smallest change that counts as better, in the metric's unit."""


TRANSFERRED = "transferred"
"""`freeze: transferred`: what was copied stays frozen (`weights.through` and all before it)."""


def nothing_said(value: Any) -> bool:
    """Whether a section is written and every key of it is null, as a level of null leaves it."""
    return isinstance(value, dict) and bool(value) and all(inner is None for inner in value.values())


class FreezeSpec(Spec):
    """Which stages do not train, by the names of `architectures.stages`; give one of the first three.

    A frozen stage keeps parameters and batch-norm statistics bit for bit; its batch norms run in eval mode.
    """

    through: str | None = None
    """This stage and all before it, the stem included."""
    stages: Annotated[tuple[str, ...], Field(strict=False, min_length=1)] | None = None
    """These stages."""
    all_but: Annotated[tuple[str, ...], Field(strict=False, min_length=1)] | None = None
    """All stages but these; `head` is the last one's name in every network."""
    unfreeze: dict[str, PositiveInt] | None = None
    """Gradual unfreezing: from this epoch on (counted from 1) the stage trains."""

    @field_validator("all_but", "stages", mode="before")
    @classmethod
    def _one_stage_is_a_list(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if sum(way is not None for way in (self.through, self.stages, self.all_but)) != 1:
            raise ValueError("give one of through, stages and all_but")
        return self


class EmaSpec(Spec):
    """A moving average of weights and statistics, which takes their place in validation, test and files."""

    decay: Annotated[float, Field(gt=0, lt=1)]
    """Share of the average that stays at each step; the rest comes from the step's weights."""
    warmup: bool = False
    """Let the decay rise as 1 - (1 + steps)^(-2/3) until it is reached (timm's warm-up), for short runs."""


class TrainSpec(Spec):
    """The recipe: how long, in what batches, by which optimiser."""

    epochs: NonNegativeInt | None = None
    """Budget in epochs of whole batches; this or `steps`."""
    steps: PositiveInt | None = None
    """Budget in optimiser steps; this or `epochs`."""
    batch_size: PositiveInt = 128
    """Images a step; batches are always full."""
    optimizer: OptimizerSpec
    """The optimiser and its options."""
    schedule: ScheduleSpec = ScheduleSpec()
    """The learning rate over time."""
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Szegedy et al. 2016; of the training loss only."""
    mixup: NonNegativeFloat = 0.0
    """Zhang et al. 2018: each batch is blended with itself in reverse order, by a share drawn from
    Beta(mixup, mixup), and so are its labels; 0: off. train_loss is of the blended labels, train_top1_pct
    counts the class with the larger share as the right one. With cutmix, each step draws one of the two."""
    cutmix: NonNegativeFloat = 0.0
    """Yun et al. 2019: as mixup, but by pasting one box, whose area is drawn from Beta(cutmix, cutmix) and
    clipped by the image; labels are blended by the area that was pasted; 0: off."""
    clip_grad_norm: PositiveFloat | None = None
    """Largest L2 norm of the whole gradient; absent: no clipping."""
    ema: EmaSpec | None = None
    """Exponential moving average of weights and statistics, moved after each step (a number is its `decay`).
    Validation, `select` and the test are of the average, which is what the run's weights files hold;
    absent: of the trained weights."""
    early_stopping: EarlyStoppingSpec | None = None
    """Absent: the whole budget is spent."""
    select: Literal["last", "best_val"] = "last"
    """Which epoch's weights are tested: the last, or the best on validation (first highest val_top1_pct)."""
    freeze: FreezeSpec | Literal["transferred"] | None = None
    """Stages that do not train; absent: all train."""
    stage_lr: dict[str, PositiveFloat] | None = None
    """Learning rate of a stage as a multiple of the optimiser's, by stage name; absent stages: 1."""
    eval_every_epochs: PositiveInt = 1
    """Validate each time this many epochs have passed, and after the last."""

    @field_validator("freeze", mode="before")
    @classmethod
    def _through_nothing_is_no_freezing(cls, value: Any) -> Any:
        return None if nothing_said(value) else value

    @field_validator("ema", mode="before")
    @classmethod
    def _a_number_is_a_decay(cls, value: Any) -> Any:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return {"decay": value}
        return None if nothing_said(value) else value

    @model_validator(mode="after")
    def _mixing_pairs_images(self) -> Self:
        if self.mixes and self.batch_size % 2:
            raise ValueError(
                f"mixup and cutmix pair the images of a batch and batch_size {self.batch_size} is odd; "
                f"nearest {self.batch_size + 1}"
            )
        return self

    @model_validator(mode="after")
    def _one_budget(self) -> Self:
        if (self.epochs is None) == (self.steps is None):
            raise ValueError("give the budget as epochs or as steps, one of them")
        budget = self.epochs if self.epochs is not None else self.steps
        unit = "epochs" if self.epochs is not None else "steps"
        last = (self.schedule.milestones or (0,))[-1]
        if budget is not None and last >= budget > 0:
            raise ValueError(f"milestone {last} lies not before the end of {budget} {unit}")
        if self.schedule.cycle_momentum and not (self.optimizer.name == "sgd" and self.optimizer.momentum):
            raise ValueError("cycle_momentum needs sgd with momentum")
        return self

    @property
    def mixes(self) -> bool:
        """Whether images of a batch are mixed, so that an image has shares of two classes."""
        return self.mixup > 0 or self.cutmix > 0

    @property
    def trains(self) -> bool:
        """Whether there is anything to train: a budget of zero epochs evaluates."""
        return self.steps is not None or bool(self.epochs)

    @property
    def uses_validation(self) -> bool:
        """Whether validation decides anything in the run, so that its frequency is part of the result."""
        return self.select == "best_val" or self.early_stopping is not None or self.schedule.name == "plateau"


CompileMode = Literal["none", "default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs"]

CAPTURING_COMPILE_MODES = ("reduce-overhead", "max-autotune")
"""Compile modes that record CUDA graphs of their own; they have no effect on a CPU."""


class ExecutionSpec(Spec):
    """How the arithmetic is carried out. Precision is a setting of the study, never guessed."""

    auto: bool = False
    """Calibration chooses all keys not written out, for speed and never precision; all arms alike."""
    amp: Literal["none", "bf16", "fp16", "auto"] = "none"
    """Autocast of the forward pass; weights stay fp32. fp16 scales the loss; auto: bf16 where faster."""
    fp32_precision: Literal["ieee", "tf32"] = "ieee"
    """What fp32 matrix products and convolutions may use on a GPU."""
    channels_last: bool = False
    """NHWC memory layout."""
    compile: CompileMode = "none"
    """torch.compile's mode for the forward and backward pass."""
    graph: bool = False
    """The whole step (augmentation, forward, backward, update) as one CUDA graph."""
    fused: bool = True
    """The optimiser's single-kernel update, where it has one."""
    deterministic: bool = True
    """Deterministic algorithms only; cudnn.benchmark is the opposite."""
    threads: PositiveInt = 1
    """CPU threads of one run; changes the last bits, so part of the identity on a CPU."""

    @model_validator(mode="after")
    def _a_graph_holds_what_it_can(self) -> Self:
        if self.graph and self.compile in CAPTURING_COMPILE_MODES:
            raise ValueError(
                f"graph excludes compile: {self.compile}, which captures graphs of its own; "
                "use none, default or max-autotune-no-cudagraphs"
            )
        if self.graph and not self.fused:
            raise ValueError("graph needs fused: true, whose update reads rate and verdict on the GPU")
        return self


WEIGHTS = ("weights",)
"""The section for which one word may stand: `weights: timm` is `weights: {from: timm}`."""

WEIGHTS_WORDS = ("pretrain", "random", "timm")
"""Sources of weights that are no files."""

WEIGHTS_SUFFIXES = (".safetensors", ".pth", ".pt")
"""How names of weights files end."""


class WeightsSpec(Spec):
    """Where a network's initial weights come from; a plain word is short for `{from: word}`."""

    model_config = ConfigDict(validate_by_name=False, validate_by_alias=True, serialize_by_alias=True)

    source: str | None = Field(default=None, alias="from")
    """`pretrain` (the study's own section), `timm`, `random` (nothing is copied), or a weights file."""
    run: str | None = None
    """A run of an earlier study, `STUDY/ARM` (`STUDY` alone: its baseline); seed s takes seed s."""
    through: str | None = None
    """Copy this stage and all before it, leave the rest at its fresh initial value; absent: copy all."""

    @field_validator("source")
    @classmethod
    def _source_is_a_word_or_a_file(cls, value: str | None) -> str | None:
        if value is None or value in WEIGHTS_WORDS or value.endswith(WEIGHTS_SUFFIXES):
            return value
        guess = nearest(value, WEIGHTS_WORDS)
        if not guess.startswith("did you mean"):
            guess = f"a weights file ends in {_listed(WEIGHTS_SUFFIXES)}; else {guess}"
        raise ValueError(f"{value!r} is no source of weights; {guess}")

    @field_validator("run")
    @classmethod
    def _run_names_a_study(cls, value: str | None) -> str | None:
        study, slash, arm = (value or "").partition("/")
        if value is None or (NAME.fullmatch(study) and bool(slash) == bool(arm)):
            return value
        raise ValueError(f"{value!r} names no run; write STUDY/ARM, or STUDY for its baseline")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.source is None) == (self.run is None):
            raise ValueError("give `from` or `run`, one of them")
        return self

    @property
    def file(self) -> str | None:
        """The weights file, where the source is one."""
        return None if self.source in (None, *WEIGHTS_WORDS) else self.source


def _listed(words: tuple[str, ...]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"


class PretrainSpec(Spec):
    """A source that the study trains first; a section that is absent is the arm's own (without freezing)."""

    data: DataSpec | None = None
    """The source's images."""
    model: ModelSpec | None = None
    """The source's network."""
    train: TrainSpec | None = None
    """The source's recipe."""


class BaseSpec(Spec):
    """One run's whole configuration but for its seed: what the arms vary."""

    data: DataSpec
    """The images."""
    model: ModelSpec
    """The network."""
    train: TrainSpec
    """The recipe."""
    execution: ExecutionSpec = ExecutionSpec()
    """Precision, layout, compilation, threads."""
    weights: WeightsSpec | None = None
    """Initial weights; absent: drawn by the run's seed."""
    pretrain: PretrainSpec | None = None
    """The source of `weights: pretrain`; arms that do not use it do not train it."""

    @field_validator("weights", mode="before")
    @classmethod
    def _a_word_is_a_source(cls, value: Any) -> Any:
        if nothing_said(value):
            return None
        return {"from": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _a_graph_holds_the_step(self) -> Self:
        optimizer, schedule = self.train.optimizer.name, self.train.schedule
        if self.execution.graph and schedule.cycle_momentum:
            raise ValueError("graph excludes cycle_momentum: in a captured step the momentum stands still")
        if self.execution.graph and is_callable_name(optimizer):
            raise ValueError(f"graph excludes optimizer {optimizer}; only sgd, adam and adamw are captured")
        return self

    @model_validator(mode="after")
    def _validation_exists_where_it_decides(self) -> Self:
        if self.data.val == 0 and self.train.uses_validation:
            raise ValueError(
                "val is 0 but select: best_val, early_stopping or plateau needs validation; raise data.val"
            )
        return self


Metric = Literal["test_top1_pct", "test_top5_pct", "test_mean_class_pct", "test_loss"]
"""What a study may declare as its primary metric."""
