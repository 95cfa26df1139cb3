"""Numbers that somebody typed: where README and paper could say what no record says.

A number with a decimal point, or with a unit behind it, belongs into a generated part (README) or a macro
(paper). What stands outside for a good reason (a version, a figure of another paper) is listed with that
reason in `allowed.toml`, and an entry that nothing matches any more is a fault too.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.errors import UsageError

ALLOWED_FILE: Final = "allowed.toml"

_UNITS: Final = (
    r"\\?%|\\pct\b|\\pp\b|percent|pp\b|points?\b|ms\b|s\b|min\b|h\b|seconds?\b|minutes?\b|hours?\b|img/s|images/s|"
    r"images a second|[kMGT]i?B\b|G?MACs?\b|[GTP]?FLOPs?\b|W\b|J\b|[x\N{MULTIPLICATION SIGN}](?!\w)"
)
_NUMBER: Final = re.compile(
    rf"(?<![\w.\\/-])[+\N{{MINUS SIGN}}-]?(?:\d[\d,]*\.\d+|\d[\d,]*(?=(?:\s|~|\\,|\{{,\}})?(?:{_UNITS})))"
)

_NOT_PROSE_MD: Final = (
    r"<!-- generated: \w+ -->.*?<!-- end -->",
    r"<!-- command: \w+ -->.*?<!-- end -->",
    r"^```.*?^```",
    r"`[^`\n]*`",
    r"\]\([^)]*\)",
)
_COMMANDS: Final = (
    "num|cite[tp]?|ref|eqref|label|input|includegraphics|bibliography|url|href|vspace|hspace|setlength"
)
_NOT_PROSE_TEX: Final = (
    r"\A.*?\\begin\{document\}",
    r"(?<!\\)%[^\n]*",
    r"\\begin\{tikzpicture\}.*?\\end\{tikzpicture\}",
    rf"\\(?:{_COMMANDS})\*?(?:\[[^\]]*\])*(?:\{{[^}}]*\}})+",
    r"[\d.]+\\(?:textwidth|linewidth|columnwidth)",
)


@dataclass(frozen=True)
class Typed:
    """One number that no record stands behind."""

    path: Path
    line: int
    text: str
    """The number with what stands around it."""


@dataclass(frozen=True)
class Allowed:
    """A typed number that may stand."""

    file: str
    """Its file's name."""
    text: str
    """The words that it stands in; the number is part of them."""
    reason: str


def read_allowed(path: Path) -> tuple[Allowed, ...]:
    """The list of what may be typed; an absent file lists nothing.

    Raises:
        UsageError: An entry lacks its file, text or reason.
    """
    if not path.is_file():
        return ()
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8")).get("allowed", [])
        return tuple(Allowed(entry["file"], entry["text"], entry["reason"]) for entry in entries)
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise UsageError(f"{path}: {error}; entries are [[allowed]] with file, text, reason") from error


def typed_numbers(paths: Iterable[Path], allowed: Sequence[Allowed]) -> tuple[list[Typed], list[Allowed]]:
    """Numbers typed by hand, and entries of the list that fit nothing.

    Args:
        paths: Markdown and LaTeX files.
        allowed: What may stand.
    """
    found: list[Typed] = []
    used: set[Allowed] = set()
    for path in paths:
        text = prose_of(path)
        spans = [
            (entry, span) for entry in allowed if entry.file == path.name for span in _spans(entry, text)
        ]
        for match in _NUMBER.finditer(text):
            fitting = [entry for entry, (low, high) in spans if low <= match.start() and match.end() <= high]
            used.update(fitting)
            if not fitting:
                line = text.count("\n", 0, match.start()) + 1
                near = " ".join(text[max(0, match.start() - 12) : match.end() + 14].split())
                found.append(Typed(path, line, near))
    return found, [entry for entry in allowed if entry not in used]


def _spans(entry: Allowed, text: str) -> list[tuple[int, int]]:
    """Where an entry's words stand, however the lines are broken."""
    pattern = r"\s+".join(re.escape(word) for word in entry.text.split())
    return [match.span() for match in re.finditer(pattern, text)]


def prose_of(path: Path) -> str:
    """A document's text with all else blanked, line for line and column for column."""
    patterns = _NOT_PROSE_TEX if path.suffix == ".tex" else _NOT_PROSE_MD
    text = path.read_text(encoding="utf-8")
    for pattern in patterns:
        text = re.sub(pattern, _blank, text, flags=re.DOTALL | re.MULTILINE)
    return text


def _blank(match: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", match.group())
