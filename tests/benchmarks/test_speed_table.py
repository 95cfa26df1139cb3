"""The table of speeds: one block a group and device, rates with units, ratios as they were measured."""

from __future__ import annotations

from tests.benchmarks.speed_table import Row, table_lines


def row(group: str, name: str, **changes: object) -> Row:
    fields = {
        "median_s": 2.0,
        "iqr_s": 0.1,
        "n_rounds": 5,
        "rate": ("img_s", 528.4),
        "ratios": {},
        "device": "Some CPU",
    }
    return Row(group=group, name=name, **{**fields, **changes})


def test_benchmarks_stand_by_group_with_rate_time_and_spread() -> None:
    rows = [
        row("training", "eager"),
        row("plan", "thousand", rate=("runs_s", 35_846.0), median_s=0.0279, iqr_s=0.001395),
    ]
    assert table_lines(rows) == [
        "plan (Some CPU)",
        "  thousand  35,846 runs/s   27.9 ms ± 5.0 % (5)",
        "training (Some CPU)",
        "  eager         528 img/s  2,000 ms ± 5.0 % (5)",
    ]


def test_a_ratio_stands_where_there_is_one_and_no_rate() -> None:
    lines = table_lines([row("a", "loop", rate=None, ratios={"ours_over_bare": 1.0138})])
    assert lines[1].endswith("2,000 ms ± 5.0 % (5)  ours_over_bare 1.014")


def test_equal_groups_on_two_devices_are_two_blocks() -> None:
    rows = [row("a", "x"), row("a", "y", device="Some GPU"), row("a", "z")]
    assert [line for line in table_lines(rows) if not line.startswith(" ")] == [
        "a (Some CPU)",
        "a (Some GPU)",
    ]
