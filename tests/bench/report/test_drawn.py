"""The digest of what a figure shows: moved by data and words, not by looks; carried by every format."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from matplotlib.figure import Figure

from bench.report import style
from bench.report.drawn import present_libraries, read_stamp, stamp


def figure(change: Callable[[Figure], None] = lambda _: None) -> Figure:
    made = style.new_figure(3.4, 2.8)
    axes = made.subplots()
    axes.plot([8, 20], [98.6, 26.0], label="plain")
    axes.scatter([8, 20], [98.4, 25.5])
    axes.axhspan(97, 99)
    axes.annotate("2/5", (20, 26.0))
    axes.set_xlabel("depth")
    made.legend(*axes.get_legend_handles_labels())
    style.note(made, "dots: seeds")
    change(made)
    return made


def digest(change: Callable[[Figure], None] = lambda _: None) -> str:
    with style.fixed_style():
        return stamp(figure(change)).data_sha256


def test_every_format_carries_the_stamp() -> None:
    with style.fixed_style():
        drawn = figure()
        files = style.saved(drawn)
        expected = stamp(drawn)
    assert set(files) == set(style.FORMATS)
    for data in files.values():
        assert read_stamp(data) == expected
    assert expected.libraries == present_libraries()


@pytest.mark.parametrize(
    "change",
    [
        lambda made: made.axes[0].lines[0].set_ydata([98.6, 26.1]),
        lambda made: made.axes[0].collections[0].set_offsets([[8, 98.4], [20, 25.6]]),
        lambda made: made.axes[0].patches[0].set_height(3),
        lambda made: made.axes[0].texts[0].set_text("3/5"),
        lambda made: made.axes[0].set_xlabel("width"),
        lambda made: made.axes[0].set_xscale("log"),
        lambda made: made.legends[0].get_texts()[0].set_text("residual"),
        lambda made: made.supxlabel("dots: images"),
        lambda made: made.axes[0].lines[0].set_visible(False),
    ],
    ids=["line", "dots", "band", "mark", "label", "scale", "legend", "note", "hidden"],
)
def test_what_is_shown_moves_the_digest(change: Callable[[Figure], None]) -> None:
    assert digest(change) != digest()


def test_looks_and_layout_do_not_move_the_digest() -> None:
    def restyle(made: Figure) -> None:
        made.set_size_inches(7, 5)
        made.axes[0].lines[0].set_linewidth(3)
        made.axes[0].xaxis.label.set_fontsize(12)
        style.settle(made)

    assert digest(restyle) == digest()


def test_a_file_without_a_stamp_has_none() -> None:
    assert read_stamp(b"<svg>") is None
