"""The section `train`: how long, by which optimiser and schedule, what stays frozen, what is averaged."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

from bench.errors import nearest
from bench.study.spec import Spec, is_callable_name, nothing_said

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
