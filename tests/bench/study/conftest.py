"""A small right study, and what the loader says of wrong ones made from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from bench.study.faults import StudyError
from bench.study.load import load_study
from bench.study.model import Study

STUDY = """\
# Line and column of what is wrong are counted in this text.
name: depth
question: Does accuracy survive depth when the shortcuts are taken away?
metric: test_top1_pct
seeds: 3
base:
  data: {name: digits, augment: none, val: 0}
  model: {name: cifar_resnet, depth: 20, residual: true}
  train:
    epochs: 10
    batch_size: 128
    optimizer: {name: sgd, lr: 0.1, momentum: 0.9, weight_decay: 1e-4}
    schedule: {name: onecycle}
    select: last
  execution: {amp: none, fp32_precision: ieee, channels_last: true, compile: none, threads: 1}
design:
  grid:
    model.depth: [8, 20, 32, 56]
    model.residual: [true, false]
baseline: {model.depth: 20, model.residual: true}
"""

GRID = """\
  grid:
    model.depth: [8, 20, 32, 56]
    model.residual: [true, false]
"""

BASELINE = "baseline: {model.depth: 20, model.residual: true}\n"

Edits = Sequence[tuple[str, str]]


@pytest.fixture
def study_text() -> Callable[..., str]:
    """The right study with pieces of it replaced; `GRID` and `BASELINE` stand for those lines."""

    def text(*edits: tuple[str, str]) -> str:
        changed = STUDY
        for old, new in edits:
            piece = {"GRID": GRID, "BASELINE": BASELINE}.get(old, old)
            assert piece in changed, f"{piece!r} is not in the study"
            changed = changed.replace(piece, new)
        return changed

    return text


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Study]:
    """Load a study from text, as the file s.yaml of the working folder."""
    monkeypatch.chdir(tmp_path)

    def load_text(text: str | bytes, *overrides: str) -> Study:
        path = Path("s.yaml")
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_study(path, overrides)

    return load_text


@pytest.fixture
def lines(load: Callable[..., Study]) -> Callable[..., list[str]]:
    """The lines with which a wrong study is refused; a study that loads fails the test."""

    def lines_of(text: str | bytes, *overrides: str) -> list[str]:
        with pytest.raises(StudyError) as refusal:
            load(text, *overrides)
        assert refusal.value.exit_code == 2
        assert list(refusal.value.lines) == str(refusal.value).splitlines(), "one line a fault"
        return list(refusal.value.lines)

    return lines_of
