"""The paper's queries: what they may ask, what they answer, and what nobody may type."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import UsageError
from bench.report.numbers import answer_all
from bench.report.numbers_file import read_asks
from bench.report.numbers_typed import Allowed, read_allowed, typed_numbers
from bench.report.paper import read_sources

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def sources() -> dict:
    return read_sources(["depth", "freezing", "witness"], ROOT / "results")


def asks(folder: Path, text: str):
    path = folder / "numbers.toml"
    path.write_text(text)
    return read_asks(path)


def answers(folder: Path, sources: dict, text: str) -> dict[str, str]:
    return {number.name: number.text for number in answer_all(asks(folder, text), sources)}


PLAIN56 = 'arm = "depth=56, residual=false"'


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (f'of = "mean", {PLAIN56}', "26"),
        (f'of = "interval", {PLAIN56}', "12 to 39"),
        (f'of = "difference", {PLAIN56}', "\N{MINUS SIGN}73"),
        (f'of = "size", {PLAIN56}', "73"),
        (f'of = "difference_interval", {PLAIN56}', "\N{MINUS SIGN}87 to \N{MINUS SIGN}59"),
        (f'of = "params", {PLAIN56}', "852,730"),
        (f'of = "n", {PLAIN56}', "5"),
        (f'of = "setting", key = "model.depth", {PLAIN56}', "56"),
        (f'of = "verdict", {PLAIN56}', "worse"),
        (f'of = "mean", metric = "train_error_pct", {PLAIN56}', "75"),
        (f'of = "size", {PLAIN56}, against = "depth=56, residual=true"', "73"),
        ('of = "n_test"', "359"),
        ('of = "n_runs"', "40"),
        ('of = "setting", key = "train.epochs"', "8"),
        ('of = "interaction"', "+73"),
    ],
)
def test_answers_read_as_the_tables_do(tmp_path: Path, sources: dict, query: str, expected: str) -> None:
    assert answers(tmp_path, sources, f"[depth]\none = {{{query}}}\n") == {"depth.one": expected}


def test_right_images_are_counted_from_the_confusion_matrix(tmp_path: Path, sources: dict) -> None:
    arm = "depth=20, weights=weights/cifar_resnet20.safetensors"
    text = f'[witness]\nright = {{of = "n_correct", arm = "{arm}"}}\n'
    assert answers(tmp_path, sources, text) == {"witness.right": "8,103"}


def test_an_answer_stands_on_the_runs_of_both_arms(tmp_path: Path, sources: dict) -> None:
    (number,) = answer_all(asks(tmp_path, f'[depth]\none = {{of = "difference", {PLAIN56}}}\n'), sources)
    assert len(number.runs) == 10
    assert {run.levels["model.depth"] for run in number.runs} == {20, 56}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('[depth]\none = {of = "meen", arm = "x"}', "depth.one: of 'meen': did you mean 'mean'?"),
        (
            '[depth]\none = {of = "mean", arm = "depth=57, residual=false"}',
            "no arm 'depth=57, residual=false'",
        ),
        ('[depth]\none = {of = "mean"}', "depth.one: mean needs an arm"),
        ('[deepth]\none = {of = "n_runs"}', "no results of a study 'deepth'; did you mean 'depth'?"),
        ('[depth]\none = {of = "setting", key = "model.depth"}', "is not one value but 20, 8, 32, 56"),
        ('[depth]\none = {of = "setting", key = "train.epoch"}', "no setting 'train.epoch'"),
        ('[witness]\none = {of = "interaction"}', "witness.one: the design is no grid of two factors"),
    ],
)
def test_what_records_cannot_answer_is_a_fault_with_its_name(
    tmp_path: Path, sources: dict, text: str, fault: str
) -> None:
    with pytest.raises(UsageError) as error:
        answers(tmp_path, sources, text)
    assert fault in error.value.lines[0]


def test_all_faults_of_the_file_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        asks(tmp_path, '[depth]\none = {off = "mean"}\ntwo = 3\n[tables.x]\nstudy = "depth"\n')
    told = [line.partition("numbers.toml: ")[2] for line in error.value.lines]
    assert told == [
        "tables.x.caption: field required",
        "depth.one.of: field required",
        "depth.one.off: unknown key; did you mean 'of'?",
        "depth.two: not a table, but 3",
    ]


TEX = r"""\usepackage[margin=1.5in]{geometry}
\begin{document}
A rise of 3.5\pp{} at 95\,\% over 12 runs % and 7.7 in a comment
is \num{depth.one}\pct, \includegraphics[width=0.5\textwidth]{x}.
It takes 20~s, or 40 images/s, at 1,000 images.
\end{document}
"""


def test_typed_numbers_of_a_paper_are_found_by_point_and_unit(tmp_path: Path) -> None:
    path = tmp_path / "main.tex"
    path.write_text(TEX)
    found, _ = typed_numbers([path], [])
    assert "3.5" in found[0].text
    assert [one.line for one in found] == [3, 3, 5, 5]


def test_typed_numbers_of_a_readme_leave_out_code_and_generated_parts(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text(
        "Up by 1.5 points, `0.1`, [x](a-2.5.md)\n\n<!-- generated: a -->\n9.9 %\n<!-- end -->\n\n"
        "```sh\nsleep 0.5\n```\n\nand 7 GiB.\n"
    )
    found, _ = typed_numbers([path], [])
    assert [one.line for one in found] == [1, 11]


def test_an_allowed_number_covers_its_own_words_only_and_an_idle_entry_is_told(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text("At a level of\n95 % and a gain of 3.5 points.\n")
    level = Allowed("README.md", "level of 95 %", "a convention")
    idle = Allowed("README.md", "99 %", "once was")
    found, unread = typed_numbers([path], [level, idle])
    assert ["3.5" in one.text for one in found] == [True]
    assert unread == [idle]


def test_an_entry_without_a_reason_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "allowed.toml"
    path.write_text('[[allowed]]\nfile = "README.md"\ntext = "3.5"\n')
    with pytest.raises(UsageError, match="reason"):
        read_allowed(path)
