# ruff: noqa: E501 - tables of snippets stand in few lines
"""Whatever is done to a study, it loads or is refused in lines of one form, soon, and nothing escapes."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.study.document import Document
from bench.study.faults import StudyError
from bench.study.load import load_study
from bench.study.model import Study

FORM = re.compile(r"(s\.yaml(:\d+:\d+)?|command line): \S.*")

SNIPPETS = [
    "", " ", "\n", "  ", ":", ": ", "- ", "[", "]", "{", "}", ",", "&a ", "*a", "!!x ", "!", "|", ">", "'", '"', "#",
    " #", "---\n", "...\n", "? ", "<<: ", "null", "true", "off", "1e-3", "012", ".nan", "-1", "0", "9" * 30, "\t",
    "\0", "\x1b", "é", "\U0001f600", "\u2028", "%YAML 1.1\n", "@", "`", "label: x", "value: 1", "base.", "name",
    "../x", "{label: a, value: 1}", "[[1]]", "''", "grid", "zip", "model.depth", "x: y",
]  # fmt: skip

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.floats(-2, 2),
    st.text(max_size=5),
    st.lists(st.integers(0, 3), max_size=3),
    st.dictionaries(
        st.sampled_from(["label", "value", "set", "name", "lr", "from", "x"]), st.integers(0, 2), max_size=3
    ),
    st.sampled_from(["pretrain", "timm", "transferred", "layer1", "timm:resnet18", "resnet18", "w.pth"]),
)

BOUNDED = settings(
    max_examples=150,
    deadline=1000,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def outcome(run: Callable[[], Study]) -> Study | tuple[str, ...]:
    """The study, or the well-formed lines of its refusal."""
    started = time.perf_counter()
    try:
        told: Study | tuple[str, ...] = run()
    except StudyError as error:
        told = error.lines
    assert time.perf_counter() - started < 1
    if isinstance(told, Study):
        return told
    assert told
    for line in told:
        assert FORM.fullmatch(line), line
        assert line.isprintable(), line
        assert len(line) < 2000
    return told


@BOUNDED
@given(
    edits=st.lists(
        st.tuples(st.floats(0, 1), st.integers(0, 12), st.sampled_from(SNIPPETS)), min_size=1, max_size=4
    )
)
def test_a_text_with_pieces_cut_and_pasted_loads_or_is_refused(
    edits: list[tuple[float, int, str]], study_text: Callable[..., str], load: Callable[..., Study]
) -> None:
    text = study_text()
    for where, n_cut, snippet in edits:
        at = int(where * len(text))
        text = text[:at] + snippet + text[at + n_cut :]
    outcome(lambda: load(text))


@BOUNDED
@given(where=st.floats(0, 1), bits=st.binary(min_size=1, max_size=3))
def test_a_file_with_bytes_overwritten_loads_or_is_refused(
    where: float, bits: bytes, study_text: Callable[..., str], load: Callable[..., Study]
) -> None:
    raw = study_text().encode()
    at = int(where * len(raw))
    outcome(lambda: load(raw[:at] + bits + raw[at + len(bits) :]))


def paths(value: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every path of a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [above, *(path for key, below in inner for path in paths(below, (*above, key)))]


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    if isinstance(value, dict):
        return {key: replaced(old, path[1:], new) if key == path[0] else old for key, old in value.items()}
    return [replaced(old, path[1:], new) if n == path[0] else old for n, old in enumerate(value)]


DESIGNS = [
    "",
    "  arms: {a: {model.depth: 8}, b: {model.residual: false, train.optimizer: {name: adam, lr: 1}}}\n",
    "  zip: {model.depth: [8, 14], train.epochs: [1, 2]}\n",
    "  one_at_a_time: {model.depth: [8, 14], train.schedule: [{label: c, name: cosine}]}\n",
    (
        "  grid: {t: [{label: a, set: {}}, {label: b, set: {train.freeze: {through: stem, unfreeze: {stem: 2}}}},\n"
        "    {label: c, set: {weights: {from: random, through: layer1}, train.freeze: transferred}}]}\n"
    ),
    (
        "  one_at_a_time: {t: [{label: a, set: {weights: pretrain, pretrain: {model: {name: mlp}}}},\n"
        "    {label: b, set: {weights.run: depth, train.stage_lr: {stem: 0.1}}}]}\n"
    ),
]


@BOUNDED
@given(data=st.data())
def test_a_document_with_values_of_other_shapes_loads_or_is_refused(
    data: st.DataObject,
    study_text: Callable[..., str],
    load: Callable[..., Study],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Mutates the data behind the YAML, so that every wrong shape reaches the checks behind the parser."""
    design = data.draw(st.sampled_from(DESIGNS))
    text = study_text(("GRID", design), ("BASELINE", "")) if design else study_text()
    document = load_document(text)
    changed = document.data
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(paths(changed)))
        changed = replaced(changed, path, data.draw(VALUES))
    mutated = Document(document.source, changed, document.marks)
    with monkeypatch.context() as patch:
        patch.setattr("bench.study.read.read_document", lambda _: mutated)
        outcome(lambda: load_study(Path("s.yaml")))


def load_document(text: str) -> Document:
    from bench.study.yaml import parse

    parsed = parse(text, "s.yaml")
    return Document("s.yaml", parsed.data, parsed.marks)


KEYS = st.sampled_from([
    "seeds", "name", "base", "base.train", "base.train.epochs", "base.model.depth", "design", "design.grid", "metric",
    "design.grid.model.depth", "design.arms.a.b", "design.exclude", "baseline", "baseline.model.depth", "base.x.y",
    "design.zip", "base.weights", "base.weights.through", "base.train.freeze", "base.pretrain.model.depth",
    "base.train.freeze.unfreeze.stem", "base.data", "", "a..b", "base.train.optimizer.options.x", "base.data.normalize.mean",
])  # fmt: skip


@BOUNDED
@given(texts=st.lists(st.tuples(KEYS, st.sampled_from(["=", ""]), st.text(max_size=8)), max_size=3))
def test_any_override_is_taken_or_refused(
    texts: list[tuple[str, str, str]], study_text: Callable[..., str], load: Callable[..., Study]
) -> None:
    outcome(lambda: load(study_text(), *("".join(parts) for parts in texts)))
