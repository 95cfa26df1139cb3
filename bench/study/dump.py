"""Plain data as YAML that the strict reader reads back unchanged.

PyYAML's own dumper knows YAML 1.1 only: it writes the text `1e-3` without quotes, which YAML 1.2 reads as a
number.
"""

from __future__ import annotations

from typing import Any

import yaml

from bench.study.yaml import resolve


class _Dumper(yaml.SafeDumper):
    """Writes what `parse` reads back: no anchors, and quotes around text that YAML 1.2 takes for a number."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the base class's signature
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    try:
        style = None if isinstance(resolve(text), str) else "'"
    except ValueError:
        style = "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def dump(data: Any) -> str:
    """Plain data as YAML that `parse` reads back to equal data, keys in their order."""
    text: str = yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
    return text
