"""Whether weights can come from where an arm says: its source's images, network and recipe, and their fit.

A source is checked as an arm is. What two networks share is known without building them where both are
ours: by their options, and stage by stage by their numbers of parameters. What is in a weights file only
the run knows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

import architectures
from bench.study.attribute import Finding
from bench.study.faults import KeyPath, printable, show
from bench.study.freezing import no_stage
from bench.study.levels import value_key
from bench.study.networks import network_findings
from bench.study.origin import PRETRAIN, source_config
from bench.study.recipe import recipe_findings
from bench.study.shapes import Images, ImageSets, Shape
from bench.study.specs import BaseSpec, DataSpec, ModelSpec, PretrainSpec

AT: KeyPath = ("base", "pretrain")

NOISE = frozenset({"drop_path_rate", "dropout", "zero_init_last"})
"""Options that decide how a network trains, not what its weights mean."""

LENGTHS = frozenset({"depth", "layers", "hidden"})
"""Options that show in the stages' numbers of parameters."""


def trained_source(config: BaseSpec) -> PretrainSpec | None:
    """The `pretrain` section, where the arm starts from it."""
    uses = config.weights is not None and config.weights.source == PRETRAIN
    return config.pretrain if uses else None


def source_data(config: BaseSpec | None) -> DataSpec | None:
    """The images of the source that an arm trains first, if it does."""
    source = None if config is None else trained_source(config)
    return None if source is None or config is None else source.data or config.data


def transfer_findings(n: int, config: BaseSpec, sets: ImageSets) -> Iterator[Finding]:
    """What is wrong with where the arm number `n` takes its weights."""
    weights = config.weights
    if config.data.normalize == "weights" and (rule := _normalisation_rule(config)):
        yield Finding(n, ("base", "data", "normalize"), rule, "'weights'")
    if weights is None:
        return
    names = architectures.stage_names(config.model.name, config.model.options)
    through = weights.through
    knows_stage = through is None or names is None or through in names
    if not knows_stage and through is not None and names is not None:
        path = ("base", "weights", "through")
        yield Finding(n, path, no_stage(through, config.model.name, names), show(through))
    if weights.source == "timm" and not _timm_has_weights(config.model.name):
        yield Finding(n, ("base", "weights", "from"), _no_timm_weights(config.model.name), "'timm'")
    pretrain = trained_source(config)
    if weights.source == PRETRAIN and pretrain is None:
        yield Finding(n, ("base", "weights", "from"), "needs a `pretrain` section", show(PRETRAIN))
    if pretrain is not None:
        yield from _source_findings(n, config, pretrain, sets, is_fit_known=knows_stage)


def _normalisation_rule(config: BaseSpec) -> str | None:
    """Why the images cannot be normalised as the source's were, or None."""
    weights = config.weights
    if weights is None or weights.source == "random":
        return "needs `weights` from pretrain, run or timm"
    if weights.file is not None:
        return "cannot be: a file does not say how its images were normalised; give {mean: […], std: […]}"
    pretrain = trained_source(config)
    if pretrain is not None and pretrain.data is not None and pretrain.data.normalize == "per_pixel":
        return "cannot be: the source's images are normalised per pixel"
    return None


def _timm_has_weights(network: str) -> bool:
    from architectures.hub import timm_weights_name  # noqa: PLC0415 - only where timm is named

    return timm_weights_name(network) is not None


def _no_timm_weights(network: str) -> str:
    if network.startswith("timm:"):
        return f"needs the recipe of {network}, as in timm:resnet18.a1_in1k"
    return f"has no weights for {network}; give a weights file, or a network that timm publishes"


def _source_findings(
    n: int, config: BaseSpec, pretrain: PretrainSpec, sets: ImageSets, *, is_fit_known: bool
) -> Iterator[Finding]:
    try:
        source = source_config(config, pretrain)
    except ValidationError as error:
        for one in error.errors():
            rule = printable(str(one.get("ctx", {}).get("error", one["msg"])))
            yield Finding(n, AT, rule, on_key=True)
        return
    images = sets.of(source.data)
    found: list[Finding] = []
    if pretrain.data is not None:
        found += (Finding(n, (*AT, "data", *key), rule, show(value)) for key, value, rule in images.faults)
    network = network_findings(n, AT, source.model, images.shape)
    # What the arm leaves to its source is told of the arm.
    found += (one for one in network if getattr(pretrain, str(one.path[2])) is not None)
    if not source.train.trains:
        if pretrain.train is not None:
            found.append(
                Finding(n, (*AT, "train", "epochs"), "trains nothing; a source needs at least 1", "0")
            )
        else:
            rule = "needs a `train` section of its own: the arm's trains nothing"
            found.append(Finding(n, AT, rule, on_key=True))
    else:
        found += _recipe(n, source, pretrain, images)
    yield from found
    if is_fit_known and not found:
        yield from _fit(n, config, source, sets)


def _recipe(n: int, source: BaseSpec, pretrain: PretrainSpec, images: Images) -> Iterator[Finding]:
    for one in recipe_findings(n, AT, source, images.facts):
        if pretrain.train is not None:
            yield one
        else:  # the recipe is the arm's, and there it is right
            said = one.rule if one.value is None else f"{one.value} {one.rule}"
            rule = f"{'.'.join(map(str, one.path[2:]))}: {said}; give a `train` section of its own"
            yield Finding(n, AT, rule, on_key=True)


def _fit(n: int, config: BaseSpec, source: BaseSpec, sets: ImageSets) -> Iterator[Finding]:
    """Whether what is copied has its place: equal networks as far as the copy goes."""
    assert config.weights is not None, "the arm has a source"
    through = config.weights.through
    place: KeyPath = (*AT, "model") if config.pretrain and config.pretrain.model else AT
    differing = _differences(source.model, config.model, may_differ=NOISE | (LENGTHS if through else set()))
    if differing:
        advice = "" if through else "; copy a part by weights.through, or make them equal"
        rule = f"is another network than the arm's: {', '.join(differing)}{advice}"
        yield Finding(n, place, rule, on_key=True)
        return
    theirs, ours = sets.of(source.data).shape, sets.of(config.data).shape
    if theirs is None or ours is None:
        return
    there, here = _counts(source.model, theirs), _counts(config.model, ours)
    if there is None or here is None:
        return
    stages = list(here)
    copied = stages[: stages.index(through) + 1] if through else stages[:-1]
    for stage in copied:
        if stage == stages[0] and theirs.channels == 3 and ours.channels != 3:
            continue  # the first convolution is adapted, as timm does
        if stage == stages[-1] and theirs.num_classes != ours.num_classes:
            rule = f"has {theirs.num_classes} classes in the source and {ours.num_classes} here"
            rule += f"; copy through {stages[-2]}, or leave `through` out"
            yield Finding(n, ("base", "weights", "through"), rule, show(through))
        elif there.get(stage) != here[stage]:
            yield Finding(n, place, _unlike(stage, there.get(stage), here[stage], theirs, ours), on_key=True)
            return


def _unlike(stage: str, there: int | None, here: int, theirs: Shape, ours: Shape) -> str:
    if there is None:
        return f"the source has no stage {stage}, which is to be copied"
    rule = f"the source has {there:,} parameters in {stage}, the arm {here:,}"
    if theirs.channels != ours.channels:
        return f"{rule}: images of {theirs.channels} and of {ours.channels} channels"
    if theirs.image_size != ours.image_size:
        return f"{rule}: images of {theirs.image_size} and of {ours.image_size} pixels a side"
    return rule


def _differences(theirs: ModelSpec, ours: ModelSpec, may_differ: frozenset[str]) -> list[str]:
    """What tells the source's network from the arm's, as a study writes it."""
    there, here = _complete(theirs), _complete(ours)
    if there["name"] != here["name"]:
        return [f"{theirs.name} in the source, {ours.name} here"]
    absent = object()
    keys = [key for key in dict.fromkeys((*there, *here)) if key not in may_differ]
    return [
        f"{key} {_said(there, key)} in the source, {_said(here, key)} here"
        for key in keys
        if value_key(there.get(key, absent)) != value_key(here.get(key, absent))
    ]


def _said(options: Mapping[str, Any], key: str) -> str:
    return show(options[key]) if key in options else "absent"


def _complete(model: ModelSpec) -> dict[str, Any]:
    """A network by its family and all its options, so that equal networks of two names are equal."""
    if architectures.is_external(model.name):
        return {"name": model.name, **model.options}
    family = architectures.family(model.name)
    return {"name": family.module, **family.complete(model.options)}


def _counts(model: ModelSpec, shape: Shape) -> Mapping[str, int] | None:
    return architectures.count_parameters(
        model.name,
        model.options,
        num_classes=shape.num_classes,
        in_chans=shape.channels,
        img_size=shape.image_size,
    )
