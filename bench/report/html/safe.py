"""Text of a study inside a page: shown as it is, whatever a name or a reason may try.

Everything that a user, a file or a library wrote passes through one of these two functions, for the two
places in which text can stand: between tags or in a quoted attribute, and inside a script of data.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import html
import json
from typing import Any, Final

from bench.report.table import printable

_IN_SCRIPT: Final = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})
"""Neither `</script>` nor `<!--` can stand in what is left."""


def text(value: object) -> str:
    """Text between tags, or in a quoted attribute."""
    return _escaped(str(value))


@functools.lru_cache(maxsize=1 << 15)
def plain(value: str) -> str:
    """Text that breaks no line and turns nothing around; labels of thousands of runs repeat."""
    return printable(value)


@functools.lru_cache(maxsize=1 << 15)
def _escaped(value: str) -> str:
    return html.escape(plain(value), quote=True)


def script_json(value: Any) -> str:
    """JSON that may stand inside a `script` element; strings in it are data and never markup.

    Raises:
        ValueError: A number is not finite.
    """
    spelled = json.dumps(value, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return spelled.translate(_IN_SCRIPT)


def source_hash(script: str) -> str:
    """The one script that a Content-Security-Policy lets run, by its digest."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
