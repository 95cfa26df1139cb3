"""Which runs may go side by side, how many `auto` puts there, and what a dead pack leaves."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from bench.execute.job import CellJob, PackJob, ProbeJob, RunJob, start_record
from bench.launch.crash import outlived_its_pack
from bench.launch.packing import (
    APART,
    MEMORY_SHARE,
    MOST,
    ROUND_GMACS,
    by_need,
    may_be_packed,
    packed,
    packing_for,
    side_by_side,
)
from bench.record.folder import publish
from bench.study.device import Device
from bench.study.model import Arm, Run
from bench.study.specs import BaseSpec

GIB = 1 << 30
BASE: dict[str, Any] = {
    "data": {"name": "digits"},
    "model": {"name": "cifar_resnet", "depth": 8},
    "train": {"epochs": 1, "batch_size": 100, "optimizer": {"lr": 0.1}},
}


def job(name: str = "a", seed: int = 0, folder: Path = Path(), kind: type[RunJob] = RunJob, **sections: Any):  # type: ignore[no-untyped-def]
    config = {key: {**BASE.get(key, {}), **sections.get(key, {})} for key in {*BASE, *sections}}
    config["model"] = sections.get("model", BASE["model"])
    arm = Arm(name, name, {}, BaseSpec.model_validate(config))
    return kind(Run(arm, seed, f"{seed:016x}", arm_id="a" * 16), "a" * 16, "s", "d", folder, Path(), "cpu", 2)


def test_our_networks_may_be_packed_whatever_their_recipe() -> None:
    assert may_be_packed(job())
    assert may_be_packed(job(train={"optimizer": {"name": "adamw", "lr": 1e-3}}, execution={"graph": True}))
    assert may_be_packed(job(model={"name": "mlp", "depth": 2}, execution={"compile": "default"}))


@pytest.mark.parametrize(
    "sections",
    [
        {"data": {"augment": ["flip", "mine:blur"]}},
        {"train": {"optimizer": {"name": "mine:Lion", "lr": 0.1}}},
        {"model": {"name": "mine:Net"}},
        {"model": {"name": "timm:resnet18"}},
        {"execution": {"compile": "reduce-overhead"}},
        {"execution": {"compile": "max-autotune"}},
    ],
    ids=["augmentation", "optimizer", "network", "library", "reduce-overhead", "max-autotune"],
)
def test_what_members_would_share_forbids_packing(sections: dict[str, Any]) -> None:
    one = job(**sections)
    assert not may_be_packed(one)
    assert side_by_side(4).first([one, job(), job()], at_most=4) == [one]
    assert side_by_side(4).first([job("b"), one, job("c")], at_most=4) == [job("b"), job("c")]


def test_neither_a_cell_nor_a_probe_nor_a_run_that_was_lost_is_packed() -> None:
    lost, cell = dataclasses.replace(job(), alone=True), job(kind=CellJob)
    probe = ProbeJob(job().run.arm, "a" * 16, Path(), Path(), "cpu")
    for one in (lost, cell, probe):
        assert side_by_side(4).first([one, job(), job()], at_most=4) == [one]
        assert side_by_side(4).first([job("b"), one], at_most=4) == [job("b")]


def test_members_have_equal_execution() -> None:
    fp32, bf16 = job("a"), job("b", execution={"amp": "bf16"})
    assert side_by_side(4).first([fp32, bf16, job("c")], at_most=4) == [fp32, job("c")]


def test_a_pack_takes_no_more_than_it_is_asked_for() -> None:
    jobs = [job(seed=seed) for seed in range(9)]
    assert APART.first(jobs, at_most=9) == jobs[:1]
    assert side_by_side(3).first(jobs, at_most=9) == jobs[:3]
    assert side_by_side(8).first(jobs, at_most=5) == jobs[:5]
    assert side_by_side(7).first(jobs, at_most=9) == jobs[:7]
    assert [packing.reach(jobs) for packing in (APART, side_by_side(7), side_by_side(20))] == [1, 7, 9]


def test_a_member_knows_how_many_it_is_beside() -> None:
    pack = packed([job(seed=0), job(seed=1), job(seed=2)])
    assert isinstance(pack, PackJob)
    assert pack.jobs == (job(seed=0), job(seed=1), job(seed=2))
    assert [(one.n_packed, one.n_concurrent) for one in pack.members] == [(3, 6)] * 3
    assert packed([job()]) == job()


def test_auto_packs_by_what_a_step_takes_of_the_device() -> None:
    light, middling, hard = (share * ROUND_GMACS / BASE["train"]["batch_size"] for share in (0.01, 0.4, 3.0))
    gmacs = {"small": light, "middle": middling, "large": hard, "heavy": light}
    memory = {"small": GIB, "middle": GIB, "large": GIB, "heavy": 40 * GIB}
    auto = by_need(gmacs, memory, 80 * GIB)

    def size(*names: str, graph: bool = True) -> list[str]:
        jobs = [job(name, execution={"graph": graph}) for name in names]
        return [one.run.arm.name for one in auto.first(jobs, at_most=99)]

    assert size(*["small"] * 20) == ["small"] * MOST
    assert size(*["middle"] * 5) == ["middle"] * 2
    assert size("large", "large", "small") == ["large"]
    assert size("middle", "large", "small", "middle") == ["middle", "small", "middle"]
    assert MEMORY_SHARE / 2 < 40 / 80, "two heavy ones do not fit"
    assert size("heavy", "heavy", "small") == ["heavy", "small"]
    assert size("unknown", "small") == ["unknown"]
    assert size("small", "small", graph=False) == ["small"], "one thread launches for both"
    assert auto.reach([job("small")] * 20) == 1
    small = job("small", execution={"graph": True})
    assert auto.reach([small, *[job("small")] * 20]) == 1
    assert auto.reach([small] * 20) == MOST


def test_the_devices_decide_what_auto_means(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = {0: 80 * GIB, 1: 8 * GIB}
    monkeypatch.setattr("bench.launch.packing.cuda_memory_bytes", sizes.__getitem__)
    jobs = [job("a", seed, execution={"graph": True}) for seed in range(9)]
    known = ({"a": 0.01}, {"a": 2 * GIB})

    def size(wanted: str, device: Device) -> int:
        return len(packing_for(wanted, device, *known).first(jobs, at_most=99))

    assert size("auto", Device("cpu")) == 1
    assert size("5", Device("cpu")) == 5
    assert size("auto", Device("cuda", (0,))) == MOST
    assert size("auto", Device("cuda", (0, 1))) == 2, "by the smaller one: 0.7 of 8 GiB holds two"
    assert size("9", Device("cuda", (1,))) == 9, "a number written out is taken at its word"


def test_a_member_that_had_recorded_its_result_before_the_worker_died_keeps_it(tmp_path: Path) -> None:
    """On `--retry` the folder may hold an earlier attempt; only a record of this one counts."""
    one = dataclasses.replace(job(folder=tmp_path), retry=True)
    given = "2026-01-02T00:00:00.000000+00:00"
    assert outlived_its_pack(one, code=-9, started_utc=given).outcome == "again"
    for began, outcome in (
        (given.replace("02T", "01T"), "again"),
        (given.replace("00:00.", "00:01."), "diverged"),
    ):
        publish(tmp_path, start_record(one, status="diverged", started_utc=began, reason="loss"))
        assert outlived_its_pack(one, code=-9, started_utc=given).outcome == outcome
    assert "SIGKILL" in (outlived_its_pack(one, code=-9, started_utc="2027").reason or "")
