"""Wrong studies fed to the command as a stranger would: exit code, one line a fault, no file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from command_line import TINY, bench

ALIAS_BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{after}: &{after} [{','.join([f'*{before}'] * 9)}]\n"
    for before, after in zip("abcdefgh", "bcdefghi", strict=True)
)


def tiny(old: str, new: str) -> bytes:
    assert old in TINY
    return TINY.replace(old, new).encode()


WRONG: dict[str, tuple[bytes, int, str]] = {
    "a typo in a key": (
        tiny("batch_size", "batchsize"),
        2,
        r"9:5: base\.train\.batchsize: .*did you mean 'batch_size'",
    ),
    "a wrong type": (tiny("lr: 0.05", "lr: fast"), 2, r"base\.train\.optimizer\.lr: .*'?fast'?"),
    "a number as text": (tiny("epochs: 2", "epochs: '2'"), 2, r"8:13: base\.train\.epochs: "),
    "an unknown dataset": (tiny("name: digits", "name: digit"), 2, r"data\.name: .*did you mean 'digits'"),
    "an unknown network": (
        tiny("name: cifar_resnet", "name: resnot"),
        2,
        r"base\.model\.name: .*did you mean 'resnet'",
    ),
    "an impossible depth": (
        tiny("depth: 8", "depth: 19"),
        2,
        r"base\.model\.depth: 19 is not 6n\+2; nearest 20",
    ),
    "a duplicate key": (tiny("    epochs: 2\n", "    epochs: 2\n    epochs: 3\n"), 2, r"9:5: .*epochs"),
    "an alias bomb": (ALIAS_BOMB.encode(), 2, r"alias|values"),
    "a Python tag": (
        tiny("name: tiny", "name: !!python/object/apply:os.system ['touch pwned']"),
        2,
        r"1:7: .*tag",
    ),
    "a path as name": (tiny("name: tiny", "name: ../x"), 2, r"1:7: name: '?\.\./x'?"),
    "an empty file": (b"", 2, r"empty"),
    "UTF-16": (TINY.encode("utf-16"), 2, r"UTF-16|UTF-8"),
    "NUL bytes": (tiny("tiny", "ti\0ny"), 2, r"character|NUL|printable"),
    "invalid UTF-8": (TINY.encode() + b"\xff\xfe", 2, r"UTF-8|UTF-16"),
    "a tab": (tiny("  data:", "\tdata:"), 2, r"tab"),
    "a list instead of a mapping": (b"- one\n- two\n", 2, r"mapping"),
    "a grid of a million runs": (
        tiny(
            "    model.residual: [true, false]\n",
            f"    model.residual: [true, false]\n    train.epochs: {list(range(1, 1001))}\n"
            f"    train.batch_size: {list(range(1, 251))}\n",
        ),
        2,
        r"1,?000,?000",
    ),
    "a batch larger than the set": (tiny("batch_size: 64", "batch_size: 512"), 2, r"batch_size: 512.* 256"),
    "best_val without validation": (
        tiny("    epochs: 2\n", "    epochs: 2\n    select: best_val\n").replace(
            b"train_size: 256", b"val: 0"
        ),
        2,
        r"val is 0",
    ),
    "two budgets": (tiny("    epochs: 2\n", "    epochs: 2\n    steps: 10\n"), 2, r"epochs or as steps"),
    "an unknown factor": (tiny("model.residual: [", "model.residul: ["), 2, r"model\.residual"),
    "a baseline that is no level's factor": (
        tiny("baseline: {model.residual", "baseline: {model.depth"),
        2,
        r"baseline",
    ),
    "not a number": (tiny("lr: 0.05", "lr: .nan"), 2, r"lr"),
    "a negative learning rate": (tiny("lr: 0.05", "lr: -1"), 2, r"lr: -1"),
    "a set that is not here": (
        tiny("{name: digits, train_size: 256}", "{name: mnist}"),
        3,
        r"mnist.*bench data fetch mnist",
    ),
    "own data that are not here": (
        tiny("{name: digits, train_size: 256}", "{name: folder, path: nowhere, image_size: 8}"),
        3,
        r"nowhere",
    ),
    "a callable that is not here": (
        tiny("{name: digits, train_size: 256}", "{name: digits, augment: nowhere_at_all:shift}"),
        2,
        r"nowhere_at_all",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_study_is_told_in_one_line_and_writes_nothing(name: str, tmp_path: Path) -> None:
    content, code, pattern = WRONG[name]
    (tmp_path / "wrong.yaml").write_bytes(content)
    answer = bench("run", "wrong.yaml", "--device", "cpu", cwd=tmp_path)
    assert answer.returncode == code, answer.stderr
    assert "Traceback" not in answer.stderr
    lines = answer.stderr.splitlines()
    assert len(lines) == 1, answer.stderr
    assert re.search(pattern, lines[0]), lines[0]
    if code == 2 and "callable" not in name:
        assert lines[0].startswith("wrong.yaml"), lines[0]
    assert [path.name for path in tmp_path.iterdir()] == ["wrong.yaml"]


def test_a_directory_is_no_study(tmp_path: Path) -> None:
    (tmp_path / "folder.yaml").mkdir()
    answer = bench("run", "folder.yaml", cwd=tmp_path)
    assert (answer.returncode, len(answer.stderr.splitlines())) == (2, 1)


def test_all_faults_come_at_once_in_order_of_place(tmp_path: Path) -> None:
    text = (
        TINY.replace("epochs: 2", "epohcs: 2").replace("depth: 8", "depth: 9").replace("lr: 0.05", "lr: fast")
    )
    (tmp_path / "wrong.yaml").write_text(text)
    answer = bench("plan", "wrong.yaml", cwd=tmp_path)
    assert answer.returncode == 2
    places = [tuple(map(int, line.split(":")[1:3])) for line in answer.stderr.splitlines()]
    assert len(places) >= 3
    assert places == sorted(places)


NETWORKS: dict[str, tuple[str, int, str]] = {
    "a stage that is none": ("  train: {FREEZE}", 2, r"base\.train\.freeze\.through: .*layer3"),
    "weights that are not there": (
        "  weights: nowhere.safetensors\n",
        3,
        r"nowhere\.safetensors is not there",
    ),
    "a weights file of another kind": ("  weights: nowhere.bin\n", 2, r"\.safetensors"),
    "pretrain without a section": ("  weights: pretrain\n", 2, r"pretrain"),
    "normalised as a file that does not say": (
        "  weights: nowhere.pth\n",
        2,
        r"data\.normalize: .*a file does not say",
    ),
    "an unknown earlier study": ("  weights: {run: yesterday}\n", 2, r"yesterday"),
    "timm without a network or a cache": (
        "  weights: timm\n",
        3,
        r"weights: timm: .*resnet18.*PATH\.safetensors",
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_what_cannot_be_transferred_or_frozen_is_one_line(name: str, tmp_path: Path) -> None:
    addition, code, pattern = NETWORKS[name]
    text = TINY.partition("design:")[0].replace(
        "{name: cifar_resnet, depth: 8}", "{name: resnet18, stem: cifar}"
    )
    if "FREEZE" in addition:
        text = text.replace("    epochs: 2\n", "    epochs: 2\n    freeze: {through: layer33}\n")
    else:
        text += addition
    if name.startswith("normalised"):
        text = text.replace("train_size: 256}", "train_size: 256, normalize: weights}")
    (tmp_path / "wrong.yaml").write_text(text)
    cache = tmp_path / "cache"
    answer = bench(
        "run", "wrong.yaml", "--device", "cpu", cwd=tmp_path, HF_HOME=str(cache), HF_HUB_OFFLINE="1"
    )
    assert answer.returncode == code, answer.stderr
    assert "Traceback" not in answer.stderr
    assert len(answer.stderr.splitlines()) == 1, answer.stderr
    assert re.search(pattern, answer.stderr), answer.stderr
    assert not (tmp_path / "results").exists()
