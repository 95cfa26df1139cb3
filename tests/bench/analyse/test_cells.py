"""Throughput cells: windows within repeats, shares of the roofs, what compiling costs, equal cells."""

from __future__ import annotations

import math

import pytest

from bench.analyse.cell_traits import network_name, rest_key, traits_of
from bench.analyse.cells import summarise_cells
from bench.analyse.cells_frame import cells_frame
from bench.analyse.estimate import t_quantile
from bench.analyse.frame import csv_text
from bench.analyse.repeat import Repeat, repeat_of
from bench.analyse.roofline import roofline_of
from bench.analyse.twins import twin_checks, twins
from tests.bench.analyse.cell_fakes import cell, cells, grid_study, out_of_memory, throughput_study

EAGER = {"execution.compile": "none"}
COMPILED = {"execution.compile": "default"}


def arms_of(records):
    return {arm.name: arm for arm in summarise_cells(records).arms}


def steady(arm, levels, speeds, **changes):
    """Repeats without spread, one a speed."""
    return [
        cell(arm, levels, repeat, windows_img_s=[speed] * 20, **changes)
        for repeat, speed in enumerate(speeds)
    ]


def test_a_repeat_has_the_median_quartiles_and_p95_of_its_windows():
    """Numbers by hand, with linear interpolation: 10, 20, …, 50 img/s of one step of 100 images each."""
    metrics = {"steps_per_window": 1, "batch_size": 100, "windows_s": (10.0, 5.0, 10 / 3, 2.5, 2.0)}
    found = repeat_of(cell("a", {}, 0, metrics=metrics))
    assert found is not None
    assert (found.median_img_s, found.q1_img_s, found.q3_img_s) == pytest.approx((30, 20, 40))
    assert found.p95_step_s == pytest.approx(9.0)
    assert found.n_windows == 5


def test_repeats_are_the_replicates_and_windows_are_never_pooled():
    """A slow process with many more windows does not pull the cell: each process has one voice."""
    records = [
        cell("a", {}, 0, windows_img_s=[100.0] * 20),
        cell("a", {}, 1, windows_img_s=[104.0] * 20),
        cell("a", {}, 2, windows_img_s=[40.0] * 500),
    ]
    arm = arms_of(records)["a"]
    assert arm.median_img_s == pytest.approx(100)
    assert (arm.low_img_s, arm.high_img_s) == pytest.approx((40, 104))
    assert arm.iqr_pct == pytest.approx(0)
    assert arm.n_windows == 20


def test_iqr_and_p95_are_medians_over_the_repeats_own():
    wide, narrow = [90.0, 95.0, 100.0, 105.0, 110.0], [98.0, 99.0, 100.0, 101.0, 102.0]
    records = [cell("a", {}, i, windows_img_s=windows) for i, windows in enumerate([wide, narrow, narrow])]
    assert arms_of(records)["a"].iqr_pct == pytest.approx(2.0)


def test_mfu_and_the_memory_roof_are_shares_of_what_the_device_can_do():
    """1,000 img/s of 20 GFLOP is 20 TFLOP/s: 10 % of 200; at 50 MB an image 50 GB/s, 25 % of 200."""
    facts = {
        "flops_per_image": 20e9,
        "peak_flops_s": 200e12,
        "fused_bytes_per_image": 50e6,
        "measured_bandwidth_bytes_s": 200e9,
    }
    arm = arms_of(steady("a", {}, [1000.0], metrics=facts))["a"]
    assert arm.achieved_flops_s == pytest.approx(20e12)
    assert arm.mfu_pct == pytest.approx(10)
    assert arm.memory_roof_pct == pytest.approx(25)


def test_what_a_device_does_not_tell_stays_none():
    absent = {"flops_per_image": None, "measured_bandwidth_bytes_s": None, "joules_per_image": None}
    arm = arms_of(steady("a", {}, [1000.0], metrics=absent))["a"]
    assert (arm.mfu_pct, arm.memory_roof_pct, arm.metrics.joules_per_image) == (None, None, None)


def test_compiling_is_repaid_by_the_seconds_that_it_saves():
    """From 100 to 200 img/s saves 5 ms an image: 10 s are repaid by 2,000 images, 1 s by 200."""
    times = {"compile_cold_s": 10.0, "compile_warm_s": 1.0}
    records = [*steady("e", EAGER, [100.0]), *steady("c", COMPILED, [200.0], metrics=times)]
    arms = arms_of(records)
    point = arms["c"].break_even
    assert point is not None
    assert (point.against, point.is_faster, point.is_certain) == ("e", True, True)
    assert point.cold_images == pytest.approx(2000)
    assert point.warm_images == pytest.approx(200)
    assert arms["e"].break_even is None


def test_compile_times_are_medians_of_the_repeats_that_have_them():
    """The first repeat compiles with an empty cache, the later ones with what it left."""
    times = [(40.0, None), (None, 9.0), (None, 11.0)]
    records = [
        cell("c", COMPILED, i, metrics={"compile_cold_s": cold, "compile_warm_s": warm})
        for i, (cold, warm) in enumerate(times)
    ]
    metrics = arms_of(records)["c"].metrics
    assert (metrics.compile_cold_s, metrics.compile_warm_s) == (40.0, 10.0)


def test_compiling_that_brings_nothing_is_never_repaid():
    records = [*steady("e", EAGER, [200.0]), *steady("c", COMPILED, [150.0])]
    point = arms_of(records)["c"].break_even
    assert point is not None
    assert (point.is_faster, point.cold_images) == (False, None)


def test_a_break_even_between_overlapping_repeats_is_uncertain():
    records = [*steady("e", EAGER, [100.0, 120.0]), *steady("c", COMPILED, [110.0, 130.0])]
    point = arms_of(records)["c"].break_even
    assert point is not None
    assert (point.is_faster, point.is_certain) == (True, False)


def test_only_the_cell_that_differs_in_nothing_else_counts_as_the_eager_one():
    other = {**EAGER, "train.batch_size": 256}
    records = [*steady("e", other, [100.0]), *steady("c", COMPILED, [200.0])]
    assert arms_of(records)["c"].break_even is None


def test_memory_is_the_largest_of_all_repeats():
    records = [cell("a", {}, i, metrics={"peak_allocated_bytes": size}) for i, size in enumerate((5, 9, 7))]
    assert arms_of(records)["a"].metrics.peak_allocated_bytes == 9


def test_a_cell_out_of_memory_keeps_its_row_and_its_reason():
    records = [*cells("a", {}), *out_of_memory("huge", {"train.batch_size": 2048})]
    arm = arms_of(records)["huge"]
    assert (arm.n_done, arm.n_runs, arm.median_img_s, arm.relative) == (0, 3, None, None)
    (gap,) = arm.gaps
    assert gap.text == "repeats 0, 1, 2: out of memory at batch 2,048"
    assert arm.traits is not None
    assert arm.traits.batch_size == 2048


def test_repeats_that_never_ran_are_counted():
    arm = arms_of([*cells("a", {}, 3), *cells("b", EAGER, 1)])["b"]
    assert (arm.n_done, arm.n_runs) == (1, 3)
    assert arm.gaps[0].text == "repeats 1, 2 not run"


def test_two_kinds_of_device_are_two_blocks():
    records = [*cells("a", {}), *cells("a", {}, device_kind="cpu")]
    blocks = summarise_cells(records).blocks
    assert [block.device_kind for block in blocks] == ["cuda", "cpu"]
    assert [block.devices for block in blocks] == [("NVIDIA H200",), ("AMD EPYC 9B14 96-Core Processor",)]
    assert all(len(block.arms[0].repeats) == 3 for block in blocks)


def test_noise_is_told_with_its_repeats():
    records = [cell("a", {}, i, metrics={"noise": noise}) for i, noise in enumerate([("x",), (), ("x", "y")])]
    assert arms_of(records)["a"].noise == ("repeats 0, 2: x", "repeat 2: y")


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ({"name": "resnet50"}, "resnet50"),
        ({"name": "timm:resnet50"}, "timm:resnet50"),
        ({"name": "cifar_resnet", "depth": 56, "residual": True}, "cifar_resnet56"),
        ({"name": "cifar_resnet", "depth": 56, "residual": False}, "cifar_resnet56 residual=false"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_network_is_named_by_what_differs_from_its_defaults(model, name):
    assert network_name(model) == name


@pytest.mark.parametrize(
    ("settings", "precision", "layout", "mode"),
    [
        ({"execution.amp": "none"}, "fp32", "NHWC", "none"),
        ({"execution.amp": "none", "execution.fp32_precision": "tf32"}, "tf32", "NHWC", "none"),
        ({"execution.amp": "fp16", "execution.channels_last": False}, "fp16", "NCHW", "none"),
        ({"execution.graph": True}, "bf16", "NHWC", "graph"),
        ({"execution.graph": True, "execution.compile": "default"}, "bf16", "NHWC", "default + graph"),
    ],
)
def test_traits_are_read_off_the_configuration(settings, precision, layout, mode):
    traits = traits_of(cell("a", {}, 0, settings=settings))
    assert (traits.precision, traits.layout, traits.mode) == (precision, layout, mode)


def test_a_key_leaves_out_what_it_is_told_to_and_changes_nothing():
    config = {"execution": {"compile": "default", "amp": "bf16"}, "measure": {"aa": True}}
    assert rest_key(config, ["execution.compile"]) == rest_key({"execution": {"amp": "bf16"}, "measure": {}})
    assert config["execution"]["compile"] == "default"


def twin(speeds, **changes):
    return steady("twin", {"measure.aa": True}, speeds, **changes)


def check_of(first, second):
    (block,) = summarise_cells([*steady("a", {"measure.aa": False}, first), *twin(second)]).blocks
    (check,) = twin_checks(block)
    return check


def test_twins_are_found_by_their_configuration():
    (block,) = summarise_cells(throughput_study()).blocks
    assert [(one.label, other.label) for one, other in twins(block.arms)] == [("centre", "aa=True")]


def test_equal_cells_within_their_spread_come_out_equal():
    check = check_of([100.0, 102.0, 104.0], [101.0, 103.0, 105.0])
    assert check.verdict == "equal"
    assert check.text.startswith("A/A check of aa=false and A/A twin: equal within their spread (+1 %, 99 %")


def test_the_interval_is_the_pooled_t_interval_of_the_log_medians():
    first, second = [100.0, 103.0, 106.0], [101.0, 104.0, 108.0]
    logs = [[math.log(value) for value in own] for own in (first, second)]
    means = [sum(own) / 3 for own in logs]
    squares = sum((value - centre) ** 2 for own, centre in zip(logs, means, strict=True) for value in own)
    half = 4.604 * math.sqrt(squares / 4) * math.sqrt(2 / 3)  # t(0.995, 4), Fisher & Yates, table III
    check = check_of(first, second)
    assert t_quantile(4, 0.99) == pytest.approx(4.604, abs=5e-4)
    assert check.difference_pct == pytest.approx(100 * math.expm1(means[1] - means[0]))
    assert check.low_pct == pytest.approx(100 * math.expm1(means[1] - means[0] - half), rel=1e-3)
    assert check.high_pct == pytest.approx(100 * math.expm1(means[1] - means[0] + half), rel=1e-3)


def test_cells_that_differ_beyond_their_spread_are_told():
    check = check_of([100.0, 100.5, 101.0], [110.0, 110.5, 111.0])
    assert check.verdict == "not equal"
    assert check.low_pct is not None
    assert check.low_pct > 0


def test_a_difference_that_nobody_would_act_on_is_none():
    check = check_of([100.0, 100.01, 100.02], [100.3, 100.31, 100.32])
    assert check.low_pct is not None
    assert check.low_pct > 0
    assert check.verdict == "equal"


def test_repeats_that_spread_too_widely_decide_nothing():
    """An interval of half the speed would hold 0 for cells that are far from equal."""
    check = check_of([100.0, 130.0, 160.0], [105.0, 128.0, 150.0])
    assert check.verdict == "undecided"
    assert "undecided, since repeats spread too widely (" in check.text


def test_a_check_without_replicates_is_not_judged():
    check = check_of([100.0], [100.0])
    assert (check.verdict, check.difference_pct) == ("not judged", None)
    assert check.text.endswith("not judged, each needs two repeats")


def test_repeats_that_agree_by_chance_are_known_no_better_than_their_windows():
    """Windows of ±8 % give a median that is uncertain by percents, whatever the other medians are."""
    windows = [92.0, 94.0, 96.0, 98.0, 100.0, 102.0, 104.0, 106.0, 108.0]
    first = [cell("a", {"measure.aa": False}, i, windows_img_s=windows) for i in range(3)]
    second = [
        cell("b", {"measure.aa": True}, i, windows_img_s=[1.02 * value for value in windows])
        for i in range(3)
    ]
    (block,) = summarise_cells([*first, *second]).blocks
    (check,) = twin_checks(block)
    assert check.resolution_pct is not None
    assert check.resolution_pct > 2
    assert check.verdict == "equal"


def test_the_standard_error_of_a_median_follows_the_quartiles():
    """Of n normal windows: sqrt(pi / 2n) sd, and the quartiles lie 1.349 sd apart."""
    repeat = Repeat(0, 100.0, 100 - 1.349 / 2, 100 + 1.349 / 2, 0.01, 25, ())
    assert repeat.median_se == pytest.approx(math.sqrt(math.pi / 2 / 25) * 0.01)


def test_the_frame_has_a_row_a_repeat_and_nulls_where_there_is_nothing():
    records = [*cells("a", EAGER, 2), *out_of_memory("b", COMPILED, 1)]
    frame = cells_frame(records)
    assert frame["arm"].tolist() == ["a", "a", "b"]
    assert frame["status"].tolist() == ["done", "done", "oom"]
    assert frame["n_windows"].tolist()[:2] == [20, 20]
    assert frame.loc[2, ["img_s", "peak_allocated_bytes"]].isna().all()
    assert {"execution.compile", "network", "precision", "mode", "q1_img_s", "device"} <= set(frame.columns)
    assert "windows_s" not in frame.columns
    assert csv_text(frame).count("\n") == 4


def test_the_roofline_holds_each_network_against_the_roof_above_it():
    """Under the slope by bandwidth × intensity, under the flat roof by the measured peak."""
    roofs = {"measured_peak_flops_s": 100e12, "peak_flops_s": 200e12, "measured_bandwidth_bytes_s": 1e12}
    slope = {**roofs, "flops_per_image": 10e9, "fused_bytes_per_image": 1e9}
    flat = {**roofs, "flops_per_image": 1000e9, "fused_bytes_per_image": 1e9}
    records = [
        *steady("a", {"model.name": "resnet18"}, [500.0], metrics=slope),
        *steady("b", {"model.name": "resnet50"}, [50.0], metrics=flat),
    ]
    found = roofline_of(summarise_cells(records).arms)
    assert not isinstance(found, str)
    assert [(p.network, p.intensity_flop_byte) for p in found.points] == [
        ("resnet18", 10),
        ("resnet50", 1000),
    ]
    assert [p.share_pct for p in found.points] == pytest.approx([50, 50])
    assert found.roofs[0].highest_flops_s == 200e12


def test_a_network_stands_on_the_roofline_by_its_fastest_cell_and_never_by_one_that_decodes():
    found = roofline_of(summarise_cells(grid_study()).arms)
    assert not isinstance(found, str)
    assert sorted(point.network for point in found.points) == ["resnet18", "resnet50"]
    decoding = cells("a", {"measure.input": "end_to_end"})
    assert roofline_of(summarise_cells(decoding).arms) == "no cell has counts of arithmetic and traffic"


def test_a_roofline_without_measured_roofs_says_so():
    records = cells("a", {}, metrics={"measured_bandwidth_bytes_s": None})
    assert roofline_of(summarise_cells(records).arms) == "the roofs of this device were not measured"
