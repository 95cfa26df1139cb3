"""What changes a result changes the id; what does not, does not; and ids never drift."""

from __future__ import annotations

import copy
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.errors import UsageError
from bench.study.identity import Inputs, arm_id, callable_sources, run_id
from bench.study.specs import BaseSpec

BASE: dict[str, Any] = {
    "data": {"name": "digits"},
    "model": {"name": "cifar_resnet", "depth": 8},
    "train": {"epochs": 2, "optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.9}},
}


def config(**changes: Any) -> BaseSpec:
    """BASE with dotted keys (`__` for the dot) set."""
    fields = copy.deepcopy(BASE)
    for key, value in changes.items():
        *sections, last = key.split("__")
        place = fields
        for section in sections:
            place = place.setdefault(section, {})
        place[last] = value
    return BaseSpec.model_validate(fields)


def identify(
    spec: BaseSpec, *, seed: int = 0, device_kind: str = "cpu", data: str = "d", **sources: str
) -> str:
    return run_id(spec, Inputs(device_kind, data, sources), seed=seed)


CHANGES: dict[str, Any] = {
    "data__image_size": 16,
    "data__channels": 3,
    "data__classes": ["0", "1"],
    "data__train_size": 100,
    "data__normalize": "per_pixel",
    "data__augment": ["flip"],
    "data__val": 0.2,
    "data__split_seed": 1,
    "model__depth": 20,
    "model__residual": False,
    "train__epochs": 3,
    "train__batch_size": 64,
    "train__optimizer__lr": 0.2,
    "train__optimizer__momentum": 0.8,
    "train__optimizer__nesterov": True,
    "train__optimizer__weight_decay": 1e-4,
    "train__optimizer__decay": "weights",
    "train__schedule__name": "cosine",
    "train__label_smoothing": 0.1,
    "train__mixup": 0.2,
    "train__cutmix": 1.0,
    "train__ema": 0.99,
    "train__clip_grad_norm": 1.0,
    "train__early_stopping": {"patience_epochs": 3},
    "train__select": "best_val",
    "execution__amp": "bf16",
    "execution__fp32_precision": "tf32",
    "execution__channels_last": True,
    "execution__compile": "default",
    "execution__fused": False,
    "execution__deterministic": False,
    "execution__threads": 2,
}


@pytest.mark.parametrize("key", CHANGES)
def test_every_field_that_changes_a_result_changes_the_id(key: str) -> None:
    assert identify(config(**{key: CHANGES[key]})) != identify(config())


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("erasing", {"probability": 0.5}),
        ("erasing", {"mode": "const"}),
        ("erasing", {"area": [0.1, 0.2]}),
        ("trivial_augment", {"probability": 0.5}),
    ],
)
def test_options_of_an_augmentation_change_the_id(name: str, options: dict[str, Any]) -> None:
    with_it = config(data__augment=[name])
    assert identify(config(data__augment=[name], **{f"data__{name}": options})) != identify(with_it)
    assert identify(config(data__augment=[name], **{f"data__{name}": {}})) == identify(with_it)


def test_a_decay_is_the_average_without_warmup() -> None:
    written = config(train__ema={"decay": 0.99, "warmup": False})
    assert identify(written) == identify(config(train__ema=0.99))
    assert identify(config(train__ema={"decay": 0.99, "warmup": True})) != identify(written)
    assert identify(config(train__ema=None, train__mixup=0, train__cutmix=0)) == identify(config())


def test_seed_device_data_and_engine_are_part_of_the_id(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = {identify(config()), identify(config(), seed=1), identify(config(), device_kind="cuda")}
    ids |= {identify(config(), data="other"), identify(config(), module="x")}
    monkeypatch.setattr("bench.study.identity.ENGINE", 99)
    ids.add(identify(config()))
    assert len(ids) == 6


def test_a_default_written_out_leaves_the_id_alone() -> None:
    written = config(data__val=0.1, model__residual=True, train__batch_size=128, execution__amp="none")
    assert identify(written) == identify(config())


def test_the_arm_id_is_equal_for_all_seeds_and_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    def of(spec: BaseSpec) -> str:
        return arm_id(spec, Inputs("cpu", "d"))

    before = of(config())
    monkeypatch.setattr("bench.study.identity.ENGINE", 99)
    assert of(config()) == before
    assert of(config(model__depth=20)) != before


def test_evaluation_frequency_counts_only_where_validation_decides() -> None:
    assert identify(config(train__eval_every_epochs=2)) == identify(config())
    best = {"train__select": "best_val"}
    assert identify(config(**best, train__eval_every_epochs=2)) != identify(config(**best))


def test_threads_count_on_a_cpu_alone() -> None:
    assert identify(config(execution__threads=2), device_kind="cuda") == identify(
        config(), device_kind="cuda"
    )


def test_where_the_data_lie_is_not_part_of_the_id() -> None:
    one = config(data={"name": "parquet", "path": "a/b", "image_size": 8})
    other = config(data={"name": "parquet", "path": "/elsewhere", "image_size": 8})
    assert identify(one) == identify(other)


def test_the_source_of_a_users_callable_is_part_of_the_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    module = tmp_path / "my_augmentation.py"
    module.write_text("def shift(images, keys):\n    return images\n")
    spec = config(data__augment=["my_augmentation:shift"])
    before = callable_sources(spec)
    assert list(before) == ["my_augmentation:shift"]
    module.write_text("def shift(images, keys):\n    return images + 1\n")
    assert callable_sources(spec) != before
    assert "my_augmentation" not in sys.modules, "a digest must not run the user's code"


def test_a_callable_that_cannot_be_found_is_named() -> None:
    with pytest.raises(UsageError, match="nowhere_at_all:f: module nowhere_at_all cannot be found"):
        callable_sources(config(data__augment=["nowhere_at_all:f"]))


@pytest.mark.parametrize(
    ("source", "is_there"),
    [
        ("def shift(images, keys): ...", True),
        ("shift = lambda images, keys: images", True),
        ("from elsewhere import shift", True),
        ("if True:\n    def shift(images, keys): ...", True),
        ("def __getattr__(name): ...", True),
        ("def shifts(images, keys): ...", False),
    ],
)
def test_a_name_that_the_module_plainly_lacks_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, is_there: bool
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    name = f"named_{abs(hash(source))}"
    (tmp_path / f"{name}.py").write_text(source)
    spec = config(data__augment=[f"{name}:shift"])
    if is_there:
        assert callable_sources(spec)
    else:
        with pytest.raises(UsageError, match=r"defines no .shift.; did you mean .shifts.\?"):
            callable_sources(spec)


def test_golden_ids_never_drift() -> None:
    """A new field at its default, a refactor, another Python: none may move an id that stands in results."""
    assert identify(config()) == GOLDEN["plain"]
    assert (
        identify(config(train__schedule={"name": "onecycle"}, execution__channels_last=True))
        == GOLDEN["more"]
    )
    assert identify(config(), device_kind="cuda", seed=7) == GOLDEN["cuda"]


GOLDEN = {"plain": "1038664a0f4bface", "more": "87f536e2d92574b9", "cuda": "98a126951f3eba2e"}
