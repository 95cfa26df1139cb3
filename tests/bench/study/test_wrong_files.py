# ruff: noqa: E501 - the expected lines stand whole, as a user sees them
"""What is wrong with a file before it is a study: YAML, its surprises, the outline."""

from __future__ import annotations

from collections.abc import Callable

import pytest

WRONG = [
    pytest.param(
        (("    epochs: 10", "    epochs: 10\n    epochs: 11"),),
        ["11:5: base.train.epochs: duplicate key; it stands first on line 10"],
        id="dup",
    ),
    pytest.param(
        (("epochs: 10", "epochs: !!python/object/apply:os.system ['x']"),),
        [
            "10:13: base.train.epochs: tags such as tag:yaml.org,2002:python/object/apply:os.system are not allowed"
        ],
        id="tag",
    ),
    pytest.param(
        "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e]\n",
        ["5:29: more than 100,000 values, aliases written out"],
        id="bomb",
    ),
    pytest.param("a: &a [*a]\n", ["1:8: a[0]: alias *a contains itself"], id="self-alias"),
    pytest.param("a: *b\n", ["1:4: a: alias *b has no anchor &b before it"], id="no-anchor"),
    pytest.param("name: x\n", ["1:1: base: required key is missing"], id="missing-base"),
    pytest.param(
        "- a\n- b\n", ["1:1: expected a mapping with name, question, base, …; got a list"], id="list"
    ),
    pytest.param(
        "hello\n", ["1:1: expected a mapping with name, question, base, …; got text 'hello'"], id="scalar"
    ),
    pytest.param(
        (("metric:", "metrics:"),), ["4:1: metrics: unknown key; did you mean 'metric'?"], id="unknown-top"
    ),
    pytest.param(
        (("lr: 0.1", "lr: .nan"),),
        ["12:32: base.train.optimizer.lr: .nan is not a finite number"],
        id="lr-nan",
    ),
    pytest.param((("    epochs", "\tepochs"),), ["10:1: a tab; use spaces"], id="tab"),
    pytest.param((("depth\n", "de\x00pth\n"),), ["2:9: character U+0000 is not allowed"], id="nul"),
    pytest.param(
        (("name: depth", 'name: depth\n"a\\nb": 3'),),
        [
            "3:1: a\\nb: unknown key; one of base, baseline, comparisons, design, kind, metric, name, question, repeats, seeds, target"
        ],
        id="key-newline",
    ),
    pytest.param(
        (("[true, false]", "[true, false"),),
        ["19:21: not valid YAML: the list is not closed; a ',' or ']' is missing"],
        id="syntax",
    ),
    pytest.param(
        (("question: ", "question: so: "),),
        ["3:13: not valid YAML: a ':' cannot stand here; quote text that holds ': '"],
        id="syntax-colon",
    ),
    pytest.param(
        (("question: ", "question: 'so "),),
        ["3:11: not valid YAML: the quote is never closed"],
        id="syntax-quote",
    ),
    pytest.param(
        (("    batch_size", "   batch_size"),),
        ["11:4: not valid YAML: this does not line up with the lines above"],
        id="syntax-indent",
    ),
    pytest.param(
        (("    batch_size: 128", "    batch_size 128"),),
        ["12:5: not valid YAML: this line is no 'key: value'; a ':' with a space after it is missing"],
        id="no-colon",
    ),
    pytest.param(
        (("{name: onecycle}", "{name: onecycle"),),
        ["13:15: not valid YAML: the mapping is not closed; a ',' or '}' is missing"],
        id="bracket",
    ),
    pytest.param(
        (("BASELINE", "baseline: {model.depth: 20, model.residual: true}\n---\na: 1\n"),),
        ["21:1: a second document starts here; a file holds one"],
        id="two-docs",
    ),
    pytest.param(
        (("    select: last", "    <<: {select: last}"),),
        ["14:5: base.train: merge keys (<<) are not allowed; write the keys out"],
        id="merge",
    ),
    pytest.param(
        "a: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\n",
        ["1:24: nested deeper than 20 levels"],
        id="deep",
    ),
    pytest.param("? [a]\n: b\n", ["1:3: a key has to be plain text"], id="anchor-key"),
    pytest.param(
        (("epochs: 10", "epochs: 99999999999999999999"),),
        ["10:13: base.train.epochs: 99999999999999999999 does not fit 64 bits"],
        id="big-int",
    ),
    pytest.param("name: x\nbase:\n", ["2:6: base: expected a mapping, got nothing"], id="base-null"),
]


@pytest.mark.parametrize(("edits", "expected"), WRONG)
def test_a_file_that_is_no_study_is_told_where_and_why(
    study_text: Callable[..., str],
    lines: Callable[..., list[str]],
    edits: tuple[tuple[str, str], ...] | str,
    expected: list[str],
) -> None:
    text = edits if isinstance(edits, str) else study_text(*edits)
    assert [line.removeprefix("s.yaml:") for line in lines(text)] == expected
