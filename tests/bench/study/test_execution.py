"""What a device can do, and what `auto` comes to: the very run that the settings written out would be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.study.check import check_device
from bench.study.execution import Hardware, Settings, modes, modes_line, open_keys, resolve
from bench.study.faults import StudyError
from bench.study.identity import Inputs, run_id
from bench.study.model import Study
from bench.study.plan import plan
from bench.study.specs import BaseSpec

Load = Callable[..., Study]
Text = Callable[..., str]
Lines = Callable[..., list[str]]

WRITTEN = "execution: {amp: none, fp32_precision: ieee, channels_last: true, compile: none, threads: 1}"

CPU = Hardware("cpu", "Some CPU")


def config(**execution: Any) -> BaseSpec:
    return BaseSpec.model_validate(
        {
            "data": {"name": "digits"},
            "model": {"name": "cifar_resnet", "depth": 8},
            "train": {"epochs": 2, "optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.9}},
            "execution": execution,
        }
    )


def identify(one: BaseSpec, kind: str = "cpu") -> str:
    return run_id(one, Inputs(kind, "d"), seed=0)


@pytest.mark.parametrize(
    ("execution", "expected"),
    [
        ({}, ()),
        ({"auto": True}, ("channels_last", "compile", "graph", "fused")),
        ({"auto": True, "compile": "none", "fused": True}, ("channels_last", "graph")),
        ({"amp": "auto"}, ("amp",)),
        ({"auto": True, "amp": "auto", "threads": 2}, ("amp", "channels_last", "compile", "graph", "fused")),
        ({"auto": True, "amp": "bf16"}, ("channels_last", "compile", "graph", "fused")),
    ],
    ids=str,
)
def test_what_is_open_is_what_auto_finds_not_written_out(execution: dict[str, Any], expected: Any) -> None:
    assert open_keys(config(**execution).execution) == expected


CHOSEN = {"amp": "bf16", "channels_last": True, "compile": "default", "graph": True, "fused": True}


@pytest.mark.parametrize(
    ("asked", "written"),
    [
        ({"auto": True}, {"channels_last": True, "compile": "default", "graph": True}),
        (
            {"auto": True, "compile": "none", "deterministic": False, "threads": 2},
            {"channels_last": True, "graph": True, "deterministic": False, "threads": 2},
        ),
        ({"amp": "auto"}, {"amp": "bf16"}),
        (
            {"auto": True, "amp": "auto", "fp32_precision": "tf32"},
            {**CHOSEN, "fp32_precision": "tf32"},
        ),
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", ["cpu", "cuda"])
def test_a_resolved_run_has_the_id_of_the_settings_written_out(
    asked: dict[str, Any], written: dict[str, Any], kind: str
) -> None:
    resolved = resolve(config(**asked), CHOSEN)
    assert resolved.execution.model_dump() == config(**written).execution.model_dump()
    assert identify(resolved, kind) == identify(config(**written), kind)


def test_resolving_to_every_default_gives_the_id_of_a_study_without_execution() -> None:
    plain = {"channels_last": False, "compile": "none", "graph": False, "fused": True}
    assert identify(resolve(config(auto=True), plain)) == identify(config())


def test_a_choice_that_says_too_little_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^nothing is said of compile, graph$"):
        resolve(config(auto=True), {"channels_last": True, "fused": True})


def test_a_choice_that_the_arm_cannot_take_is_refused() -> None:
    with pytest.raises(ValueError, match="graph excludes compile: max-autotune"):
        resolve(config(auto=True, compile="max-autotune"), CHOSEN)
    cycled = {
        "optimizer": {"lr": 0.1, "momentum": 0.9},
        "schedule": {"name": "onecycle", "cycle_momentum": True},
    }
    fields = {"data": {"name": "digits"}, "model": {"name": "mlp"}, "train": {"epochs": 1, **cycled}}
    asked = BaseSpec.model_validate({**fields, "execution": {"auto": True}})
    with pytest.raises(ValueError, match="graph excludes cycle_momentum"):
        resolve(asked, CHOSEN)


def reasons(hardware: Hardware) -> dict[str, str]:
    return {mode.name: mode.reason for mode in modes(hardware) if mode.reason}


def test_a_cpu_without_amx_names_what_it_lacks() -> None:
    assert reasons(CPU) == {
        "bf16": "no amx_bf16, so amp: auto keeps fp32",
        "fp16": "needs a GPU",
        "tf32": "needs a GPU",
        "graph": "needs a GPU",
        "compile reduce-overhead": "needs a GPU",
        "compile max-autotune": "needs a GPU",
    }
    assert modes_line(CPU) == (
        "modes on Some CPU: channels_last, fused, compile default, compile max-autotune-no-cudagraphs; "
        "bf16: no amx_bf16, so amp: auto keeps fp32; "
        "on a GPU only: fp16, tf32, graph, compile reduce-overhead, compile max-autotune"
    )


def test_a_cpu_with_amx_multiplies_bf16() -> None:
    assert "bf16" not in reasons(Hardware("cpu", "Some CPU", frozenset({"amx_bf16"})))


def test_a_new_gpu_does_everything_and_an_old_one_is_told_apart() -> None:
    assert reasons(Hardware("cuda", "New", capability=(9, 0))) == {}
    assert modes_line(Hardware("cuda", "New", capability=(9, 0))).startswith("modes on New: channels_last, ")
    old = reasons(Hardware("cuda", "Old", capability=(6, 1)))
    assert old["bf16"] == "compute capability 6.1 is below 8.0, so amp: auto keeps fp32"
    assert old["tf32"] == "compute capability 6.1 is below 8.0"
    assert old["compile default"] == "compute capability 6.1 is below 7.0"


def test_what_compiling_lacks_is_said() -> None:
    assert reasons(Hardware("cpu", "x", compiles=False))["compile default"] == "no C++ compiler"
    without = Hardware("cuda", "x", capability=(9, 0), compiles=False)
    assert reasons(without)["compile max-autotune"] == "no C compiler or no Triton"


@pytest.mark.parametrize(
    ("execution", "fault"),
    [
        ("graph: true", "base.execution.graph: true needs a GPU; on a CPU use false"),
        ("amp: fp16", "base.execution.amp: fp16 needs a GPU; on a CPU use none or bf16"),
        ("compile: reduce-overhead", "compile: reduce-overhead needs a GPU; on a CPU use default"),
        ("compile: max-autotune", "compile: max-autotune needs a GPU; on a CPU use default"),
    ],
    ids=["graph", "fp16", "reduce-overhead", "max-autotune"],
)
def test_what_base_alone_asks_of_a_cpu_in_vain_is_a_fault(
    execution: str, fault: str, study_text: Text, load: Load
) -> None:
    study = load(study_text((WRITTEN, f"execution: {{{execution}}}")))
    check_device(study, "cuda")
    with pytest.raises(StudyError) as refusal:
        check_device(study, "cpu")
    (line,) = refusal.value.lines
    assert line.startswith("s.yaml:15:")
    assert line.endswith(fault)


GRAPH_GRID = "  grid:\n    execution.graph: [false, true]\n    execution.amp: [none, fp16]\n"


def test_an_arm_that_only_a_gpu_can_carry_out_is_left_out_on_a_cpu(study_text: Text, load: Load) -> None:
    study = load(study_text(("GRID", GRAPH_GRID), ("BASELINE", "")))
    check_device(study, "cpu")
    here = plan(study, device_kind="cpu", data_dir=Path())
    assert [arm.name for arm in here.study.arms] == ["execution.graph=false,execution.amp=none"]
    assert len(here.runs) == 3
    assert here.left_out == (
        "arm execution.graph=false,execution.amp=fp16: amp fp16 needs a GPU; left out on cpu",
        "arm execution.graph=true,execution.amp=none: graph needs a GPU; left out on cpu",
        "arm execution.graph=true,execution.amp=fp16: graph, amp fp16 need a GPU; left out on cpu",
    )
    assert here.declared == study
    there = plan(study, device_kind="cuda", data_dir=Path())
    assert (len(there.runs), there.left_out) == (12, ())


def test_where_every_arm_needs_a_gpu_each_is_a_fault(study_text: Text, load: Load) -> None:
    grid = "  grid:\n    execution.compile: [reduce-overhead, max-autotune]\n"
    study = load(study_text(("GRID", grid), ("BASELINE", "")))
    with pytest.raises(StudyError) as refusal:
        check_device(study, "cpu")
    assert [line.partition(": ")[2] for line in refusal.value.lines] == [
        "design.grid.execution.compile[0]: reduce-overhead needs a GPU; on a CPU use default",
        "design.grid.execution.compile[1]: max-autotune needs a GPU; on a CPU use default",
    ]


@pytest.mark.parametrize(
    ("execution", "grid", "faults"),
    [
        (
            "{compile: none}",
            "execution.auto: [false, true]",
            ["design.grid.execution.auto[1]: true stands in some arms only, and calibration chooses for all"],
        ),
        (
            "{threads: 1}",
            "execution.amp: [none, auto]",
            ["design.grid.execution.amp[1]: auto stands in some arms only, and calibration chooses for all"],
        ),
    ],
    ids=["auto", "amp"],
)
def test_calibration_is_no_level(
    execution: str, grid: str, faults: list[str], study_text: Text, lines: Lines
) -> None:
    text = study_text(
        (WRITTEN, f"execution: {execution}"), ("GRID", f"  grid:\n    {grid}\n"), ("BASELINE", "")
    )
    told = lines(text)
    assert len(told) == len(faults)
    for line, fault in zip(told, faults, strict=True):
        assert fault in line
        assert line.endswith("write it in base")


def test_a_key_that_some_arms_write_out_is_written_in_all(study_text: Text, lines: Lines) -> None:
    arms = "  arms:\n    one: {execution.channels_last: true}\n    two: {model.depth: 8}\n"
    text = study_text((WRITTEN, "execution: {auto: true}"), ("GRID", arms), ("BASELINE", ""))
    (line,) = lines(text)
    assert line.endswith(
        "stands in some arms and is left to auto in others; write it in base or in every arm"
    )
    assert "design.arms.one" in line


def test_a_written_factor_goes_with_auto(study_text: Text, load: Load) -> None:
    grid = "  grid:\n    execution.compile: [none, default]\n"
    study = load(study_text((WRITTEN, "execution: {auto: true}"), ("GRID", grid), ("BASELINE", "")))
    assert [open_keys(arm.config.execution) for arm in study.arms] == [
        ("channels_last", "graph", "fused")
    ] * 2


def test_settings_read_as_words() -> None:
    one = Settings(channels_last=True, compile="none")
    assert one.text() == "channels_last true, compile none"
    assert one.unlike(Settings(channels_last=False, compile="none")) == "channels_last true"
    assert Settings().text() == "nothing open"
