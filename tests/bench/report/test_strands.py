"""Lines drawn as one artist: what they replace line by line, byte for byte."""

from __future__ import annotations

import pytest
from matplotlib.figure import Figure

from bench.report import style
from bench.report.strands import draw_strands, strands_in

TRACES = [([1, 2, 3], [1.0, 20.0, 90.0]), ([1, 2], [2.0, 35.5]), ([2], [40.0]), ([1, 3], [0.5, 99.0])]
COLOUR = (0.0, 0.4, 0.7)


def figure(*, as_one: bool, scale: str) -> Figure:
    made = style.new_figure(3.4, 2.8)
    axes = made.subplots()
    axes.plot([1, 3], [3.0, 50.0], color="grey", zorder=2)
    if as_one:
        draw_strands(axes, TRACES, COLOUR)
    else:
        for places, values in TRACES:
            axes.plot(places, values, color=COLOUR, alpha=0.35, linewidth=0.5, zorder=2)
    axes.fill_between([1, 2], [1.0, 2.0], [3.0, 4.0], zorder=1.5)
    axes.plot([1, 2], [1.5, 28.0], zorder=3)
    axes.set_yscale(scale)
    style.settle(made)
    return made


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_strands_are_drawn_and_told_as_the_lines_of_plot(scale: str) -> None:
    with style.fixed_style():
        one, many = (figure(as_one=as_one, scale=scale) for as_one in (True, False))
        assert one.axes[0].get_xlim() == many.axes[0].get_xlim()
        assert one.axes[0].get_ylim() == many.axes[0].get_ylim()
        assert style.saved(one) == style.saved(many)


def test_hidden_strands_are_neither_drawn_nor_told() -> None:
    with style.fixed_style():
        shown, hidden = (figure(as_one=True, scale="linear") for _ in range(2))
        for child in hidden.axes[0].get_children():
            child.set_visible(child not in hidden.axes[0].artists)
        seen, unseen = style.saved(shown), style.saved(hidden)
    assert seen["svg"].count(b'id="line2d') - unseen["svg"].count(b'id="line2d') == len(TRACES)
    assert b"opacity: 0.35" in seen["svg"]
    assert b"opacity: 0.35" not in unseen["svg"]


def test_strands_are_read_back_in_drawing_order() -> None:
    axes = figure(as_one=True, scale="linear").axes[0]
    assert [line.tolist() for line in strands_in(axes)] == [
        [list(point) for point in zip(places, values, strict=True)] for places, values in TRACES
    ]


def test_no_line_is_no_artist() -> None:
    axes = style.new_figure(3.4, 2.8).subplots()
    draw_strands(axes, [], COLOUR)
    assert not axes.artists
