"""What can be asked of a study, of an arm, and of one arm against another, each answered as it is printed.

A field that the records cannot answer raises a `LookupError` that says why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from bench import units
from bench.analyse.between import between, runs_of
from bench.analyse.compare import Comparison, p_text
from bench.analyse.contrast import Contrast
from bench.analyse.declared import ArmComparison
from bench.analyse.frame import source_records
from bench.analyse.summary import ArmSummary, Block
from bench.analyse.verdict import Kind
from bench.record.schema import RunRecord
from bench.report import words
from bench.report.numbers_file import EVERYTHING, Query
from bench.report.numbers_source import Source, find_arm


@dataclass(frozen=True)
class Asked:
    """A query on its way to an answer."""

    query: Query
    source: Source
    sources: Mapping[str, Source]

    @cached_property
    def block(self) -> Block:
        """The block of the device that is asked."""
        return self.source.block(self.query.device, self.query.metric)

    @cached_property
    def arm(self) -> ArmSummary:
        """The arm that is asked."""
        if self.query.arm is None:
            raise LookupError(f"{self.query.of} needs an arm")
        return find_arm(self.block, self.query.arm)

    @cached_property
    def other(self) -> ArmSummary:
        """What it is compared with."""
        if self.query.against is not None:
            return find_arm(self.block, self.query.against)
        base = next((arm for arm in self.block.arms if arm.is_baseline), None)
        if base is None:
            raise LookupError("the study has no baseline; say against")
        return base

    @cached_property
    def metric(self) -> str:
        """The metric that is asked, else the study's."""
        return self.query.metric or self.source.study.metric

    @cached_property
    def quantity(self) -> units.Quantity:
        """How the metric is called and in what unit."""
        return units.QUANTITIES[self.metric]

    @cached_property
    def between(self) -> Comparison:
        """The arm against the other."""
        return between(self.source.records, self.arm, self.other, self.block.device_kind, self.metric)

    def runs(self) -> tuple[RunRecord, ...]:
        """The runs that the answer stands on."""
        if self.query.study == EVERYTHING:
            return tuple(run for source in self.sources.values() for run in source.runs)
        if self.query.arm is None:
            return self.source.runs
        arms = [self.arm, self.other] if self.query.of in OF_PAIR else [self.arm]
        return tuple(
            run for arm in arms for run in runs_of(self.source.records, arm.name, self.block.device_kind)
        )


def _prose(interval: str) -> str:
    """An interval as it reads in a sentence: `97.6 to 99.4`."""
    return interval.strip("[]").replace(", ", " to ")


def _fixed(asked: Asked, value: float | None) -> str:
    """A value with as many decimals as its arm's mean."""
    if value is None:
        raise LookupError("is not known")
    return units.fixed(value, words.decimals_of(asked.arm.estimate, asked.arm.one_image))


def _known(value: float | int | None) -> float | int:
    if value is None:
        raise LookupError("is not known")
    return value


def _same(values: Iterable[object], what: str) -> str:
    """The one value that all runs share."""
    told = dict.fromkeys(str(value) for value in values if value is not None)
    if len(told) != 1:
        raise LookupError(f"{what} is not one value but {', '.join(told) or 'none'}")
    return next(iter(told))


def _count(values: Iterable[int | None], what: str) -> str:
    return f"{int(_same(values, what)):,}"


def _setting(asked: Asked) -> str:
    """A value of the configuration that all runs asked about share."""
    key = asked.query.key
    if key is None:
        raise LookupError("setting needs a key")
    values: list[object] = []
    for run in asked.runs():
        value: Any = run.config
        for part in key.split("."):
            if not isinstance(value, Mapping) or part not in value:
                raise LookupError(f"no setting {key!r} in the configuration of {run.arm}")
            value = value[part]
        values.append(f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else value)
    return _same(values, key)


def _train_time(runs: Iterable[RunRecord]) -> str:
    return units.duration(sum(run.metrics.train_time_s or 0.0 for run in runs))


def _all_trained(source: Source) -> list[RunRecord]:
    return [*source.runs, *source_records(source.records)]


def _signed_bare(text: str) -> str:
    """Without its sign, for a sentence that says rise or fall."""
    return text.lstrip(f"+{units.MINUS}")


def _p(asked: Asked) -> str:
    if asked.between.p is None:
        raise LookupError(f"no p-value: {asked.between.reason}")
    return p_text(asked.between.p)


def _declared(asked: Asked) -> ArmComparison:
    found = asked.block.comparison(asked.arm.name, asked.other.name)
    if found is None:
        raise LookupError(f"the study declares no comparison of {asked.arm.label} and {asked.other.label}")
    return found


def _p_adjusted(asked: Asked) -> str:
    p = _declared(asked).p_adjusted
    if p is None:
        raise LookupError(f"no p-value: {_declared(asked).result.reason}")
    return p_text(p)


def _interaction(asked: Asked) -> Contrast:
    """Difference of differences between the ends of a factor, of the study's first interaction."""
    if not asked.block.interactions:
        raise LookupError("the design is no grid of two factors, so it has no interaction")
    return asked.block.interactions[0].differences.contrast


def _slope(asked: Asked) -> Contrast:
    """Slope over an ordered factor where the other factors have the levels of the arm."""
    for found in asked.block.trends:
        if all(asked.arm.levels.get(key) == level for key, level in found.where.items()):
            return found.trend.linear
    raise LookupError(f"no ordered factor has three levels beside {asked.arm.label}")


def _contrast_text(found: Contrast) -> str:
    return words.difference_text(words.of_contrast(found), None)


def _contrast_interval(found: Contrast) -> str:
    return _prose(words.difference_interval_text(words.of_contrast(found), None))


def _contrast_p(found: Contrast) -> str:
    if found.p is None:
        raise LookupError(f"no p-value: {found.reason}")
    return p_text(found.p)


def _speed_ratio(asked: Asked) -> str:
    mine, other = asked.arm.speed, asked.other.speed
    if mine is None or other is None:
        raise LookupError("an arm has no probe")
    return units.significant(mine.median_img_s / other.median_img_s, 2)


def _n_correct(asked: Asked) -> str:
    """Right test images of an arm with one run, from its confusion matrix."""
    runs = [run for run in asked.runs() if run.confusion]
    if len(runs) != 1 or runs[0].confusion is None:
        raise LookupError(f"n_correct is of one run, not of {len(runs)}")
    return f"{sum(row[index] for index, row in enumerate(runs[0].confusion)):,}"


def _difference_interval(asked: Asked) -> str:
    return _prose(words.difference_interval_text(asked.between, asked.arm.one_image))


def _new_images_interval(asked: Asked) -> str:
    """The difference's interval that holds for new seeds and new images."""
    if not asked.other.is_baseline:
        raise LookupError("new_images_interval is against the baseline")
    found = (one.levels for one in asked.source.image_changes(asked.block) if one.arm == asked.arm.name)
    levels = next(found, None)
    if levels is None:
        raise LookupError(f"the test images of {asked.arm.label} are not told one by one")
    bounds = words.Bounds(levels.delta_pp, levels.low_pp, levels.high_pp)
    return _prose(words.difference_interval_text(bounds, None))


def _with_status(runs: Iterable[RunRecord], status: str) -> str:
    return str(sum(run.status == status for run in runs))


def _judged(asked: Asked, verdict: Kind) -> str:
    """How many declared comparisons that have a result ended so."""
    return str(sum(found.verdict == verdict for found in asked.block.comparisons if found.is_made))


OF_STUDY: Final[dict[str, Callable[[Asked], str]]] = {
    "n_arms": lambda asked: str(len(asked.source.study.arms)),
    "n_seeds": lambda asked: str(len(asked.source.study.seeds)),
    "n_runs": lambda asked: f"{len(asked.source.runs):,}",
    "n_source_runs": lambda asked: str(len(source_records(asked.source.records))),
    "n_done": lambda asked: _with_status(asked.source.runs, "done"),
    "n_diverged": lambda asked: _with_status(asked.source.runs, "diverged"),
    "train_time": lambda asked: _train_time(_all_trained(asked.source)),
    "n_train": lambda asked: _count((run.metrics.n_train for run in asked.runs()), "n_train"),
    "n_test": lambda asked: _count((run.metrics.n_test for run in asked.runs()), "n_test"),
    "device": lambda asked: _same((run.environment.get("device") for run in asked.source.runs), "device"),
    "torch": lambda asked: _same((run.environment.get("torch") for run in asked.source.runs), "torch"),
    "n_comparisons": lambda asked: str(len(asked.block.comparisons)),
    "interaction": lambda asked: _contrast_text(_interaction(asked)),
    "interaction_interval": lambda asked: _contrast_interval(_interaction(asked)),
    "interaction_p": lambda asked: _contrast_p(_interaction(asked)),
    "alpha": lambda asked: f"{asked.source.study.comparisons.alpha:g}",
    "margin": lambda asked: f"{_known(asked.source.study.comparisons.margin_pp):g}",
    "n_made": lambda asked: str(sum(found.is_made for found in asked.block.comparisons)),
    "n_better": lambda asked: _judged(asked, "better"),
    "n_worse": lambda asked: _judged(asked, "worse"),
    "n_equivalent": lambda asked: _judged(asked, "equivalent"),
    "n_undecided": lambda asked: _judged(asked, "undecided"),
    "setting": _setting,
}
"""Of a study; `n_train`, `n_test` and `setting` also of one arm."""

OF_ARM: Final[dict[str, Callable[[Asked], str]]] = {
    "mean": lambda asked: words.mean_text(asked.arm),
    "interval": lambda asked: _prose(words.interval_text(asked.arm, asked.quantity)),
    "sd": lambda asked: units.significant(_known(asked.arm.estimate.sd), 2),
    "lowest": lambda asked: _fixed(asked, min((p.value for p in asked.arm.points), default=None)),
    "highest": lambda asked: _fixed(asked, max((p.value for p in asked.arm.points), default=None)),
    "n": lambda asked: str(asked.arm.n_done),
    "n_correct": _n_correct,
    "one_image": lambda asked: units.significant(_known(asked.arm.one_image), 2),
    "params": lambda asked: f"{_known(asked.arm.n_params):,}",
    "params_millions": lambda asked: units.millions(int(_known(asked.arm.n_params))),
    "trainable": lambda asked: f"{_known(asked.arm.n_trainable_params):,}",
    "gmacs": lambda asked: units.significant(_known(asked.arm.gmacs)),
    "slope": lambda asked: _contrast_text(_slope(asked)),
    "slope_interval": lambda asked: _contrast_interval(_slope(asked)),
    "slope_p": lambda asked: _contrast_p(_slope(asked)),
}
"""Of one arm."""

OF_PAIR: Final[dict[str, Callable[[Asked], str]]] = {
    "difference": lambda asked: words.difference_text(asked.between, asked.arm.one_image),
    "size": lambda asked: _signed_bare(words.difference_text(asked.between, asked.arm.one_image)),
    "difference_interval": _difference_interval,
    "new_images_interval": _new_images_interval,
    "p": _p,
    "p_adjusted": _p_adjusted,
    "verdict": lambda asked: _declared(asked).verdict,
    "correlation": lambda asked: units.signed(_known(asked.between.correlation), 2),
    "speed_ratio": _speed_ratio,
}
"""Of one arm against another, or against the baseline."""

OF_EVERYTHING: Final[dict[str, Callable[[Asked], str]]] = {
    "n_studies": lambda asked: str(len(asked.sources)),
    "n_runs": lambda asked: f"{sum(len(_all_trained(source)) for source in asked.sources.values()):,}",
    "train_time": lambda asked: _train_time(
        run for source in asked.sources.values() for run in _all_trained(source)
    ),
    "device": lambda asked: _same((run.environment.get("device") for run in asked.runs()), "device"),
    "torch": lambda asked: _same((run.environment.get("torch") for run in asked.runs()), "torch"),
    "python": lambda asked: _same((run.environment.get("python") for run in asked.runs()), "python"),
    "last_day": lambda asked: max(run.ended_utc[:10] for run in asked.runs()),
}
"""Of all studies that the paper asks."""
