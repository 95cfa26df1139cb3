"""Names of arms for people, slugs of arms for folders."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping

from bench.study.levels import level_text
from bench.study.model import Level

MAX_SLUG = 80
"""Characters; a run's folder adds its seed and eight digits of its id."""

_HASH_DIGITS = 10


def arm_name(levels: Mapping[str, Level]) -> str:
    """`model.depth=20,model.residual=true`."""
    return ",".join(f"{key}={level_text(level)}" for key, level in levels.items())


def slugs(names: Iterable[str]) -> dict[str, str]:
    """A folder-safe name for each arm: at most 80 of `A-Za-z0-9._=-`, no two alike.

    A name that had to be cut, or that another equals on a disk that ignores case, ends in a digest of
    the whole name, so that a slug does not depend on the order of the arms.
    """
    plain = {name: _plain(name) for name in names}
    count = Counter(slug.lower() for slug in plain.values())
    return {name: slug if _is_enough(slug, count) else _hashed(name, slug) for name, slug in plain.items()}


def _is_enough(slug: str, count: Counter[str]) -> bool:
    return 0 < len(slug) <= MAX_SLUG and count[slug.lower()] == 1


def _plain(name: str) -> str:
    slug = re.sub(r"[^A-Za-z0-9._=-]+", "-", name.replace(",", "_"))
    return slug.lstrip(".-").rstrip(".-")


def _hashed(name: str, slug: str) -> str:
    digest = hashlib.sha256(name.encode()).hexdigest()[:_HASH_DIGITS]
    return f"{slug[: MAX_SLUG - _HASH_DIGITS - 1]}-{digest}".lstrip("-")
