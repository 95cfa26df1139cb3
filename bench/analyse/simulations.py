"""How often the tests err, as a page: one table for normal errors, one for those that are not.

    python -m bench.analyse.simulations docs/simulations.md

It takes less than a minute on one core and writes the same bytes on every run.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from bench.analyse.null_rates import ERRORS, MARGIN, N_STUDIES, SEEDS, Rate, simulate, simulate_looks
from bench.analyse.null_studies import CORRELATION, OUTLIER_SHARE, OUTLIER_SHIFT
from bench.errors import UsageError

_INTRODUCTION = """# How often the tests err

<!-- written by python -m bench.analyse.simulations docs/simulations.md; do not edit -->

{n_studies:,} studies in which nothing is to be found, at {seeds} seeds (slower methods: as many studies
as the column says). *Size* is the share of studies in which a test at 5 % finds something; *coverage* the
share in which a 95 % interval holds the truth. Paired arms correlate by {correlation:g} over seeds.
Equivalence is tested at a true difference that equals the margin ({margin:g} standard deviations), where
finding it is an error.
"""

_NORMAL = """
## Normal errors

*True* is what theory or a far larger simulation says: `=` equal to, `≤` at most, `≥` at least. Within 4
standard errors of it stand {held} of {total} rows; those without a true value are reported only.

"""

_OTHER = """
## Errors that are not normal

*Lognormal*: skewed, exp of a standard normal. *Outlier*: normal, but one run in {one_in:.0f} falls by
{shift:g} standard deviations. Both are scaled to standard deviation 1. In brackets the deviation from the
normal column in percentage points, where it is more than 4 standard errors of the difference.

"""

_SIGNS = {"equal": "=", "at most": "≤", "at least": "≥", "none": ""}


def page_of(n_studies: int = N_STUDIES) -> str:
    """The page as Markdown; equal bytes on every run.

    Args:
        n_studies: Of each row.
    """
    found = {
        errors: [rate for n in SEEDS for rate in simulate(errors, n, n_studies)]
        + list(simulate_looks(errors, n_studies))
        for errors in ERRORS
    }
    normal = found["normal"]
    claimed = [rate for rate in normal if rate.true is not None]
    counts = {"held": sum(rate.holds for rate in claimed), "total": len(claimed)}
    parts = [
        _INTRODUCTION.format(
            n_studies=n_studies,
            seeds=f"{', '.join(map(str, SEEDS[:-1]))} and {SEEDS[-1]}",
            correlation=CORRELATION,
            margin=MARGIN,
        ),
        _NORMAL.format(**counts),
        _normal_table(normal),
        _OTHER.format(one_in=1 / OUTLIER_SHARE, shift=-OUTLIER_SHIFT),
        _other_table(normal, found["lognormal"], found["outlier"]),
    ]
    return "".join(parts)


def _normal_table(rates: Sequence[Rate]) -> str:
    lines = ["| method | measure | seeds | found | true | studies |", "|---|---|---|--:|--:|--:|"]
    for rate in rates:
        true = "" if rate.true is None else f"{_SIGNS[rate.claim]} {_percent(rate.true)}"
        cells = (rate.method, rate.measure, rate.n, _percent(rate.found), true, f"{rate.n_studies:,}")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _other_table(normal: Sequence[Rate], *others: Sequence[Rate]) -> str:
    lines = ["| method | measure | seeds | normal | lognormal | outlier |", "|---|---|---|--:|--:|--:|"]
    for rate, *rest in zip(normal, *others, strict=True):
        cells = [rate.method, rate.measure, rate.n, _percent(rate.found)]
        cells += [_percent(other.found) + _deviation(rate, other) for other in rest]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _deviation(normal: Rate, other: Rate) -> str:
    off = other.found - normal.found
    error = sum(r.found * (1 - r.found) / r.n_studies for r in (normal, other)) ** 0.5
    return f" ({100 * off:+.1f})".replace("-", "−") if abs(off) > 4 * error else ""


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def main(words: Sequence[str]) -> None:
    """Write the page to the one path given."""
    if len(words) != 1:
        raise UsageError("usage: python -m bench.analyse.simulations PAGE.md")
    path = Path(words[0])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page_of(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
