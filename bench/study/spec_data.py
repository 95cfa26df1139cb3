"""The section `data`: which images, and how they reach the network."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import (
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

from bench.errors import nearest
from bench.study.spec import Spec, is_callable_name

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
