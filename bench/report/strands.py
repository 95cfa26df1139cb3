"""Many thin lines of one look as a single artist: the seeds behind a mean.

Ten thousand runs are ten thousand lines. Matplotlib builds each as an object of its own that scales, clips
and measures itself, which takes ten times as long as drawing them does. What is drawn is the same to the
byte: a group of `line2d` and a clip rectangle for each line, as its files would have from `Axes.plot`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backend_bases import GraphicsContextBase, RendererBase
from matplotlib.colors import to_rgba
from matplotlib.path import Path
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

_ALPHA, _WIDTH_PT, _ZORDER = 0.35, 0.5, 2.0


class Strands(Artist):
    """Faint solid lines in one colour.

    Attributes:
        lines: Places and values of each, of shape (points, 2).
    """

    def __init__(self, lines: Sequence[NDArray[np.float64]], colour: tuple[float, float, float]) -> None:
        super().__init__()
        self.lines = tuple(lines)
        self._paths = [Path(line) for line in lines]
        self._rgba = to_rgba(colour, _ALPHA)
        self.set_zorder(_ZORDER)

    def draw(self, renderer: RendererBase) -> None:
        """Draw every line as `Line2D` does."""
        if not self.get_visible():
            return
        transform = self.get_transform()
        affine = transform.get_affine()
        for path in self._paths:
            renderer.open_group("line2d", self.get_gid())
            context = self._context(renderer)
            renderer.draw_path(context, transform.transform_path_non_affine(path), affine)
            context.restore()
            renderer.close_group("line2d")
        self.stale = False

    def _context(self, renderer: RendererBase) -> GraphicsContextBase:
        """A clip rectangle of its own for each line: the PDF tells them apart by identity."""
        context = renderer.new_gc()
        clip = self.get_clip_box()
        assert clip is not None
        context.set_clip_rectangle(Bbox(clip.get_points()))
        context.set_linewidth(_WIDTH_PT)
        context.set_joinstyle("round")
        context.set_capstyle("projecting")
        context.set_foreground(self._rgba, isRGBA=True)
        return context


def draw_strands(
    axes: Axes, traces: Sequence[tuple[Sequence[float], Sequence[float]]], colour: tuple[float, float, float]
) -> None:
    """Add lines to axes, whose limits then take them in.

    Args:
        axes: Where to draw.
        traces: Places and values of each line.
        colour: Of all.
    """
    lines = [np.column_stack([places, values]).astype(np.float64) for places, values in traces]
    if lines:
        axes.add_artist(Strands(lines, colour))
        axes.update_datalim(np.concatenate(lines))


def strands_in(axes: Axes) -> list[NDArray[np.float64]]:
    """Every line of every such artist in axes, in drawing order."""
    return [line for child in axes.get_children() if isinstance(child, Strands) for line in child.lines]
