"""Static figures inside a page: the saved SVG as an element of it, a PNG where the SVG would weigh too much.

Several figures share one document, so ids that are referred to get the figure's name in front, those that
nobody refers to go, and so do the prolog, the metadata and the style sheet, which would apply to the page.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bench.report.html.safe import text

MOST_SVG_BYTES: Final = 700_000
"""Above this a figure of thousands of points stands as its picture."""

_MARKED: Final = re.compile(rb"<!--figure ([^>]*)-->.*?<!--end figure-->", flags=re.DOTALL)
_PROLOG: Final = re.compile(r"\A.*?(?=<svg)", flags=re.DOTALL)
_DROPPED: Final = re.compile(r"<metadata>.*?</metadata>|<style[^>]*>.*?</style>|<!--.*?-->", flags=re.DOTALL)
_SIZE: Final = re.compile(r'<svg[^>]*?\bwidth="([\d.]+)pt"[^>]*?>', flags=re.DOTALL)
_ROOT: Final = re.compile(r"<svg[^>]*>", flags=re.DOTALL)
_VIEW: Final = re.compile(r'viewBox="([^"]*)"')
_ID: Final = re.compile(r' id="([^"]*)"')
_REFERENCE: Final = re.compile(r'(xlink:href="#|href="#|url\(#)([^")]*)')
_SPACES: Final = re.compile(r"\n\s*")


@dataclass(frozen=True)
class Figure:
    """A static figure of a report."""

    stem: str
    """Its name; unique within the page."""
    files: Mapping[str, bytes]
    """Its bytes by suffix."""


def embed(figure: Figure, label: str) -> str | None:
    """A figure as an element of a page, between marks; None where no saved format can be shown.

    Args:
        figure: What was drawn.
        label: What a screen reader says of it.
    """
    stem, svg, png = figure.stem, figure.files.get("svg"), figure.files.get("png")
    if svg is not None and (png is None or len(svg) <= MOST_SVG_BYTES):
        shown = _inline(stem, svg.decode(), label)
    elif png is not None:
        data = base64.b64encode(png).decode()
        shown = f'<img alt="{text(label)}" src="data:image/png;base64,{data}">'
    else:
        return None
    return f"<!--figure {text(stem)}-->{shown}<!--end figure-->"


def without_figures(page: bytes) -> bytes:
    """A page without its static figures: equal where records are, whatever library drew them."""
    return _MARKED.sub(rb"<!--figure \1-->", page)


def _inline(stem: str, svg: str, label: str) -> str:
    body = _DROPPED.sub("", _PROLOG.sub("", svg, count=1))
    used = {match.group(2) for match in _REFERENCE.finditer(body)}
    body = _ID.sub(lambda m: f' id="{stem}-{m.group(1)}"' if m.group(1) in used else "", body)
    body = _REFERENCE.sub(lambda m: f"{m.group(1)}{stem}-{m.group(2)}", body)
    size, view = _SIZE.search(body), _VIEW.search(body)
    width = round(float(size.group(1)) * 4 / 3) if size else 640
    box = f' viewBox="{view.group(1)}"' if view else ""
    root = (
        f'<svg role="img" aria-label="{text(label)}" style="--natural:{width}px"{box} '
        'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
    )
    return _SPACES.sub("\n", _ROOT.sub(lambda _: root, body, count=1)).strip()
