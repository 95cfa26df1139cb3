"""The JSON Schema beside the studies: current, true of them, and helpful where it can be."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from bench.study import schema
from bench.study.document import read_document
from bench.study.yaml import parse

STUDIES = Path(__file__).resolve().parents[3] / "studies"
SHIPPED = sorted(STUDIES.glob("*.yaml"))


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    made = schema.study_schema()
    Draft202012Validator.check_schema(made)
    return Draft202012Validator(made)


def test_the_schema_beside_the_studies_is_current() -> None:
    """Mend with: python -m bench.study.schema studies/study.schema.json"""
    assert (STUDIES / "study.schema.json").read_text(encoding="utf-8") == schema.text()


def test_there_are_shipped_studies() -> None:
    assert {"depth.yaml", "depth_cifar10.yaml"} <= {path.name for path in SHIPPED}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_study_is_valid_and_hints_its_editor(path: Path, validator: Draft202012Validator) -> None:
    validator.validate(read_document(path).data)
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert first == "# yaml-language-server: $schema=study.schema.json"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("optimizer:", "opitmizer:", id="unknown key"),
        pytest.param("digits", "digist", id="unknown dataset"),
        pytest.param("depth: 20, residual: true}\n  train", "depth: deep}\n  train", id="option's type"),
        pytest.param("depth: 20, residual: true}\n  train", "dept: 20}\n  train", id="unknown option"),
        pytest.param("    model.depth: [", "    model.dpth: [", id="unknown factor"),
        pytest.param("  grid:", "  zip: {model.depth: [8]}\n  grid:", id="two designs"),
        pytest.param("name: depth", "name: ../x", id="name"),
        pytest.param("seeds: 3", "seeds: 0", id="seeds"),
        pytest.param("amp: none", "amp: half", id="choice"),
    ],
)
def test_the_schema_refuses_what_an_editor_can_see(
    old: str, new: str, study_text: Callable[..., str], validator: Draft202012Validator
) -> None:
    validator.validate(parse(study_text(), "s").data)
    wrong: Any = parse(study_text((old, new)), "s").data
    assert not validator.is_valid(wrong)


TRANSFER = """\
name: freezing
base:
  data: {name: digits, classes: [5, 6, 7, 8, 9]}
  model: {name: resnet, layers: [1, 1, 2], block: basic, stem: cifar}
  train:
    epochs: 3
    optimizer: {lr: 0.1}
    freeze: {stages: [stem, layer1], unfreeze: {stem: 2}}
    stage_lr: {stem: 0.1}
  weights: {from: pretrain, through: layer2}
  pretrain:
    data: {name: digits, classes: [0, 1, 2, 3, 4]}
    train: {epochs: 2, optimizer: {lr: 0.1}}
design:
  grid:
    treatment:
    - {label: AnB, set: {weights.from: pretrain, train.freeze: transferred}}
    - {label: fresh, set: {}}
    data.val: [0.1, 0.2]
"""


@pytest.mark.parametrize(
    ("old", "new", "is_valid"),
    [
        pytest.param("", "", True, id="whole"),
        pytest.param("weights: {from: pretrain, through: layer2}", "weights: timm", True, id="word"),
        pytest.param("weights: {from: pretrain,", "weights: {from: a/b.pth,", True, id="file"),
        pytest.param("weights: {from: pretrain,", "weights: {from: a/b.onnx,", False, id="no weights file"),
        pytest.param("weights: {from: pretrain, through: layer2}", "weights: tim", False, id="no word"),
        pytest.param("freeze: {stages: [stem, layer1]", "freeze: {stages: stem", True, id="one stage"),
        pytest.param("freeze: {stages: [stem, layer1]", "freeze: {stages: [1]", False, id="no stage"),
        pytest.param("unfreeze: {stem: 2}", "unfreeze: {stem: 0}", False, id="epoch"),
        pytest.param("freeze: transferred", "freezes: transferred", False, id="key of a bundle"),
        pytest.param("set: {}", "value: 1", False, id="bundle without set"),
        pytest.param("{label: fresh, set: {}}", "fresh", False, id="word for a bundle"),
        pytest.param("treatment:", "my.treatment:", False, id="name of a bundle"),
        pytest.param("layers: [1, 1, 2]", "layers: [1, a]", False, id="list of whole numbers"),
        pytest.param("layers: [1, 1, 2]", "layers: 3", False, id="list"),
        pytest.param(
            "name: resnet, layers: [1, 1, 2]", "name: resnet18, layers: [1]", False, id="settled option"
        ),
        pytest.param("name: resnet,", "name: 'timm:resnet18', any_option: 3,", True, id="provided network"),
        pytest.param("name: resnet,", "name: 'timm resnet18',", False, id="no network"),
        pytest.param(
            "  pretrain:\n", "  pretrain:\n    model: {name: mlp, hidden: [8]}\n", True, id="source"
        ),
        pytest.param(
            "  pretrain:\n", "  pretrain:\n    model: {name: mlp, depth: 8}\n", False, id="source's option"
        ),
        pytest.param("data.val:", "pretrain.train.epochs:", True, id="factor of the source"),
        pytest.param("data.val:", "train.stage_lr.stem:", True, id="factor of a stage"),
    ],
)
def test_the_schema_knows_transfer_and_bundles(
    old: str, new: str, is_valid: bool, validator: Draft202012Validator
) -> None:
    assert old in TRANSFER
    assert validator.is_valid(parse(TRANSFER.replace(old, new), "s").data) is is_valid


def test_the_command_prints_and_writes_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    schema.main([])
    schema.main([str(tmp_path / "written.json")])
    printed = capsys.readouterr().out
    assert (tmp_path / "written.json").read_text(encoding="utf-8") == printed
    assert json.loads(printed)["title"] == "bench study"
