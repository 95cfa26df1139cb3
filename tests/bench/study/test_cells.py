"""Studies of kind: throughput, from file to plan: what they may say, what they must not, what they share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.study.cells import CellSpec
from bench.study.dump import dump
from bench.study.faults import StudyError
from bench.study.load import load_study
from bench.study.model import Plan
from bench.study.plan import plan

STUDY = """\
name: speed
kind: throughput
question: How fast?
repeats: 2
base:
  data: {name: synthetic, image_size: 32}
  model: {name: cifar_resnet, depth: 8}
  train: {batch_size: 32, optimizer: {name: sgd, lr: 0.1, momentum: 0.9}}
  execution: {channels_last: true}
design:
  one_at_a_time:
    train.batch_size: [16]
    execution.deterministic: [true]
    measure.work: [infer]
    measure.aa: [true]
"""

Planned = Callable[..., Plan]


@pytest.fixture
def planned(tmp_path: Path) -> Planned:
    def make(*edits: tuple[str, str], overrides: tuple[str, ...] = (), kind: str = "cpu") -> Plan:
        text = STUDY
        for old, new in edits:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "s.yaml"
        path.write_text(text)
        return plan(load_study(path, overrides), device_kind=kind, data_dir=tmp_path)

    return make


@pytest.fixture
def told(planned: Planned) -> Callable[..., list[str]]:
    """What is said of a study with an edit."""

    def lines(old: str, new: str) -> list[str]:
        with pytest.raises(StudyError) as raised:
            planned((old, new))
        return [line.rpartition("s.yaml:")[2] for line in raised.value.lines]

    return lines


def test_a_throughput_study_is_planned_as_a_training_study_is(planned: Planned) -> None:
    made = planned()
    study = made.study
    assert study.is_throughput
    assert (study.metric, study.seeds) == ("img_s", (0, 1))
    assert [arm.name.rpartition("measure.aa=")[2] for arm in study.arms] == ["false"] * 4 + ["true"]
    assert study.baseline is not None
    assert len(made.runs) == 10
    assert len({run.run_id for run in made.runs}) == 10
    assert made.runs[1].label.endswith(" repeat 1")


def test_a_cell_is_not_deterministic_unless_it_says_so(planned: Planned) -> None:
    """The baseline of one_at_a_time takes the default of its kind of study, not of the other."""
    deterministic = [arm.config.execution.deterministic for arm in planned().study.arms]
    assert deterministic == [False, False, True, False, False]


def test_two_repeats_of_a_cell_differ_and_another_repeat_leaves_them_alone(planned: Planned) -> None:
    two, three = planned(), planned(overrides=("repeats=3",))
    assert {run.run_id for run in two.runs} < {run.run_id for run in three.runs}
    assert three.study.results_name == "speed"


def test_the_resolved_study_reads_back_to_the_same_runs(planned: Planned, tmp_path: Path) -> None:
    made = planned(overrides=("base.measure.n_windows=7",))
    (tmp_path / "resolved.yaml").write_text(dump(dict(made.study.document)))
    again = plan(load_study(tmp_path / "resolved.yaml"), device_kind="cpu", data_dir=tmp_path)
    assert [run.run_id for run in again.runs] == [run.run_id for run in made.runs]


def test_a_study_that_says_it_trains_has_the_ids_of_one_that_says_nothing(tmp_path: Path) -> None:
    text = "name: x\nbase:\n  data: {name: digits}\n  model: {name: mlp, hidden: [8]}\n"
    text += "  train: {epochs: 1, optimizer: {lr: 0.1}}\n"
    ids = []
    for head in ("", "kind: training\n"):
        path = tmp_path / "s.yaml"
        path.write_text(head + text)
        ids.append([run.run_id for run in plan(load_study(path), device_kind="cpu", data_dir=tmp_path).runs])
    assert ids[0] == ids[1]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(
            "repeats: 2",
            "seeds: 2",
            "4:8: seeds: is no key of a throughput study, which has repeats",
            id="seeds",
        ),
        pytest.param(
            "repeats: 2",
            "metric: test_loss",
            "4:9: metric: test_loss is not measured by a throughput study; did you mean 'img_s'?",
            id="metric",
        ),
        pytest.param(
            "{batch_size: 32,",
            "{epochs: 3, batch_size: 32,",
            "8:19: base.train.epochs: has no part in a throughput study, which has no budget; leave it out",
            id="budget",
        ),
        pytest.param(
            "execution: {",
            "execution: {auto: true, ",
            "9:21: base.execution.auto: a throughput study says itself what it measures; "
            "vary the key as a factor",
            id="auto",
        ),
        pytest.param(
            "  execution: {",
            "  weights: timm\n  execution: {",
            "9:12: base.weights: has no part in a throughput study: weights change no speed; leave it out",
            id="weights",
        ),
        pytest.param(
            "  execution: {",
            "  measure: {input: cached}\n  execution: {",
            "5:1: base: data.name synthetic has no images for measure.input: cached",
            id="synthetic cached",
        ),
        pytest.param(
            "    measure.work: [infer]",
            "    measure.wrok: [infer]",
            "14:5: design.one_at_a_time.measure.wrok: unknown key; did you mean 'measure.work'?",
            id="unknown factor",
        ),
        pytest.param(
            "name: synthetic, image_size: 32}",
            "name: digits, image_size: 32}\n  measure: {input: end_to_end}",
            "7:20: base.measure.input: 'end_to_end' has nothing to decode: digits is stored as pixels; "
            "use cached",
            id="nothing to decode",
        ),
    ],
)
def test_what_has_no_part_in_it_is_refused(
    told: Callable[..., list[str]], old: str, new: str, expected: str
) -> None:
    assert expected in told(old, new)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "  data: {name: synthetic}\n",
            "base.data.name: 'synthetic' has no images to train on; it is for studies of kind: throughput",
        ),
        ("  data: {name: digits}\n  measure: {work: infer}\n", "base.measure: unknown key"),
        ("  data: {name: digits}\nrepeats: 2\n", "repeats: is no key of a training study, which has seeds"),
        ("  data: {name: digits}\nmetric: img_s\n", "img_s is not measured by a training study"),
    ],
    ids=["synthetic", "measure", "repeats", "metric"],
)
def test_what_belongs_to_cells_is_refused_in_a_training_study(
    tmp_path: Path, text: str, expected: str
) -> None:
    path = tmp_path / "s.yaml"
    body = "  model: {name: mlp, hidden: [8]}\n  train: {epochs: 1, optimizer: {lr: 0.1}}\n"
    path.write_text(f"name: x\nbase:\n{body}{text}")
    with pytest.raises(StudyError) as raised:
        load_study(path)
    assert expected in "\n".join(raised.value.lines)


SYNTHETIC: dict[str, Any] = {"data": {"name": "synthetic"}, "model": {"name": "resnet50"}}


@pytest.mark.parametrize(
    ("sections", "rule"),
    [
        ({"execution": {"graph": True}, "measure": {"work": "infer"}}, "holds a training step"),
        (
            {
                "data": {"name": "cifar10-jpeg"},
                "execution": {"graph": True},
                "measure": {"input": "end_to_end"},
            },
            "needs images on the device",
        ),
        ({"train": {"freeze": {"through": "stem"}}, "measure": {"work": "infer"}}, "has no effect"),
        ({"measure": {"warmup_s": 20.0}}, "max_warmup_s 10 is below warmup_s 20"),
        ({"execution": {"amp": "auto"}}, "says itself what it measures"),
    ],
    ids=["graphed inference", "graphed decoding", "frozen inference", "warm-up", "amp auto"],
)
def test_a_cell_that_cannot_be_measured_is_refused(sections: dict[str, Any], rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        CellSpec.model_validate({**SYNTHETIC, **sections})


def test_a_batch_of_random_images_may_be_larger_than_the_set(planned: Planned) -> None:
    digits = ("name: synthetic, image_size: 32}", "name: digits, image_size: 32}")
    made = planned(digits, ("batch_size: 32", "batch_size: 4096"))
    assert made.study.arms[0].config.train.batch_size == 4096
    with pytest.raises(StudyError, match="is larger than the training set"):
        planned(
            digits,
            ("batch_size: 32", "batch_size: 4096"),
            ("[infer]", "[infer]\n    measure.input: [cached]"),
        )
