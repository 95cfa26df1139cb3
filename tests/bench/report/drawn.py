"""What a figure shows, read back from it."""

from __future__ import annotations

import numpy as np
from matplotlib.collections import PathCollection

from bench.analyse.summary import summarise
from bench.report.layout import choose_layout
from bench.report.material import Material

TOP1 = "test_top1_pct"


def material(records, metric=TOP1):
    """What the figures of the first block are drawn from."""
    summary = summarise(records, metric)
    return Material(records, summary, summary.blocks[0], choose_layout(summary), None)


def dots(axes):
    """Places of all dots: (dots, 2)."""
    found = [c.get_offsets() for c in axes.collections if isinstance(c, PathCollection)]
    return np.concatenate([np.asarray(offsets) for offsets in found if len(offsets)])


def tick_texts(axis):
    """Labels of an axis."""
    return [label.get_text() for label in axis.get_ticklabels()]
