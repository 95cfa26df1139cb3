"""What a study compares, declared before its runs: which pairs of arms, at what error, within which margin.

A comparison chosen after the results are seen proves little, so the study file names them, and a digest of
what it names stands in every record: what is changed after runs exist is marked so in the report.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import Field, PositiveFloat

from bench.study.specs import Spec

ArmReference = str | dict[str, Any]
"""An arm by its name, or by levels of factors; factors left out have the baseline's level."""

ArmPair = Annotated[list[ArmReference], Field(min_length=2, max_length=2)]
"""The arm, and what it is compared with."""

Alpha = Annotated[float, Field(gt=0, le=0.5)]


class ComparisonsSpec(Spec):
    """The comparisons that the study declares, as one family."""

    family: Literal["baseline", "all_pairs"] | Annotated[list[ArmPair], Field(min_length=1)] = "baseline"
    """Every arm with the baseline, every arm with every other, or pairs written out: `[[ARM, ARM], …]`."""
    correction: Literal["holm", "dunnett"] = "holm"
    """How the family's error is held; `dunnett` for independent arms of equal variance with the baseline."""
    alpha: Alpha = 0.05
    """Error that the family may make: the chance of a difference claimed where there is none."""
    margin_pp: PositiveFloat | None = None
    """Largest difference of the metric that does not matter, in percentage points; absent: equivalence is
    never claimed."""


UNDECLARED: Final = ComparisonsSpec()
"""What holds where a study says nothing: every arm with the baseline, Holm over them."""


def pairs_of(spec: ComparisonsSpec, arms: Sequence[str], baseline: str | None) -> tuple[tuple[str, str], ...]:
    """The pairs that are compared: arm, and what it is compared with.

    Args:
        spec: With arms by their names, as `Study.comparisons` has them.
        arms: Names, the baseline first.
        baseline: Its name, if one is declared.
    """
    if spec.family == "baseline":
        return tuple((arm, baseline) for arm in arms if arm != baseline) if baseline is not None else ()
    if spec.family == "all_pairs":
        return tuple((later, earlier) for earlier, later in itertools.combinations(arms, 2))
    return tuple((str(arm), str(against)) for arm, against in spec.family)
