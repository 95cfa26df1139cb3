"""How quantities read: names, units, and only the digits that their spread supports.

Records keep base units (`n_params`, `peak_memory_bytes`, percent); people read millions, GiB and a
number rounded where its uncertainty begins. Every table, figure and sentence rounds by these functions,
so that the same number never shows two faces.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

GIB: Final = 2**30
"""Bytes in a GiB."""

MINUS: Final = "\N{MINUS SIGN}"


@dataclass(frozen=True)
class Quantity:
    """What a run can be scored by: how it is called and in what unit."""

    key: str
    label: str
    short: str
    unit: str | None
    delta_unit: str | None
    higher_is_better: bool

    @property
    def header(self) -> str:
        """Label with its unit, for an axis."""
        return f"{self.label} ({self.unit})" if self.unit else self.label

    @property
    def short_header(self) -> str:
        """Short label with its unit, for a column."""
        return f"{self.short} ({self.unit})" if self.unit else self.short


def _percent(key: str, label: str, short: str, *, higher_is_better: bool = True) -> Quantity:
    return Quantity(key, label, short, "%", "pp", higher_is_better)


QUANTITIES: Final = {
    quantity.key: quantity
    for quantity in (
        _percent("test_top1_pct", "test top-1 accuracy", "test top-1"),
        _percent("test_top5_pct", "test top-5 accuracy", "test top-5"),
        _percent("test_mean_class_pct", "test mean per-class accuracy", "test per class"),
        Quantity("test_loss", "test loss", "test loss", None, None, higher_is_better=False),
        _percent("train_error_pct", "training error", "training error", higher_is_better=False),
        _percent("test_error_pct", "test error", "test error", higher_is_better=False),
    )
}
"""Primary metrics that a study may declare, and the two errors that are drawn beside each other."""

_LEVEL_UNITS: Final = {
    "depth": "layers",
    "epochs": "epochs",
    "steps": "steps",
    "warmup_epochs": "epochs",
    "warmup_steps": "steps",
    "batch_size": "images",
    "train_size": "images",
    "image_size": "pixels",
    "resize": "pixels",
    "width": "channels",
    "stem_width": "channels",
}


_LEVEL_WORDS: Final = {"lr": "learning rate", "amp": "AMP", "min_lr": "lowest learning rate"}


def factor_label(short_key: str) -> str:
    """A factor's short key in words: `weight_decay` reads `weight decay`."""
    return _LEVEL_WORDS.get(short_key, short_key.replace("_", " "))


def factor_header(key: str, short_key: str) -> str:
    """A factor's label with the unit of its levels, where they have one."""
    label = factor_label(short_key)
    unit = _LEVEL_UNITS.get(key.rpartition(".")[2])
    return f"{label} ({unit})" if unit and unit != label else label


def decimals_for(uncertainty: float) -> int:
    """Decimals that an uncertainty supports: two of its digits below 3.55, else one.

    The rule of the Particle Data Group (Review of Particle Physics, introduction, section 5.3).

    Args:
        uncertainty: Half width of an interval, or a standard deviation; above 0 and finite.

    Returns:
        Places after the point; negative where tens or hundreds are the last digit that counts.
    """
    if not (uncertainty > 0 and math.isfinite(uncertainty)):
        raise ValueError(f"uncertainty {uncertainty} is not above 0")
    exponent = math.floor(math.log10(uncertainty))
    leading = uncertainty / 10.0**exponent
    if leading >= 9.5:  # 0.96 rounds to 1.0
        return -exponent
    return 1 - exponent if leading < 3.55 else -exponent


def fixed(value: float, decimals: int) -> str:
    """A number with `decimals` places, thousands set apart, a true minus sign and no negative zero."""
    rounded = round(value, decimals)
    text = f"{abs(rounded):,.{max(decimals, 0)}f}"
    return f"{MINUS}{text}" if rounded < 0 else text


def signed(value: float, decimals: int) -> str:
    """As `fixed`, with a plus sign before what is above 0."""
    text = fixed(value, decimals)
    return f"+{text}" if round(value, decimals) > 0 else text


def significant(value: float, digits: int = 3) -> str:
    """An exact count or size to `digits` significant digits, never with an exponent."""
    if value == 0:
        return "0"
    decimals = digits - 1 - math.floor(math.log10(abs(value)))
    return fixed(value, max(decimals, 0))


def millions(count: int) -> str:
    """A count in millions: 269,722 reads 0.270."""
    return significant(count / 1e6)


def gib(size_bytes: float) -> str:
    """Bytes in GiB."""
    return significant(size_bytes / GIB)


def duration(seconds: float) -> str:
    """A time span in the two units that matter: 98 s, 3 min 20 s, 2 h 5 min."""
    if seconds < 99.5:
        return f"{significant(seconds, 2)} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60:,} h {minutes % 60} min"


def plural(count: int, noun: str) -> str:
    """`1 run`, `3 runs`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
