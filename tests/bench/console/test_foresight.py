"""What `plan` says beforehand of a factorial: the fraction that it chose, and what it cannot tell apart."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import TINY, bench, write_study

FACTORS = {
    "train.cutmix": "[0.0, 1.0]",
    "model.zero_init_last": "[false, true]",
    "train.label_smoothing": "[0.0, 0.1]",
    "train.mixup": "[0.0, 0.2]",
    "data.augment": "[none, {label: crop, value: [crop]}]",
}


def plan_of(folder: Path, n_factors: int, resolution: str) -> str:
    factors = "".join(f"    {key}: {levels}\n" for key, levels in list(FACTORS.items())[:n_factors])
    design = f"design:\n  factorial:\n{factors}{resolution}"
    study = TINY.partition("design:")[0] + design
    answer = bench("plan", write_study(folder, study), "--device", "cpu", cwd=folder)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def test_a_fraction_is_named_with_its_generators_and_aliases(tmp_path: Path) -> None:
    """Four factors in eight runs, D = ABC: pairs are aliased with pairs, no main effect with any."""
    told = plan_of(tmp_path, 4, "  resolution: 4\n").splitlines()
    start = told.index(
        "fractional factorial, 2^(4-1) = 8 arms of resolution IV: "
        "train.mixup = train.cutmix × model.zero_init_last × train.label_smoothing"
    )
    assert told[start + 1] == "aliased, so that only their sum is estimated:"
    assert told[start + 2 : start + 5] == [
        "  train.cutmix × model.zero_init_last + train.label_smoothing × train.mixup",
        "  train.cutmix × train.label_smoothing + model.zero_init_last × train.mixup",
        "  train.cutmix × train.mixup + model.zero_init_last × train.label_smoothing",
    ]


def test_a_fraction_that_tells_all_pairs_apart_says_so(tmp_path: Path) -> None:
    told = plan_of(tmp_path, 5, "  resolution: 5\n")
    assert "2^(5-1) = 16 arms of resolution V" in told
    assert "no main effect or interaction of two factors is aliased with another one" in told


@pytest.mark.parametrize("n_factors", [2, 3])
def test_a_full_factorial_has_no_aliases(tmp_path: Path, n_factors: int) -> None:
    told = plan_of(tmp_path, n_factors, "")
    assert f"full factorial, 2^{n_factors} = {2**n_factors} arms" in told
    assert "aliased" not in told
