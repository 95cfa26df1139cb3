# ruff: noqa: E501 - the expected lines stand whole, as a user sees them
"""Wrong values and keys of `base`, each refused in one line at its place, all of them together."""

from __future__ import annotations

from collections.abc import Callable

import pytest

WRONG = [
    pytest.param(
        (("    optimizer:", "    opitmizer:"),),
        ["12:5: base.train.opitmizer: unknown key; did you mean 'optimizer'?"],
        id="typo-in-section",
    ),
    pytest.param(
        (("epochs: 10", "epochs: '10'"),),
        ["10:13: base.train.epochs: expected a whole number, got text '10'"],
        id="text-number",
    ),
    pytest.param(
        (("epochs: 10", "epochs: 10.5"),),
        ["10:13: base.train.epochs: expected a whole number, got 10.5"],
        id="float-epochs",
    ),
    pytest.param(
        (("digits", "digist"),),
        ["7:16: base.data.name: 'digist' is no dataset; did you mean 'digits'?"],
        id="unknown-dataset",
    ),
    pytest.param(
        (("name: depth", "name: ../x"),),
        [
            "2:7: name: '../x' is no name for a study; use at most 64 letters, digits, '.', '_' and '-', the first a letter or digit"
        ],
        id="name-../x",
    ),
    pytest.param(
        (("channels_last: true", "channels_last: off"),),
        ["15:63: base.execution.channels_last: expected true or false, got text 'off'; write false"],
        id="off",
    ),
    pytest.param(
        (("amp: none", "amp: fp61"),),
        ["15:20: base.execution.amp: 'fp61' is not allowed; did you mean 'fp16'?"],
        id="amp",
    ),
    pytest.param(
        (("    optimizer: {name: sgd, lr: 0.1, momentum: 0.9, weight_decay: 1e-4}\n", ""),),
        ["9:3: base.train.optimizer: required key is missing"],
        id="missing-optimizer",
    ),
    pytest.param(
        (("test_top1_pct", "top1"),),
        [
            "4:9: metric: 'top1' is not allowed; one of img_s, test_loss, test_mean_class_pct, test_top1_pct, test_top5_pct"
        ],
        id="bad-metric",
    ),
    pytest.param(
        (("seeds: 3", "seeds: [0, -1, 1.5]"),),
        ["5:12: seeds[1]: -1 is below 0", "5:16: seeds[2]: expected a whole number, got 1.5"],
        id="seeds-neg",
    ),
    pytest.param((("seeds: 3", "seeds: [0, 1, 0]"),), ["5:8: seeds: seed 0 stands twice"], id="seeds-dup"),
    pytest.param((("seeds: 3", "seeds: 0"),), ["5:8: seeds: 0 is not above 0"], id="seeds-0"),
    pytest.param(
        (("seeds: 3", "seeds: three"),),
        ["5:8: seeds: expected a whole number or a list or a mapping, got text 'three'"],
        id="seeds-text",
    ),
    pytest.param(
        (("select: last", "select: best_val"),),
        [
            "6:1: base: val is 0 but select: best_val, early_stopping or plateau needs validation; raise data.val"
        ],
        id="val-0-best",
    ),
    pytest.param(
        (
            ("model.residual: [true, false]", "train.select: [last, best_val]\n    data.val: [0, 0.1]"),
            (", model.residual: true}\n", "}\n"),
        ),
        [
            "6:1: base: val is 0 but select: best_val, early_stopping or plateau needs validation; raise data.val (arm model.depth=8,train.select=best_val,data.val=0 and 3 more)"
        ],
        id="interaction",
    ),
    pytest.param(
        (("batch_size: 128", "batch_size: 5000"),),
        ["11:17: base.train.batch_size: 5000 is larger than the training set of 1,438 images"],
        id="batch",
    ),
    pytest.param(
        (
            ("digits", "oxford-pets"),
            ("val: 0", "val: 0, classes: [0, 1]"),
            ("test_top1_pct", "test_top5_pct"),
        ),
        ["4:9: metric: test_top5_pct needs at least 6 classes, got 2"],
        id="top5-pets",
    ),
    pytest.param(
        (("val: 0", "val: 0, image_size: 2"),),
        ["7:3: base.data: 2 pixels a side are too few for cifar_resnet; at least 4"],
        id="image-size",
    ),
    pytest.param(
        (("val: 0", "val: 0, normalize: foo"),),
        ["7:58: base.data.normalize: 'foo' is not allowed; one of none, per_pixel, train, weights"],
        id="normalize",
    ),
    pytest.param(
        (("val: 0", "val: 0, normalize: {mean: [a], sd: [1]}"),),
        [
            "7:66: base.data.normalize.mean[0]: expected a number, got text 'a'",
            "7:70: base.data.normalize.sd: unknown key; did you mean 'std'?",
        ],
        id="normalize-map",
    ),
    pytest.param(
        (("val: 0", "val: 0, normalize: [1]"),),
        [
            "7:58: base.data.normalize: expected one of train, per_pixel, none, weights or a mapping, got a list"
        ],
        id="normalize-list",
    ),
    pytest.param(
        (("augment: none", "augment: [crop, flipp]"),),
        ["7:33: base.data.augment: 'flipp' is no augmentation; did you mean 'flip'?"],
        id="augment",
    ),
    pytest.param(
        (("augment: none", "augment: [crop, 3]"),),
        ["7:40: base.data.augment[1]: expected text, got 3; put it in quotes"],
        id="augment2",
    ),
    pytest.param(
        (("augment: none", "augment: crop, erasing: {probability: 0.5}"),),
        [
            "7:3: base.data: erasing has options but augment does not name it; where an arm goes without, keep the name and set erasing.probability: 0"
        ],
        id="options-without-augmentation",
    ),
    pytest.param(
        (("augment: none", "augment: erasing, erasing: {area: [0.5, 0.1], ratio: [0, 1]}"),),
        [
            "7:42: base.data.erasing: area [0.5, 0.1] is no range of shares above 0 and at most 1; ratio [0.0, 1.0] is no range of ratios above 0"
        ],
        id="erasing-ranges",
    ),
    pytest.param(
        (("epochs: 10", "epochs: 10\n    ema: 1"),), ["11:10: base.train.ema: 1 is not below 1"], id="ema-1"
    ),
    pytest.param(
        (("epochs: 10", "epochs: 10\n    ema: {warmup: true}"),),
        ["11:5: base.train.ema.decay: required key is missing"],
        id="ema-no-decay",
    ),
    pytest.param(
        (("epochs: 10", "epochs: 10\n    mixup: -0.2"),),
        ["11:12: base.train.mixup: -0.2 is below 0"],
        id="mixup-negative",
    ),
    pytest.param(
        (("epochs: 10", "epochs: 10\n    cutmix: 1"), ("batch_size: 128", "batch_size: 127")),
        [
            "9:3: base.train: mixup and cutmix pair the images of a batch and batch_size 127 is odd; nearest 128"
        ],
        id="mixing-an-odd-batch",
    ),
    pytest.param(
        (("augment: none", "augment: flipp"),),
        ["7:33: base.data.augment: 'flipp' is no augmentation; did you mean 'flip'?"],
        id="augment3",
    ),
    pytest.param(
        (("name: sgd, lr: 0.1, momentum: 0.9", "name: adam, lr: 0.1, betas: [0.9]"),),
        ["12:45: base.train.optimizer.betas: needs 2 values, got 1"],
        id="betas",
    ),
    pytest.param(
        (("name: sgd, lr: 0.1, momentum: 0.9", "name: adam, lr: 0.1, betas: [0.9, 0.9, 0.9]"),),
        ["12:45: base.train.optimizer.betas: takes at most 2 values, got 3"],
        id="betas3",
    ),
    pytest.param((("lr: 0.1", "lr: 0"),), ["12:32: base.train.optimizer.lr: 0 is not above 0"], id="lr-0"),
    pytest.param(
        (("lr: 0.1", "lr: true"),),
        ["12:32: base.train.optimizer.lr: expected a number, got true"],
        id="lr-true",
    ),
    pytest.param((("val: 0", "val: 1"),), ["7:44: base.data.val: 1 is not below 1"], id="val-1"),
    pytest.param(
        (("name: depth", 'name: "\\x1b[31mx"'),),
        [
            "2:7: name: '\\x1b[31mx' is no name for a study; use at most 64 letters, digits, '.', '_' and '-', the first a letter or digit"
        ],
        id="esc-value",
    ),
    pytest.param(
        (("  model: {name: cifar_resnet, depth: 20, residual: true}", "  model:"),),
        ["8:9: base.model: expected a mapping, got nothing"],
        id="base-section-null",
    ),
    pytest.param(
        (("  model: {name: cifar_resnet, depth: 20, residual: true}", "  model: resnet"),),
        ["8:10: base.model: expected a mapping, got text 'resnet'"],
        id="base-section-text",
    ),
    pytest.param(
        (("  model: {name: cifar_resnet, ", "  model: {"),),
        ["8:3: base.model.name: required key is missing"],
        id="missing-model-name",
    ),
    pytest.param(
        (("  model: {name: cifar_resnet, ", "  model: {name: 3, "),),
        ["8:17: base.model.name: expected text, got 3; put it in quotes"],
        id="model-name-int",
    ),
    pytest.param(
        (("cifar_resnet", "cifar_resnt"),),
        ["8:17: base.model.name: 'cifar_resnt' is no architecture; did you mean 'cifar_resnet'?"],
        id="arch-unknown",
    ),
    pytest.param(
        (("depth: 20, residual", "dpth: 20, residual"),),
        ["8:31: base.model.dpth: unknown option; did you mean 'depth'?"],
        id="arch-option",
    ),
    pytest.param(
        (
            ("depth: 20, residual: true}", "dpth: 20}"),
            ("    model.depth: [8, 20, 32, 56]\n", "    model.name: [cifar_resnet, mlp]\n"),
            ("    model.residual: [true, false]\n", ""),
            ("baseline: {model.depth: 20, model.residual: true}", "baseline: {model.name: mlp}"),
        ),
        [
            "8:31: base.model.dpth: unknown option; did you mean 'depth'?",
            (
                "18:18: design.grid.model.name[0]: base.model.depth: is required; "
                "Layers with weights, 6n+2: 8, 14, 20, 32, 44, 56, 110."
            ),
        ],
        id="arch-option-of-no-network",
    ),
    pytest.param(
        (
            ("    model.depth: [8, 20, 32, 56]\n", ""),
            ("model.depth: 20, model", "model"),
            ("depth: 20, residual", "residual"),
        ),
        ["8:3: base.model.depth: is required; Layers with weights, 6n+2: 8, 14, 20, 32, 44, 56, 110."],
        id="arch-missing-depth",
    ),
    pytest.param(
        (("val: 0", "val: 0, classes: [0, 1.5]"),),
        ["7:60: base.data.classes[1]: expected text or a whole number, got 1.5"],
        id="classes",
    ),
    pytest.param(
        (("val: 0", "val: 0, classes: [0, 99]"),),
        ["7:60: base.data.classes[1]: 99 is no class; indices run from 0 to 9"],
        id="classes-unknown",
    ),
    pytest.param(
        (("val: 0", "val: 0, path: x"),), ["7:3: base.data: `path` is for parquet and folder sets"], id="path"
    ),
    pytest.param((("digits", "parquet"),), ["7:3: base.data: parquet needs `path`"], id="parquet-no-path"),
]


@pytest.mark.parametrize(("edits", "expected"), WRONG)
def test_a_wrong_value_is_told_at_its_place(
    study_text: Callable[..., str],
    lines: Callable[..., list[str]],
    edits: tuple[tuple[str, str], ...] | str,
    expected: list[str],
) -> None:
    text = edits if isinstance(edits, str) else study_text(*edits)
    assert [line.removeprefix("s.yaml:") for line in lines(text)] == expected
