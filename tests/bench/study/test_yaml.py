"""Strict YAML: values by YAML 1.2, places by line and column, and no way to be surprised."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import bench.study.yaml as strict
from bench.study.document import MAX_BYTES, read_document
from bench.study.dump import dump
from bench.study.faults import StudyError
from bench.study.yaml import parse, resolve


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3),
        ("1e-4", 1e-4),
        ("1E5", 1e5),
        (".5", 0.5),
        ("-2.", -2.0),
        ("+1", 1),
        ("012", 12),
        ("0x1F", 31),
        ("0o17", 15),
        ("-7", -7),
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("", None),
    ],
)
def test_plain_scalars_follow_the_core_schema_of_yaml_1_2(text: str, value: Any) -> None:
    assert resolve(text) == value
    assert type(resolve(text)) is type(value)


@pytest.mark.parametrize(
    "text", ["off", "no", "yes", "on", "y", "N", "1:30", "1_000", "2020-01-01", "0b1", "1e", ".", "-", "x"]
)
def test_what_yaml_1_1_would_turn_into_something_stays_text(text: str) -> None:
    assert resolve(text) == text


@pytest.mark.parametrize("text", [".nan", ".inf", "-.Inf", "1e999"])
def test_a_number_that_is_not_finite_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a finite number"):
        resolve(text)


@pytest.mark.parametrize("text", ["9223372036854775808", "9" * 5000, "0x" + "f" * 30])
def test_a_whole_number_beyond_64_bits_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="does not fit 64 bits"):
        resolve(text)


def test_quoted_text_is_text() -> None:
    assert parse("a: '1'\nb: \"true\"\nc: |\n  2\n", "s").data == {"a": "1", "b": "true", "c": "2\n"}


def test_every_value_and_key_has_its_line_and_column() -> None:
    marks = parse("a:\n  b: [1, {c: 2}]\n", "s").marks
    assert marks["a",].key == (1, 1)
    assert marks["a", "b"].key == (2, 3)
    assert marks["a", "b"].value == (2, 6)
    assert marks["a", "b", 0].value == (2, 7)
    assert marks["a", "b", 1, "c"].value == (2, 14)


def test_columns_count_characters_not_bytes() -> None:
    assert parse("{ä: ‘é’, b: 1}", "s").marks["b",].value == (1, 13)


def test_an_alias_is_written_out_and_points_to_where_its_value_stands() -> None:
    parsed = parse("a: &x {v: 1}\nb: *x\n", "s")
    assert parsed.data == {"a": {"v": 1}, "b": {"v": 1}}
    assert parsed.marks["b", "v"].value == (1, 11)
    assert parsed.marks["b",].key == (2, 1)


def test_aliases_cannot_nest_deeper_than_a_document_may() -> None:
    text = "a0: &a0 [1]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 30))
    with pytest.raises(StudyError, match="nested deeper than 20 levels"):
        parse(text, "s")


def test_several_faults_of_one_document_are_told_together() -> None:
    with pytest.raises(StudyError) as refusal:
        parse("a: !x 1\nb: 2\nb: 3\nc: .inf\n", "s")
    assert refusal.value.lines == (
        "s:1:4: a: tags such as !x are not allowed",
        "s:3:1: b: duplicate key; it stands first on line 2",
        "s:4:4: c: .inf is not a finite number",
    )


def test_with_and_without_libyaml_documents_and_refusals_are_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """libyaml is faster, but not everywhere, and it words and places its errors differently."""
    texts = [
        "a: 1\n",
        "a: [1\n",
        "a: b: c\n",
        "'a\n",
        "a:\n  - b\n c: 1\n",
        "{a: 1",
        "a: *b\n",
        "a: &x 1\nb: *x\n",
    ]

    def outcomes() -> list[object]:
        told: list[object] = []
        for text in texts:
            try:
                told.append(parse(text, "s"))
            except StudyError as error:
                told.append(error.lines)
        return told

    fast = outcomes()
    monkeypatch.setattr(strict, "FAST_LOADER", yaml.SafeLoader)
    assert outcomes() == fast


def test_a_large_document_is_refused_quickly() -> None:
    started = time.perf_counter()
    with pytest.raises(StudyError, match="more than 100,000 values"):
        parse("a: [" + "1, " * 300_000 + "1]\n", "s")
    with pytest.raises(StudyError, match="nested deeper"):
        parse("[" * 500_000, "s")
    assert time.perf_counter() - started < 5


def test_nothing_of_a_hostile_document_is_executed(tmp_path: Path) -> None:
    target = tmp_path / "made"
    for tag in ("!!python/object/apply:os.mkdir", "!<tag:yaml.org,2002:python/object/apply:os.mkdir>"):
        with pytest.raises(StudyError, match="are not allowed"):
            parse(f"a: {tag} ['{target}']\n", "s")
    assert not target.exists()


PRINTABLE = st.text(st.characters(exclude_categories=("C", "Zl", "Zp")), max_size=12)
DATA = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | PRINTABLE
    | st.sampled_from(["1e-3", "012", "0o7", ".inf", "off", "null", "~", "9" * 30, "a: b", "- x", "#", "<<"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(PRINTABLE, inner, max_size=3),
    max_leaves=8,
)


@given(DATA)
def test_what_is_written_is_read_back(data: Any) -> None:
    """PyYAML writes the text 1e-3 without quotes, because YAML 1.1 does not take it for a number."""
    assert parse(dump({"a": data}), "s").data == {"a": data}


Place = Callable[[Path], Path]


def _file(content: bytes) -> Place:
    def make(folder: Path) -> Path:
        path = folder / "s.yaml"
        path.write_bytes(content)
        return path

    return make


def _fifo(folder: Path) -> Path:
    os.mkfifo(folder / "s.yaml")
    return folder / "s.yaml"


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        pytest.param(lambda folder: folder / "none.yaml", "no such file", id="missing"),
        pytest.param(lambda folder: folder, "is a directory, not a study file", id="directory"),
        pytest.param(_fifo, "is not a regular file", id="fifo"),
        pytest.param(lambda _: Path("/dev/null"), "is not a regular file", id="device"),
        pytest.param(_file(b""), "1:1: the file is empty", id="empty"),
        pytest.param(_file(b" \n\n"), "1:1: the file is empty", id="blank"),
        pytest.param(_file(b"# only a comment\n"), "1:1: the document is empty", id="comment"),
        pytest.param(_file("name: x\n".encode("utf-16")), "save it as UTF-8", id="utf-16"),
        pytest.param(_file("name: x\n".encode("utf-16-le")), "save it as UTF-8", id="utf-16-no-mark"),
        pytest.param(_file(b"a: b\nc: \xff\n"), "2:4: byte 0xFF is not UTF-8", id="not-utf-8"),
        pytest.param(_file(b"a: b\nc: \0\n"), "2:4: character U+0000 is not allowed", id="nul"),
        pytest.param(_file(b"a: \x1b[31m\n"), "1:4: character U+001B is not allowed", id="escape"),
        pytest.param(_file(b"a: 1\n#" + b"x" * MAX_BYTES), "is larger than 1 MiB", id="too-large"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_clear_line(make: Place, rule: str, tmp_path: Path) -> None:
    path = make(tmp_path)
    with pytest.raises(StudyError) as refusal:
        read_document(path)
    (line,) = refusal.value.lines
    assert line.startswith(f"{path}:")
    assert rule in line


def test_a_missing_file_names_the_nearest_study(tmp_path: Path) -> None:
    (tmp_path / "depth.yaml").touch()
    with pytest.raises(StudyError, match=r"no such file; did you mean '.*depth.yaml'\?"):
        read_document(tmp_path / "dept.yaml")


def test_a_byte_order_mark_before_utf_8_is_allowed_as_yaml_allows_it(tmp_path: Path) -> None:
    document = read_document(_file(b"\xef\xbb\xbfname: x\n")(tmp_path))
    assert document.data == {"name": "x"}
    assert document.marks["name",].value == (1, 7)
