"""`python -m architectures` as a user meets it: tables, verdicts, exit codes."""

from __future__ import annotations

import dataclasses
import importlib.util
import subprocess
import sys

import pytest
import torch

from architectures import __main__ as command
from architectures.published import CASES

BY_LABEL = {case.label: case for case in CASES}


@pytest.fixture(autouse=True)
def _threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def run(capsys, *words):
    code = command.main(words)
    streams = capsys.readouterr()
    return code, streams.out, streams.err


class TestChecking:
    @pytest.fixture(autouse=True)
    def _timm(self):
        pytest.importorskip("timm")

    def test_equal_networks_give_a_table_and_zero(self, capsys):
        assert command.check_all([BY_LABEL["cifar_resnet20 shortcut=B"], BY_LABEL["mlp"]]) == 0
        assert capsys.readouterr().out.splitlines() == [
            "network                    parameters     GMACs  held against    verdict",
            "cifar_resnet20 shortcut=B     272,474  0.040813  He et al. 2016  equal",
            "mlp                           109,386  0.000109  by hand         equal",
        ]

    def test_a_network_that_differs_is_named_and_the_exit_code_is_one(self, capsys):
        wrong = dataclasses.replace(BY_LABEL["mlp"], n_params=1, macs=2)
        assert command.check_all([wrong, BY_LABEL["mlp"]]) == 1
        rows = capsys.readouterr().out.splitlines()
        assert rows[1].endswith("differs: 109,386 parameters, not 1 (and 1 more)")
        assert rows[2].endswith("equal")

    @pytest.mark.slow
    def test_the_whole_table_is_equal_within_a_minute(self):
        answer = subprocess.run(
            [sys.executable, "-m", "architectures"], capture_output=True, text=True, timeout=240, check=False
        )
        verdicts = [line.rpartition("  ")[2] for line in answer.stdout.splitlines()[1:]]
        assert verdicts == ["equal"] * len(CASES)
        assert (answer.returncode, answer.stderr) == (0, "")


def test_without_timm_one_line_names_the_extra(capsys, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "timm" else find(name))
    code, out, err = run(capsys)
    assert (code, out) == (3, "")
    assert err == "the networks are held against timm, which is not installed; pip install 'bench[timm]'\n"


def test_a_library_that_is_absent_names_the_extra(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    code, _, err = run(capsys, "timm:resnet18")
    assert (code, err) == (3, "timm is not installed; pip install 'bench[timm]'\n")


class TestListing:
    def test_one_network_is_listed_layer_by_layer(self, capsys):
        code, out, err = run(capsys, "mlp", "hidden=[32]", "num_classes=3", "dropout=0.5")
        assert (code, err) == (0, "")
        assert out.splitlines() == [
            "stage  layer  kind     output  parameters    MACs",
            "stem   fc1    Linear   32          25,120  25,088",
            "stem   drop1  Dropout  32               0       0",
            "head   fc     Linear   3               99      96",
            "       total  MLP                  25,219  25,184",
        ]

    def test_rows_add_up_to_the_published_totals(self, capsys):
        code, out, _ = run(capsys, "resnet18")
        assert code == 0
        rows = [line.split() for line in out.splitlines()[1:]]
        numbers = [tuple(int(cell.replace(",", "")) for cell in row[-2:]) for row in rows]
        totals = tuple(map(sum, zip(*numbers[:-1], strict=True)))
        assert totals == numbers[-1] == (11_689_512, 1_814_073_344)
        assert {row[0] for row in rows[:-1]} == {"stem", "layer1", "layer2", "layer3", "layer4", "head"}

    def test_attention_and_loose_parameters_are_listed_too(self, capsys):
        pytest.importorskip("timm")
        code, out, _ = run(capsys, "timm:vit_tiny_patch16_224", "depth=2", "img_size=32", "num_classes=5")
        assert code == 0
        rows = [line.split() for line in out.splitlines()[1:]]
        numbers = [tuple(int(cell.replace(",", "")) for cell in row[-2:]) for row in rows]
        assert tuple(map(sum, zip(*numbers[:-1], strict=True))) == numbers[-1]
        assert any(row[1] == "blocks.1.attn" and row[-1] != "0" for row in rows)
        assert any(row[0] == "(itself)" and row[-2] != "0" for row in rows)

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (("resnt18",), "'resnt18' is no architecture; did you mean 'resnet18'?"),
            (("cifar_resnet", "depth=19"), "depth: 19 is not 6n+2; nearest 20"),
            (("cifar_resnet",), "depth: is required; Layers with weights, 6n+2: 8, 14, 20, 32, 44, 56, 110."),
            (("resnet18", "stm=deep"), "stm: unknown option; did you mean 'stem'?"),
            (("resnet18", "deep"), "'deep' is no key=value; as img_size=32"),
            (("resnet18", "img_size=big"), "img_size: 'big' is not an integer"),
            (("cifar_resnet20", "img_size=2"), "2 pixels a side are too few for cifar_resnet20; at least 4"),
        ],
    )
    def test_a_wrong_word_is_one_line_and_exit_code_two(self, capsys, words, message):
        assert run(capsys, *words) == (2, "", f"{message}\n")

    def test_a_closed_pipe_is_no_error(self):
        answer = subprocess.run(
            f"{sys.executable} -m architectures cifar_resnet1202 | head -1",
            shell=True,
            capture_output=True,
            text=True,
            check=True,
        )
        assert answer.stdout.startswith("stage")
        assert answer.stderr == ""
