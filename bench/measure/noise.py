"""When a measured cell is not to be trusted as it stands, and why: flagged, never dropped."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from bench.measure.watch import Seen

MOST_SPREAD_PCT = 5.0
"""Interquartile range over the median of the windows."""

MOST_OTHERS_PCT = 10.0

RATED = ("power cap",)
"""Reasons to hold the clock down that belong to the device's rating and are no disturbance."""


def noise_of(windows_s: Sequence[float], seen: Seen, *, settled: bool) -> tuple[str, ...]:
    """Reasons to distrust a cell's windows, in a reader's words; none: clean."""
    reasons = []
    spread_pct = iqr_pct(windows_s)
    if spread_pct is not None and spread_pct > MOST_SPREAD_PCT:
        reasons.append(f"windows spread by {spread_pct:.1f} % (IQR over median)")
    if seen.others_share_pct is not None and seen.others_share_pct > MOST_OTHERS_PCT:
        reasons.append(f"others had {seen.others_share_pct:.0f} % of the device")
    held = [reason for reason in seen.throttle_reasons if reason not in RATED]
    if held:
        reasons.append(f"throttled: {', '.join(held)}")
    if not settled:
        reasons.append("warm-up never settled")
    return tuple(reasons)


def iqr_pct(values: Sequence[float]) -> float | None:
    """Interquartile range over the median, in percent; None below two values."""
    if len(values) < 2:
        return None
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return 100.0 * (high - low) / statistics.median(values)
